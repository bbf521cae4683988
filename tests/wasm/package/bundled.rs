//! The package in what a bundler makes of a page, in Chromium.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::readme::{TABLE, is_here, said};
use super::runtimes::{Runtime, page_text};
use super::{installed, peer};

/// A page that decides with the package, before a bundler has seen it. `None` without Chromium or npm.
fn page() -> Option<TempDir> {
    if !is_here(Runtime::Chromium) || !is_here(Runtime::Node) {
        return None;
    }
    let folder = installed();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("index.html", "<script type=module src=./page.js></script>");
    write(
        "page.js",
        &format!(
            "import {{ Router }} from \"@halcyon/edge\";\n\
             document.body.textContent = new Router({TABLE}).route(\"acme\").region;\n"
        ),
    );
    Some(folder)
}

fn run(bundler: &str, arguments: &[&str], folder: &Path) {
    let mut command = Command::new(peer(bundler));
    said(command.args(arguments).current_dir(folder));
}

/// What the page says when it has nothing but what lies in a folder.
fn page_says(folder: &Path) -> String {
    let files = fs::read_dir(folder).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let scripts: Vec<String> = names.filter(|name| name.ends_with(".js")).collect();
    assert_eq!(scripts.len(), 1, "{scripts:?}");
    let page = format!("<script type=module src=/{}></script>", scripts[0]);
    page_text(&page, &|name| {
        Some(fs::read(folder.join(name)).unwrap_or_default())
    })
}

#[test]
fn webpack_takes_it_as_it_is() {
    let Some(folder) = page() else { return };
    let bundle = [
        "--mode=production",
        "--entry=./page.js",
        "--output-path=out",
    ];
    run("webpack", &bundle, folder.path());
    assert_eq!(page_says(&folder.path().join("out")), "us-east");
}

#[test]
fn vite_takes_it_as_it_is() {
    let Some(folder) = page() else { return };
    let bundle = ["build", "--base=/", "--outDir=out", "--assetsDir=."];
    run("vite", &bundle, folder.path());
    assert_eq!(page_says(&folder.path().join("out")), "us-east");
}

#[test]
fn a_bundler_that_copies_no_files_has_the_module_beside_what_it_makes() {
    let Some(folder) = page() else { return };
    let bundle = ["page.js", "--bundle", "--format=esm", "--outdir=out"];
    run("esbuild", &bundle, folder.path());
    let out = folder.path().join("out");
    let module = "node_modules/@halcyon/edge/halcyon_bg.wasm";
    fs::copy(folder.path().join(module), out.join("halcyon_bg.wasm")).unwrap();
    assert_eq!(page_says(&out), "us-east");
}
