//! What an optimiser makes of the modules answers the same: Binaryen of npm, run as a packager runs it.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::conformance::compare;
use crate::dice::Dice;
use crate::documented::is_there;
use crate::edge::{Edge, compiled};
use crate::package::{built, installed_from, peer};

const RANDOM: usize = 10_000;

/// A folder with everything that is built, optimised; `None` where there is no npm.
fn optimised() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<TempDir>> = OnceLock::new();
    let build = || {
        let there = is_there("node") && is_there("npm");
        there.then(|| {
            let folder = tempfile::tempdir().unwrap();
            let mut cargo = Command::new(std::env::var_os("CARGO").unwrap());
            cargo
                .args([
                    "run",
                    "--quiet",
                    "--locked",
                    "--package",
                    "halcyon-wasm-build",
                    "--",
                ])
                .arg(folder.path())
                .env("HALCYON_WASM_OPT", peer("wasm-opt"))
                .current_dir(halcyon_wasm_build::workspace());
            let output = cargo.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}");
            folder
        })
    };
    BUILT.get_or_init(build).as_ref().map(TempDir::path)
}

#[test]
fn an_optimiser_goes_over_every_module_and_makes_none_larger() {
    let Some(optimised) = optimised() else { return };
    for module in [
        "halcyon_edge.wasm",
        "edge/halcyon_bg.wasm",
        "page/halcyon_bg.wasm",
    ] {
        let before = std::fs::read(built().join(module)).unwrap();
        let after = std::fs::read(optimised.join(module)).unwrap();
        assert_ne!(after, before, "{module} is as the compiler made it");
        let (before, after) = (before.len(), after.len());
        assert!(after <= before, "{module}: {before} bytes, then {after}");
    }
}

#[test]
fn the_optimised_module_with_a_c_abi_answers_like_the_core() {
    let Some(optimised) = optimised() else { return };
    let bytes = std::fs::read(optimised.join("halcyon_edge.wasm")).unwrap();
    let seed = crate::conformance::seed("optimised module", RANDOM);
    let mut dice = Dice(seed);
    let (mut edge, mut epoch) = (Edge::of(&compiled(&bytes), usize::MAX), 0);
    for name in crate::conformance::FILES {
        for group in crate::conformance::vectors(name) {
            compare(&mut edge, &mut epoch, &group);
        }
    }
    for _ in 0..RANDOM / 100 {
        compare(&mut edge, &mut epoch, &crate::random::group(&mut dice, 100));
    }
}

#[test]
fn the_optimised_package_answers_like_the_core() {
    let Some(optimised) = optimised() else { return };
    let name = format!("halcyon-edge-{}.tgz", halcyon_wasm_build::VERSION);
    let tarball = optimised.join(name);
    crate::package::conformance::compare(&["Node, optimised"], |_, questions| {
        let folder = installed_from(&tarball);
        let answers = crate::package::runtimes::in_node(folder.path(), questions);
        serde_json::from_str(&answers).unwrap()
    });
}

#[test]
fn the_optimised_page_says_what_the_one_without_says() {
    let Some(optimised) = optimised() else { return };
    let calls = crate::page::calls();
    let of = |folder: &Path| crate::page::said(&folder.join("page"), &calls);
    assert_eq!(of(optimised), of(built()));
}
