//! Releases over a topology: regions by name, and the pool that is about to get tenants.

use halcyon_tests::process::Serving;
use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Store, text};

use crate::TAKEN_BACK;

const IMAGES: [&str; 5] = ["release", "--image-blue", "app:1", "--image-green", "app:2"];

/// `release` of app:2 in one step to these regions, no bake.
fn release<'a>(regions: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = IMAGES.to_vec();
    arguments.extend(["--canary-seq", "100", "--timeout-s", "0"]);
    regions
        .iter()
        .for_each(|region| arguments.extend(["--region", region]));
    arguments.extend(more);
    arguments
}

/// Writes a topology into the store's directory; commands run there.
fn topology(store: &Store, text: &str) {
    std::fs::write(store.dir().join("topology.toml"), text).unwrap();
}

const TOPOLOGY: (&str, &str) = ("HALCYON_TOPOLOGY", "topology.toml");

/// A region of a topology with its own health server and both pools.
struct Placed {
    name: &'static str,
    health: Region,
    blue: Region,
    green: Region,
}

impl Placed {
    fn new(name: &'static str) -> Self {
        let [health, blue, green] = [Region::ready(), Region::ready(), Region::ready()];
        Self {
            name,
            health,
            blue,
            green,
        }
    }

    fn toml(&self) -> String {
        format!(
            "[[region]]\nname = \"{}\"\nhealth = \"http://{}\"\nblue = \"http://{}\"\ngreen = \"http://{}\"\n",
            self.name,
            self.health.at(),
            self.blue.at(),
            self.green.at()
        )
    }

    /// How often each was asked: health, blue, green.
    fn asked(&self) -> [usize; 3] {
        [&self.health, &self.blue, &self.green].map(|region| region.asked().len())
    }
}

#[test]
fn the_smoke_test_and_the_bake_ask_the_region_and_its_green_pool() {
    let (store, east) = (Store::new(), Placed::new("us-east"));
    topology(&store, &east.toml());
    store
        .run_with(&release(&["us-east"], &[]), &[TOPOLOGY])
        .exits(0);
    assert_eq!(east.asked(), [2, 0, 2], "one smoke test, one round of bake");
    let asked = &east.green.asked()[0].line;
    assert_eq!(asked, "GET /ready HTTP/1.1");
    let region = &store.records()[0]["plan"]["regions"][0];
    assert_eq!(
        *region,
        serde_json::json!({
            "name": "us-east",
            "url": format!("http://{}", east.health.at()),
            "named": true,
            "pools": {
                "blue": format!("http://{}", east.blue.at()),
                "green": format!("http://{}", east.green.at()),
            },
        })
    );
}

#[test]
fn a_green_pool_that_is_not_ready_keeps_the_canary_from_starting_and_is_named() {
    let store = Store::new();
    let (east, west) = (Placed::new("us-east"), Placed::new("us-west"));
    topology(&store, &format!("{}{}", east.toml(), west.toml()));
    west.green.answer(Answer::NotReady("cache"));
    let arguments = release(&["us-east", "us-west"], &["--abort-on-err"]);
    store.run_with(&arguments, &[TOPOLOGY]).exits(3);
    assert_eq!(
        store.actions(),
        ["provision_green", "rollback_to_blue", "rollback_complete"]
    );
    let reason = text(&store.records()[1], "reason");
    let named = format!("us-west: green pool http://{}: ", west.green.at());
    assert!(
        reason.contains("smoke test before 100% failed in")
            && reason.contains(&named)
            && reason.contains("cache"),
        "{reason}"
    );
    assert!(!reason.contains("us-east"), "{reason}");
    assert_eq!(west.asked(), [1, 0, 3], "the pool is tried three times");
}

#[test]
fn a_green_pool_that_dies_in_the_last_step_is_never_promoted() {
    let store = Store::new();
    let (east, west) = (Placed::new("us-east"), Placed::new("us-west"));
    topology(&store, &format!("{}{}", east.toml(), west.toml()));
    // Well for the smoke test, and for one round of the bake; its region's own server stays well.
    west.green.answer(Answer::ReadyFor(2));
    let mut arguments = release(&["us-east", "us-west"], &["--abort-on-err"]);
    arguments[8] = "60";
    store
        .run_with(&arguments, &[TOPOLOGY, ("PROBE_INTERVAL_MS", "50")])
        .exits(3);
    assert_eq!(store.actions(), TAKEN_BACK);
    let records = store.records();
    let reason = text(&records[2], "reason");
    let named = format!("us-west: green pool http://{}: ", west.green.at());
    assert!(
        reason.contains("100%") && reason.contains(&named) && !reason.contains("us-east"),
        "{reason}"
    );
    assert_eq!(west.asked()[2], 5, "three failures in a row");
}

#[test]
fn without_abort_on_err_a_green_pool_that_fails_is_recorded_under_its_region() {
    let (store, east) = (Store::new(), Placed::new("us-east"));
    topology(&store, &east.toml());
    east.green.answer(Answer::Close);
    store
        .run_with(&release(&["us-east"], &[]), &[TOPOLOGY])
        .exits(0)
        .says("green pool");
    let records = store.records();
    let failed: Vec<_> = records
        .iter()
        .filter(|record| record["action"] == "step_failed")
        .collect();
    let checks: Vec<_> = failed.iter().map(|record| text(record, "check")).collect();
    assert_eq!(checks, ["smoke", "bake"]);
    for record in failed {
        assert_eq!(record["failures"][0]["region"], "us-east");
        assert!(text(&record["failures"][0], "why").starts_with("green pool http://"));
    }
}

#[test]
fn after_a_promotion_the_other_pool_is_green() {
    let (store, east) = (Store::new(), Placed::new("us-east"));
    topology(&store, &east.toml());
    let env = [TOPOLOGY];
    store.run_with(&release(&["us-east"], &[]), &env).exits(0);
    assert_eq!(east.asked(), [2, 0, 2]);
    let next = |more: &[&'static str]| {
        let next = [&["--image-green", "app:3"], more].concat();
        let mut arguments = release(&["us-east"], &next);
        arguments.drain(1..5);
        arguments
    };
    let dry = store.run_with(&next(&["--dry-run", "-o", "json"]), &env);
    let dry = dry.exits(0).json();
    assert_eq!(
        text(&dry["regions"][0]["green"], "url"),
        format!("http://{}", east.blue.at()),
        "what was blue at first is the next green"
    );
    assert_eq!(east.asked(), [3, 1, 2]);
    store.run_with(&next(&[]), &env).exits(0);
    assert_eq!(east.asked(), [5, 3, 2]);
}

#[test]
fn a_rollback_gives_the_next_release_the_same_green_pool() {
    let (store, east) = (Store::new(), Placed::new("us-east"));
    topology(&store, &east.toml());
    east.green.answer(Answer::NotReady("cold"));
    let arguments = release(&["us-east"], &["--abort-on-err"]);
    store.run_with(&arguments, &[TOPOLOGY]).exits(3);
    east.green.answer(Answer::Ready);
    store.run_with(&arguments, &[TOPOLOGY]).exits(0);
    assert_eq!(east.asked(), [3, 0, 5]);
}

#[test]
fn a_dry_run_asks_the_green_pool_once_and_shows_it() {
    let (store, east) = (Store::new(), Placed::new("us-east"));
    topology(&store, &east.toml());
    let dry = |more: &[&'static str]| release(&["us-east"], &[&["--dry-run"], more].concat());
    let ran = store.run_with(&dry(&[]), &[TOPOLOGY]).exits(0);
    assert!(
        ran.stdout.contains(&east.green.at()) && ran.stdout.contains("green pool"),
        "{}",
        ran.stdout
    );
    assert_eq!(east.asked(), [1, 0, 1]);
    east.green.answer(Answer::NotReady("cold"));
    let answer = store.run_with(&dry(&["-o", "json"]), &[TOPOLOGY]).exits(1);
    let answer = answer.json();
    assert_eq!(answer["ok"], false);
    assert_eq!(answer["regions"][0]["ready"], true, "the region itself is");
    let pool = &answer["regions"][0]["green"];
    assert_eq!(pool["ready"], false);
    assert!(text(pool, "error").contains("cold"), "{answer}");
    assert!(!store.logs().exists());
}

#[test]
fn a_health_server_or_a_pool_of_another_region_fails_the_smoke_test() {
    let environment = |region| [("CURRENT_REGION", region)];
    let east = Serving::start(&environment("us-east"));
    let west = Serving::start(&environment("us-west"));
    let nobody = Serving::start(&[]);
    for (health, green, says) in [
        (&east, &west, "green pool"),
        (&west, &east, "us-west"),
        (&east, &nobody, ""),
        (&nobody, &east, ""),
    ] {
        let store = Store::new();
        topology(
            &store,
            &format!(
                "[[region]]\nname = \"us-east\"\nhealth = \"http://{}\"\ngreen = \"http://{}\"\n",
                health.address(),
                green.address()
            ),
        );
        let arguments = release(&["us-east"], &["--abort-on-err"]);
        let ran = store.run_with(&arguments, &[TOPOLOGY]);
        match says {
            "" => ran.exits(0),
            says => ran.exits(3).says(says).says("us-west"),
        };
    }
}

#[test]
fn region_endpoints_outrank_the_health_of_the_topology_and_leave_its_pools() {
    let (store, east, other) = (Store::new(), Placed::new("us-east"), Region::ready());
    topology(&store, &east.toml());
    let endpoints = format!("us-east=http://{}", other.at());
    let env = [TOPOLOGY, ("REGION_ENDPOINTS", &*endpoints)];
    store.run_with(&release(&["us-east"], &[]), &env).exits(0);
    assert_eq!((east.asked(), other.asked().len()), ([0, 0, 2], 2));
}

#[test]
fn a_region_of_the_topology_without_health_cannot_be_released_to() {
    let (store, elsewhere) = (Store::new(), Region::ready());
    topology(
        &store,
        "[[region]]\nname = \"localhost\"\nblue = \"http://127.0.0.1:1\"\n",
    );
    let arguments = release(&["localhost"], &[]);
    let ran = store.run_with(&arguments, &[TOPOLOGY]).exits(2);
    assert!(
        ran.stderr
            .starts_with("error: --region: \"localhost\" has no \"health\" in the topology"),
        "a name wins over an address: {}",
        ran.stderr
    );
    assert!(!store.logs().exists());
    let endpoints = format!("localhost=http://{}", elsewhere.at());
    let env = [TOPOLOGY, ("REGION_ENDPOINTS", &*endpoints)];
    store.run_with(&arguments, &env).exits(0);
}

#[test]
fn what_is_no_region_says_where_names_come_from() {
    let store = Store::new();
    let ran = store.run(&release(&["a/b"], &[])).exits(2);
    let wanted = "--region: \"a/b\" is not a region's address; allowed: a name from the topology or REGION_ENDPOINTS, host, host:port, [v6]:port, http(s)://host[:port]";
    assert!(ran.stderr.contains(wanted), "{}", ran.stderr);
}

#[test]
fn a_host_that_is_written_almost_like_a_region_is_a_warning() {
    let (store, east) = (Store::new(), Placed::new("us-east"));
    topology(&store, &east.toml());
    let arguments = release(&["us-esat", "127.0.0.1:1"], &["--dry-run"]);
    let ran = store.run_with(&arguments, &[TOPOLOGY]).exits(1);
    assert_eq!(
        ran.stderr,
        "warning: --region: \"us-esat\" is no region's name, so it is taken for the host http://us-esat:8086; did you mean us-east?\n"
    );
}

#[test]
fn a_region_by_its_name_and_by_its_address_is_one_region() {
    let (store, east) = (Store::new(), Placed::new("us-east"));
    topology(&store, &east.toml());
    let at = east.health.at();
    let ran = store.run_with(&release(&["us-east", &at], &[]), &[TOPOLOGY]);
    ran.exits(2).says("are the same address");
    // Hosts have no case.
    let port = at.rsplit(':').next().unwrap();
    let [lower, upper] = ["localhost", "LocalHost"].map(|host| format!("{host}:{port}"));
    let ran = store.run(&release(&[&lower, &upper], &[]));
    ran.exits(2).says("are the same address");
}

#[test]
fn a_broken_topology_refuses_a_release_with_everything_that_is_wrong() {
    let store = Store::new();
    topology(
        &store,
        "[[region]]\nname = \"us-east\"\nhealth = \"tcp://h:1\"\nweigth = 2\n",
    );
    let mut arguments = release(&["us-east"], &["--dry-run"]);
    arguments.extend(["--deadline", "soon"]);
    let ran = store.run_with(&arguments, &[TOPOLOGY]).exits(2);
    let lines: Vec<_> = ran.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.stderr);
    assert!(lines[0].starts_with("error: --deadline: "));
    let ours =
        |line: &&str| line.starts_with("error: HALCYON_TOPOLOGY: \"topology.toml\" region 1 ");
    assert!(lines[1..].iter().all(ours), "{}", ran.stderr);
}

#[test]
fn whoever_steers_or_reads_a_release_needs_no_topology() {
    let (store, region) = (Store::new(), Region::ready());
    topology(&store, "[[region]\nname = ");
    let driver = crate::baking(&store, &region, &[]);
    for (command, code) in [
        (&["status"][..], 0),
        (&["pause"], 0),
        (&["audit", "verify"], 0),
        (&["audit", "tail"], 0),
        (&["resume"], 0),
        (&["rollback", "--reason", "enough"], 0),
        (&["release", "--resume"], 3),
        (&["promote"], 5),
    ] {
        let ran = store.run_with(command, &[TOPOLOGY]).exits(code);
        assert!(!ran.stderr.contains("TOPOLOGY"), "{}", ran.stderr);
    }
    driver.ended().exits(3);
}

#[test]
fn a_release_resumed_takes_pools_from_the_journal_and_not_from_the_file() {
    let (store, east) = (Store::new(), Placed::new("us-east"));
    topology(&store, &east.toml());
    let mut arguments = IMAGES.to_vec();
    arguments.extend(["--canary-seq", "10,100", "--timeout-s", "1"]);
    arguments.extend(["--region", "us-east"]);
    let driver = store.start_with(&arguments, &[TOPOLOGY]);
    store.wait_for("start_canary");
    driver.signal(halcyon_tests::process::Signal::KILL);
    driver.ended();
    topology(&store, "nonsense");
    east.green.answer(Answer::NotReady("late"));
    let ran = store.run_with(&["release", "--resume"], &[TOPOLOGY]);
    ran.exits(0).says("us-east: green pool");
}

#[test]
fn a_release_recorded_before_pools_were_known_goes_on() {
    let (store, east) = (Store::new(), Placed::new("us-east"));
    let endpoints = format!("us-east=http://{}", east.health.at());
    let env = [("REGION_ENDPOINTS", &*endpoints)];
    store.run_with(&release(&["us-east"], &[]), &env).exits(0);
    let region = &store.records()[0]["plan"]["regions"][0];
    assert_eq!(region.get("pools"), None, "as it was always written");
    assert_eq!(east.asked(), [2, 0, 0]);
}
