//! `halcyon drain`, `forbid`, `undrain`, `freeze` and `unfreeze`: a person's word on the regions, which outranks
//! their probes.

use std::time::Duration;

use halcyon_core::region::RegionName;
use halcyon_core::text::Seen;
use serde_json::{Value, json};

use super::release::runtime;
use super::remote::regional;
use super::{Exit, Failure, Invocation, duration};

/// The longest time of an override, in days.
const LONGEST_DAYS: u64 = 30;

/// Arguments of `drain` and `forbid`.
#[derive(Debug, clap::Args)]
pub(super) struct SayArgs {
    /// The region
    region: String,
    /// Why; it is recorded
    #[arg(long, allow_hyphen_values = true)]
    reason: String,
    /// For how long, such as 90s, 30m or 7d, at most 30d; for ever without
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    ttl: Option<String>,
    /// Also where no healthy region would remain; for an Admin
    #[arg(long)]
    force: bool,
}

/// Arguments of `undrain`.
#[derive(Debug, clap::Args)]
pub(super) struct UnsayArgs {
    /// The region
    region: String,
}

/// Arguments of `freeze`.
#[derive(Debug, clap::Args)]
pub(super) struct FreezeArgs {
    /// Why; it is recorded
    #[arg(long, allow_hyphen_values = true)]
    reason: String,
}

/// Arguments of `unfreeze`.
#[derive(Debug, clap::Args)]
pub(super) struct UnfreezeArgs {}

/// No new tenants there; it serves if nothing else does.
pub(super) fn drain(args: &SayArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    say("drain", args, invocation)
}

/// Nobody there.
pub(super) fn forbid(args: &SayArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    say("forbid", args, invocation)
}

fn say(state: &str, args: &SayArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let mut problems = Vec::new();
    let region = RegionName::new(&args.region);
    let region = region.map_err(|why| problems.push(why)).ok();
    let ttl = args.ttl.as_deref().map(parse_ttl).transpose();
    let ttl = ttl.map_err(|why| problems.push(why)).ok().flatten();
    let api = regional::watcher(invocation);
    let api = api.map_err(|why| problems.extend(why.problems)).ok();
    let (Some(region), Some(api), []) = (region, api, &problems[..]) else {
        return Err(Failure::usage(problems));
    };
    let mut wish = json!({ "state": state, "reason": args.reason });
    if let Some(ttl) = ttl {
        wish["ttl_s"] = json!(ttl.as_secs());
    }
    if args.force {
        wish["force"] = Value::Bool(true);
    }
    runtime()?.block_on(regional::say(&api, &region, wish, invocation))
}

/// Takes back what has been said of a region.
pub(super) fn undrain(args: &UnsayArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let mut problems = Vec::new();
    let region = RegionName::new(&args.region);
    let region = region.map_err(|why| problems.push(why)).ok();
    let api = regional::watcher(invocation);
    let api = api.map_err(|why| problems.extend(why.problems)).ok();
    let (Some(region), Some(api)) = (region, api) else {
        return Err(Failure::usage(problems));
    };
    runtime()?.block_on(regional::unsay(&api, &region, invocation))
}

/// Stops all automatic change.
pub(super) fn freeze(args: &FreezeArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let api = regional::watcher(invocation)?;
    runtime()?.block_on(regional::freeze(&api, &args.reason, invocation))
}

/// Lets it go on.
pub(super) fn unfreeze(_: &UnfreezeArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let api = regional::watcher(invocation)?;
    runtime()?.block_on(regional::unfreeze(&api, invocation))
}

fn parse_ttl(text: &str) -> Result<Duration, String> {
    let parsed = duration::parse(text, duration::days(LONGEST_DAYS));
    // An override is counted in whole seconds.
    let parsed = parsed.filter(|time| time.subsec_nanos() == 0);
    parsed.ok_or_else(|| {
        let seen = Seen(text);
        format!("--ttl: {seen} is no time of whole seconds; allowed: 1s to {LONGEST_DAYS}d, such as 90s, 30m or 7d")
    })
}
