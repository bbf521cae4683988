//! `docs/assurance.md` names tests that exist, and leaves out no law.

use std::collections::BTreeSet;
use std::path::Path;

const HOW: [&str; 5] = ["enumerated", "property", "cases", "program", "model"];

/// The cells of each row of the page's tables, without their heads.
fn rows(page: &str) -> Vec<Vec<&str>> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.map(|row| {
        row.trim_end_matches(" |")
            .split('|')
            .map(str::trim)
            .collect()
    });
    cells.filter(|row: &Vec<&str>| row[0] != "law").collect()
}

/// What is wrong with a reference such as `core/src/x.rs::a_test`, or `tests/model/main.rs::a property of
/// the model`, if anything.
fn missing(root: &Path, reference: &str) -> Option<String> {
    let Some((file, test)) = reference.split_once("::") else {
        return Some(format!("{reference} names no test"));
    };
    let Ok(source) = std::fs::read_to_string(root.join(file)) else {
        return Some(format!("there is no {file}"));
    };
    if test.contains(' ') {
        let property = format!("\"{test}\"");
        return (!source.contains(&property)).then(|| format!("{file} has no property {test}"));
    }
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let begins = format!("fn {test}(");
    let is_test = lines
        .windows(2)
        .any(|pair| pair[0] == "#[test]" && pair[1].starts_with(&begins));
    // A scenario that a macro makes a test of every edge of.
    let listed = source.split("in_every_").skip(1).any(|list| {
        let names = list.split('}').next().unwrap_or_default();
        names.split([' ', ',', '\n', '{']).any(|name| name == test)
    });
    let is_scenario = listed && lines.iter().any(|line| line.starts_with(&begins));
    (!is_test && !is_scenario).then(|| format!("{file} has no test {test}"))
}

#[test]
fn every_test_that_the_page_of_assurance_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = std::fs::read_to_string(root.join("docs/assurance.md")).unwrap();
    let mut laws = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in rows(&page) {
        let [law, clause, held_by, how] = row[..] else {
            panic!("{row:?}")
        };
        laws.extend(
            law.split(' ')
                .next()
                .and_then(|number| number.parse::<u32>().ok()),
        );
        let tests: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(
            !clause.is_empty() && !tests.is_empty() && HOW.contains(&how),
            "{row:?}"
        );
        wrong.extend(tests.into_iter().filter_map(|test| missing(&root, test)));
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(laws, (1..=17).collect());
}

#[test]
fn a_test_that_is_not_there_is_noticed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (reference, found) in [
        (
            "tests/docs/assurance.rs::a_test_that_is_not_there_is_noticed",
            true,
        ),
        ("tests/docs/assurance.rs::a_test_that_is_not_there", false),
        ("tests/docs/assurance.rs::missing", false),
        ("tests/model/main.rs::at most one release is active", true),
        (
            "tests/model/main.rs::at most two releases are active",
            false,
        ),
        ("tests/docs/assurance.rs", false),
        ("tests/docs/nowhere.rs::missing", false),
    ] {
        assert_eq!(missing(&root, reference).is_none(), found, "{reference}");
    }
}
