//! Commands that there are none of.

use halcyon_tests::store::Store;

#[test]
fn a_command_this_version_lacks_is_a_usage_error() {
    let store = Store::new();
    for command in ["tokens", "nonsense", "", "\u{1b}[2J"] {
        let ran = store.run(&[command]).exits(2);
        assert_eq!(ran.stdout, "");
        assert!(!ran.stderr.is_empty());
    }
    store.run::<&str>(&[]).exits(2);
}
