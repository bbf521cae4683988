//! Builds the modules and packages of `halcyon-wasm`, with cargo alone.
//!
//! Used by the packaging command of this crate and by whoever needs a module while it is built or tested.
//! The build is a cargo of its own: flags of the outer one (coverage, a linter's wrapper, another target)
//! would end up in the modules, and its lock on the target folder would never be free.
//!
//! `HALCYON_WASM_OPT` may name an optimiser with the arguments of Binaryen's `wasm-opt`; every module goes
//! through it then.

mod bind;
mod cargo;
mod lean;
mod optimise;
mod package;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};

pub use package::{File, VERSION};

/// What all modules are compiled for.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// A module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// `halcyon_edge.wasm`, the one with a C ABI.
    Abi,
    /// That of the package `@halcyon/edge`.
    Edge,
    /// That of the package `@halcyon/page`.
    Page,
    /// `halcyon_envoy.wasm`, the filter for Envoy.
    Envoy,
}

impl Module {
    /// Its name, and that of the feature it is built with where it is of `halcyon-wasm`.
    fn name(self) -> &'static str {
        match self {
            Module::Abi => "abi",
            Module::Edge => "edge",
            Module::Page => "page",
            Module::Envoy => "envoy",
        }
    }

    /// How cargo is told what to build.
    fn package(self) -> Vec<&'static str> {
        match self {
            Module::Envoy => vec!["--package", "halcyon-envoy"],
            _ => vec!["--package", "halcyon-wasm", "--features", self.name()],
        }
    }

    /// What cargo writes.
    fn file(self) -> &'static str {
        match self {
            Module::Envoy => "halcyon_envoy.wasm",
            _ => "halcyon_wasm.wasm",
        }
    }
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.ancestors().nth(2).unwrap_or(here);
    root.to_path_buf()
}

/// Builds `halcyon_edge.wasm` below `target` (a target folder that no running cargo uses) and answers its
/// bytes.
///
/// # Errors
/// What failed, with what cargo said.
pub fn build_abi(target: &Path) -> Result<Vec<u8>, String> {
    compiled(Module::Abi, target)
}

/// Builds `halcyon_envoy.wasm` below `target` and answers its bytes.
///
/// # Errors
/// What failed, with what cargo said.
pub fn build_envoy(target: &Path) -> Result<Vec<u8>, String> {
    compiled(Module::Envoy, target)
}

/// Builds the package `@halcyon/page` below `target` and answers its files, in the order of their names.
///
/// # Errors
/// What failed, with what cargo said.
pub fn build_page(target: &Path) -> Result<Vec<File>, String> {
    Ok(package::page(bound(Module::Page, target)?))
}

/// Builds everything below `target` and writes it to `folder`: `edge/`, `page/`,
/// `halcyon-edge-VERSION.tgz`, `halcyon_edge.wasm`, `halcyon_envoy.wasm`. Answers what it wrote, with the lengths in bytes.
///
/// # Errors
/// What failed, with what cargo said.
pub fn write_all(folder: &Path, target: &Path) -> Result<Vec<(PathBuf, usize)>, String> {
    let named = |why: std::io::Error| format!("{}: {why}", folder.display());
    fs::create_dir_all(folder).map_err(named)?;
    // Once, and not by each of them at the same time.
    cargo::have_target()?;
    let (abi, envoy, edge, page) = thread::scope(|scope| {
        let abi = scope.spawn(|| build_abi(target));
        let envoy = scope.spawn(|| build_envoy(target));
        let edge = scope.spawn(|| bound(Module::Edge, target).map(package::edge));
        let page = build_page(target);
        (ended(abi), ended(envoy), ended(edge), page)
    });
    let (abi, envoy, edge, page) = (abi?, envoy?, edge?, page?);
    let mut written = Vec::new();
    for (name, files) in [("edge", &edge), ("page", &page)] {
        let folder = folder.join(name);
        package::write(files, &folder)?;
        written.push((folder, files.iter().map(|(_, file)| file.len()).sum()));
    }
    let packed = package::pack(&edge)?;
    for (name, bytes) in [
        (format!("halcyon-edge-{VERSION}.tgz"), packed),
        (String::from("halcyon_edge.wasm"), abi),
        (String::from("halcyon_envoy.wasm"), envoy),
    ] {
        let file = folder.join(name);
        fs::write(&file, &bytes).map_err(|why| format!("{}: {why}", file.display()))?;
        written.push((file, bytes.len()));
    }
    Ok(written)
}

/// What a thread has made. One that panics has said why.
fn ended<T>(thread: ScopedJoinHandle<'_, Result<T, String>>) -> Result<T, String> {
    let panicked = |_| Err(String::from("a module's build broke off"));
    thread.join().unwrap_or_else(panicked)
}

/// A module of a package.
fn bound(module: Module, target: &Path) -> Result<bind::Bound, String> {
    let scratch = target.join("bound").join(module.name());
    let mut bound = bind::bind("halcyon", cargo::compile(module, target)?, &scratch)?;
    bound.wasm = optimise::optimised(bound.wasm, &cargo::folder(module, target))?;
    Ok(bound)
}

/// A module without glue.
fn compiled(module: Module, target: &Path) -> Result<Vec<u8>, String> {
    let bytes = cargo::compile(module, target)?;
    optimise::optimised(bytes, &cargo::folder(module, target))
}
