//! A topology: what is taken, and what it says then.

use halcyon_core::config::Topology;
use halcyon_core::document::Document;
use halcyon_core::endpoint::{Endpoint, Scheme};
use halcyon_core::region::RegionName;

use super::is_one_short_line;

/// A file, TOML or (with `{` at its beginning) JSON, is taken exactly when the contract takes it, and what
/// was taken can be written down and read again.
///
/// # Panics
/// When a law does not hold.
pub fn topology(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let document = match text.starts_with('{') {
        true => Document::from_json(&text).ok(),
        false => toml::from_str::<Document>(&text).ok(),
    };
    let Some(document) = document else { return };
    let (topology, problems) = Topology::from_document(&document);
    problems
        .iter()
        .for_each(|problem| is_one_short_line(problem));
    assert!(problems.len() <= 500, "{} problems", problems.len());
    let listed = listed(&document);
    assert_eq!(problems.is_empty(), listed.is_some(), "{problems:?}");
    for region in &topology.regions {
        assert_eq!(topology.region(&region.name), Some(region));
        for endpoint in [&region.health, &region.blue, &region.green]
            .into_iter()
            .flatten()
        {
            assert_ne!(endpoint.scheme(), Scheme::Tcp);
            assert!(!endpoint.path().contains('?') && !endpoint.authority().contains('@'));
            let ready = endpoint.join("/ready");
            assert_eq!(Endpoint::parse(&ready.to_string()), Ok(ready));
        }
    }
    let Some(listed) = listed else { return };
    let names: Vec<&str> = topology
        .regions
        .iter()
        .map(|region| region.name.as_str())
        .collect();
    assert_eq!(names, listed);
    let written =
        serde_json::json!({ "region": topology.regions.iter().map(written).collect::<Vec<_>>() });
    let again = Document::from_json(&written.to_string()).unwrap();
    assert_eq!(Topology::from_document(&again), (topology, vec![]));
}

fn written(region: &halcyon_core::config::TopologyRegion) -> serde_json::Value {
    let mut written = serde_json::json!({ "name": region.name });
    // Below which /ready is asked: a base may itself end in it.
    let text =
        |endpoint: &Option<Endpoint>| Some(endpoint.as_ref()?.join("/ready").to_string().into());
    for (key, value) in [
        ("weight", region.weight.map(serde_json::Value::from)),
        ("health", text(&region.health)),
        ("blue", text(&region.blue)),
        ("green", text(&region.green)),
    ] {
        if let Some(value) = value {
            written[key] = value;
        }
    }
    written
}

/// The names of the regions, or nothing where the file has any fault.
fn listed(document: &Document) -> Option<Vec<&str>> {
    let [(_, Document::List(regions))] = members(document, &["region"])? else {
        return None;
    };
    let mut names: Vec<&str> = Vec::new();
    for region in regions {
        let members = members(region, &["name", "weight", "health", "blue", "green"])?;
        let mut named = None;
        for (key, value) in members {
            match (key.as_str(), value) {
                ("name", Document::Text(name)) => named = Some(name.as_str()),
                ("weight", Document::Integer(0..=65_535)) => {}
                ("health" | "blue" | "green", Document::Text(url)) => {
                    Endpoint::parse(url).and_then(Endpoint::health_base).ok()?;
                }
                _ => return None,
            }
        }
        let name = named.filter(|name| RegionName::new(name).is_ok())?;
        if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return None;
        }
        names.push(name);
    }
    (names.len() <= 1024).then_some(names)
}

fn members<'d>(document: &'d Document, known: &[&str]) -> Option<&'d [(String, Document)]> {
    let Document::Object(members) = document else {
        return None;
    };
    let once = |name: &String| members.iter().filter(|(other, _)| other == name).count() == 1;
    let good = |(name, _): &(String, Document)| known.contains(&name.as_str()) && once(name);
    members.iter().all(good).then_some(members)
}
