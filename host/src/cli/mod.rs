//! The command line.

pub mod healthcheck;
pub mod serve;
pub mod telemetry;

/// How a command writes what it has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Default)]
pub enum Output {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// A JSON object a line, as it happens.
    Jsonl,
}
