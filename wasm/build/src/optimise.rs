//! An optimiser, if there is one.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::cargo::run;

/// The module as the optimiser of `HALCYON_WASM_OPT` makes it; without one, as it is.
pub(crate) fn optimised(module: Vec<u8>, scratch: &Path) -> Result<Vec<u8>, String> {
    let program = env::var_os("HALCYON_WASM_OPT").filter(|program| !program.is_empty());
    let Some(program) = program else {
        return Ok(module);
    };
    let (from, to) = (scratch.join("from.wasm"), scratch.join("to.wasm"));
    let named = |why: std::io::Error| format!("{}: {why}", scratch.display());
    fs::write(&from, module).map_err(named)?;
    let mut command = Command::new(program);
    // What the compiler uses by itself, and nothing newer.
    command.args(["-Os", "--enable-bulk-memory", "--enable-multivalue"]);
    command.args([
        "--enable-mutable-globals",
        "--enable-nontrapping-float-to-int",
    ]);
    command.args(["--enable-reference-types", "--enable-sign-ext"]);
    command.arg(&from).arg("-o").arg(&to);
    run(&mut command).map_err(|why| format!("HALCYON_WASM_OPT: {why}"))?;
    fs::read(&to).map_err(named)
}
