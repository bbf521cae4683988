//! Halcyon's decisions: which region a tenant goes to, what takes over when a region is gone, whether
//! an instance is ready, and how a blue/green release goes from step to step.
//!
//! **The invariant: the same inputs give the same answer, on every target, and nothing else happens.**
//!
//! This crate never opens a file or a socket, never asks what time it is, never draws a random number,
//! never panics, and holds no `unsafe`. The environment comes in as a lookup function, time as a
//! [`Timestamp`](time::Timestamp) that is the last argument, ids as text. What must happen in the world
//! is answered as a value; whoever embeds the crate makes it so and says that it is.
//!
//! # Where a tenant goes
//!
//! ```
//! use halcyon_core::hash::TenantId;
//! use halcyon_core::placement::{RegionStatus, Router};
//!
//! let env = |name: &str| {
//!     let value = match name {
//!         "REGIONS" => "us-east,us-west,eu-west",
//!         "PRIMARY_REGION" => "us-east",
//!         "TENANT_STICKY" => "hash",
//!         _ => return None,
//!     };
//!     Some(String::from(value))
//! };
//! let router = Router::from_lookup(&env)?;
//! let slots = router.slot_rule(None);
//! let tenant = TenantId::new("tenant123").unwrap();
//!
//! let healthy = router.route(tenant, &[], &slots).unwrap();
//! assert_eq!(healthy.region.as_str(), "us-west");
//!
//! let health = [RegionStatus::Up, RegionStatus::Down, RegionStatus::Up];
//! let failed_over = router.route(tenant, &health, &slots).unwrap();
//! assert_eq!((failed_over.region.as_str(), failed_over.reason.name()), ("eu-west", "failover"));
//! # Ok::<(), halcyon_core::regions::ConfigError>(())
//! ```
//!
//! # How a release runs
//!
//! State is the fold of the journal, live and on recovery. To drive a release to its end:
//!
//! 1. Ask [`decide`](release::Release::decide) with the wish to begin. It answers with events or a
//!    refusal and changes nothing.
//! 2. [Write](ledger::Ledger::write) the events. That gives the lines for the journal and folds them
//!    into the state. Append the lines and fsync **before** anything below: what is not in the journal
//!    did not happen.
//! 3. Ask [`next_step`](release::Release::next_step) what must become true, and
//!    [`next_deadline`](release::Release::next_deadline) when to look again.
//! 4. Make it true: call the hook, smoke-test, probe. Doing it twice must do no harm, because after a
//!    crash it is asked for again.
//! 5. Say so with a command, which goes the same way as the first: decide, write, append.
//! 6. Go to 3 until the answer is [`Rest`](release::Step::Rest), or [`Hold`](release::Step::Hold):
//!    then a person has to act.
//!
//! ```
//! use halcyon_core::endpoint::Endpoint;
//! use halcyon_core::ledger::Ledger;
//! use halcyon_core::release::{Command, Context, Phase, Plan, Pools, RegionTarget, Rejection, Step, parse_canary_seq};
//! use halcyon_core::role::Actor;
//! use halcyon_core::time::Timestamp;
//!
//! let actor = Actor { user: "ci".into(), role: "Deployer".into() };
//! let context = Context { actor: &actor, kill_switch: false, new_release_id: "r1" };
//! let mut ledger = Ledger::default();
//! let mut journal = String::new(); // a file, in a program
//! let mut now = Timestamp(1_759_397_400_000);
//!
//! let mut give = |ledger: &mut Ledger, command: Command, now: Timestamp| -> Result<(), Rejection> {
//!     let release = ledger.release();
//!     let events = release.decide(&command, &context)?; // 1, 5
//!     let events = events.into_iter().map(|event| (event.clone(), release.release_id_of(&event, &context)));
//!     let events = events.collect();
//!     journal.push_str(&ledger.write(events, &actor, None, now)); // 2
//!     Ok(())
//! };
//!
//! let url = Endpoint::parse("http://10.0.0.1:8086").unwrap();
//! let plan = Plan {
//!     weights: parse_canary_seq("10,50,100").unwrap(),
//!     regions: vec![RegionTarget { name: "us-east".into(), url, named: true, pools: Pools::default() }],
//!     bake_ms: 60_000,
//!     abort_on_err: true,
//!     on_step: Some("./shift-traffic".into()),
//!     on_step_dir: None,
//!     limits: None,
//!     by_server: false,
//!     deadline: None,
//! };
//! let image = String::from("app:v2");
//! give(&mut ledger, Command::ProvisionGreen { image, blue_image: Some("app:v1".into()), plan: Some(plan) }, now)?; // 1
//!
//! loop {
//!     let commands = match ledger.release().next_step() { // 3
//!         Step::Rest | Step::Hold => break, // 6
//!         Step::Apply(apply) => {
//!             // 4: run `apply.on_step` for each region; failing would be RollbackToBlue here.
//!             let region = |target: &&RegionTarget| target.name.clone();
//!             let confirm = |region| Command::ConfirmRegion { region, change: apply.action };
//!             apply.regions.iter().map(region).map(confirm).collect()
//!         }
//!         Step::Enter { weight } => {
//!             let weight = i64::from(weight.percent()); // 4: smoke-test every region first
//!             match ledger.release().phase() {
//!                 Phase::GreenProvisioned => vec![Command::StartCanary { weight }],
//!                 _ => vec![Command::IncreaseWeight { weight }],
//!             }
//!         }
//!         Step::Bake { weight, until } => {
//!             assert_eq!(ledger.release().next_deadline(), Some(until)); // 3
//!             now = until; // 4: probe every region until then
//!             vec![Command::PassStep { weight, baked_ms: 60_000, rounds: 60, traffic: None }]
//!         }
//!         Step::Finish => vec![Command::FinishPlan],
//!         Step::CompleteRollback => vec![Command::CompleteRollback],
//!     };
//!     for command in commands {
//!         give(&mut ledger, command, now)?; // 5
//!     }
//! }
//! assert_eq!(ledger.release().phase(), Phase::GreenLive);
//! assert_eq!(ledger.release().blue_image(), Some("app:v2"));
//!
//! // Whoever reads the journal arrives at the same state, or learns which line was touched.
//! let mut replay = Ledger::default();
//! for line in journal.lines() {
//!     replay.accept(line.as_bytes()).unwrap();
//! }
//! assert_eq!(replay, ledger);
//! # Ok::<(), Rejection>(())
//! ```
//!
//! # Map
//!
//! | module | decides |
//! |---|---|
//! | [`config`] | what the environment says, every problem at once, and the table all references are made from |
//! | [`regions`] | the region functions under the names the earlier system gave them |
//! | [`placement`] | region and colour of a tenant, and why |
//! | [`release`] | the blue/green state machine: `decide`, `evolve`, `next_step` |
//! | [`ledger`] | the lines of the journal: a hash chain, and the state it adds up to |
//! | [`table`] | what an edge gets: configuration, release and health as one document with an epoch |
//! | [`address`] | which addresses a probe may go to |
//! | [`telemetry`] | what edges count, and how they say it |
//! | [`breaker`] | when an edge passes over a pool because of what it has seen itself |
//! | [`tenant`] | which tenant a request is of |
//! | [`document`] | files a user writes, as a tree that loses nothing |
//! | [`readiness`] | what `/ready` answers |
//! | [`role`] | who may release |
//! | [`region`], [`endpoint`], [`time`] | values that cannot hold anything wrong |
//! | [`hash`] | SipHash-1-3 and a mixer: the two functions placement rests on |
//! | [`text`] | text from outside, made safe to show |
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod access;
pub mod address;
pub mod breaker;
pub mod config;
pub mod document;
pub mod endpoint;
pub mod forwarding;
pub mod hash;
pub mod health;
pub mod ledger;
pub mod placement;
pub mod readiness;
pub mod region;
pub mod regions;
pub mod release;
pub mod role;
mod sorted;
pub mod table;
pub mod telemetry;
pub mod tenant;
pub mod text;
pub mod time;

#[cfg(test)]
mod testing;
