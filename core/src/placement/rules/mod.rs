//! Rules for single tenants: where they may be, where they are pinned, which slot they get.

mod keys;
mod patterns;

use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use keys::Keys;
pub use patterns::{InOrder, Patterns};

use super::Slot;
use crate::document::{Document, Members, enough, meant, say_if_enough};
use crate::region::{REGIONS_MAX, RegionName};
use crate::sorted::insert_at;
use crate::text::{count, message};

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
        let regions = Regions::new(regions);
        let mut problems = Vec::new();
        let lists = ["residency", "pins", "slots"];
        let [residency, pins, slots] =
            match Members::of(document, "the file", &lists, &mut problems) {
                None => [&[][..]; 3],
                Some(mut members) => lists.map(|list| members.list_if_any(list)),
            };
        let mut rules = Self::default();
        let mut reader = Reader {
            list: "residency",
            key: "regions",
            problems: &mut problems,
        };
        reader.read(residency, &mut |members, pattern| {
            let value = regions.places(members);
            add(&mut rules.residency, members, pattern, value);
        });
        (reader.list, reader.key) = ("pins", "region");
        reader.read(pins, &mut |members, pattern| {
            let value = regions.place(members);
            add(&mut rules.pins, members, pattern, value);
        });
        (reader.list, reader.key) = ("slots", "slot");
        reader.read(slots, &mut |members, pattern| {
            let value = members.one_of("slot", &Slot::ALL, Slot::name);
            add(&mut rules.slots, members, pattern, value);
        });
        say_if_enough(&mut problems);
        (rules, problems)
    }

    /// No rule at all.
    pub fn is_empty(&self) -> bool {
        self.residency.is_empty() && self.pins.is_empty() && self.slots.is_empty()
    }
}

/// Adds a rule, if both of it could be read.
fn add<T>(
    rules: &mut Patterns<T>,
    members: &mut Members<'_, '_>,
    pattern: Option<&str>,
    value: Option<T>,
) {
    if let (Some(pattern), Some(value)) = (pattern, value)
        && let Err(why) = rules.insert(pattern, value)
    {
        members.problem(message!("{}", &why));
    }
}

/// One of the lists: its name, and the member that its rules have beside `tenant`.
struct Reader<'p> {
    list: &'static str,
    key: &'static str,
    problems: &'p mut Vec<String>,
}

impl Reader<'_> {
    /// Calls `read` with the members and the pattern of every rule.
    fn read(
        &mut self,
        documents: &[Document],
        read: &mut dyn FnMut(&mut Members<'_, '_>, Option<&str>),
    ) {
        for (index, document) in documents.iter().enumerate() {
            if enough(self.problems) {
                break;
            }
            let place = message!("{}[{}]", self.list, &count(index)).text();
            let keys = ["tenant", self.key];
            if let Some(mut members) = Members::of(document, &place, &keys, self.problems) {
                let pattern = members.text("tenant");
                read(&mut members, pattern);
            }
        }
    }
}

/// Names of regions, with their places.
struct Regions<'r> {
    in_order: &'r [RegionName],
    /// By name.
    places: Vec<(&'r str, u16)>,
}

impl<'r> Regions<'r> {
    fn new(in_order: &'r [RegionName]) -> Self {
        let mut places: Vec<(&str, u16)> = Vec::with_capacity(in_order.len());
        for (name, place) in in_order.iter().zip(0_u16..) {
            // Sorted as they come: there are a thousand at most.
            let name = name.as_str();
            let at = places.partition_point(|(before, _)| *before < name);
            insert_at(&mut places, at, (name, place));
        }
        Self { in_order, places }
    }

    /// The place of the region `name`. An error where there are regions and it is none of them; nothing
    /// where there are none.
    fn find(&self, name: &str, members: &mut Members<'_, '_>) -> Option<u16> {
        let at = self.places.partition_point(|(before, _)| *before < name);
        match self.places.get(at) {
            Some((known, place)) if *known == name => return Some(*place),
            _ => {}
        }
        if !self.in_order.is_empty() {
            let mut known = self.in_order.iter();
            members.problem(message!(
                "has a wrong region: {?} is not in REGIONS; {}allowed: {}",
                name,
                &meant(name, &mut || known.next().map(RegionName::as_str)),
                &crate::config::listed(self.in_order)
            ));
        }
        None
    }

    /// The member `regions`: ascending places.
    fn places(&self, members: &mut Members<'_, '_>) -> Option<Vec<u16>> {
        let names = members.list("regions")?;
        if names.len() > REGIONS_MAX {
            members.problem(message!(
                "has {} regions; allowed: at most {}",
                &count(names.len()),
                &count(REGIONS_MAX)
            ));
            return None;
        }
        let mut places: Vec<u16> = Vec::new();
        for document in names {
            let Document::Text(name) = document else {
                members.problem(message!(
                    "has {} among its \"regions\"; allowed: names of regions",
                    &document.seen()
                ));
                continue;
            };
            let Some(place) = self.find(name, members) else {
                continue;
            };
            let at = places.partition_point(|before| *before < place);
            if places.get(at) == Some(&place) {
                members.problem(message!(
                    "has the region {?} twice; allowed: each region once",
                    name
                ));
            } else {
                insert_at(&mut places, at, place);
            }
        }
        Some(places)
    }

    /// The member `region`.
    fn place(&self, members: &mut Members<'_, '_>) -> Option<u16> {
        self.find(members.text("region")?, members)
    }
}
