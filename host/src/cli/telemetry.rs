//! Log lines, on stderr.

use std::io::{IsTerminal, stderr};

use halcyon_core::config::LogFormat;
use halcyon_core::text::Seen;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt;

use crate::health::Environment;

/// Sends log lines to stderr in the given format, filtered by `RUST_LOG`, coloured on a terminal
/// unless `NO_COLOR` is set. Only the first call of a process has an effect.
///
/// # Errors
/// When `RUST_LOG` is no filter: a line for a person, beginning with the variable's name.
pub(super) fn start(format: LogFormat, environment: &Environment) -> Result<(), String> {
    let set = |name: &str| environment(name).filter(|value| !value.is_empty());
    let filter = set("RUST_LOG").unwrap_or_else(|| "info".into());
    let filter = EnvFilter::try_new(&filter).map_err(|_| {
        format!("RUST_LOG: {} is no log filter; allowed: error, warn, info, debug, trace, or module=level", Seen(&filter))
    })?;
    let colour = stderr().is_terminal() && set("NO_COLOR").is_none();
    let lines = fmt().with_env_filter(filter).with_writer(stderr);
    // A second subscriber in one process is refused; the first one stays.
    let _ = match format {
        LogFormat::Text => {
            tracing::subscriber::set_global_default(lines.with_ansi(colour).finish())
        }
        LogFormat::Json => {
            tracing::subscriber::set_global_default(lines.json().with_ansi(false).finish())
        }
    };
    Ok(())
}
