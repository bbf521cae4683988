//! `halcyon table`: what an edge decides by.

use std::fs;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use halcyon_core::config::{RegionConfig, Settings};
use halcyon_core::placement::Router;
use halcyon_core::table::{BYTES_MAX, Publisher, Table, TableContent};
use halcyon_core::text::for_screen;

use super::{Exit, Failure, Invocation, Output, out};
use crate::clock;
use crate::dashboard::CANARY_MS;
use crate::journal::{EpochError, Epochs, Journal};
use crate::monitor::forced;
use crate::replace::{may_replace, replace};
use crate::signing::{SIGNATURE_HEADER, TableSigner, signature_file};

/// Arguments of `table`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write bytes instead of JSON, for edges that read none; docs/table.md has their format
    #[arg(long)]
    binary: bool,
    /// Write to a file, whole or not at all, instead of stdout; its signature, where a key is set, to FILE.sig
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The deployment it is for [env: HALCYON_DEPLOYMENT] [default: default]
    #[arg(long, value_name = "NAME")]
    deployment: Option<String>,
    /// The journal that says which release is under way; keeps the table's number [env: HALCYON_STORE] [default: file:logs]
    #[arg(long, value_name = "file:DIR")]
    store: Option<String>,
}

/// Issues a table.
pub(super) fn run(args: &Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let invocation = &invocation.with(&[
        ("HALCYON_STORE", args.store.clone()),
        ("HALCYON_DEPLOYMENT", args.deployment.clone()),
    ]);
    let (settings, key) = checked(args, invocation)?;
    if let Some(file) = &args.out {
        // Before a number is spent on it.
        may_replace(file).map_err(|why| cannot_write(file, &why))?;
        let file = signature_file(file);
        if key.is_some() {
            may_replace(&file).map_err(|why| cannot_write(&file, &why))?;
        }
    }
    let bytes = issue(args, &settings, invocation)?;
    let signature = key.map(|key| key.sign(&bytes));
    match &args.out {
        Some(file) => {
            // Before the table: whoever finds the one without the other looks again.
            let beside = signature_file(file);
            match &signature {
                Some(signature) => {
                    let line = format!("{signature}\n");
                    replace(&beside, line.as_bytes()).map_err(|why| cannot_write(&beside, &why))?;
                }
                None => remove_signature(&beside, invocation)?,
            }
            replace(file, &bytes).map_err(|why| cannot_write(file, &why))?;
        }
        None => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&bytes)?;
            stdout.flush()?;
            if let Some(signature) = &signature {
                out::talk(format_args!("{SIGNATURE_HEADER}: {signature}"));
            }
        }
    }
    Ok(Exit::Done)
}

/// A table that nobody signs leaves no signature of the one before it.
fn remove_signature(file: &Path, invocation: &Invocation) -> Result<(), Failure> {
    let shown = for_screen(&file.display().to_string());
    match fs::remove_file(file) {
        Ok(()) => {
            invocation.warn(&format!(
                "--out: {shown} was the signature of the table before, and is removed: HALCYON_SIGNING_KEY_FILE is not set"
            ));
            Ok(())
        }
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(()),
        Err(why) => Err(Failure::new(
            Exit::Failed,
            format!(
                "--out: {shown} is the signature of the table before, and cannot be removed: {why}"
            ),
        )),
    }
}

fn cannot_write(file: &Path, why: &std::io::Error) -> Failure {
    let file = for_screen(&file.display().to_string());
    Failure::new(
        Exit::Failed,
        format!("--out: {file} cannot be written: {why}"),
    )
}

/// Everything that is wrong with how it was asked for, before anything is done.
fn checked(
    args: &Args,
    invocation: &Invocation,
) -> Result<(Settings, Option<TableSigner>), Failure> {
    let mut problems = Vec::new();
    if args.binary && args.out.is_none() && std::io::stdout().is_terminal() {
        let why = "--binary: stdout is a terminal; allowed: a pipe, a file, or --out FILE";
        problems.push(why.to_owned());
    } else if args.binary && args.out.is_none() && invocation.output != Output::Human {
        let why = "--binary: bytes are no JSON; allowed with -o json: --out FILE";
        problems.push(why.to_owned());
    }
    let (settings, found) = Settings::read(invocation);
    problems.extend(found.errors);
    if let Err(failure) = Router::from_lookup(invocation) {
        let new = failure.0.into_iter();
        let new: Vec<String> = new.filter(|problem| !problems.contains(problem)).collect();
        problems.extend(new);
    }
    let key = TableSigner::of(invocation).unwrap_or_else(|why| {
        problems.push(why);
        None
    });
    if !problems.is_empty() {
        return Err(Failure::usage(problems));
    }
    let warnings = found.warnings.iter();
    warnings.for_each(|warning| invocation.warn(warning));
    Ok((settings, key))
}

fn issue(args: &Args, settings: &Settings, invocation: &Invocation) -> Result<Vec<u8>, Failure> {
    let (config, found) = RegionConfig::read(invocation);
    found
        .warnings
        .iter()
        .for_each(|warning| invocation.warn(warning));
    let dir = Path::new(&settings.store_dir);
    let failed = |why: EpochError| Failure::new(Exit::Failed, why.to_string());
    // The journal is read while nobody can append: a table of a greater number is never of an older state.
    let mut epochs = Epochs::lock(dir).map_err(failed)?;
    let journal = Journal::open(dir)?;
    let now = clock::now();
    // What people have said of regions holds for every table of the store.
    let health = forced(dir, &config.regions, now);
    let health = health.map_err(|why| Failure::new(Exit::Failed, why))?;
    let content = TableContent::of(&config, journal.release(), &health, &settings.deployment)
        .valid_until(now.plus(CANARY_MS));
    let epoch = epochs.next(now).map_err(failed)?;
    let json = Publisher::json_of(&content, epoch, now);
    if !args.binary {
        return Ok(format!("{json}\n").into_bytes());
    }
    let table = Table::from_json(&json);
    let table = table.map_err(|why| Failure::new(Exit::Failed, why.to_string()))?;
    let bytes = table.to_binary();
    if bytes.len() > BYTES_MAX {
        let why = format!(
            "--binary: the table has {} bytes; allowed: at most {BYTES_MAX}",
            bytes.len()
        );
        return Err(Failure::new(Exit::Failed, why));
    }
    Ok(bytes)
}
