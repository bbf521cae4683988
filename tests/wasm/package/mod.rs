//! The package `@halcyon/edge`, packed, installed, and in every runtime it is made for.

mod bundled;
pub(crate) mod conformance;
mod readme;
pub(crate) mod runtimes;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// What has to be installed from npm, in these versions.
const PEERS: [&str; 7] = [
    "binaryen@132.0.0",
    "deno@2.9.6",
    "esbuild@0.28.2",
    "vite@8.4.0",
    "webpack@5.113.0",
    "webpack-cli@7.3.1",
    "workerd@1.20261117.1",
];

/// A folder with everything that is built.
pub(crate) fn built() -> &'static Path {
    static BUILT: OnceLock<TempDir> = OnceLock::new();
    let build = || {
        let folder = tempfile::tempdir().unwrap();
        let written = halcyon_wasm_build::write_all(folder.path(), &crate::edge::target());
        written.unwrap_or_else(|why| panic!("{why}"));
        folder
    };
    BUILT.get_or_init(build).path()
}

#[test]
fn what_a_runtime_loads_of_the_package_is_small() {
    let loaded = [
        "edge.js",
        "halcyon_bg.js",
        "halcyon_bg.wasm",
        "names.js",
        "node.js",
        "value.js",
    ];
    let size = |name: &str| {
        let file = std::fs::read(built().join("edge").join(name));
        crate::page::packed(&file.unwrap())
    };
    let sizes = loaded.map(|name| (name, size(name)));
    let all: usize = sizes.iter().map(|(_, size)| size).sum();
    println!("{all} bytes after gzip -9: {sizes:?}");
    assert!(all <= MOST, "{all} bytes after gzip -9: {sizes:?}");
}

/// What the package may take at most in one runtime: 1 % more than it does. The aim is 24 KiB.
const MOST: usize = 42_840;

/// The packed package.
pub(crate) fn tarball() -> PathBuf {
    let name = format!("halcyon-edge-{}.tgz", halcyon_wasm_build::VERSION);
    built().join(name)
}

/// A folder in which the packed package is installed as a user does it, and the scripts of `hosts/`.
pub(crate) fn installed() -> TempDir {
    installed_from(&tarball())
}

/// The same of another tarball.
pub(crate) fn installed_from(tarball: &Path) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = r#"{"private":true,"type":"module"}"#;
    std::fs::write(folder.path().join("package.json"), manifest).unwrap();
    npm_install(folder.path(), &[tarball.to_str().unwrap()]);
    let hosts = Path::new(env!("CARGO_MANIFEST_DIR")).join("wasm/hosts");
    for script in std::fs::read_dir(hosts).unwrap() {
        let script = script.unwrap();
        std::fs::copy(script.path(), folder.path().join(script.file_name())).unwrap();
    }
    folder
}

/// A program of npm, installed once below the target folder.
pub(crate) fn peer(name: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let install = || {
        let folder = crate::edge::target().join("npm").join(PEERS.join("-"));
        if !folder.join("installed").exists() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("package.json"), r#"{"private":true}"#).unwrap();
            npm_install(&folder, &PEERS);
            std::fs::write(folder.join("installed"), "").unwrap();
        }
        folder
    };
    let folder = FOLDER.get_or_init(install);
    folder.join("node_modules/.bin").join(name)
}

fn npm_install(folder: &Path, what: &[&str]) {
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-audit", "--no-fund", "--silent"])
        .args(what)
        .current_dir(folder);
    let output = npm.output().unwrap_or_else(|why| panic!("npm: {why}"));
    assert!(
        output.status.success(),
        "{npm:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
