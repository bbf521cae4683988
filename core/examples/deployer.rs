//! A release over two regions by a deployer of your own, which goes on where it was killed.
//!
//! ```sh
//! DEPLOY_RBAC_ROLE=Deployer cargo run --example deployer -- DIR app:v2
//! ```
//!
//! The deployer here writes each region's weight to `DIR/REGION.weight`, as if a load balancer watched it,
//! and takes a region that has a file `DIR/REGION.broken` for ill. The journal is `DIR/deploy_audit.log`;
//! `halcyon status` and `halcyon audit verify` read it too.
//!
//! One process at a time: a program of which several may run takes a lock around [`Driver::give`].
// What the core forbids itself, the program around it has.
#![allow(
    clippy::disallowed_types,
    clippy::std_instead_of_alloc,
    clippy::std_instead_of_core
)]

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use halcyon_core::endpoint::Endpoint;
use halcyon_core::ledger::Ledger;
use halcyon_core::release::{
    Action, Command, Context, Phase, Plan, Pools, RegionTarget, Step, Weight, parse_canary_seq,
};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;

const REGIONS: [&str; 2] = ["us-east", "eu-west"];
const BAKE_MS: u64 = 200;

/// What makes a change in a region. Doing it twice does no harm: after a crash it is asked for again.
struct Deployer {
    dir: PathBuf,
}

impl Deployer {
    fn apply(
        &self,
        region: &str,
        action: Action,
        weight: Weight,
        image: &str,
    ) -> Result<(), Box<dyn Error>> {
        println!("{action} in {region}: {image} at {weight}%");
        self.probe(region).or_else(|ill| {
            if action == Action::RollbackToBlue {
                Ok(())
            } else {
                Err(ill)
            }
        })?;
        // Whoever watches the file sees the old weight or the new one, never half of it.
        let new = self.dir.join(format!("{region}.new"));
        fs::write(&new, weight.to_string())?;
        Ok(fs::rename(new, self.dir.join(format!("{region}.weight")))?)
    }

    fn probe(&self, region: &str) -> Result<(), Box<dyn Error>> {
        match self.dir.join(format!("{region}.broken")).exists() {
            true => Err(format!("{region} is broken").into()),
            false => Ok(()),
        }
    }

    fn probe_all(&self) -> Result<(), Box<dyn Error>> {
        REGIONS.iter().try_for_each(|region| self.probe(region))
    }
}

/// The journal, and the state it adds up to.
struct Driver {
    file: File,
    ledger: Ledger,
    /// Bytes of an append that never finished.
    torn: u64,
    actor: Actor,
}

impl Driver {
    fn open(path: &Path, actor: Actor) -> Result<Self, Box<dyn Error>> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut ledger = Ledger::default();
        let mut torn = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(line) => drop(ledger.accept(line)?),
                None => torn = u64::try_from(line.len())?,
            }
        }
        Ok(Self {
            file,
            ledger,
            torn,
            actor,
        })
    }

    /// Decides a command and makes it durable. A refusal for the role is a record too.
    fn give(&mut self, command: &Command) -> Result<(), Box<dyn Error>> {
        let now = now()?;
        let id = format!("r{}", now.0);
        let context = Context {
            actor: &self.actor,
            kill_switch: false,
            new_release_id: &id,
        };
        let release = self.ledger.release();
        let decided = release.decide(command, &context);
        let events = match &decided {
            Ok(events) => events.clone(),
            Err(_) => release.denial(command, &context, now).into_iter().collect(),
        };
        let belongs = |event| (release.release_id_of(&event, &context), event);
        let events: Vec<_> = events
            .into_iter()
            .map(belongs)
            .map(|(id, event)| (event, id))
            .collect();
        let cut = (self.torn > 0 && !events.is_empty()).then_some(self.torn);
        let lines = self.ledger.write(events, &self.actor, cut, now);
        if let Some(cut) = cut {
            let length = self.file.metadata()?.len();
            self.file.set_len(length.saturating_sub(cut))?;
            self.torn = 0;
        }
        self.file.write_all(lines.as_bytes())?;
        self.file.sync_all()?;
        decided?;
        Ok(())
    }

    /// Goes from step to step until there is none: what is asked for is read from the journal alone.
    fn drive(&mut self, deployer: &Deployer) -> Result<(), Box<dyn Error>> {
        loop {
            let release = self.ledger.release();
            let phase = release.phase();
            let commands = match release.next_step() {
                Step::Rest => return Ok(()),
                Step::Hold => return Err("a person has paused it".into()),
                Step::Apply(apply) => {
                    let made = apply.regions.iter().try_for_each(|region| {
                        deployer.apply(&region.name, apply.action, apply.weight, apply.image)
                    });
                    let confirm = |region: &&RegionTarget| Command::ConfirmRegion {
                        region: region.name.clone(),
                        change: apply.action,
                    };
                    match made {
                        Ok(()) => apply.regions.iter().map(confirm).collect(),
                        Err(why) if apply.action == Action::RollbackToBlue => return Err(why),
                        Err(why) => vec![roll_back(&*why)],
                    }
                }
                Step::Enter { weight } => match (deployer.probe_all(), phase) {
                    (Err(why), _) => vec![roll_back(&*why)],
                    (Ok(()), Phase::GreenProvisioned) => {
                        vec![Command::StartCanary {
                            weight: weight.percent().into(),
                        }]
                    }
                    (Ok(()), _) => vec![Command::IncreaseWeight {
                        weight: weight.percent().into(),
                    }],
                },
                Step::Bake { weight, until } => {
                    let left = until.since(now()?);
                    sleep(Duration::from_millis(left));
                    match deployer.probe_all() {
                        Ok(()) => vec![Command::PassStep {
                            weight,
                            baked_ms: BAKE_MS,
                            rounds: 1,
                            traffic: None,
                        }],
                        Err(why) => vec![roll_back(&*why)],
                    }
                }
                Step::Finish => vec![Command::FinishPlan],
                Step::CompleteRollback => vec![Command::CompleteRollback],
            };
            commands.iter().try_for_each(|command| self.give(command))?;
        }
    }
}

fn roll_back(why: &dyn Error) -> Command {
    Command::RollbackToBlue {
        reason: why.to_string(),
    }
}

fn plan() -> Result<Plan, Box<dyn Error>> {
    let region = |name: &str| -> Result<RegionTarget, String> {
        let url = Endpoint::parse(&format!("http://{name}.example:8086"))?;
        Ok(RegionTarget {
            name: name.into(),
            url,
            named: true,
            pools: Pools::default(),
        })
    };
    Ok(Plan {
        weights: parse_canary_seq("10,50,100")?,
        regions: REGIONS.into_iter().map(region).collect::<Result<_, _>>()?,
        bake_ms: BAKE_MS,
        abort_on_err: true,
        // With a hook on record, every region has to confirm every change.
        on_step: Some("built in".into()),
        on_step_dir: None,
        limits: None,
        by_server: false,
        deadline: None,
    })
}

fn now() -> Result<Timestamp, Box<dyn Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp(u64::try_from(now.as_millis())?))
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(image)) = (arguments.next(), arguments.next()) else {
        return Err("usage: deployer DIR IMAGE".into());
    };
    let role = std::env::var("DEPLOY_RBAC_ROLE").unwrap_or_default();
    let actor = Actor {
        user: "deployer".into(),
        role,
    };
    let deployer = Deployer { dir: dir.into() };
    let mut driver = Driver::open(&deployer.dir.join("deploy_audit.log"), actor)?;
    if driver.ledger.release().under_way() {
        println!(
            "going on with {}",
            driver.ledger.release().id().unwrap_or_default()
        );
        driver.give(&Command::AttachDriver)?;
    } else {
        let blue_image = Some("app:v1".into());
        driver.give(&Command::ProvisionGreen {
            image,
            blue_image,
            plan: Some(plan()?),
        })?;
    }
    driver.drive(&deployer)?;
    println!(
        "{}: blue is {}",
        driver.ledger.release().phase(),
        driver.ledger.release().blue_image().unwrap_or("unknown")
    );
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
