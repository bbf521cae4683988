//! `halcyon regions` and `halcyon failover`.

use std::fmt::Write;

use halcyon_core::config::RegionReport;
use halcyon_core::regions::{next_failover, validate_region_config};

use super::{Exit, Failure, Invocation, style};

/// Arguments of `regions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Arguments of `failover`.
#[derive(Debug, clap::Args)]
pub(super) struct FailoverArgs {
    /// The region that is lost
    region: String,
}

/// Checks the region configuration and reports everything at once.
pub(super) fn run(Args {}: Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let report = validate_region_config(invocation);
    invocation.answer(|| human(&report), &report)?;
    Ok(if report.valid {
        Exit::Done
    } else {
        Exit::Usage
    })
}

fn human(report: &RegionReport) -> String {
    let mut text = String::new();
    let primary = report.primary.as_ref();
    for (index, region) in report.regions.iter().enumerate() {
        let role = if Some(region) == primary {
            "  primary"
        } else {
            ""
        };
        let _ = writeln!(
            text,
            "{:>4}  {NAME}{region}{NAME:#}{role}",
            index + 1,
            NAME = style::NAME
        );
    }
    let _ = writeln!(text, "failover policy: {}", report.policy);
    for warning in &report.warnings {
        let _ = writeln!(text, "{WARN}warning:{WARN:#} {warning}", WARN = style::WARN);
    }
    for error in &report.errors {
        let _ = writeln!(text, "{ERROR}error:{ERROR:#} {error}", ERROR = style::ERROR);
    }
    let verdict = match (report.valid, report.errors.len()) {
        (true, _) => "valid".to_owned(),
        (false, 1) => "not valid: 1 error".to_owned(),
        (false, n) => format!("not valid: {n} errors"),
    };
    let _ = writeln!(text, "{verdict}");
    text
}

/// Names the next region.
pub(super) fn failover(args: &FailoverArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let next = next_failover(invocation, &args.region)?;
    let report = validate_region_config(invocation);
    report
        .warnings
        .iter()
        .for_each(|warning| invocation.warn(warning));
    if !report
        .regions
        .iter()
        .any(|region| region.as_str() == args.region)
    {
        invocation.warn(&format!(
            "REGION: {} is not in REGIONS; {} is where the {} policy begins",
            halcyon_core::text::Seen(&args.region),
            next,
            report.policy
        ));
    }
    invocation.answer(|| next.to_string(), &serde_json::json!({ "region": next }))?;
    Ok(Exit::Done)
}
