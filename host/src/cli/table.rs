//! `halcyon table`: what an edge decides by.

use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use halcyon_core::config::RegionConfig;
use halcyon_core::placement::Router;
use halcyon_core::table::{Publisher, Table, TableContent};
use halcyon_core::text::for_screen;

use super::{Exit, Failure, Invocation};
use crate::clock;
use crate::journal::{Journal, next_epoch};

/// How long an edge that hears nothing new gives green its share, in milliseconds: three minutes.
const CANARY_MS: u64 = 180_000;

/// Arguments of `table`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Write bytes instead of JSON, for edges that read none; docs/table.md has their format
    #[arg(long)]
    binary: bool,
    /// Write to a file, whole or not at all, instead of stdout
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
    let bytes = issue(args, invocation)?;
    match &args.out {
        Some(file) => replace(file, &bytes)?,
        None => {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&bytes)?;
            stdout.flush()?;
        }
    }
    Ok(Exit::Done)
}

fn issue(args: &Args, invocation: &Invocation) -> Result<Vec<u8>, Failure> {
    if args.binary && args.out.is_none() && std::io::stdout().is_terminal() {
        let why = "--binary: stdout is a terminal; allowed: a pipe, a file, or --out FILE";
        return Err(Failure::new(Exit::Usage, why));
    }
    let mut problems = Vec::new();
    let settings = invocation.settings();
    if let Err(failure) = Router::from_lookup(invocation) {
        problems.extend(failure.0);
    }
    let settings = match settings {
        Ok(settings) if problems.is_empty() => settings,
        Ok(_) => return Err(Failure::usage(problems)),
        Err(failure) => {
            let new: Vec<String> = problems
                .into_iter()
                .filter(|problem| !failure.problems.contains(problem))
                .collect();
            return Err(Failure::usage([failure.problems, new].concat()));
        }
    };
    let (config, found) = RegionConfig::read(invocation);
    found
        .warnings
        .iter()
        .for_each(|warning| invocation.warn(warning));
    let dir = Path::new(&settings.store_dir);
    let journal = Journal::open(dir)?;
    let now = clock::now();
    let content = TableContent::of(&config, journal.release(), &[], &settings.deployment)
        .valid_until(now.plus(CANARY_MS));
    let epoch = next_epoch(dir, now);
    let epoch = epoch.map_err(|why| Failure::new(Exit::Failed, why.to_string()))?;
    let json = Publisher::json_of(&content, epoch, now);
    if !args.binary {
        return Ok(format!("{json}\n").into_bytes());
    }
    let table = Table::from_json(&json);
    let table = table.map_err(|why| Failure::new(Exit::Failed, why.to_string()))?;
    Ok(table.to_binary())
}

/// Whoever reads the file meanwhile has the old table or the new one.
fn replace(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |why: std::io::Error| {
        let file = for_screen(&file.display().to_string());
        Failure::new(
            Exit::Failed,
            format!("--out: {file} cannot be written: {why}"),
        )
    };
    let mut name = file.as_os_str().to_owned();
    name.push(".new");
    let new = PathBuf::from(name);
    let mut written = File::create(&new).map_err(failed)?;
    written.write_all(bytes).map_err(failed)?;
    written.sync_all().map_err(failed)?;
    fs::rename(&new, file).map_err(failed)
}
