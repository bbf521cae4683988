//! A cargo of its own for every module.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Module, TARGET, workspace};

/// Compiles a module below `target` and answers its bytes.
pub(crate) fn compile(module: Module, target: &Path) -> Result<Vec<u8>, String> {
    // Of one crate with other features cargo writes the same file, and would compile each anew after another one.
    let target = &folder(module, target);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    have_target()?;
    let mut command = clean(&cargo);
    command
        .current_dir(workspace())
        .args(["build", "--quiet", "--locked", "--profile", "edge"])
        .args(module.package())
        .args(["--target", TARGET, "--target-dir"])
        .arg(target)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(module));
    // A page or a worker loads its module over a network, and of a decision, crossing from JavaScript is the most: it
    // has the profile's level. These two are called for every request, and the smaller one is no smaller with `s`.
    if matches!(module, Module::Abi | Module::Envoy) {
        command
            .env("CARGO_PROFILE_EDGE_OPT_LEVEL", "3")
            // Nobody reads names there, and they are a third of the module. The binding generator strips its own.
            .env("CARGO_PROFILE_EDGE_STRIP", "symbols");
    }
    // Nobody else's build, of sources that may be others by now, comes between this one and reading it.
    let _lock = lock(target)?;
    run(&mut command)?;
    let file = target.join(TARGET).join("edge").join(module.file());
    fs::read(&file).map_err(|why| format!("{}: {why}", file.display()))
}

/// A module's own target folder.
pub(crate) fn folder(module: Module, target: &Path) -> PathBuf {
    target.join("modules").join(module.name())
}

/// Waits until no other process compiles this module below its target folder.
fn lock(target: &Path) -> Result<File, String> {
    let path = target.join("module.lock");
    let locked = || {
        fs::create_dir_all(target)?;
        let file = File::create(&path)?;
        file.lock()?;
        Ok(file)
    };
    locked().map_err(|why: std::io::Error| format!("{}: {why}", path.display()))
}

/// The same module wherever its sources lie.
fn flags(module: Module) -> OsString {
    let mut flags = OsString::new();
    if matches!(module, Module::Edge | Module::Page) {
        // Of 5, what `z` has, to 60, the one that gives the smallest module, by 2 %.
        flags.push("-Cllvm-args=-inline-threshold=20");
        // The rounds of SHA-256 in a loop, not one behind the other: 6 KB less of code.
        flags.push("\u{1f}--cfg=sha2_backend_soft=\"compact\"");
    }
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let places = [(Some(workspace()), "halcyon"), (home, "cargo")];
    for (from, to) in places {
        if let Some(from) = from {
            if !flags.is_empty() {
                flags.push("\u{1f}");
            }
            flags.push("--remap-path-prefix=");
            flags.push(from);
            flags.push("=");
            flags.push(to);
        }
    }
    flags
}

/// A cargo that knows nothing of the one it is called from.
fn clean(cargo: &OsString) -> Command {
    let mut command = Command::new(cargo);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let of_the_outer = name.starts_with("CARGO_BUILD_")
            || name.starts_with("CARGO_PROFILE_")
            || name.starts_with("CARGO_TARGET_")
            || name.starts_with("CARGO_FEATURE_")
            || name.starts_with("CARGO_CFG_")
            || name.starts_with("CARGO_UNSTABLE_")
            || matches!(
                &*name,
                "RUSTFLAGS"
                    | "CARGO_ENCODED_RUSTFLAGS"
                    | "RUSTC"
                    | "RUSTC_WRAPPER"
                    | "RUSTC_WORKSPACE_WRAPPER"
                    | "RUSTC_BOOTSTRAP"
                    | "CARGO_INCREMENTAL"
                    | "RUSTDOCFLAGS"
                    | "LLVM_PROFILE_FILE"
            );
        if of_the_outer {
            command.env_remove(&*name);
        }
    }
    command
}

/// Adds the target through rustup where it is missing, unless building offline.
pub(crate) fn have_target() -> Result<(), String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut asked = Command::new(rustc);
    asked.args(["--print", "target-libdir", "--target", TARGET]);
    let libraries = run(&mut asked)?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    let missing =
        format!("the target {TARGET} is not installed; add it: rustup target add {TARGET}");
    let offline = env::var("CARGO_NET_OFFLINE").is_ok_and(|value| value == "true");
    if offline {
        return Err(missing);
    }
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]);
    run(&mut rustup)
        .map(drop)
        .map_err(|why| format!("{missing} ({why})"))
}

/// Runs a command to its end; answers what it wrote to stdout.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let named = format!("{command:?}");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|why| format!("{named}: {why}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{named}: {}\n{said}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
