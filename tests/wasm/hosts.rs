//! The same module in other hosts: each answers every vector and 10,000 random cases.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cases::Group;
use crate::conformance::{FILES, differs, seed, vectors};
use crate::dice::Dice;
use crate::documented::{is_there, python_with_wasmtime};
use crate::edge::{Answer, bytes};

const RANDOM: usize = 10_000;
/// Cases that share a table.
const TOGETHER: usize = 100;

/// Asks a host everything, one table after the other, and counts the differences.
fn compare(host: &mut Command, groups: &[Group]) -> (usize, usize) {
    let questions: Vec<String> = (1..)
        .zip(groups)
        .map(|(epoch, group)| {
            let tenants = group.asks.iter().map(|(id, _)| hex(id.as_bytes()));
            let tenants: Vec<String> = tenants.collect();
            let table = hex(&group.binary(epoch));
            serde_json::json!({ "table": table, "tenants": tenants }).to_string()
        })
        .collect();
    let mut child = host
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let asking =
        std::thread::spawn(move || stdin.write_all((questions.join("\n") + "\n").as_bytes()));
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{host:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    asking.join().unwrap().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), groups.len());
    let (mut cases, mut differences) = (0, 0);
    for (line, group) in said.lines().zip(groups) {
        let answers: Vec<u64> = line
            .split(' ')
            .map(|packed| packed.parse().unwrap())
            .collect();
        assert_eq!(answers.len(), group.asks.len());
        for (packed, (id, expected)) in answers.into_iter().zip(&group.asks) {
            cases += 1;
            if differs(group, Answer::of(packed), expected) {
                differences += 1;
                eprintln!(
                    "{packed:#x} for {id:?}, expected {expected:?}, under {}",
                    group.table
                );
            }
        }
    }
    (cases, differences)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hosts that are here, by name.
fn hosts(module: &Path) -> Vec<(&'static str, Command)> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("wasm/hosts");
    let command = |program: PathBuf, script: &str| {
        let mut command = Command::new(program);
        command.arg(scripts.join(script)).arg(module);
        command
    };
    let mut hosts = Vec::new();
    if is_there("node") {
        hosts.push(("Node", command("node".into(), "edge.mjs")));
    }
    if is_there("python3") {
        hosts.push((
            "Python, wasmtime",
            command(python_with_wasmtime(), "edge.py"),
        ));
    }
    hosts
}

#[test]
fn every_host_answers_every_vector_and_10_000_random_cases_like_the_core() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("halcyon_edge.wasm");
    std::fs::write(&module, bytes()).unwrap();
    let seed = seed("hosts", RANDOM);
    let mut dice = Dice(seed);
    let random = (0..RANDOM / TOGETHER).map(|_| crate::random::group(&mut dice, TOGETHER));
    let random: Vec<Group> = random.collect();
    let vectors: Vec<Group> = FILES.iter().flat_map(|name| vectors(name)).collect();
    let mut table = format!(
        "{:<20} {:>9} {:>9} {:>12}\n",
        "host", "vectors", "random", "differences"
    );
    let mut differences = 0;
    for (name, _) in hosts(&module) {
        let run = |groups: &[Group]| {
            let mut host = hosts(&module)
                .into_iter()
                .find(|(known, _)| *known == name)
                .unwrap();
            compare(&mut host.1, groups)
        };
        let ((of_vectors, differ), (of_random, differ_too)) = (run(&vectors), run(&random));
        assert_eq!(of_random, RANDOM);
        differences += differ + differ_too;
        table += &format!(
            "{name:<20} {of_vectors:>9} {of_random:>9} {:>12}\n",
            differ + differ_too
        );
    }
    std::io::stderr().write_all(table.as_bytes()).unwrap();
    assert_eq!(differences, 0, "HALCYON_RANDOM_SEED={seed}\n{table}");
}
