//! `cargo run --release -p halcyon-wasm-build -- DIR`: builds every module and package and writes it to DIR.

use std::path::Path;
use std::process::ExitCode;

use halcyon_wasm_build::{workspace, write_all};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(directory), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: halcyon-wasm-build DIR");
        return ExitCode::from(2);
    };
    match write_all(Path::new(&directory), &workspace().join("target/wasm")) {
        Ok(written) => {
            for (path, length) in written {
                println!("{} ({length} bytes)", path.display());
            }
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}
