//! The command line: types of the arguments here, a command a file, exit codes in one enum.

mod audit;
mod control;
mod demo;
mod duration;
mod edge;
mod exit;
mod failure;
mod healthcheck;
mod invocation;
mod keygen;
mod out;
mod prose;
mod reference;
mod regional;
mod regions;
mod release;
mod remote;
mod route;
mod serve;
mod serving;
mod settle;
mod status;
mod style;
mod table;
mod telemetry;
mod token;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand, ValueEnum};

pub use exit::Exit;
pub use failure::Failure;
pub use invocation::Invocation;
pub use reference::{command_reference, environment_reference};

/// How a command answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// A JSON object a line, as it happens.
    Jsonl,
}

/// Routes every tenant to its region and takes every release through blue/green canaries, on all
/// regions, safely.
#[derive(Debug, Parser)]
#[command(name = "halcyon", version, max_term_width = 100)]
pub struct Cli {
    /// How to answer: data on stdout, errors on stderr (under json and jsonl as problem objects).
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See a whole release, a failure and a rollback on three local regions, in under a minute
    Demo(demo::Args),
    /// Run the health server, the dashboard and the control API until SIGTERM
    Serve(serve::Args),
    /// Send each request to its tenant's region: a reverse proxy that goes by the routing table
    Edge(edge::Args),
    /// Take a release through its canary steps on every region
    Release(release::Args),
    /// Show the release under way
    Status(status::Args),
    /// Make green live now, whatever steps are left
    Promote(control::PromoteArgs),
    /// Hold the release where it is
    Pause(control::PauseArgs),
    /// Let a paused release go on
    Resume(control::ResumeArgs),
    /// Give blue everything
    Rollback(control::RollbackArgs),
    /// Take no new tenants into a region; it serves if nothing else does
    Drain(regional::SayArgs),
    /// Let nobody into a region
    Forbid(regional::SayArgs),
    /// Let a region go by its probes again
    Undrain(regional::UnsayArgs),
    /// Stop all automatic change: probes move nobody, and no release goes on by itself
    Freeze(regional::FreezeArgs),
    /// Let automatic change go on
    Unfreeze(regional::UnfreezeArgs),
    /// Say where tenants go, and why
    Route(route::Args),
    /// Name the next region after one that is lost
    Failover(regions::FailoverArgs),
    /// Check the region configuration
    Regions(regions::Args),
    /// Print the routing table that edges decide by
    Table(table::Args),
    /// Make a key that signs routing tables
    Keygen(keygen::Args),
    /// Let somebody ask the control API
    Token(token::Args),
    /// Verify or read the audit log
    Audit(audit::Args),
    /// Ask a health server whether it is ready (the image's HEALTHCHECK)
    Healthcheck(healthcheck::Args),
    /// Print a completion script for a shell
    Completions(reference::CompletionsArgs),
    /// Print the manual page
    Man(reference::ManArgs),
}

/// Runs the command line `arguments` (the program's name first) and says how to exit.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    let output = wished_output(&arguments);
    let matches = match reference::command().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => return usage(&error, output),
    };
    let cli = match <Cli as clap::FromArgMatches>::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, output),
    };
    let invocation = Invocation::from_environment(cli.output);
    let result = match cli.command {
        Command::Demo(args) => demo::run(args, &invocation),
        Command::Serve(args) => serve::run(args, crate::health::environment()),
        Command::Edge(args) => edge::run(&args, crate::health::environment()),
        Command::Release(args) => release::run(args, &invocation),
        Command::Status(args) => status::run(args, &invocation),
        Command::Promote(args) => control::promote(args, &invocation),
        Command::Pause(args) => control::pause(args, &invocation),
        Command::Resume(args) => control::resume(args, &invocation),
        Command::Rollback(args) => control::rollback(args, &invocation),
        Command::Drain(args) => regional::drain(&args, &invocation),
        Command::Forbid(args) => regional::forbid(&args, &invocation),
        Command::Undrain(args) => regional::undrain(&args, &invocation),
        Command::Freeze(args) => regional::freeze(&args, &invocation),
        Command::Unfreeze(args) => regional::unfreeze(&args, &invocation),
        Command::Route(args) => route::run(&args, &invocation),
        Command::Failover(args) => regions::failover(&args, &invocation),
        Command::Regions(args) => regions::run(args, &invocation),
        Command::Table(args) => table::run(&args, &invocation),
        Command::Keygen(args) => keygen::run(&args, &invocation),
        Command::Token(args) => token::run(args, &invocation),
        Command::Audit(args) => audit::run(args, &invocation),
        Command::Healthcheck(args) => {
            healthcheck::run(args, crate::health::environment(), cli.output)
        }
        Command::Completions(args) => reference::completions(args, &invocation),
        Command::Man(args) => reference::man(args, &invocation),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(cli.output);
            failure.exit.into()
        }
    }
}

/// What `-o` asks for, read before the arguments are parsed: their errors obey it too.
fn wished_output(arguments: &[OsString]) -> Output {
    let texts: Vec<&str> = arguments
        .iter()
        .filter_map(|argument| argument.to_str())
        .collect();
    let named = |name: &str| match name {
        "json" => Some(Output::Json),
        "jsonl" => Some(Output::Jsonl),
        _ => None,
    };
    let after = texts
        .windows(2)
        .filter(|pair| matches!(pair[0], "-o" | "--output"))
        .find_map(|pair| named(pair[1]));
    let joined = texts
        .iter()
        .find_map(|text| named(text.strip_prefix("--output=").or(text.strip_prefix("-o"))?));
    after.or(joined).unwrap_or_default()
}

fn usage(error: &clap::Error, output: Output) -> ExitCode {
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
    ) {
        let _ = error.print();
        return Exit::Done.into();
    }
    // What was typed stands in the message, so it is made safe line by line.
    let text = error.render().to_string();
    let lines: Vec<String> = text
        .trim()
        .lines()
        .map(halcyon_core::text::for_screen)
        .collect();
    if output == Output::Human {
        out::talk(lines.join("\n"));
        return Exit::Usage.into();
    }
    // The first paragraph is what is wrong; behind it stand tips and the usage.
    let problem = lines
        .iter()
        .take_while(|line| !line.is_empty())
        .map(|line| line.trim());
    let problem = problem.collect::<Vec<_>>().join(" ");
    let hint = "`halcyon --help` and `halcyon COMMAND --help` say what is allowed";
    Failure::new(Exit::Usage, problem.trim_start_matches("error: "))
        .hint(hint)
        .print(output);
    Exit::Usage.into()
}
