//! `halcyon healthcheck`: is the server on this machine ready? The HEALTHCHECK of an image.

use std::path::PathBuf;
use std::time::Duration;

use halcyon_core::config::Settings;
use halcyon_core::endpoint::{Endpoint, Scheme};
use halcyon_core::text::Seen;
use serde_json::json;

use super::invocation::json;
use super::{Exit, Failure, Output, out};
use crate::health::Environment;
use crate::net::Client;

/// Asks a health server for /ready: exit code 0 if it is, 1 if it is not.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Args {
    /// An http(s) address, with or without /ready or /readyz [default: http://127.0.0.1:$HEALTH_PORT]
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Certificate authorities (PEM) to trust for https, besides the public web's
    #[arg(long, value_name = "PATH")]
    ca_file: Option<PathBuf>,
}

/// What the answer may take beyond `READINESS_TIMEOUT_MS`, which the server's own checks have.
const MARGIN: Duration = Duration::from_secs(2);

/// Asks once. Ends with 0 if the server is ready, 1 if it is not or cannot be asked, 2 for an
/// address or a `HEALTH_PORT` that cannot be used.
pub(super) fn run(args: Args, environment: Environment, output: Output) -> Result<Exit, Failure> {
    let (settings, problems) = Settings::read(&*environment);
    let ours = |problem: &&String| {
        problem.starts_with("HEALTH_PORT:") || problem.starts_with("READINESS_TIMEOUT_MS:")
    };
    let mut errors: Vec<String> = match args.url {
        Some(_) => Vec::new(),
        None => problems.errors.iter().filter(ours).cloned().collect(),
    };
    let base = base(args.url.as_deref(), settings.health_port)
        .map_err(|why| errors.push(why))
        .ok();
    let client = Client::new(args.ca_file.as_deref())
        .map_err(|why| errors.push(format!("--ca-file: {why}")))
        .ok();
    let (Some(base), Some(client), true) = (base, client, errors.is_empty()) else {
        return Err(Failure::usage(errors));
    };
    let within = Duration::from_millis(settings.readiness_timeout_ms) + MARGIN;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| Failure::new(Exit::Failed, format!("the system gives no runtime: {why}")))?;
    let verdict = runtime.block_on(client.probe_ready(&base, None, within));
    // A name that is still being resolved must not hold up the end.
    runtime.shutdown_background();
    let url = base.join("/ready").to_string();
    // The exit code is the answer; what cannot be written is not worth another one.
    out::tell(match (output, &verdict) {
        (Output::Human, Ok(took)) => format!("ready: {url} answered in {} ms", took.as_millis()),
        (Output::Human, Err(why)) => format!("not healthy: {url}: {why}"),
        (Output::Json | Output::Jsonl, verdict) => {
            json(&json!({"healthy": verdict.is_ok(), "url": url, "error": verdict.as_ref().err()}))
        }
    });
    Ok(if verdict.is_ok() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

/// The server to ask: what stands before `/ready` in the address.
fn base(url: Option<&str>, port: u16) -> Result<Endpoint, String> {
    let Some(url) = url else {
        if port == 0 {
            return Err(
                "HEALTH_PORT: 0 stands for any free port; give the URL of the one that was taken"
                    .into(),
            );
        }
        return Endpoint::parse(&format!("http://127.0.0.1:{port}"));
    };
    let wrong = || {
        format!(
            "URL: {} is no address to ask; allowed: http(s)://host[:port][/path], with or without /ready",
            Seen(url)
        )
    };
    let endpoint = Endpoint::parse(url).map_err(|_| wrong())?;
    let shown = endpoint.to_string();
    let (path, query) = match shown.split_once('?') {
        Some((path, _)) => (path, true),
        None => (shown.as_str(), false),
    };
    let path = path.strip_suffix('/').unwrap_or(path);
    let before = ["/ready", "/readyz"]
        .iter()
        .find_map(|ready| path.strip_suffix(ready));
    if endpoint.scheme() == Scheme::Tcp || (query && before.is_none()) {
        return Err(wrong());
    }
    Endpoint::parse(before.unwrap_or(path)).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_name_the_server_or_its_ready_path() {
        for (url, asked) in [
            (None, "http://127.0.0.1:8086/ready"),
            (Some("http://lb"), "http://lb:80/ready"),
            (Some("http://lb:1/"), "http://lb:1/ready"),
            (Some("https://lb/eu/ready"), "https://lb:443/eu/ready"),
            (Some("http://[::1]:9/ready/"), "http://[::1]:9/ready"),
            (Some("http://lb:1/readyz"), "http://lb:1/ready"),
            (Some("http://lb:1/ready?verbose"), "http://lb:1/ready"),
            (Some("http://lb:1/eu/readyz?a=1&b"), "http://lb:1/eu/ready"),
        ] {
            assert_eq!(base(url, 8086).unwrap().join("/ready").to_string(), asked);
        }
        for bad in [
            "",
            "lb",
            "tcp://lb:1",
            "http://u:s3cret@lb",
            "http://lb/?x",
            "http://lb/steady?x",
            "--x",
        ] {
            let error = base(Some(bad), 8086).unwrap_err();
            assert!(
                error.starts_with("URL: ")
                    && error.contains("allowed: http(s)")
                    && !error.contains("s3cret"),
                "{error}"
            );
        }
        assert!(base(None, 0).unwrap_err().starts_with("HEALTH_PORT: 0"));
    }
}
