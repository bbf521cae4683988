//! A process that may open few files.

use halcyon_tests::process::program;
use halcyon_tests::region::Region;
use halcyon_tests::store::{Running, Store};

#[test]
fn a_command_that_may_open_too_few_files_says_so_and_leaves_a_journal_that_verifies() {
    let region = Region::ready();
    let mut codes = Vec::new();
    for files in 3..24 {
        let store = Store::new();
        let mut command = store.command(&["x"; 0], &[]);
        let script = format!(
            "ulimit -n {files}; exec {} release --image-blue a --image-green b --canary-seq 10,100 \
             --timeout-s 0 --abort-on-err --region {} --on-step true",
            program().display(),
            region.at()
        );
        let environment: Vec<_> = command
            .get_envs()
            .map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()))
            .collect();
        command = std::process::Command::new("/bin/sh");
        command
            .args(["-c", &script])
            .env_clear()
            .envs(environment)
            .current_dir(store.dir());
        let ran = Running::spawn(&mut command).ended();
        // With hardly any file left the runtime itself cannot start; then nothing has been begun.
        let unstarted = ran.code == 101 && store.lines().is_empty();
        assert!(
            unstarted || [0, 1, 3, 7, 127].contains(&ran.code),
            "{files}: {} {}",
            ran.code,
            ran.stderr
        );
        assert!(ran.code == 0 || !ran.stderr.is_empty(), "{files}");
        store.run(&["audit", "verify"]).exits(0);
        codes.push(ran.code);
    }
    eprintln!("{codes:?}");
    assert_eq!(codes.last(), Some(&0), "{codes:?}");
    assert!(codes.contains(&1), "{codes:?}");
}
