//! The topology: where each region is.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Lookup, Problems, file, value};
use crate::document::{Document, Members, enough, say_if_enough};
use crate::endpoint::Endpoint;
use crate::region::{REGIONS_MAX, RegionName};
use crate::text::{count, message};

const VARIABLE: &str = "HALCYON_TOPOLOGY";
const KEYS: [&str; 5] = ["name", "weight", "health", "blue", "green"];

/// The regions of a topology file, in its order. Empty where there is no file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// The regions; names are unique, also by case.
    pub regions: Vec<TopologyRegion>,
}

/// One region of a topology file. Only the name is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyRegion {
    /// Its name.
    pub name: RegionName,
    /// Its weight, 0 to 65,535.
    pub weight: Option<u16>,
    /// Its health server; `/ready` is asked below it.
    pub health: Option<Endpoint>,
    /// The pool that is blue while the journal is empty.
    pub blue: Option<Endpoint>,
    /// The pool that is green while the journal is empty.
    pub green: Option<Endpoint>,
}

impl Topology {
    /// The file of `HALCYON_TOPOLOGY`, if the variable is set, and everything wrong with it.
    pub fn read(lookup: Lookup<'_>) -> (Self, Problems) {
        let mut problems = Problems::default();
        (Self::read_into(lookup, &mut problems), problems)
    }

    pub(crate) fn read_into(lookup: Lookup<'_>, problems: &mut Problems) -> Self {
        let Some(path) = value(lookup, VARIABLE) else {
            return Self::default();
        };
        file(VARIABLE, &path, lookup.topology(&path), problems)
    }

    /// Reads a topology: `[[region]]` tables with `name`, and `weight`, `health`, `blue`, `green`
    /// where they are known. Answers with what could be read and everything that is wrong.
    ///
    /// ```
    /// use halcyon_core::config::Topology;
    /// use halcyon_core::document::Document;
    ///
    /// // As TOML: [[region]] name = "us-east", weight = 2, blue = "http://10.0.0.1"
    /// let tree = Document::from_json(r#"{"region":[{"name":"us-east","weight":2,"blu":"http://10.0.0.1"}]}"#);
    /// let (topology, problems) = Topology::from_document(&tree.unwrap());
    /// assert_eq!(topology.regions[0].weight, Some(2));
    /// assert!(problems[0].contains("did you mean \"blue\"?"));
    /// ```
    pub fn from_document(document: &Document) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        let mut topology = Self::default();
        let regions = Members::of(document, "the file", &["region"], &mut problems)
            .and_then(|mut members| members.list("region"))
            .unwrap_or_default();
        if regions.len() > REGIONS_MAX {
            message!(
                "the file has {} regions; allowed: at most {}",
                &count(regions.len()),
                &count(REGIONS_MAX)
            )
            .say(&mut problems);
        }
        for (index, region) in regions.iter().take(REGIONS_MAX).enumerate() {
            if enough(&problems) {
                break;
            }
            let place = message!("region {}", &count(index.saturating_add(1))).text();
            if let Some(region) = read_region(region, &place, &mut problems) {
                match topology.like(&region.name) {
                    Some(before) => message!(
                        "is {?} again (\"{}\"); allowed: each region once",
                        region.name.as_str(),
                        before.as_str()
                    )
                    .say_at(&place, &mut problems),
                    None => topology.regions.push(region),
                }
            }
        }
        say_if_enough(&mut problems);
        (topology, problems)
    }

    /// A region by its name.
    pub fn region(&self, name: &RegionName) -> Option<&TopologyRegion> {
        self.regions.iter().find(|region| region.name == *name)
    }

    /// The name of a region that differs by case at most.
    fn like(&self, name: &RegionName) -> Option<&RegionName> {
        self.regions
            .iter()
            .map(|region| &region.name)
            .find(|known| known.as_str().eq_ignore_ascii_case(name.as_str()))
    }
}

/// A region, or nothing where it has no usable name.
fn read_region(
    document: &Document,
    place: &str,
    problems: &mut Vec<String>,
) -> Option<TopologyRegion> {
    let mut members = Members::of(document, place, &KEYS, problems)?;
    let name = members.text("name").map(RegionName::new);
    let name = name.and_then(|name| {
        let wrong = |why: String| members.wrong_text("name", &why);
        name.map_err(wrong).ok()
    });
    let weight = read_weight(&mut members);
    let mut endpoint = |key: &str| read_endpoint(&mut members, key);
    let (health, blue, green) = (endpoint("health"), endpoint("blue"), endpoint("green"));
    Some(TopologyRegion {
        name: name?,
        weight,
        health,
        blue,
        green,
    })
}

fn read_weight(members: &mut Members<'_, '_>) -> Option<u16> {
    let document = members.get("weight")?;
    let weight = match document {
        Document::Integer(weight) => u16::try_from(*weight).ok(),
        _ => None,
    };
    if weight.is_none() {
        members.wrong("weight", document, "whole numbers from 0 to 65535");
    }
    weight
}

fn read_endpoint(members: &mut Members<'_, '_>, key: &str) -> Option<Endpoint> {
    let text = members.text_if_any(key)?;
    Endpoint::parse_http(text)
        .and_then(Endpoint::health_base)
        .map_err(|why| members.problem(message!("has a wrong \"{}\": {}", key, &why)))
        .ok()
}
