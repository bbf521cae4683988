//! The command line as a client of a running control plane: where `HALCYON_SERVER` is set.
//!
//! A client folds the server's audit log by itself, through the same ledger: what it shows is verified, and is
//! what the command line of that machine would show.

mod follow;
mod history;
pub(super) mod regional;
mod wish;

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use axum::http::Method;
use halcyon_core::config::{Environment, Settings};
use halcyon_core::endpoint::{Endpoint, Scheme};
use halcyon_core::release::{Command, Rejection};
use halcyon_core::text::{Seen, printable};
use serde_json::{Value, json};

use super::{Exit, Failure, Invocation};
use crate::journal::JournalError;
use crate::net::api::{Api, Ask, Reply};

pub(super) use follow::{begin, pause, promote, resume, resumed, rollback};
pub(super) use history::{History, Missing};
pub(super) use wish::Begin;

/// A token is some fifty bytes; more is none.
const TOKEN_FILE_MAX: u64 = 4096;

/// The control plane that `HALCYON_SERVER` names, if it is set.
///
/// # Errors
/// Everything that is wrong with it and with `HALCYON_TOKEN_FILE`.
pub(super) fn server(
    invocation: &Invocation,
    ca_file: Option<&Path>,
) -> Result<Option<Api>, Failure> {
    let set = |name: &str| invocation.variable(name).filter(|value| !value.is_empty());
    let Some(address) = set("HALCYON_SERVER") else {
        return Ok(None);
    };
    let mut problems = Vec::new();
    let at = Endpoint::parse_http(&address);
    let at = at
        .map_err(|why| problems.push(format!("HALCYON_SERVER: {why}")))
        .ok();
    let secret = set("HALCYON_TOKEN_FILE")
        .map(|path| read_token(&path))
        .transpose();
    let secret = secret.unwrap_or_else(|why| {
        problems.push(format!("HALCYON_TOKEN_FILE: {why}"));
        None
    });
    if let Some(at) = &at
        && at.path().contains('?')
    {
        problems.push(format!(
            "HALCYON_SERVER: {} has a query; allowed: http://host[:port][/path], https://host[:port][/path]",
            Seen(&address)
        ));
    }
    let (Some(at), []) = (at, &problems[..]) else {
        return Err(Failure::usage(problems));
    };
    if secret.is_some() && at.scheme() == Scheme::Http && !is_loopback(at.host()) {
        invocation
            .warn("HALCYON_SERVER: the token goes over the network unencrypted; allowed: https");
    }
    let api = Api::new(at, secret.as_deref(), ca_file);
    api.map(Some).map_err(|why| Failure::new(Exit::Usage, why))
}

/// Refuses what the kill switch of whoever asks refuses, whatever the server's says: nobody sets it and means to
/// raise green.
pub(super) fn permitted_here(command: &Command, invocation: &Invocation) -> Result<(), Failure> {
    let (settings, _) = Settings::read(invocation);
    if settings.features.kill_switch() && command.raises() {
        let words = command.words();
        return Err(JournalError::Refused(Rejection::KillSwitch { words }).into());
    }
    Ok(())
}

fn is_loopback(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.parse();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn read_token(path: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("{} {why}; allowed: a file with a token alone", Seen(path));
    let flags = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let cannot =
        |why: std::io::Error| wrong(&format!("cannot be read: {}", printable(&why.to_string())));
    let file = File::options()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .map_err(cannot)?;
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err(wrong("is no regular file"));
    }
    let mut text = String::new();
    file.take(TOKEN_FILE_MAX)
        .read_to_string(&mut text)
        .map_err(cannot)?;
    let secret = text.trim();
    let good = !secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic());
    match good {
        true => Ok(secret.to_owned()),
        false => Err(wrong("holds none")),
    }
}

/// Why a request failed, as the command line says it.
fn failed(api: &Api, why: &str) -> Failure {
    let at = api.at();
    Failure::new(Exit::Failed, format!("HALCYON_SERVER {at}: {why}"))
}

/// The answer, or what the control plane has against it.
fn answered(api: &Api, reply: Reply) -> Result<Value, Failure> {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
    if (200..300).contains(&reply.status) {
        return Ok(body);
    }
    let exit = match reply.status {
        400 | 404 | 405 | 413 => Exit::Usage,
        401 | 403 => Exit::NotPermitted,
        409 | 412 => Exit::Refused,
        _ => Exit::Failed,
    };
    let said = |value: &Value| value.as_str().map(printable);
    let several = body["problems"].as_array();
    let mut problems: Vec<String> = several.into_iter().flatten().filter_map(said).collect();
    if problems.is_empty() {
        problems.extend(said(&body["detail"]));
    }
    if problems.is_empty() {
        let status = reply.status;
        problems.push(format!("HALCYON_SERVER {}: status {status}", api.at()));
    }
    // Paths are this program's own: what does not know them is something else.
    let strange = matches!(reply.status, 404 | 405);
    let hint = strange.then(|| {
        format!(
            "HALCYON_SERVER is {}; allowed: the address of a control plane's dashboard, such as http://127.0.0.1:8080.",
            api.at()
        )
    });
    Err(Failure {
        exit,
        problems,
        hint,
    })
}

/// What it has against it, told apart from an audit log that is broken there: no other try would change that.
async fn judged(api: &Api, failure: Failure) -> Failure {
    let ask = Ask {
        method: Method::GET,
        path: "/api/v1/audit/verify",
        key: None,
        body: None,
    };
    let reply = api.ask(&ask).await;
    let report = reply.ok().and_then(|reply| answered(api, reply).ok());
    match report.is_some_and(|report| report["valid"] == json!(false)) {
        true => Failure {
            exit: Exit::AuditBroken,
            ..failure
        },
        false => failure,
    }
}

/// Gives a command to the control plane, again where no answer comes: under its key it takes effect once.
async fn give(api: &Api, path: &str, body: Option<Value>) -> Result<Value, Failure> {
    give_by(api, Method::POST, path, body).await
}

/// The same by another method.
async fn give_by(
    api: &Api,
    method: Method,
    path: &str,
    body: Option<Value>,
) -> Result<Value, Failure> {
    let key = key()?;
    let ask = Ask {
        method,
        path,
        key: Some(&key),
        body: body.map(|body| body.to_string()),
    };
    let mut tries = 0;
    loop {
        tries += 1;
        match api.ask(&ask).await {
            Ok(reply) if reply.status == 503 && tries < 3 => {}
            Ok(reply) => {
                let lacks = reply.status == 503;
                return match answered(api, reply) {
                    Err(failure) if lacks => Err(judged(api, failure).await),
                    answer => answer,
                };
            }
            Err(why) if tries >= 3 => return Err(failed(api, &why)),
            Err(_) => {}
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
}

/// A key that no command had before.
fn key() -> Result<String, Failure> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).map_err(|why| {
        Failure::new(Exit::Failed, format!("the system has no randomness: {why}"))
    })?;
    Ok(bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn reason(text: &str) -> Value {
    json!({ "reason": text })
}
