//! `UPDATE_DOCS=1 cargo test -p halcyon-tests --test docs` writes the pages anew.

use std::path::Path;

fn check(page: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        found, wanted,
        "docs/{page} is out of date: UPDATE_DOCS=1 cargo test -p halcyon-tests --test docs"
    );
}

#[test]
fn the_page_of_variables_is_what_the_program_reads() {
    check("environment.md", &halcyon::cli::environment_reference());
}

#[test]
fn the_page_of_commands_is_what_the_program_takes() {
    check("cli.md", &halcyon::cli::command_reference());
}
