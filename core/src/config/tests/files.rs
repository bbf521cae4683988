//! The topology and the rules of tenants, as files: how much of them is read, and what is said of it.

use super::*;
use crate::document::Document;
use crate::region::RegionName;
use crate::testing::WithFiles;

fn topology(file: &str) -> (Topology, Vec<String>) {
    Topology::from_document(&Document::from_json(file).unwrap())
}

/// A topology of regions `r0`, `r1`, …, each with `more` behind its name.
fn regions(count: usize, more: &str) -> String {
    let regions: Vec<String> = (0..count)
        .map(|place| format!(r#"{{"name":"r{place}"{more}}}"#))
        .collect();
    format!(r#"{{"region":[{}]}}"#, regions.join(","))
}

#[test]
fn a_topology_is_the_file_that_its_variable_names() {
    let files = [("topology", r#"{"region":[{"name":"us-east","weight":7}]}"#)];
    let read = |path| {
        Topology::read(&WithFiles {
            table: &[("HALCYON_TOPOLOGY", path)],
            files: &files,
        })
    };
    let (found, problems) = read("topology");
    assert_eq!(problems, Problems::default());
    let us_east = RegionName::new("us-east").unwrap();
    assert_eq!(found.regions.len(), 1);
    assert_eq!(found.region(&us_east).unwrap().weight, Some(7));
    assert_eq!(found.region(&RegionName::new("US-EAST").unwrap()), None);
    let (found, problems) = read("elsewhere");
    assert_eq!(found, Topology::default());
    assert_eq!(
        problems.errors,
        ["HALCYON_TOPOLOGY: \"elsewhere\" cannot be read: no such file"]
    );
}

#[test]
fn a_topology_of_1024_regions_is_read_and_of_one_more_the_rest_is_refused() {
    let (found, problems) = topology(&regions(1024, ""));
    assert_eq!((found.regions.len(), problems), (1024, Vec::new()));
    let (found, problems) = topology(&regions(1025, ""));
    assert_eq!(found.regions.len(), 1024);
    assert_eq!(
        problems,
        ["the file has 1025 regions; allowed: at most 1024"]
    );
}

#[test]
fn a_region_stands_once_in_a_topology_also_by_case() {
    let (found, problems) =
        topology(r#"{"region":[{"name":"a"},{"name":"b"},{"name":"A"},{"name":"b"}]}"#);
    let names: Vec<&str> = found
        .regions
        .iter()
        .map(|region| region.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(
        problems,
        [
            "region 3 is \"A\" again (\"a\"); allowed: each region once",
            "region 4 is \"b\" again (\"b\"); allowed: each region once",
        ]
    );
}

#[test]
fn addresses_of_a_topology_are_http_and_health_servers_bases() {
    let (found, problems) = topology(
        r#"{"region":[{"name":"a","health":"http://h/eu/ready","blue":"https://b","green":"http://g:1"}]}"#,
    );
    assert_eq!(problems, [""; 0]);
    let region = &found.regions[0];
    let shown = [&region.health, &region.blue, &region.green]
        .map(|endpoint| endpoint.as_ref().unwrap().to_string());
    assert_eq!(shown, ["http://h:80/eu", "https://b:443", "http://g:1"]);
    let (found, problems) = topology(
        r#"{"region":[{"name":"a","health":"tcp://h:1","blue":"http://b?x","weight":65536}]}"#,
    );
    assert_eq!(found.regions[0].health, None);
    assert_eq!(
        problems,
        [
            "region 1 has \"weight\" = 65536; allowed: whole numbers from 0 to 65535",
            "region 1 has a wrong \"health\": \"tcp://h:1\" is not HTTP; allowed: http://host[:port][/path], https://host[:port][/path]",
            "region 1 has a wrong \"blue\": \"http://b:80/?x\" is no base of a health server; allowed: http(s)://host[:port][/path] without a query",
        ]
    );
}

#[test]
fn behind_the_hundredth_problem_of_a_topology_nothing_is_looked_at() {
    let (found, problems) = topology(&regions(99, r#","x":0"#));
    assert_eq!((found.regions.len(), problems.len()), (99, 99));
    for count in [100, 150] {
        let (found, problems) = topology(&regions(count, r#","x":0"#));
        assert_eq!((found.regions.len(), problems.len()), (100, 101));
        assert_eq!(
            problems[100],
            "has 100 problems up to here; nothing behind them was looked at"
        );
    }
}

#[test]
fn behind_the_hundredth_problem_of_a_rules_file_nothing_is_looked_at() {
    let problems = |count: usize| {
        let pins = alloc::vec![r#"{"tenant":"t*","region":"mars"}"#; count].join(",");
        let table = [("REGIONS", "r0"), ("TENANT_RULES_FILE", "rules")];
        let file = format!(r#"{{"pins":[{pins}],"slots":[{{"tenant":"a*b","slot":"blue"}}]}}"#);
        let (_, problems) = RegionConfig::read(&WithFiles {
            table: &table,
            files: &[("rules", &file)],
        });
        problems.errors
    };
    let of_98 = problems(98);
    assert_eq!(of_98.len(), 99);
    assert_eq!(
        of_98[97..],
        [
            "TENANT_RULES_FILE: \"rules\" pins[97] has a wrong region: \"mars\" is not in REGIONS; allowed: r0",
            "TENANT_RULES_FILE: \"rules\" slots[0] has the pattern \"a*b\"; allowed: a tenant id, or its beginning and one * at the end",
        ]
    );
    for count in [100, 1000] {
        let found = problems(count);
        assert_eq!(found.len(), 101);
        assert_eq!(
            found[99..],
            [
                "TENANT_RULES_FILE: \"rules\" pins[99] has a wrong region: \"mars\" is not in REGIONS; allowed: r0",
                "TENANT_RULES_FILE: \"rules\" has 100 problems up to here; nothing behind them was looked at",
            ]
        );
    }
}
