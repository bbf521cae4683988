//! `halcyon keygen`, and tables that are signed with its keys.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use halcyon::signing::TableKeys;
use halcyon_tests::store::Store;

const REGIONS: [(&str, &str); 2] = [("REGIONS", "us-east,us-west"), ("TENANT_STICKY", "hash")];

/// A store with a key, and the key's public half.
pub(crate) fn keyed(store: &Store) -> String {
    let ran = store.run(&["keygen", "--out", "key.pem"]).exits(0);
    let public = ran.stdout.trim().to_owned();
    assert_eq!((public.len(), ran.stdout.lines().count()), (44, 1));
    public
}

fn keys(public: &str) -> TableKeys {
    TableKeys::parse(&[public.to_owned()]).unwrap()
}

#[test]
fn a_key_goes_to_a_new_file_and_its_public_half_to_stdout() {
    let store = Store::new();
    keyed(&store);
    let file = store.dir().join("key.pem");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let secret = std::fs::read_to_string(&file).unwrap();
    store
        .run(&["keygen", "--out", "key.pem"])
        .exits(1)
        .says("--out: key.pem is there already; a key is never written over");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), secret);
    let json = store.run(&["keygen", "-o", "json"]).exits(0).json();
    assert_eq!(json["file"], "halcyon-signing-key.pem");
    assert_eq!(json["public_key"].as_str().unwrap().len(), 44);
    store
        .run(&["keygen", "--out", "nowhere/key.pem"])
        .exits(1)
        .says("--out: nowhere/key.pem cannot be written");
}

#[test]
fn a_table_is_signed_where_a_key_is_set() {
    let store = Store::new();
    let public = keyed(&store);
    let environment = [&REGIONS[..], &[("HALCYON_SIGNING_KEY_FILE", "key.pem")]].concat();
    let ran = store.run_with(&["table"], &environment).exits(0);
    let signature = ran.stderr.trim().strip_prefix("x-halcyon-signature: ");
    assert_eq!(
        keys(&public).verify(ran.stdout.as_bytes(), signature),
        Ok(())
    );
    for (name, flags) in [("t.json", &[][..]), ("t.bin", &["--binary"])] {
        let arguments = [&["table", "--out", name], flags].concat();
        store.run_with(&arguments, &environment).exits(0);
        let read = |name: &str| std::fs::read(store.dir().join(name)).unwrap();
        let (table, signature) = (read(name), read(&format!("{name}.sig")));
        let signature = String::from_utf8(signature).unwrap();
        assert_eq!(keys(&public).verify(&table, Some(&signature)), Ok(()));
    }
    let unsigned = store.run_with(&["table", "--out", "u.json"], &REGIONS);
    unsigned.exits(0);
    assert!(!store.dir().join("u.json.sig").exists());
}

#[test]
fn a_table_that_nobody_signs_leaves_no_signature_of_the_one_before_it() {
    let store = Store::new();
    keyed(&store);
    let environment = [&REGIONS[..], &[("HALCYON_SIGNING_KEY_FILE", "key.pem")]].concat();
    let issue = ["table", "--out", "t.json"];
    store.run_with(&issue, &environment).exits(0);
    let signature = store.dir().join("t.json.sig");
    assert!(signature.exists());
    store
        .run_with(&issue, &REGIONS)
        .exits(0)
        .says("--out: t.json.sig was the signature of the table before, and is removed");
    assert!(!signature.exists());
    // What cannot be removed is said, before a table that edges would refuse is there.
    let before = std::fs::read(store.dir().join("t.json")).unwrap();
    std::fs::create_dir(&signature).unwrap();
    store
        .run_with(&issue, &REGIONS)
        .exits(1)
        .says("--out: t.json.sig is the signature of the table before, and cannot be removed");
    assert_eq!(std::fs::read(store.dir().join("t.json")).unwrap(), before);
}

#[test]
fn a_key_that_is_none_is_told_with_whatever_else_is_wrong() {
    let store = Store::new();
    let environment = [
        ("REGIONS", "us east"),
        ("DRAIN_MS", "soon"),
        ("HALCYON_SIGNING_KEY_FILE", "missing.pem"),
    ];
    let arguments = ["table", "--binary", "-o", "json"];
    let ran = store.run_with(&arguments, &environment).exits(2);
    let problem: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    let told = problem["problems"].as_array().unwrap();
    let told: Vec<&str> = told.iter().filter_map(|told| told.as_str()).collect();
    for part in [
        "--binary: bytes are no JSON",
        "REGIONS: \"us east\"",
        "DRAIN_MS: \"soon\"",
        "HALCYON_SIGNING_KEY_FILE: \"missing.pem\"",
    ] {
        let times = told.iter().filter(|told| told.starts_with(part)).count();
        assert_eq!(times, 1, "{part}: {told:?}");
    }
}

#[test]
fn what_is_no_key_keeps_a_table_from_being_issued() {
    let store = Store::new();
    let secret = "MC4CAQAwBQYDK2VwBCIEIsecret";
    std::fs::write(store.dir().join("key.pem"), secret).unwrap();
    std::fs::create_dir(store.dir().join("t.json.sig")).unwrap();
    for file in ["key.pem", "missing.pem", "/dev/zero", "."] {
        let environment = [&REGIONS[..], &[("HALCYON_SIGNING_KEY_FILE", file)]].concat();
        let ran = store.run_with(&["table"], &environment).exits(2);
        let ran = ran.says(&format!("HALCYON_SIGNING_KEY_FILE: \"{file}\" "));
        assert!(!ran.stderr.contains("secret") && ran.stdout.is_empty());
    }
    assert!(!store.logs().exists(), "no number is spent");
    store.run(&["keygen", "--out", "good.pem"]).exits(0);
    let environment = [&REGIONS[..], &[("HALCYON_SIGNING_KEY_FILE", "good.pem")]].concat();
    store
        .run_with(&["table", "--out", "t.json"], &environment)
        .exits(1)
        .says("--out: t.json.sig cannot be written");
    assert!(!store.dir().join("t.json").exists());
}

/// Node has the key and the signature through OpenSSL: another reader of both formats.
#[test]
fn another_implementation_reads_the_key_and_finds_the_signature_good() {
    let found = Command::new("node").arg("--version").output();
    if !found.is_ok_and(|output| output.status.success()) {
        assert!(std::env::var_os("HALCYON_TEST_PEERS").is_none());
        return;
    }
    let store = Store::new();
    let public = keyed(&store);
    let environment = [&REGIONS[..], &[("HALCYON_SIGNING_KEY_FILE", "key.pem")]].concat();
    store
        .run_with(&["table", "--out", "t.json"], &environment)
        .exits(0);
    let script = r#"
        import { createPrivateKey, createPublicKey, verify } from "node:crypto";
        import { readFileSync } from "node:fs";
        const key = createPublicKey(createPrivateKey(readFileSync("key.pem")));
        const raw = Buffer.from(key.export({ format: "jwk" }).x, "base64url").toString("base64");
        const signature = Buffer.from(readFileSync("t.json.sig", "utf8"), "base64");
        const table = readFileSync("t.json");
        console.log(raw, verify(null, table, key, signature), verify(null, table.subarray(1), key, signature));
    "#;
    let mut node = Command::new("node")
        .args(["--input-type=module", "-"])
        .current_dir(store.dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    node.stdin
        .take()
        .unwrap()
        .write_all(script.as_bytes())
        .unwrap();
    let output = node.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.trim(), format!("{public} true false"));
}
