//! The programs of `docs/table.md`, run as they stand there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use halcyon_tests::store::Store;

use crate::edge::{Edge, bytes};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/table.md");
    std::fs::read_to_string(path).unwrap()
}

/// The only block of a language on the page.
fn block(language: &str) -> String {
    let page = page();
    let begin = format!("\n```{language}\n");
    let mut blocks = page.split(&begin).skip(1);
    let block = blocks.next().unwrap_or_else(|| panic!("no {language}"));
    assert!(blocks.next().is_none(), "one program in {language}");
    block.split("\n```").next().unwrap().to_owned() + "\n"
}

/// A folder with the module and a table as `halcyon table` writes it.
fn folder() -> (Store, PathBuf) {
    let store = Store::new();
    let folder = store.dir().join("programs");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("halcyon_edge.wasm"), bytes()).unwrap();
    let out = folder.join("edge.table");
    store
        .run_with(
            &["table", "--binary", "--out", out.to_str().unwrap()],
            &[
                ("REGIONS", "us-east,us-west,eu-west"),
                ("TENANT_STICKY", "hash"),
            ],
        )
        .exits(0);
    (store, folder)
}

/// Set by the full test run, which has set the peers up: then a missing one is a failure.
const PEERS: &str = "HALCYON_TEST_PEERS";

/// Whether a program is there. Without it a test says so and passes, but never in the full test run.
pub(crate) fn is_there(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output();
    let found = found.is_ok_and(|output| output.status.success());
    assert!(
        found || std::env::var_os(PEERS).is_none(),
        "{PEERS} is set, and there is no {program}"
    );
    if !found {
        eprintln!("not tested: there is no {program}");
    }
    found
}

#[track_caller]
fn says(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|why| panic!("{command:?}: {why}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// What the contract's example says of acme.
const ACME: &str = "region 0 slot 0 error 0\n";

#[test]
fn the_program_in_javascript_runs() {
    if !is_there("node") {
        return;
    }
    let (_store, folder) = folder();
    std::fs::write(folder.join("edge.mjs"), block("js")).unwrap();
    let said = says(Command::new("node").arg("edge.mjs").current_dir(&folder));
    assert_eq!(said, ACME);
}

#[test]
fn the_program_in_python_runs() {
    if !is_there("python3") {
        return;
    }
    let (_store, folder) = folder();
    std::fs::write(folder.join("edge.py"), block("python")).unwrap();
    let python = python_with_wasmtime();
    let said = says(Command::new(python).arg("edge.py").current_dir(&folder));
    assert_eq!(said, ACME);
}

/// A Python that has the package `wasmtime`, made once below the target folder.
pub(crate) fn python_with_wasmtime() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let home = crate::edge::target().join("python");
        let python = home.join("bin/python");
        let mut import = Command::new(&python);
        let import = import.args(["-c", "import wasmtime"]).output();
        if !import.is_ok_and(|output| output.status.success()) {
            says(Command::new("python3").args(["-m", "venv"]).arg(&home));
            let wanted = concat!(env!("CARGO_MANIFEST_DIR"), "/wasm/requirements.txt");
            let install = ["-m", "pip", "install", "--quiet", "-r", wanted];
            says(Command::new(&python).args(install));
        }
        python
    };
    PYTHON.get_or_init(make).clone()
}

#[test]
fn the_program_in_rust_runs() {
    let example = include_str!("embed.rs");
    let program = example.split_once("\n\n").unwrap().1;
    assert_eq!(block("rust"), program, "the page has another program");
    let (_store, folder) = folder();
    let said = says(Command::new(halcyon_tests::process::example("embed")).current_dir(&folder));
    assert_eq!(said, ACME);
}

#[test]
fn the_table_of_the_page_is_what_the_module_takes() {
    let (_store, folder) = folder();
    let table = std::fs::read(folder.join("edge.table")).unwrap();
    let mut edge = Edge::new();
    assert_eq!(edge.take(&table), 0);
    assert_eq!(edge.ask(b"acme", 0).region, 0);
}
