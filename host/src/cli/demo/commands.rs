//! The commands that the demo gives, as a release engineer would.

use std::path::Path;
use std::process::Stdio;

use halcyon_core::release::Phase;
use serde_json::Value;

use super::super::{Failure, Output};
use super::region::Region;
use super::stage::Stage;
use super::story::{REGIONS, TENANTS, unexpected};
use super::{TOPOLOGY, command};
use crate::journal::Journal;

/// Runs `halcyon release` for the audience to see; answers with its exit code.
pub(super) async fn release(
    stage: &Stage<'_>,
    directory: &Path,
    regions: &[Region],
    image: &str,
    steps: &str,
    seconds: &str,
) -> Result<u8, Failure> {
    let blue = if state(directory)? == Phase::Idle {
        "--image-blue app:v1 "
    } else {
        ""
    };
    stage.typed(&format!(
        "halcyon release {blue}--image-green {image} --canary-seq {steps} --timeout-s {seconds} --abort-on-err --region …"
    ));
    let mut arguments = vec![
        "release",
        "--image-green",
        image,
        "--canary-seq",
        steps,
        "--timeout-s",
        seconds,
        "--abort-on-err",
    ];
    if !blue.is_empty() {
        arguments.extend(["--image-blue", "app:v1"]);
    }
    for region in regions {
        arguments.extend(["--region", region.name]);
    }
    if stage.output() != Output::Human {
        arguments.extend(["-o", "jsonl"]);
    }
    let mut command = command(&arguments, &variables(regions), directory)?;
    command.stdin(Stdio::null());
    if stage.output() == Output::Json {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    let status = command
        .status()
        .await
        .map_err(|why| unexpected(&format!("cannot run halcyon release: {why}")))?;
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .ok_or_else(|| unexpected("halcyon release was killed"))
}

/// How far the release is.
pub(super) fn state(directory: &Path) -> Result<Phase, Failure> {
    Ok(Journal::open(directory.join("logs"))?.release().phase())
}

/// Asks `halcyon route` about all ten tenants.
pub(super) async fn route(
    directory: &Path,
    regions: &[Region],
    down: &[&str],
) -> Result<Vec<(String, String)>, Failure> {
    let mut arguments = vec!["route", "-o", "jsonl"];
    arguments.extend(TENANTS);
    for region in down {
        arguments.extend(["--down", region]);
    }
    let answers = capture(&arguments, directory, regions).await?;
    let parse = |line: &str| {
        let answer: Value = serde_json::from_str(line).ok()?;
        Some((
            answer["tenant"].as_str()?.to_owned(),
            answer["region"].as_str()?.to_owned(),
        ))
    };
    answers
        .lines()
        .map(|line| parse(line).ok_or_else(|| unexpected(&format!("route answered {line}"))))
        .collect()
}

/// Runs a command of this program and answers with what it printed.
pub(super) async fn capture(
    arguments: &[&str],
    directory: &Path,
    regions: &[Region],
) -> Result<String, Failure> {
    let output = command(arguments, &variables(regions), directory)?
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|why| unexpected(&format!("cannot run halcyon {}: {why}", arguments[0])))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(unexpected(&format!(
            "halcyon {} ended with {}: {}",
            arguments[0],
            output.status,
            said.trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The environment of a release engineer.
pub(super) fn variables(regions: &[Region]) -> Vec<(&'static str, String)> {
    let endpoints: Vec<String> = regions
        .iter()
        .map(|region| format!("{}={}", region.name, region.url()))
        .collect();
    vec![
        ("REGIONS", REGIONS.to_owned()),
        ("PRIMARY_REGION", "us-east".to_owned()),
        ("TENANT_STICKY", "hash".to_owned()),
        ("FAILOVER_POLICY", "round_robin".to_owned()),
        ("REGION_ENDPOINTS", endpoints.join(",")),
        ("HALCYON_TOPOLOGY", TOPOLOGY.to_owned()),
        ("DEPLOY_RBAC_ROLE", "Deployer".to_owned()),
        ("DEPLOY_USER", "demo".to_owned()),
        ("PROBE_INTERVAL_MS", "200".to_owned()),
    ]
}
