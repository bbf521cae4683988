//! The `halcyon` program.

use std::process::ExitCode;

use clap::Parser;
use halcyon::cli::{Output, healthcheck, serve};
use halcyon::health::environment;

#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[arg(short, long, global = true, default_value = "human")]
    output: Output,
}

#[derive(clap::Subcommand)]
enum Command {
    Serve(serve::Args),
    Healthcheck(healthcheck::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.command {
        Command::Serve(args) => serve::run(args, environment()),
        Command::Healthcheck(args) => healthcheck::run(args, environment(), cli.output),
    }
}
