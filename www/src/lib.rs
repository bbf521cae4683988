//! The dashboard's page, as bytes to serve: what is in `assets/`, and the package `@halcyon/page` with the
//! core as WebAssembly, which the build script makes.
//!
//! Whoever serves them puts every file at its path; the page asks for nothing from anywhere else.
//!
//! ```
//! let page = halcyon_www::file("/").unwrap();
//! assert_eq!(page.content_type, "text/html; charset=utf-8");
//! assert!(halcyon_www::FILES.iter().any(|file| file.path == "/page/halcyon_bg.wasm"));
//! ```

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct File {
    /// Where the page expects it.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// A strong entity tag, in quotes: other bytes have another one.
    pub etag: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// The same in gzip (RFC 1952), where that is less.
    pub gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The file at a path.
pub fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_is_there_once_and_every_tag_is_of_the_bytes() {
        for (index, file) in FILES.iter().enumerate() {
            assert!(
                file.path.starts_with('/') && !file.bytes.is_empty(),
                "{}",
                file.path
            );
            assert!(
                FILES
                    .iter()
                    .skip(index + 1)
                    .all(|other| other.path != file.path)
            );
            assert!(
                FILES
                    .iter()
                    .all(|other| (other.etag == file.etag) == (other.bytes == file.bytes))
            );
        }
    }

    #[test]
    fn what_a_file_refers_to_is_there() {
        for (from, wanted) in [
            ("/", "app.css"),
            ("/", "controls.css"),
            ("/", "parts.css"),
            ("/", "release.css"),
            ("/", "app.js"),
            ("/", "favicon.svg"),
            ("/core.js", "page/browser.js"),
            ("/app.js", "more.js"),
            ("/charts.js", "vendor/uplot.mjs"),
            ("/whatif.js", "whatif-worker.js"),
            ("/", "vendor/uplot.css"),
            ("/html.js", "vendor/preact.mjs"),
            ("/vendor/signals.mjs", "./preact.mjs"),
            ("/page/names.js", "page.js"),
        ] {
            let text = std::str::from_utf8(file(from).unwrap().bytes).unwrap();
            assert!(text.contains(wanted), "{from} does not name {wanted}");
        }
        for path in [
            "/app.css",
            "/app.js",
            "/favicon.svg",
            "/page/browser.js",
            "/page/page.js",
        ] {
            assert!(file(path).is_some(), "{path}");
        }
    }

    #[test]
    fn every_module_that_a_module_imports_is_there() {
        let modules = FILES
            .iter()
            .filter(|file| file.content_type.starts_with("text/javascript"));
        let mut imports = 0;
        for from in modules.filter(|file| !file.path.starts_with("/page/")) {
            let text = std::str::from_utf8(from.bytes).unwrap();
            let tight = text.split("from\"").skip(1);
            let quoted = tight.chain(text.split("from \"").skip(1));
            for rest in quoted.filter(|rest| rest.starts_with(['/', '.'])) {
                let name = rest.split('"').next().unwrap();
                let folder = from.path.rsplit_once('/').unwrap().0;
                let path = match name.strip_prefix("./") {
                    Some(name) => std::format!("{folder}/{name}"),
                    None => name.to_owned(),
                };
                assert!(file(&path).is_some(), "{}: {name}", from.path);
                imports += 1;
            }
        }
        assert!(imports > 40, "{imports}");
    }

    #[test]
    fn the_page_names_the_modules_that_it_begins_with_and_no_others() {
        let page = std::str::from_utf8(file("/").unwrap().bytes).unwrap();
        let named = |path: &str| {
            page.matches(&std::format!("\"modulepreload\" href=\"{path}\""))
                .count()
        };
        for path in [
            "/app.js",
            "/live.js",
            "/tile.js",
            "/vendor/signals-core.mjs",
        ] {
            assert_eq!(named(path), 1, "{path}");
        }
        for path in [
            "/vendor/uplot.mjs",
            "/whatif-worker.js",
            "/more.js",
            "/page/page.js",
        ] {
            assert_eq!(named(path), 0, "{path}");
        }
    }

    #[test]
    fn the_module_is_one() {
        let module = file("/page/halcyon_bg.wasm").unwrap();
        assert_eq!(module.content_type, "application/wasm");
        assert!(module.bytes.starts_with(b"\0asm\x01\0\0\0"));
    }
}
