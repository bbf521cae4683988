//! `halcyon keygen`: a key that signs routing tables.

use std::io;
use std::path::PathBuf;

use halcyon_core::text::for_screen;
use serde::Serialize;

use super::{Exit, Failure, Invocation};
use crate::signing::TableSigner;

/// Writes the key to a new file, and prints its public half, which edges have in TABLE_KEYS.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write the key; nothing may be there
    #[arg(long, value_name = "FILE", default_value = "halcyon-signing-key.pem")]
    out: PathBuf,
}

#[derive(Serialize)]
struct Key<'a> {
    public_key: &'a str,
    file: &'a str,
}

/// Makes a key.
pub(super) fn run(args: &Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let file = args.out.display().to_string();
    let shown = for_screen(&file);
    let failed = |why: String| Failure::new(Exit::Failed, format!("--out: {shown} {why}"));
    let key = TableSigner::generate()?;
    key.write(&args.out).map_err(|why| match why.kind() {
        // Edges would refuse every table from then on, and the old key be gone.
        io::ErrorKind::AlreadyExists => {
            failed("is there already; a key is never written over".into())
        }
        _ => failed(format!("cannot be written: {why}")),
    })?;
    let public_key = &key.public();
    invocation.say(format_args!(
        "{shown} signs tables where HALCYON_SIGNING_KEY_FILE names it; edges take them with this in TABLE_KEYS:"
    ));
    let answer = Key {
        public_key,
        file: &file,
    };
    invocation.answer(|| public_key.clone(), &answer)?;
    Ok(Exit::Done)
}
