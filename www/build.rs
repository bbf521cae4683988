//! Makes the package `@halcyon/page` and a list of all files of the page.
//!
//! `HALCYON_WASM_DIR` may name a folder that has the package in `page/` already, as `halcyon-wasm-build`
//! writes it; then nothing is compiled.

use std::collections::hash_map::DefaultHasher;
use std::env;
use std::fmt::Write;
use std::fs;
use std::hash::Hasher;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use halcyon_wasm_build::build_page;

/// A path, and the bytes.
type File = (String, Vec<u8>);

fn main() {
    if let Err(why) = make() {
        // Cargo shows what is written here under the name of this crate.
        eprintln!("error: the dashboard's page cannot be built: {why}");
        std::process::exit(1);
    }
}

fn make() -> Result<(), String> {
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(variable("OUT_DIR")?);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=HALCYON_WASM_DIR");
    let mut files = assets(&here.join("assets"))?;
    files.extend(vendored(&here.join("vendor"))?);
    files.extend(
        match env::var_os("HALCYON_WASM_DIR").filter(|dir| !dir.is_empty()) {
            Some(dir) => prebuilt(&Path::new(&dir).join("page"))?,
            None => built(&here, &out)?,
        },
    );
    preload(&mut files)?;
    let list = list(&files, &out)?;
    write(&out.join("files.rs"), list.as_bytes())
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("cargo does not say {name}"))
}

/// What is in a folder, by name. A file more or less makes the script run again, too.
fn read_folder(folder: &Path) -> Result<Vec<File>, String> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let named = |why: std::io::Error| format!("{}: {why}", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(named)? {
        let path = entry.map_err(named)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| format!("{}: is no name", path.display()))?;
        let bytes = fs::read(&path).map_err(|why| format!("{}: {why}", path.display()))?;
        files.push((name.to_owned(), bytes));
    }
    files.sort();
    Ok(files)
}

fn assets(folder: &Path) -> Result<Vec<File>, String> {
    let path = |name: String| match name.as_str() {
        "index.html" => "/".to_owned(),
        _ => format!("/{name}"),
    };
    let files = read_folder(folder)?.into_iter();
    Ok(files.map(|(name, bytes)| (path(name), bytes)).collect())
}

/// What others have made: their modules, and what they allow.
fn vendored(folder: &Path) -> Result<Vec<File>, String> {
    let kinds = [".mjs", ".css"];
    let served =
        |name: &str| name.starts_with("LICENSE-") || kinds.iter().any(|kind| name.ends_with(kind));
    let files = read_folder(folder)?.into_iter();
    let files = files.filter(|(name, _)| served(name));
    Ok(files
        .map(|(name, bytes)| (format!("/vendor/{name}"), bytes))
        .collect())
}

/// A browser asks for modules and for WebAssembly, and for nothing else of a package.
fn is_served(name: &str) -> bool {
    let other_runtimes = ["bundler.js", "node.js", "workerd.js"];
    (name.ends_with(".js") || name.ends_with(".wasm")) && !other_runtimes.contains(&name)
}

fn prebuilt(folder: &Path) -> Result<Vec<File>, String> {
    let files = read_folder(folder).map_err(|why| format!("HALCYON_WASM_DIR: {why}"))?;
    if !files.iter().any(|(name, _)| name == "halcyon_bg.wasm") {
        let folder = folder.display();
        return Err(format!(
            "HALCYON_WASM_DIR: {folder} has no halcyon_bg.wasm; allowed: a folder that halcyon-wasm-build wrote"
        ));
    }
    let served = files.into_iter().filter(|(name, _)| is_served(name));
    Ok(served
        .map(|(name, bytes)| (format!("/page/{name}"), bytes))
        .collect())
}

fn built(here: &Path, out: &Path) -> Result<Vec<File>, String> {
    let root = here.parent().unwrap_or(here);
    // All that the module is made of; what makes it is a dependency of this script.
    for source in [
        "core/src",
        "core/Cargo.toml",
        "core/hash",
        "wasm/src",
        "wasm/js",
        "wasm/Cargo.toml",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-env-changed=HALCYON_WASM_OPT");
    let files = build_page(&target(out))?.into_iter();
    let served = files.filter(|(name, _)| is_served(name));
    Ok(served
        .map(|(name, bytes)| (format!("/page/{name}"), bytes))
        .collect())
}

/// A target folder of the module's own, the same for every profile and every kind of build: cargo marks
/// its target folders, and this script's output is somewhere below one.
fn target(out: &Path) -> PathBuf {
    let marked = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    out.ancestors().find(marked).unwrap_or(out).join("wasm")
}

/// Has the page name every module that it runs before anything can be seen, so that a browser asks for all of them
/// at once: each one's imports are known only when it is there.
fn preload(files: &mut [File]) -> Result<(), String> {
    let mut modules = vec!["/app.js".to_owned()];
    let mut next = 0;
    while let Some(from) = modules.get(next).cloned() {
        next += 1;
        for path in imports(files, &from) {
            if !modules.contains(&path) {
                modules.push(path);
            }
        }
    }
    let links = modules
        .iter()
        .map(|path| format!("    <link rel=\"modulepreload\" href=\"{path}\">\n"));
    let links: String = links.collect();
    let page = files.iter_mut().find(|(path, _)| path == "/");
    let (_, page) = page.ok_or("there is no index.html")?;
    let text = String::from_utf8(std::mem::take(page)).map_err(|why| why.to_string())?;
    let before = "    <script type=\"module\" src=\"/app.js\"></script>\n";
    match text.split_once(before) {
        Some((head, tail)) => *page = format!("{head}{links}{before}{tail}").into_bytes(),
        None => return Err("index.html does not load /app.js as it used to".into()),
    }
    Ok(())
}

/// What a module imports as it is loaded, of these files.
fn imports(files: &[File], from: &str) -> Vec<String> {
    let module = files.iter().find(|(path, _)| path == from);
    let text = module.map_or("".into(), |(_, bytes)| String::from_utf8_lossy(bytes));
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let tight = text.split("from\"").skip(1);
    let names = tight.chain(text.split("from \"").skip(1));
    let names = names.filter_map(|rest| rest.split('"').next());
    let paths = names.map(|name| match name.strip_prefix("./") {
        Some(name) => format!("{folder}/{name}"),
        None => name.to_owned(),
    });
    paths
        .filter(|path| files.iter().any(|(known, _)| known == path))
        .collect()
}

fn list(files: &[File], out: &Path) -> Result<String, String> {
    let mut list = String::from("/// Every file.\npub static FILES: &[File] = &[\n");
    for (number, (path, bytes)) in files.iter().enumerate() {
        let copy = out.join(format!("file{number}"));
        write(&copy, bytes)?;
        let squeezed = gzip(bytes).map_err(|why| format!("{path}: {why}"))?;
        let gzip = match squeezed.len() < bytes.len() {
            true => {
                let copy = out.join(format!("file{number}.gz"));
                write(&copy, &squeezed)?;
                format!("Some(include_bytes!({copy:?}))")
            }
            false => "None".to_owned(),
        };
        let (kind, tag) = (content_type(path)?, format!("\"{:016x}\"", hash(bytes)));
        // Writing to a String cannot fail.
        let _ = writeln!(
            list,
            "    File {{ path: {path:?}, content_type: {kind:?}, etag: {tag:?}, bytes: include_bytes!({copy:?}), gzip: {gzip} }},",
        );
    }
    list.push_str("];\n");
    Ok(list)
}

fn content_type(path: &str) -> Result<&'static str, String> {
    Ok(match path.rsplit('.').next() {
        _ if path == "/" => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        _ if path.starts_with("/vendor/LICENSE-") => "text/plain; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("wasm") => "application/wasm",
        _ => return Err(format!("{path}: of no known media type")),
    })
}

/// As small as it gets, and without a date: the same bytes each time.
fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Only to tell versions of a file apart: what it is need not be the same tomorrow.
fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    // A file that has not changed stays as it is, so that nothing is compiled for it.
    if fs::read(path).is_ok_and(|known| known == bytes) {
        return Ok(());
    }
    fs::write(path, bytes).map_err(|why| format!("{}: {why}", path.display()))
}
