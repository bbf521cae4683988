//! Help, completions and the manual page name exactly the commands there are.

use std::collections::BTreeSet;

use halcyon_tests::store::Store;

/// The commands, as `--help` lists them.
fn commands(store: &Store) -> BTreeSet<String> {
    let help = store.run(&["--help"]).exits(0).stdout;
    let list = help
        .split("Commands:")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap();
    // A name stands two blanks in; what a long description runs on with, further.
    let lines = list
        .lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let found: BTreeSet<_> = lines
        .filter_map(|line| Some(line.split_whitespace().next()?.to_owned()))
        .collect();
    let known = [
        "demo",
        "edge",
        "keygen",
        "serve",
        "release",
        "status",
        "table",
        "token",
        "promote",
        "pause",
        "resume",
        "rollback",
        "drain",
        "forbid",
        "undrain",
        "freeze",
        "unfreeze",
        "route",
        "failover",
        "regions",
        "audit",
        "healthcheck",
        "completions",
        "man",
        "help",
    ];
    assert_eq!(found, known.map(str::to_owned).into());
    found
}

const ABSENT: [&str; 1] = ["tokens"];

#[test]
fn completions_name_exactly_the_commands_there_are() {
    let store = Store::new();
    let commands = commands(&store);
    for shell in ["bash", "zsh", "fish"] {
        let script = store.run(&["completions", shell]).exits(0).stdout;
        let offers = |command: &str| match shell {
            "bash" => script.contains(&format!("halcyon,{command})")),
            "zsh" => script.contains(&format!("'{command}:")),
            _ => script.contains(&format!("-a \"{command}\"")),
        };
        for command in &commands {
            assert!(offers(command), "{shell} does not offer {command}");
        }
        for absent in ABSENT {
            assert!(!offers(absent), "{shell} offers {absent}");
        }
        for flag in ["canary-seq", "expect-head", "abort-on-err"] {
            assert!(script.contains(flag), "{shell} does not know {flag}");
        }
    }
    assert!(!store.logs().exists());
}

#[test]
fn a_bash_completion_is_a_script_that_bash_reads() {
    let store = Store::new();
    let script = store.run(&["completions", "bash"]).exits(0).stdout;
    let path = store.dir().join("halcyon.bash");
    std::fs::write(&path, script).unwrap();
    assert!(
        std::process::Command::new("bash")
            .arg("-n")
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn the_manual_page_names_exactly_the_commands_there_are() {
    let store = Store::new();
    let page = store.run(&["man"]).exits(0).stdout;
    assert!(page.contains(".TH"), "{page:.200}");
    for command in commands(&store) {
        assert!(
            page.contains(&format!("halcyon\\-{command}(1)")),
            "{command}"
        );
    }
    for absent in ABSENT {
        assert!(
            !page.contains(&format!("halcyon\\-{absent}(1)")),
            "{absent}"
        );
    }
    for variable in halcyon_core::config::VARIABLES {
        assert!(page.contains(variable.name), "{}", variable.name);
    }
}

#[test]
fn every_command_has_help_and_the_program_its_version() {
    let store = Store::new();
    for command in commands(&store) {
        // As most type it first.
        let help = store.run(&["help", &command]).exits(0).stdout;
        assert!(help.contains("Usage: halcyon"), "{command}");
        if command == "help" {
            continue;
        }
        assert_eq!(help, store.run(&[&command, "--help"]).exits(0).stdout);
        for flag in ["--help", "-h"] {
            let ran = store.run(&[&command, flag]).exits(0);
            assert!(
                ran.stdout.contains("Usage: halcyon") && ran.stderr.is_empty(),
                "{command}"
            );
        }
    }
    let all = store.run(&["help"]).exits(0).stdout;
    assert_eq!(all, store.run(&["--help"]).exits(0).stdout);
    let tail = store.run(&["help", "audit", "tail"]).exits(0).stdout;
    assert!(tail.contains("Usage: halcyon audit tail"), "{tail}");
    store.run(&["help", "tokens"]).exits(2).says("tokens");
    let version = store.run(&["--version"]).exits(0).stdout;
    assert_eq!(version, format!("halcyon {}\n", env!("CARGO_PKG_VERSION")));
    assert!(!store.logs().exists());
}
