//! What is generated from the code: help, completions, the manual page, the reference pages.

use std::fmt::Write as _;
use std::io::Write as _;

use clap::CommandFactory;
use halcyon_core::config::VARIABLES;

use serde_json::json;

use super::{Cli, Exit, Failure, Invocation, Output};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {}

/// The whole command, its help ending with every variable and every exit code.
pub(super) fn command() -> clap::Command {
    Cli::command().after_long_help(format!(
        "Environment (a flag wins over a variable):\n{}\nExit codes:\n{}",
        environment(),
        exit_codes()
    ))
}

fn environment() -> String {
    let mut text = String::new();
    for variable in VARIABLES {
        let _ = writeln!(
            text,
            "  {} [default: {}]\n      {}",
            variable.name, variable.default, variable.meaning
        );
    }
    text
}

fn exit_codes() -> String {
    let mut text = String::new();
    for (code, meaning) in Exit::TABLE {
        let _ = writeln!(text, "  {code:>3}  {meaning}");
    }
    text
}

/// Prints a completion script.
pub(super) fn completions(args: CompletionsArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "halcyon", &mut script);
    let shell = args.shell.to_string();
    text(
        script,
        invocation,
        |script| json!({ "shell": shell, "script": script }),
    )
}

/// Prints the manual page.
pub(super) fn man(ManArgs {}: ManArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command()).render(&mut page)?;
    text(page, invocation, |page| json!({ "page": page }))
}

/// Text made for another program: as it is, or in an object.
fn text(
    made: Vec<u8>,
    invocation: &Invocation,
    object: impl FnOnce(&str) -> serde_json::Value,
) -> Result<Exit, Failure> {
    if invocation.output == Output::Human {
        std::io::stdout().write_all(&made)?;
    } else {
        invocation.answer(String::new, &object(&String::from_utf8_lossy(&made)))?;
    }
    Ok(Exit::Done)
}

/// `docs/environment.md`.
pub fn environment_reference() -> String {
    let mut page = String::from(
        "# Environment\n\nGenerated from the table the program reads; do not edit. A flag wins over a variable, a variable over the\ndefault; an empty variable counts as unset.\n\n| variable | default | meaning |\n|---|---|---|\n",
    );
    for variable in VARIABLES {
        let _ = writeln!(
            page,
            "| `{}` | {} | {} |",
            variable.name,
            variable.default,
            variable.meaning.replace('|', "\\|")
        );
    }
    page
}

/// `docs/cli.md`.
pub fn command_reference() -> String {
    let mut page = String::from(
        "# Command line\n\nGenerated from the program's own help; do not edit.\n\n## Exit codes\n\n| code | meaning |\n|---|---|\n",
    );
    for (code, meaning) in Exit::TABLE {
        let _ = writeln!(page, "| {code} | {meaning} |");
    }
    let root = Cli::command();
    section(&mut page, &root, "halcyon");
    page
}

fn section(page: &mut String, command: &clap::Command, path: &str) {
    let mut shown = command.clone().bin_name(path).term_width(100);
    let help = shown.render_long_help().to_string();
    let help: Vec<&str> = help.lines().map(str::trim_end).collect();
    let _ = write!(
        page,
        "\n## `{path}`\n\n```text\n{}\n```\n",
        help.join("\n").trim_end()
    );
    for sub in command.get_subcommands() {
        section(page, sub, &format!("{path} {}", sub.get_name()));
    }
}
