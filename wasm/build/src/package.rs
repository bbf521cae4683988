//! The npm packages: our JavaScript, the bound module, and what npm wants to know.

use std::fs;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::bind::Bound;

/// A file of a package: its name, and what is in it.
pub type File = (&'static str, Vec<u8>);

macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_bytes!(concat!("../../js/", $folder, "/", $name)))),*]
    };
}

/// What is ours in `@halcyon/edge`.
const EDGE: &[(&str, &[u8])] = files![
    "edge":
    "README.md",
    "browser.js",
    "bundler.js",
    "edge.js",
    "index.d.ts",
    "names.js",
    "node.js",
    "value.js",
    "workerd.js",
];

/// What `@halcyon/page` has besides, or instead.
const PAGE: &[(&str, &[u8])] = files![
    "page":
    "README.md",
    "index.d.ts",
    "names.js",
    "page.js",
];

const LICENSES: [(&str, &[u8]); 2] = [
    ("LICENSE-APACHE", include_bytes!("../../../LICENSE-APACHE")),
    ("LICENSE-MIT", include_bytes!("../../../LICENSE-MIT")),
];

/// The version of everything here.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The files of `@halcyon/edge`, in the order of their names.
pub(crate) fn edge(module: Bound) -> Vec<File> {
    let manifest = include_str!("../../js/edge/package.json");
    let files = EDGE.iter().map(|(name, content)| (*name, content.to_vec()));
    package(manifest, module, files.collect())
}

/// The files of `@halcyon/page`, in the order of their names.
pub(crate) fn page(module: Bound) -> Vec<File> {
    let manifest = include_str!("../../js/page/package.json");
    let replaced = |name: &str| PAGE.iter().any(|(ours, _)| *ours == name);
    let of_edge = EDGE.iter().filter_map(|(name, content)| match *name {
        // Where TypeScript looks for the types of edge.js.
        "index.d.ts" => Some(("edge.d.ts", content.to_vec())),
        name => (!replaced(name)).then(|| (name, content.to_vec())),
    });
    let ours = PAGE.iter().map(|(name, content)| (*name, content.to_vec()));
    package(manifest, module, of_edge.chain(ours).collect())
}

fn package(manifest: &str, module: Bound, mut files: Vec<File>) -> Vec<File> {
    files.extend([
        (
            "package.json",
            manifest.replace("0.0.0", VERSION).into_bytes(),
        ),
        ("halcyon_bg.js", module.js.into_bytes()),
        ("halcyon_bg.wasm", module.wasm),
    ]);
    files.extend(LICENSES.map(|(name, content)| (name, content.to_vec())));
    for (name, content) in &mut files {
        if let (true, Ok(text)) = (name.ends_with(".js"), std::str::from_utf8(content)) {
            *content = without_comments(text);
        }
    }
    files.sort();
    files
}

/// JavaScript without lines that are a comment or empty, and without what stands before a line: every edge loads
/// it, and whoever reads it finds the comments in the repository. No text in it has more than one line.
fn without_comments(text: &str) -> Vec<u8> {
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        let code = line.trim_start();
        inside |= code.starts_with("/*");
        if !inside && !code.is_empty() && !code.starts_with("//") {
            kept.push_str(code.trim_end());
            kept.push('\n');
        }
        inside &= !code.ends_with("*/");
    }
    kept.into_bytes()
}

/// Writes a package's files to a folder, and takes away what an earlier version had.
pub(crate) fn write(files: &[File], folder: &Path) -> Result<(), String> {
    let named = |why: std::io::Error| format!("{}: {why}", folder.display());
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(named)?;
    }
    fs::create_dir_all(folder).map_err(named)?;
    for (name, content) in files {
        fs::write(folder.join(name), content).map_err(named)?;
    }
    Ok(())
}

/// The package as npm packs one: the same bytes for the same files.
pub(crate) fn pack(files: &[File]) -> Result<Vec<u8>, String> {
    let packed = || {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
        for (name, content) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            // Of no one and of no time: what npm writes too.
            header.set_mtime(499_162_500);
            tar.append_data(&mut header, Path::new("package").join(name), &content[..])?;
        }
        tar.into_inner()?.finish()
    };
    packed().map_err(|why: std::io::Error| format!("cannot pack: {why}"))
}
