//! `cargo run --release -p halcyon-wasm-build -- DIR`: builds every module and writes it to DIR.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use halcyon_wasm_build::{Module, build, workspace};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(directory), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: halcyon-wasm-build DIR");
        return ExitCode::from(2);
    };
    match write(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path) -> Result<(), String> {
    let named = |why: std::io::Error| format!("{}: {why}", directory.display());
    fs::create_dir_all(directory).map_err(named)?;
    let target = workspace().join("target/wasm");
    let file = directory.join("halcyon_edge.wasm");
    let bytes = build(Module::Abi, &target)?;
    fs::write(&file, &bytes).map_err(|why| format!("{}: {why}", file.display()))?;
    println!("{} ({} bytes)", file.display(), bytes.len());
    Ok(())
}
