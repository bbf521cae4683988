//! Why there is no health server.

use std::io;

use thiserror::Error;

/// The configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}", problems.join("; "))]
#[non_exhaustive]
pub struct ConfigError {
    /// Everything that is wrong, each beginning with a variable's name.
    pub problems: Vec<String>,
}

/// Why a health server did not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The port is in use, or the system gives no thread.
    #[error(transparent)]
    Io(#[from] io::Error),
}
