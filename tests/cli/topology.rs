//! The topology: what a file may say, what outranks it, and what `regions`, `route` and `serve` make of it.

use std::io::{Read, Write};
use std::net::TcpStream;

use halcyon_tests::process::Serving;
use halcyon_tests::store::{Ran, Store, text};
use serde_json::{Value, json};

const TOPOLOGY: &str = r#"
[[region]]
name = "us-east"
weight = 2
health = "http://10.0.0.1:8086/ready"
blue = "http://10.0.0.1:8001"
green = "http://10.0.0.1:8002"

[[region]]
name = "us-west"
health = "https://west.example"

[[region]]
name = "eu-west"
weight = 0
"#;

const FILE: (&str, &str) = ("HALCYON_TOPOLOGY", "topology.toml");
const PRIMARY: (&str, &str) = ("PRIMARY_REGION", "us-east");
const RENDEZVOUS: (&str, &str) = ("TENANT_STICKY", "rendezvous");

/// Runs over a topology, with no regions but its own.
fn with(topology: &str, arguments: &[&str], more: &[(&str, &str)]) -> Ran {
    let store = Store::new();
    std::fs::write(store.dir().join("topology.toml"), topology).unwrap();
    store.run_with(arguments, &[&[FILE, PRIMARY], more].concat())
}

/// What `regions` answers.
fn regions(topology: &str, more: &[(&str, &str)]) -> Value {
    with(topology, &["regions", "-o", "json"], more).json()
}

/// The problems of a topology, without the beginning that all of them have.
#[track_caller]
fn problems(topology: &str) -> Vec<String> {
    let given = [("REGIONS", "us-east,us-west")];
    let ran = with(topology, &["route", "acme"], &given).exits(2);
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    let problem = |line: &str| {
        let problem = line.strip_prefix("error: HALCYON_TOPOLOGY: \"topology.toml\" ");
        problem.unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    ran.stderr.lines().map(problem).collect()
}

#[test]
fn what_is_no_toml_is_refused_with_line_and_column() {
    for (topology, why) in [
        (
            "[[region]]\nname = \"us-east\"\nweight == 2\n",
            "at line 3 column 9",
        ),
        ("[[region]]\nname = us-east\n", "at line 2 column 8"),
        ("[[region]\n", "at line 1 column"),
        (
            "[[region]]\nname = \"a\"\nname = \"b\"\n",
            "duplicate key at line 3 column 1",
        ),
        (
            "[[region]]\nname = \"Z\u{fc}rich\" x\n",
            "at line 2 column 17",
        ),
        ("{\"region\":[]}", "at line 1 column 1"),
    ] {
        let found = problems(topology);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with("is no TOML: ") && found[0].contains(why),
            "{found:?}"
        );
    }
}

#[test]
fn a_file_without_a_region_says_so() {
    for topology in ["", "# nothing yet\n", "\n"] {
        assert_eq!(
            problems(topology),
            ["the file has no \"region\", which it must have"]
        );
    }
    assert_eq!(
        problems("[region]\nname = \"us-east\"\n"),
        ["the file has \"region\" = an object of 1; allowed: a list"]
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    assert_eq!(
        problems("[[regions]]\nname = \"us-east\"\n"),
        [
            "the file has the unknown key \"regions\"; did you mean \"region\"? allowed: region",
            "the file has no \"region\", which it must have",
        ]
    );
    assert_eq!(
        problems("[[region]]\nname = \"us-east\"\nwieght = 2\nzone = \"a\"\n"),
        [
            "region 1 has the unknown key \"wieght\"; did you mean \"weight\"? allowed: name, weight, health, blue, green",
            "region 1 has the unknown key \"zone\"; allowed: name, weight, health, blue, green",
        ]
    );
}

#[test]
fn a_region_that_is_there_twice_is_refused_also_by_case() {
    let region = |name: &str| format!("[[region]]\nname = \"{name}\"\n");
    assert_eq!(
        problems(&["us-east", "US-East", "us-east"].map(region).concat()),
        [
            "region 2 is \"US-East\" again (\"us-east\"); allowed: each region once",
            "region 3 is \"us-east\" again (\"us-east\"); allowed: each region once",
        ]
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_refused_where_it_stands() {
    for (line, why) in [
        (
            "weight = \"2\"",
            "region 1 has \"weight\" = \"2\"; allowed: whole numbers from 0 to 65535",
        ),
        ("weight = 65536", "region 1 has \"weight\" = 65536; allowed"),
        ("weight = -1", "region 1 has \"weight\" = -1; allowed"),
        ("weight = 1.5", "region 1 has \"weight\" = 1.5; allowed"),
        ("weight = nan", "region 1 has \"weight\" = NaN; allowed"),
        ("weight = inf", "region 1 has \"weight\" = inf; allowed"),
        (
            "health = 8086",
            "region 1 has \"health\" = 8086; allowed: text",
        ),
        (
            "health = \"10.0.0.1:8086\"",
            "region 1 has a wrong \"health\": \"10.0.0.1:8086\" has no scheme",
        ),
        (
            "health = \"tcp://10.0.0.1:1\"",
            "region 1 has a wrong \"health\": \"tcp://10.0.0.1:1\" is not HTTP",
        ),
        (
            "blue = \"http://h/?x=1\"",
            "region 1 has a wrong \"blue\": \"http://h:80/?x=1\" is no base",
        ),
        ("green = \"http://h:0\"", "region 1 has a wrong \"green\": "),
        (
            "green = \"\"",
            "region 1 has a wrong \"green\": \"\" has no scheme",
        ),
    ] {
        let found = problems(&format!("[[region]]\nname = \"us-east\"\n{line}\n"));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(found[0].starts_with(why), "{line}: {found:?}");
    }
    for (name, why) in [
        ("5", "region 1 has \"name\" = 5; allowed: text"),
        (
            "\"us east\"",
            "region 1 has a wrong name: \"us east\" is not a region name; allowed: ",
        ),
        (
            "\"us-\\u0435ast\"",
            "region 1 has a wrong name: \"us-\\u{435}ast\" is not",
        ),
        ("\"\"", "region 1 has a wrong name: \"\" is not"),
    ] {
        let found = problems(&format!("[[region]]\nname = {name}\n"));
        assert!(found[0].starts_with(why) && found.len() == 1, "{found:?}");
    }
    assert_eq!(
        problems("[[region]]\nweight = 1\n"),
        ["region 1 has no \"name\", which it must have"]
    );
}

#[test]
fn a_password_in_an_address_is_refused_and_never_shown() {
    for address in [
        "http://joe:s3cret@h:8086",
        "https://joe:s3/cret@h",
        "http://s3cret@h",
        "joe:s3cret@h:8086",
    ] {
        for key in ["health", "blue", "green"] {
            let topology = format!("[[region]]\nname = \"us-east\"\n{key} = \"{address}\"\n");
            let found = problems(&topology);
            assert!(
                found[0].starts_with(&format!("region 1 has a wrong \"{key}\": "))
                    && !found[0].contains("cret"),
                "{found:?}"
            );
        }
    }
}

#[test]
fn more_than_1024_regions_are_refused_in_one_line() {
    let many: String = (0..2000)
        .map(|number| format!("[[region]]\nname = \"r{number}\"\n"))
        .collect();
    assert_eq!(
        problems(&many),
        ["the file has 2000 regions; allowed: at most 1024"]
    );
}

#[test]
fn a_broken_topology_is_the_only_error_where_regions_would_come_from_it() {
    for command in [&["route", "acme"][..], &["failover", "us-east"]] {
        let ran = with("[[region", command, &[]).exits(2);
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert!(
            ran.stderr.starts_with("error: HALCYON_TOPOLOGY: "),
            "{}",
            ran.stderr
        );
    }
    let report = regions("[[region", &[]);
    assert_eq!(report["errors"].as_array().unwrap().len(), 1, "{report}");
}

#[test]
fn without_regions_the_topology_says_which_there_are_in_which_order() {
    let report = regions(TOPOLOGY, &[RENDEZVOUS]);
    assert_eq!(report["valid"], true, "{report}");
    assert_eq!(report["regions"], json!(["us-east", "us-west", "eu-west"]));
    assert_eq!(
        report["weights"],
        json!({"us-east": 2, "us-west": 1, "eu-west": 0})
    );
    assert_eq!(
        report["endpoints"],
        json!({
            "us-east": {
                "health": "http://10.0.0.1:8086",
                "blue": "http://10.0.0.1:8001",
                "green": "http://10.0.0.1:8002",
            },
            "us-west": {"health": "https://west.example:443"},
        })
    );
    let next = with(TOPOLOGY, &["failover", "eu-west"], &[]).exits(0);
    assert_eq!(next.stdout, "us-east\n");
}

#[test]
fn variables_outrank_the_topology_one_by_one() {
    let report = regions(
        TOPOLOGY,
        &[
            RENDEZVOUS,
            ("REGIONS", "eu-west,us-east,us-west"),
            ("REGION_WEIGHTS", "eu-west=7,us-west=3"),
            (
                "REGION_ENDPOINTS",
                "us-east=http://127.0.0.1:9/ready,eu-west=http://127.0.0.1:10",
            ),
        ],
    );
    assert_eq!(report["regions"], json!(["eu-west", "us-east", "us-west"]));
    assert_eq!(
        report["weights"],
        json!({"eu-west": 7, "us-east": 2, "us-west": 3})
    );
    let health = |region: &str| text(&report["endpoints"][region], "health");
    assert_eq!(health("us-east"), "http://127.0.0.1:9");
    assert_eq!(health("eu-west"), "http://127.0.0.1:10");
    assert_eq!(health("us-west"), "https://west.example:443");
    assert_eq!(
        text(&report["endpoints"]["us-east"], "green"),
        "http://10.0.0.1:8002"
    );
}

#[test]
fn shares_follow_the_weights_and_a_region_of_weight_0_is_a_spare() {
    let report = regions(TOPOLOGY, &[RENDEZVOUS]);
    let share = |region: &str| report["shares"][region].as_f64().unwrap();
    assert!((66.0..67.4).contains(&share("us-east")), "{report}");
    assert!((32.6..34.0).contains(&share("us-west")), "{report}");
    assert_eq!(share("eu-west"), 0.0);
    let report = regions(TOPOLOGY, &[("TENANT_STICKY", "hash")]);
    assert_eq!(
        report["shares"]["eu-west"], 33.33,
        "weights are nothing to hash"
    );
    let report = regions(TOPOLOGY, &[]);
    assert_eq!(
        report["shares"],
        json!({"us-east": 100.0, "us-west": 0.0, "eu-west": 0.0})
    );

    let both = ["--down", "us-east", "--down", "us-west"];
    for (down, spare) in [(&both[..0], false), (&both[..2], false), (&both, true)] {
        let arguments = [&["route", "acme", "globex", "initech", "-o", "json"], down].concat();
        let more = [RENDEZVOUS, ("FAILOVER_POLICY", "rendezvous")];
        let answers = with(TOPOLOGY, &arguments, &more).exits(0).json();
        for answer in answers.as_array().unwrap() {
            assert_eq!(text(answer, "region") == "eu-west", spare, "{answer}");
        }
    }
}

#[test]
fn a_person_sees_what_each_region_gets_and_where_it_is() {
    let ran = with(TOPOLOGY, &["regions"], &[RENDEZVOUS]).exits(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    let words = |line: usize| lines[line].split_whitespace().collect::<Vec<_>>();
    assert_eq!(
        words(0)[..4],
        ["1", "us-east", "weight", "2"],
        "{}",
        ran.stdout
    );
    assert_eq!(
        words(0)[5..],
        ["%", "primary", "health", "http://10.0.0.1:8086"]
    );
    assert_eq!(words(1), ["blue", "http://10.0.0.1:8001"]);
    assert_eq!(words(2), ["green", "http://10.0.0.1:8002"]);
    let column = |line: usize| lines[line].find("http").unwrap();
    assert!(
        column(0) == column(1) && column(1) == column(2),
        "{}",
        ran.stdout
    );
    assert_eq!(words(4), ["3", "eu-west", "weight", "0", "0.00", "%"]);
    assert_eq!(lines[5], "tenants go by rendezvous, fail over by ordered");
    assert_eq!(lines.last(), Some(&"valid"));
}

#[test]
fn no_line_of_a_table_ends_in_blanks() {
    let topology = "region = [{ name = \"us-east\" }, { name = \"eu\" }, { name = \"a\" }]";
    for more in [("TENANT_STICKY", "primary"), RENDEZVOUS] {
        let ran = with(topology, &["regions"], &[more]).exits(0);
        assert_eq!(ran.stdout.lines().find(|line| line.ends_with(' ')), None);
    }
}

#[test]
fn a_thousand_regions_are_checked_in_a_second() {
    let many: String = (0..1024)
        .map(|number| {
            format!(
                "[[region]]\nname = \"r{number}\"\nweight = {}\nhealth = \"http://10.0.{}.{}\"\n",
                number % 9,
                number / 256,
                number % 256
            )
        })
        .collect();
    let begin = std::time::Instant::now();
    let more = [RENDEZVOUS, ("PRIMARY_REGION", "r1")];
    let report = regions(&many, &more);
    // Built without optimisation and beside other tests.
    assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());
    assert_eq!(report["regions"].as_array().unwrap().len(), 1024);
    let shares = report["shares"].as_object().unwrap().values();
    let all: f64 = shares.filter_map(Value::as_f64).sum();
    assert!((99.0..=101.0).contains(&all), "{all}");
}

/// What a server answers to GET.
fn get(server: &Serving, path: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_server_over_a_topology_is_ready_with_its_regions() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let topology = path("topology.toml", TOPOLOGY);
    let rules = path(
        "rules.json",
        r#"{"pins":[{"tenant":"acme","region":"eu-west"}]}"#,
    );
    let env = [
        ("FEATURE_MULTI_REGION", "true"),
        ("HALCYON_TOPOLOGY", &*topology),
        ("TENANT_RULES_FILE", &rules),
        RENDEZVOUS,
    ];
    let server = Serving::start(&[&env[..], &[PRIMARY]].concat());
    let ready = get(&server, "/ready");
    let regions =
        r#""regions":{"ok":true,"regions":["us-east","us-west","eu-west"],"primary":"us-east"}"#;
    assert!(
        ready.starts_with("HTTP/1.1 200 ") && ready.contains(regions),
        "{ready}"
    );
    let wrong = Serving::start(&[&env[..], &[("PRIMARY_REGION", "mars")]].concat());
    let ready = get(&wrong, "/ready");
    assert!(
        ready.starts_with("HTTP/1.1 503 ")
            && ready.contains("is not in REGIONS; allowed: us-east, us-west, eu-west"),
        "{ready}"
    );
}

#[test]
fn a_server_starts_though_its_rules_and_weights_name_a_region_that_the_list_misspells() {
    let store = Store::new();
    let rules = r#"{"pins":[{"tenant":"acme","region":"us-west"}]}"#;
    std::fs::write(store.dir().join("rules.json"), rules).unwrap();
    let rules = store.dir().join("rules.json").display().to_string();
    let server = Serving::start(&[
        ("FEATURE_MULTI_REGION", "true"),
        ("REGIONS", "us-east,us west"),
        ("REGION_WEIGHTS", "us-west=2"),
        ("TENANT_RULES_FILE", &rules),
        PRIMARY,
    ]);
    let ready = get(&server, "/ready");
    assert!(ready.starts_with("HTTP/1.1 503 "), "{ready}");
    assert!(
        ready.contains(r#"REGIONS: \"us west\" is not a region name"#),
        "{ready}"
    );
    assert!(
        ready.contains(r#"REGION_WEIGHTS: \"us-west\" is not in REGIONS"#),
        "{ready}"
    );
}

#[test]
fn a_server_with_broken_files_ends_before_it_listens_with_every_problem() {
    let store = Store::new();
    let write = |name: &str, text: &str| std::fs::write(store.dir().join(name), text).unwrap();
    write(
        "topology.toml",
        "[[region]]\nname = \"us-east\"\nhealth = \"http://joe:s3cret@h\"\nweight = 70000\n",
    );
    write(
        "rules.json",
        r#"{"pins":[{"tenant":"acme","region":"mars"}],"slot":[]}"#,
    );
    let env = [
        FILE,
        ("TENANT_RULES_FILE", "rules.json"),
        ("DRAIN_MS", "-1"),
        ("HEALTH_PORT", "0"),
    ];
    let ran = store.run_with(&["serve"], &env).exits(2);
    let count = |variable: &str| ran.stderr.matches(&format!("error: {variable}: ")).count();
    assert_eq!(
        ["HALCYON_TOPOLOGY", "TENANT_RULES_FILE", "DRAIN_MS"].map(count),
        [2, 2, 1],
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stderr.lines().count(), 5, "{}", ran.stderr);
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
}
