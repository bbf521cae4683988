//! Rules for single tenants: where they may be, where they are pinned, which slot they get.

mod patterns;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

pub use patterns::Patterns;

use super::Slot;
use crate::document::{Document, Members, enough, nearest, say_if_enough};
use crate::region::{REGIONS_MAX, RegionName};
use crate::text::Seen;

/// The rules of a `TENANT_RULES_FILE`, each list looked up on its own: residency beats pins, pins beat
/// hashes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TenantRules {
    /// Regions a tenant may be in, as places in `REGIONS`, ascending. Without a rule, everywhere.
    pub residency: Patterns<Vec<u16>>,
    /// The region of a tenant, as a place in `REGIONS`; ignored where residency does not allow it.
    pub pins: Patterns<u16>,
    /// The slot of a tenant while a release is in `green_provisioned` or `canary`.
    pub slots: Patterns<Slot>,
}

impl TenantRules {
    /// Reads `{"residency":[{"tenant","regions"}],"pins":[{"tenant","region"}],"slots":[{"tenant","slot"}]}`,
    /// each key optional. Regions are those of `regions`; where it is empty, because it could not be
    /// read, names are not checked against it.
    ///
    /// Answers with what could be read and everything that is wrong.
    ///
    /// ```
    /// use halcyon_core::document::Document;
    /// use halcyon_core::hash::TenantId;
    /// use halcyon_core::placement::TenantRules;
    /// use halcyon_core::region::RegionName;
    ///
    /// let regions = ["us-east", "eu-west"].map(|name| RegionName::new(name).unwrap());
    /// let file = r#"{"residency":[{"tenant":"bank-*","regions":["eu-west"]}],"pins":[{"tenant":"acme","region":"eu-wst"}]}"#;
    /// let (rules, problems) = TenantRules::from_document(&Document::from_json(file).unwrap(), &regions);
    /// assert_eq!(rules.residency.find(TenantId::new("bank-7").unwrap()), Some(&vec![1]));
    /// assert!(problems[0].contains("did you mean \"eu-west\"?"));
    /// ```
    pub fn from_document(document: &Document, regions: &[RegionName]) -> (Self, Vec<String>) {
        let mut reader = Reader {
            regions: Regions::new(regions),
            problems: Vec::new(),
        };
        let lists = ["residency", "pins", "slots"];
        let [residency, pins, slots] =
            match Members::of(document, "the file", &lists, &mut reader.problems) {
                None => [&[][..]; 3],
                Some(mut members) => lists.map(|list| members.list_if_any(list)),
            };
        let rules = Self {
            residency: reader.list(residency, "residency", "regions", Reader::places),
            pins: reader.list(pins, "pins", "region", Reader::place),
            slots: reader.list(slots, "slots", "slot", |_, members| read_slot(members)),
        };
        say_if_enough(&mut reader.problems);
        (rules, reader.problems)
    }

    /// No rule at all.
    pub fn is_empty(&self) -> bool {
        self.residency.is_empty() && self.pins.is_empty() && self.slots.is_empty()
    }
}

/// Names of regions, with their places.
struct Regions<'r> {
    in_order: &'r [RegionName],
    places: BTreeMap<&'r str, u16>,
}

impl<'r> Regions<'r> {
    fn new(in_order: &'r [RegionName]) -> Self {
        let names = in_order.iter().map(RegionName::as_str);
        Self {
            in_order,
            places: names.zip(0_u16..).collect(),
        }
    }

    /// The place of a region; an error where there are regions and it is none of them.
    fn place(&self, name: &str) -> Result<Option<u16>, String> {
        let place = self.places.get(name).copied();
        if place.is_some() || self.in_order.is_empty() {
            return Ok(place);
        }
        let meant = nearest(name, self.places.keys().copied())
            .map(|meant| format!("did you mean \"{meant}\"? "))
            .unwrap_or_default();
        Err(format!(
            "{} is not in REGIONS; {meant}allowed: {}",
            Seen(name),
            crate::config::listed(self.in_order)
        ))
    }
}

struct Reader<'r> {
    regions: Regions<'r>,
    problems: Vec<String>,
}

impl Reader<'_> {
    /// Reads the rules of one list; `key` is the member beside `tenant`, and `read` reads it.
    fn list<T>(
        &mut self,
        documents: &[Document],
        list: &str,
        key: &str,
        read: impl Fn(&Regions<'_>, &mut Members<'_, '_>) -> Option<T>,
    ) -> Patterns<T> {
        let mut patterns = Patterns::default();
        for (index, document) in documents.iter().enumerate() {
            if enough(&self.problems) {
                break;
            }
            let place = format!("{list}[{index}]");
            let members = Members::of(document, &place, &["tenant", key], &mut self.problems);
            let Some(mut members) = members else {
                continue;
            };
            let pattern = members.text("tenant");
            let value = read(&self.regions, &mut members);
            if let (Some(pattern), Some(value)) = (pattern, value)
                && let Err(why) = patterns.insert(pattern, value)
            {
                members.problem(why);
            }
        }
        patterns
    }

    fn places(regions: &Regions<'_>, members: &mut Members<'_, '_>) -> Option<Vec<u16>> {
        let names = members.list("regions")?;
        if names.len() > REGIONS_MAX {
            members.problem(format_args!(
                "has {} regions; allowed: at most {REGIONS_MAX}",
                names.len()
            ));
            return None;
        }
        let mut places = Vec::new();
        for name in names {
            let Document::Text(name) = name else {
                members.problem(format_args!(
                    "has {} among its \"regions\"; allowed: names of regions",
                    name.seen()
                ));
                continue;
            };
            match regions.place(name) {
                Err(why) => members.problem(format_args!("has a wrong region: {why}")),
                Ok(Some(place)) if places.contains(&place) => members.problem(format_args!(
                    "has the region {} twice; allowed: each region once",
                    Seen(name)
                )),
                Ok(place) => places.extend(place),
            }
        }
        places.sort_unstable();
        Some(places)
    }

    fn place(regions: &Regions<'_>, members: &mut Members<'_, '_>) -> Option<u16> {
        let place = regions.place(members.text("region")?);
        match place {
            Ok(place) => place,
            Err(why) => {
                members.problem(format_args!("has a wrong region: {why}"));
                None
            }
        }
    }
}

fn read_slot(members: &mut Members<'_, '_>) -> Option<Slot> {
    match members.text("slot")? {
        "blue" => Some(Slot::Blue),
        "green" => Some(Slot::Green),
        other => {
            members.problem(format_args!(
                "has \"slot\" = {}; allowed: blue, green",
                Seen(other)
            ));
            None
        }
    }
}
