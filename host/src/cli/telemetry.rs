//! Log lines, on stderr.

use std::io::{self, IsTerminal, Write, stderr};

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
    let set = |name: &str| environment.variable(name).filter(|value| !value.is_empty());
    let filter = set("RUST_LOG").unwrap_or_else(|| "info".into());
    let filter = EnvFilter::try_new(&filter).map_err(|_| {
        format!("RUST_LOG: {} is no log filter; allowed: error, warn, info, debug, trace, or module=level", Seen(&filter))
    })?;
    let colour = stderr().is_terminal() && set("NO_COLOR").is_none();
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(|| Forgiving)
        // It would say so on stderr, and panic.
        .log_internal_errors(false);
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

/// Stderr, where a reader that has gone or a full disk behind it is no failure.
struct Forgiving;

impl Write for Forgiving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = stderr().flush();
        Ok(())
    }
}
