//! `halcyon drain`, `forbid`, `undrain`, `freeze` and `unfreeze`.

use halcyon_tests::store::Store;
use serde_json::{Value, json};

use crate::client::Control;
use crate::command_line::Elsewhere;

fn statuses(control: &Control) -> Vec<String> {
    let table = control.ask("Edge", "GET /api/v1/table", None).is(200);
    let table = table.json();
    let regions = table["regions"].as_array().unwrap().iter();
    let statuses = regions.map(|region| region["status"].as_str().unwrap().to_owned());
    statuses.collect()
}

#[test]
fn a_region_is_drained_from_a_terminal_until_it_is_taken_back() {
    let control = Control::start();
    let deployer = Elsewhere::of(&control, "Deployer");
    let drain = ["drain", "us-west", "--reason", "kernel update"];
    let said = deployer.run(&drain).exits(0);
    assert_eq!(
        said.stdout,
        "us-west is draining: kernel update (by Deployer)\n"
    );
    assert_eq!(statuses(&control), ["up", "draining", "up"]);
    let line =
        "\nregion    us-west is draining: kernel update (by Deployer)  (halcyon undrain us-west)\n";
    let status = || deployer.run(&["status"]).exits(0).stdout;
    assert!(status().contains(line), "{}", status());
    let undrained = deployer.run(&["undrain", "us-west"]).exits(0);
    assert_eq!(undrained.stdout, "us-west goes by its probes\n");
    assert_eq!(statuses(&control), ["up", "up", "up"]);
    assert!(!status().contains("us-west"), "{}", status());
    // There may be none.
    let json = deployer.run(&["undrain", "us-west", "-o", "json"]).exits(0);
    assert_eq!(json.json(), json!({"region": "us-west", "override": null}));
}

#[test]
fn a_word_on_a_region_that_ends_by_itself_says_when() {
    let control = Control::start();
    let deployer = Elsewhere::of(&control, "Deployer");
    let drain = ["drain", "us-west", "--reason=-x", "--ttl", "30m"];
    let said = deployer.run(&[&drain[..], &["-o", "json"]].concat());
    let said = said.exits(0).json();
    let kept = control.state()["regions"][1]["override"].clone();
    assert_eq!(said["expires"], kept["expires"]);
    assert!(kept["expires"].is_string(), "{kept}");
    let known = [&said["region"], &said["state"], &said["reason"]];
    assert_eq!(known, ["us-west", "drain", "-x"]);
    assert_eq!(
        (&said["ttl_s"], &said["user"]),
        (&json!(1800), &json!("Deployer"))
    );
    let human = deployer.run(&drain).exits(0).stdout;
    let again = control.state()["regions"][1]["override"]["expires"].clone();
    let until = format!("(by Deployer, until {})\n", again.as_str().unwrap());
    assert!(human.ends_with(&until), "{human}");
}

#[test]
fn forbidding_forcing_and_freezing_are_an_admins_from_a_terminal_too() {
    let control = Control::start();
    let deployer = Elsewhere::of(&control, "Deployer");
    let admin = Elsewhere::of(&control, "Admin");
    let forbid = ["forbid", "eu-west", "--reason", "court order"];
    deployer.run(&forbid).exits(4);
    let said = admin.run(&forbid).exits(0);
    assert_eq!(
        said.stdout,
        "eu-west is forbidden: court order (by Admin)\n"
    );
    deployer.run(&["undrain", "eu-west"]).exits(4);
    deployer
        .run(&["drain", "us-west", "--reason", "x"])
        .exits(0);
    let last = ["drain", "us-east", "--reason", "x"];
    admin
        .run(&last)
        .exits(5)
        .says("no healthy region would remain");
    let forced = [&last[..], &["--force"]].concat();
    deployer.run(&forced).exits(4);
    admin.run(&forced).exits(0);
    assert_eq!(statuses(&control), ["draining", "draining", "forbidden"]);

    let freeze = ["freeze", "--reason", "an incident"];
    deployer.run(&freeze).exits(4);
    let said = admin.run(&freeze).exits(0);
    assert_eq!(
        said.stdout,
        "nothing changes by itself: an incident (by Admin)\n"
    );
    let json = admin.run(&[&freeze[..], &["-o", "json"]].concat()).exits(0);
    assert_eq!(json.json()["freeze"], control.state()["freeze"]);
    deployer.run(&["unfreeze"]).exits(4);
    let said = admin.run(&["unfreeze"]).exits(0);
    assert_eq!(said.stdout, "automatic change goes on\n");
    assert_eq!(control.state()["freeze"], Value::Null);
    let json = admin.run(&["unfreeze", "-o", "jsonl"]).exits(0).json();
    assert_eq!(json, json!({"freeze": null}));
}

#[test]
fn what_is_wrong_with_a_word_on_a_region_is_said_at_once() {
    let control = Control::start();
    let deployer = Elsewhere::of(&control, "Deployer");
    let nowhere = deployer.run(&["drain", "us-south", "--reason", "x"]);
    let nowhere = nowhere.exits(2);
    let nowhere = nowhere.says("\"us-south\" is no region; allowed: us-east, us-west, eu-west");
    assert!(
        !nowhere.stderr.contains("HALCYON_SERVER"),
        "{}",
        nowhere.stderr
    );
    deployer
        .run(&["drain", "us-west"])
        .exits(2)
        .says("--reason");
    let blank = deployer.run(&["drain", "us-west", "--reason", " "]);
    blank.exits(2).says("reason");
    // Without a control plane nobody knows which regions are healthy.
    let store = Store::new();
    let all = ["drain", "us west", "--reason", "x", "--ttl", "1500ms"];
    let ran = store.run(&all).exits(2);
    let ran = ran.says("\"us west\" is not a region name");
    ran.says("--ttl: \"1500ms\" is no time of whole seconds; allowed: 1s to 30d")
        .says("HALCYON_SERVER is not set");
    for ttl in ["0s", "31d", "soon", "-1h"] {
        let all = ["forbid", "us-west", "--reason", "x", "--ttl", ttl];
        let seen = format!("--ttl: \"{ttl}\" is no time");
        store.run(&all).exits(2).says(&seen);
    }
    for arguments in [&["freeze", "--reason", "x"][..], &["unfreeze"]] {
        store
            .run(arguments)
            .exits(2)
            .says("HALCYON_SERVER is not set");
    }
    let both = store.run(&["undrain", "_x"]).exits(2);
    both.says("\"_x\" is not a region name")
        .says("HALCYON_SERVER is not set");
    let gone = [("HALCYON_SERVER", "http://127.0.0.1:1")];
    store.run_with(&["undrain", "a"], &gone).exits(1);
}
