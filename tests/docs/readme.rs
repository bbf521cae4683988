//! Every command of the README runs as it stands there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// The blocks of a language, such as `sh`, in order.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        match (&mut current, line.trim_end().strip_prefix("```")) {
            (None, Some(info)) => {
                current = (info == language)
                    .then(String::new)
                    .or(Some(String::from("\0")))
            }
            (Some(block), Some("")) => {
                if !block.starts_with('\0') {
                    found.push(block.clone());
                }
                current = None;
            }
            (Some(block), _) => {
                block.push_str(line);
                block.push('\n');
            }
            (None, None) => {}
        }
    }
    found
}

/// Commands that `tests/run` and `tests/image/run` run themselves; the README names them as they stand there.
const RUN_ELSEWHERE: [&str; 5] = [
    "cargo run --release -- demo",
    "cargo install --path host",
    "tests/run",
    "docker build -t halcyon .",
    "docker run --rm halcyon demo",
];

#[test]
fn every_command_of_the_readme_works() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let program = halcyon_tests::process::program();
    let directory = tempfile::tempdir().unwrap();
    let port = halcyon_tests::process::unused_port().to_string();
    let mut script = String::from("set -eu\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n");
    let mut commands = 0;
    for line in blocks(&readme, "sh").iter().flat_map(|block| block.lines()) {
        if RUN_ELSEWHERE.contains(&line.trim()) {
            continue;
        }
        script.push_str(&line.replace("8086", &port));
        script.push('\n');
        if line.trim_end().ends_with('&') {
            script.push_str(&format!("until halcyon healthcheck http://127.0.0.1:{port} >/dev/null 2>&1; do sleep 0.05; done\n"));
        }
        commands += 1;
    }
    assert!(
        commands >= 10,
        "only {commands} lines found: are the blocks still marked sh?"
    );
    let bin = program.parent().unwrap();
    let output = Command::new("timeout")
        .args(["120", "bash", "-c", &script])
        .current_dir(directory.path())
        .env_clear()
        .env(
            "PATH",
            format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()),
        )
        // Another test may have the default one.
        .env("DASHBOARD_PORT", "0")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{script}\n--- stdout\n{said}\n--- stderr\n{complained}"
    );
}

#[test]
fn what_is_run_elsewhere_is_run_there() {
    let runner = std::fs::read_to_string(root().join("tests/run")).unwrap();
    assert!(runner.contains("cargo run --release --locked -- demo"));
    let image = ["run", "prepare.sh", "checks.sh"]
        .map(|name| std::fs::read_to_string(root().join("tests/image").join(name)).unwrap());
    assert!(
        image.iter().any(|script| script.contains("README.md")),
        "the image's test runs the README's docker commands"
    );
}

#[test]
fn every_link_in_the_documents_leads_to_a_file() {
    let mut pages = vec![root().join("README.md"), root().join("CHANGELOG.md")];
    pages.extend(
        std::fs::read_dir(root().join("docs"))
            .unwrap()
            .map(|entry| entry.unwrap().path()),
    );
    for page in pages
        .iter()
        .filter(|page| page.extension().is_some_and(|ending| ending == "md"))
    {
        let text = std::fs::read_to_string(page).unwrap();
        // Programs have brackets of their own.
        let prose: Vec<&str> = text.split("\n```").step_by(2).collect();
        for target in prose
            .join("\n")
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.starts_with('#') || target.contains("://") {
                continue;
            }
            let path = page
                .parent()
                .unwrap()
                .join(target.split('#').next().unwrap());
            assert!(path.exists(), "{}: link to {target}", page.display());
        }
    }
}
