//! The `halcyon` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    halcyon::cli::run(std::env::args_os().collect())
}
