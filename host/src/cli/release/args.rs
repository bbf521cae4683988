//! The arguments of `release`, and what they add up to.

use std::path::PathBuf;
use std::time::Duration;

use halcyon_core::config::{Environment, Settings, Topology};
use halcyon_core::document::nearest;
use halcyon_core::endpoint::Endpoint;
use halcyon_core::region::RegionName;
use halcyon_core::release::{
    Limits, P95_MAX_MS, Plan, Pools, RegionTarget, parse_canary_seq, parse_rate,
};
use halcyon_core::text::Seen;

use crate::cli::{Failure, Invocation, duration};
use crate::clock;
use crate::driver::check_hook;

/// Arguments of `release`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The image that serves now; needed while the journal knows none
    #[arg(long, value_name = "IMAGE", allow_hyphen_values = true)]
    image_blue: Option<String>,
    /// The image to release
    #[arg(
        long,
        value_name = "IMAGE",
        required_unless_present = "resume",
        allow_hyphen_values = true
    )]
    image_green: Option<String>,
    /// The canary's steps in percent: digits only, strictly rising, 0 to 100; promotion follows the last
    #[arg(
        long,
        value_name = "W,W,…",
        required_unless_present = "resume",
        allow_hyphen_values = true
    )]
    canary_seq: Option<String>,
    /// A region: a name from the topology or REGION_ENDPOINTS, host, host:port, [v6]:port or an http(s)
    /// URL; may be repeated
    #[arg(
        long,
        value_name = "REGION",
        required_unless_present = "resume",
        allow_hyphen_values = true
    )]
    pub(super) region: Vec<String>,
    /// Roll back when a step fails; without it a failure is a warning and the release goes on
    #[arg(long)]
    abort_on_err: bool,
    /// How long each step bakes while every region's /ready is probed, in seconds; 0 is one probe round [default: 60]
    #[arg(long, value_name = "SECONDS", allow_hyphen_values = true)]
    timeout_s: Option<String>,
    /// The port of a region that is given without one [env: HEALTH_PORT] [default: 8086]
    #[arg(long, value_name = "PORT", allow_hyphen_values = true)]
    pub(super) health_port: Option<String>,
    /// Command run by /bin/sh for each change and region, with HALCYON_ACTION, HALCYON_REGION,
    /// HALCYON_WEIGHT, HALCYON_IMAGE and HALCYON_RELEASE_ID; must be idempotent. Non-zero is that
    /// region's failure. An http(s) address is a webhook: it gets them as JSON by POST, and 2xx is
    /// done. The journal keeps it as it is, and what it says when it fails: no secret belongs there
    #[arg(long, value_name = "CMD", allow_hyphen_values = true)]
    on_step: Option<String>,
    /// The greatest share of green's requests that may fail in a step, such as 0.5% or 0.005, by what edges
    /// report to the control plane; a step without such traffic waits. Needs HALCYON_SERVER and --abort-on-err
    #[arg(long, value_name = "SHARE", allow_hyphen_values = true)]
    max_error_rate: Option<String>,
    /// The greatest 95th percentile of green's latency in a step, such as 250ms; otherwise as --max-error-rate
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    max_p95: Option<String>,
    /// When the release is to be over, such as 90s, 30m or 2h: then roll back with --abort-on-err, else
    /// hold; exit 124
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub(super) deadline: Option<String>,
    /// Validate, probe every region once, say what would be done; write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Go on with the release under way, from the journal alone
    #[arg(long, conflicts_with_all = ["image_blue", "image_green", "canary_seq", "region", "abort_on_err", "timeout_s", "health_port", "on_step", "max_error_rate", "max_p95", "dry_run"])]
    pub(super) resume: bool,
    /// PEM file of certificate authorities to trust besides the built-in ones
    #[arg(long, value_name = "PATH")]
    pub(super) ca_file: Option<PathBuf>,
    /// The journal [env: HALCYON_STORE] [default: file:logs]
    #[arg(long, value_name = "file:DIR")]
    pub(super) store: Option<String>,
}

/// A release as it is wished for.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) image_blue: Option<String>,
    pub(super) image_green: String,
    pub(super) plan: Plan,
    pub(super) deadline: Option<Duration>,
}

impl Wish {
    /// Reads arguments and environment; every problem at once.
    pub(super) fn read(args: &Args, invocation: &Invocation) -> Result<(Self, Settings), Failure> {
        let mut problems = Vec::new();
        let (settings, found) = Settings::read(invocation);
        for (flag, image) in [
            ("--image-blue", &args.image_blue),
            ("--image-green", &args.image_green),
        ] {
            if image.as_deref() == Some("") {
                problems.push(format!(
                    "{flag}: \"\" is no image reference; allowed: 1 to 65536 bytes"
                ));
            }
        }
        let seq = args.canary_seq.as_deref().unwrap_or("");
        let weights = parse_canary_seq(seq).unwrap_or_else(|why| {
            problems.push(format!("--canary-seq: {why}"));
            Vec::new()
        });
        let (topology, about_topology) = Topology::read(invocation);
        // Of a broken file, what is wrong with it says enough.
        let topology = match about_topology.errors.is_empty() {
            true => topology,
            false => Topology::default(),
        };
        let regions = read_regions(&args.region, &settings, &topology, &mut problems);
        if let Some(hook) = args.on_step.as_deref()
            && let Err(why) = check_hook(hook)
        {
            problems.push(format!("--on-step: {why}"));
        }
        let bake_ms = read_bake(args.timeout_s.as_deref(), &mut problems);
        let limits = read_limits(args, invocation, &mut problems);
        let deadline = args
            .deadline
            .as_deref()
            .map(parse_deadline)
            .transpose()
            .unwrap_or_else(|why| {
                problems.push(why);
                None
            });
        problems.extend(found.errors);
        problems.extend(about_topology.errors);
        if !problems.is_empty() {
            return Err(Failure::usage(problems));
        }
        found
            .warnings
            .iter()
            .for_each(|warning| invocation.warn(warning));
        taken_for_hosts(&regions, &settings, &topology)
            .iter()
            .for_each(|warning| invocation.warn(warning));
        let plan = Plan {
            weights,
            regions,
            bake_ms,
            abort_on_err: args.abort_on_err,
            on_step: args.on_step.clone().filter(|command| !command.is_empty()),
            on_step_dir: args.on_step.as_ref().and_then(|_| working_directory()),
            limits,
            by_server: false,
            deadline: deadline.map(|patience| {
                clock::now().plus(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX))
            }),
        };
        let image_green = args.image_green.clone().unwrap_or_default();
        Ok((
            Self {
                image_blue: args.image_blue.clone(),
                image_green,
                plan,
                deadline,
            },
            settings,
        ))
    }
}

/// What green's traffic must keep to.
fn read_limits(args: &Args, invocation: &Invocation, problems: &mut Vec<String>) -> Option<Limits> {
    let given = [
        ("--max-error-rate", args.max_error_rate.is_some()),
        ("--max-p95", args.max_p95.is_some()),
    ];
    let given: Vec<&str> = given
        .iter()
        .filter(|(_, given)| *given)
        .map(|(flag, _)| *flag)
        .collect();
    let (&flag, _) = given.split_first()?;
    if invocation
        .variable("HALCYON_SERVER")
        .is_none_or(|server| server.is_empty())
    {
        problems.push(format!(
            "{flag}: edges report what they see to a control plane, and this release is driven here; allowed: with HALCYON_SERVER"
        ));
    }
    if !args.abort_on_err {
        problems.push(format!(
            "{flag}: a release that breaks a limit goes back; allowed: with --abort-on-err"
        ));
    }
    let mut read = |flag: &str, found: Result<u64, String>| {
        found
            .map_err(|why| problems.push(format!("{flag}: {why}")))
            .ok()
    };
    let errors = args.max_error_rate.as_deref().map(parse_rate);
    let errors = errors.and_then(|found| read("--max-error-rate", found));
    let p95 = args.max_p95.as_deref().map(parse_p95);
    let limits = Limits {
        max_errors_ppm: errors,
        max_p95_ms: p95.and_then(|found| read("--max-p95", found)),
    };
    (!limits.is_empty()).then_some(limits)
}

/// Reads a latency such as `250ms` or `1s`, in whole milliseconds.
fn parse_p95(text: &str) -> Result<u64, String> {
    let parsed: Option<jiff::SignedDuration> = text.parse().ok();
    let ms = parsed.and_then(|duration| {
        let whole = duration.subsec_nanos() % 1_000_000 == 0;
        u64::try_from(duration.as_millis()).ok().filter(|_| whole)
    });
    ms.filter(|ms| (1..=P95_MAX_MS).contains(ms)).ok_or_else(|| {
        format!(
            "{} is no latency; allowed: whole milliseconds from 1ms to 10m, such as 250ms or 1s",
            Seen(text)
        )
    })
}

/// Where this process works: a hook may be a relative path, whoever goes on with the release.
fn working_directory() -> Option<String> {
    std::env::current_dir().ok()?.to_str().map(str::to_owned)
}

/// Each region once, by name and by address.
fn read_regions(
    texts: &[String],
    settings: &Settings,
    topology: &Topology,
    problems: &mut Vec<String>,
) -> Vec<RegionTarget> {
    let mut regions: Vec<RegionTarget> = Vec::new();
    // Hosts are the same in every case, and paths are not: two paths that differ in that alone are hardly meant.
    let same = |one: &RegionTarget, other: &RegionTarget| {
        one.url
            .to_string()
            .eq_ignore_ascii_case(&other.url.to_string())
    };
    for text in texts {
        match read_region(text, settings, topology) {
            Err(why) => problems.push(format!("--region: {why}")),
            Ok(region) => match regions
                .iter()
                .find(|known| known.name == *text || same(known, &region))
            {
                Some(known) if known.name == *text => {
                    problems.push(format!(
                        "--region: {} is given twice; allowed: each region once",
                        Seen(text)
                    ));
                }
                Some(known) => problems.push(format!(
                    "--region: {} and {} are the same address {}; allowed: each region once",
                    Seen(&known.name),
                    Seen(text),
                    region.url
                )),
                None => regions.push(region),
            },
        }
    }
    regions
}

/// Names win over addresses, and `REGION_ENDPOINTS` over the topology.
fn read_region(
    text: &str,
    settings: &Settings,
    topology: &Topology,
) -> Result<RegionTarget, String> {
    let endpoints = &settings.region_endpoints;
    let listed = endpoints.iter().find(|known| known.name.as_str() == text);
    let mut placed = topology.regions.iter();
    let placed = placed.find(|known| known.name.as_str() == text);
    let url = match (listed, placed) {
        (Some(listed), _) => listed.endpoint.clone(),
        (None, Some(placed)) => placed.health.clone().ok_or_else(|| {
            format!(
                "{} has no \"health\" in the topology, so it cannot be probed; allowed: a region with health = \"http://host[:port]\" there, or with an address in REGION_ENDPOINTS",
                Seen(text)
            )
        })?,
        (None, None) => read_address(text, settings)?,
    };
    Ok(RegionTarget {
        name: text.to_owned(),
        url,
        named: listed.is_some() || placed.is_some(),
        pools: placed.map_or_else(Pools::default, |placed| Pools {
            blue: placed.blue.clone(),
            green: placed.green.clone(),
        }),
    })
}

/// Addresses that are written almost like a region, and were probably meant to be one.
fn taken_for_hosts(
    regions: &[RegionTarget],
    settings: &Settings,
    topology: &Topology,
) -> Vec<String> {
    let listed = settings.region_endpoints.iter().map(|known| &known.name);
    let placed = topology.regions.iter().map(|known| &known.name);
    let known: Vec<&str> = listed.chain(placed).map(RegionName::as_str).collect();
    let addresses = regions.iter().filter(|region| !region.named);
    let warning = |region: &RegionTarget| {
        let meant = nearest(&region.name, known.iter().copied())?;
        Some(format!(
            "--region: {} is no region's name, so it is taken for the host {}; did you mean {meant}?",
            Seen(&region.name),
            region.url
        ))
    };
    addresses.filter_map(warning).collect()
}

fn read_address(text: &str, settings: &Settings) -> Result<Endpoint, String> {
    let url = Endpoint::parse_region(text, settings.health_port)?;
    match url.port() {
        0 => Err(format!(
            "{} has no port, and the default is 0; give host:port",
            Seen(text)
        )),
        _ => Ok(url),
    }
}

fn read_bake(text: Option<&str>, problems: &mut Vec<String>) -> u64 {
    const MAX: u64 = 7 * 24 * 3600;
    let text = text.unwrap_or("60");
    match text.parse::<u64>() {
        Ok(seconds) if seconds <= MAX && text.bytes().all(|b| b.is_ascii_digit()) => seconds * 1000,
        _ => {
            problems.push(format!(
                "--timeout-s: {} is no number of seconds; allowed: 0 to {MAX}",
                Seen(text)
            ));
            0
        }
    }
}

/// Reads a deadline such as `90s`, `30m`, `1h30m` or `2d`.
pub(in crate::cli) fn parse_deadline(text: &str) -> Result<Duration, String> {
    duration::parse(text, duration::days(30)).ok_or_else(|| {
        let seen = Seen(text);
        format!("--deadline: {seen} is no duration; allowed: more than 0 to 30d, such as 90s, 30m, 1h30m or 2d")
    })
}
