//! The commands that the demo gives, as whoever releases would.

use std::process::Stdio;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, tcgetattr};
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::super::{Failure, Output};
use super::control::{ControlPlane, STORE, USER, region_flags};
use super::sandbox::Sandbox;
use super::stage::Stage;
use super::story::{REGIONS, placement, unexpected};

/// Runs `halcyon release` against the control plane, for the audience to see; answers with its exit code.
pub(super) async fn release(
    stage: &Stage<'_>,
    sandbox: &Sandbox,
    control: &ControlPlane,
    images: &[&str],
    steps: &str,
    seconds: &str,
) -> Result<u8, Failure> {
    stage.typed(&format!(
        "export HALCYON_SERVER={} HALCYON_TOKEN_FILE={USER}.token",
        control.url()
    ));
    stage.typed(&format!("halcyon release {} \\", images.join(" ")));
    stage.typed_on(&format!("{} \\", region_flags()));
    stage.typed_on(&format!(
        "--canary-seq {steps} --timeout-s {seconds} --abort-on-err"
    ));
    let mut arguments = vec!["release"];
    arguments.extend(images);
    for region in REGIONS {
        arguments.extend(["--region", region]);
    }
    arguments.extend(["--canary-seq", steps, "--timeout-s", seconds]);
    arguments.push("--abort-on-err");
    if stage.output() != Output::Human {
        arguments.extend(["-o", "jsonl"]);
    }
    let mut command = sandbox.command(&arguments, &control.client_variables())?;
    if stage.output() == Output::Json {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    if stops_background_writers() {
        command.process_group(getpgrp().as_raw_nonzero().get());
    }
    let status = sandbox.spawn(&mut command)?.wait().await;
    let status = status.map_err(|why| unexpected(&format!("cannot run halcyon release: {why}")))?;
    status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .ok_or_else(|| unexpected("halcyon release was killed"))
}

/// Whether the terminal stops whoever writes to it from another process group (`stty tostop`).
fn stops_background_writers() -> bool {
    let modes = tcgetattr(std::io::stdout()).map(|terminal| terminal.local_modes);
    modes.is_ok_and(|modes| modes.contains(LocalModes::TOSTOP))
}

/// What `halcyon status` says there, as a person reads it.
pub(super) async fn status(sandbox: &Sandbox, control: &ControlPlane) -> Result<String, Failure> {
    capture(sandbox, &["status"], &control.client_variables(), "").await
}

/// What `halcyon audit verify` says of a store in the demo's directory.
pub(super) async fn verify(sandbox: &Sandbox, store: &str) -> Result<Value, Failure> {
    let variables = [("HALCYON_STORE", format!("file:{store}"))];
    let arguments = ["audit", "verify", "-o", "json"];
    let said = capture(sandbox, &arguments, &variables, "").await?;
    serde_json::from_str(&said).map_err(|why| unexpected(&format!("audit verify: {why}")))
}

/// What `audit verify` is typed as, on the control plane's machine.
pub(super) fn verify_typed() -> String {
    format!("HALCYON_STORE=file:{STORE} halcyon audit verify")
}

/// Asks `halcyon route` about all of them: the region of each, in their order.
pub(super) async fn route(
    sandbox: &Sandbox,
    tenants: &[String],
    down: &[&str],
) -> Result<Vec<String>, Failure> {
    let mut arguments = vec!["route", "-o", "jsonl", "-"];
    for region in down {
        arguments.extend(["--down", region]);
    }
    let answers = capture(sandbox, &arguments, &placement(), &tenants.join("\n")).await?;
    let parse = |line: &str| {
        let answer: Value = serde_json::from_str(line).ok()?;
        Some(answer["region"].as_str()?.to_owned())
    };
    let regions: Result<Vec<String>, Failure> = answers
        .lines()
        .map(|line| parse(line).ok_or_else(|| unexpected(&format!("route answered {line}"))))
        .collect();
    match regions? {
        regions if regions.len() == tenants.len() => Ok(regions),
        regions => Err(unexpected(&format!("route gave {} answers", regions.len()))),
    }
}

/// Runs a command of this program, with this on its stdin, and answers with what it printed.
pub(super) async fn capture(
    sandbox: &Sandbox,
    arguments: &[&str],
    variables: &[(&str, String)],
    stdin: &str,
) -> Result<String, Failure> {
    let failed = |why: &str| unexpected(&format!("halcyon {}: {why}", arguments[0]));
    let mut command = sandbox.command(arguments, variables)?;
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = sandbox.spawn(&mut command)?;
    let pipe = child.stdin.take();
    let fed = async move {
        if let Some(mut pipe) = pipe {
            // Whoever does not read it says so by what it prints.
            let _ = pipe.write_all(stdin.as_bytes()).await;
        }
    };
    let ((), output) = tokio::join!(fed, child.wait_with_output());
    let output = output.map_err(|why| failed(&why.to_string()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(failed(&format!(
            "ended with {}: {}",
            output.status,
            said.trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
