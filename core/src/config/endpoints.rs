//! The lists of `name=address`.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::settings::{Dependency, RegionEndpoint};
use super::{Lookup, Problems, count_of, items, value};
use crate::endpoint::Endpoint;
use crate::region::{REGIONS_MAX, RegionName};
use crate::text::{before_authority, count, cut, message, trim};

/// No list has more entries.
const ENTRIES_MAX: usize = REGIONS_MAX;

pub(super) fn read_dependencies(lookup: Lookup<'_>, problems: &mut Problems) -> Vec<Dependency> {
    const FORMS: &str =
        "allowed: name=tcp://host:port, name=http://host[:port][/path], name=https://…";
    let parse = |item: &str, known: &[Dependency]| {
        let (name, url) =
            split(item).ok_or_else(|| message!("{?} has no name; {}", item, FORMS).text())?;
        let name =
            RegionName::new(name).map_err(|why| why.replace("a region name", "a check's name"))?;
        if known.iter().any(|known| known.name == name.as_str()) {
            let what = message!(
                "\"{}\" is listed twice; allowed: each name once",
                name.as_str()
            );
            return Err(what.text());
        }
        let endpoint =
            Endpoint::parse(url).map_err(|why| message!("{}: {}", name.as_str(), &why).text())?;
        Ok(Dependency {
            name: name.to_string(),
            endpoint,
        })
    };
    read_list(lookup, "READINESS_CHECKS", FORMS, problems, parse)
}

pub(super) fn read_region_endpoints(
    lookup: Lookup<'_>,
    problems: &mut Problems,
) -> Vec<RegionEndpoint> {
    const FORMS: &str = "allowed: region=http://host[:port][/path], region=https://…";
    let parse = |item: &str, known: &[RegionEndpoint]| {
        let (name, url) =
            split(item).ok_or_else(|| message!("{?} names no region; {}", item, FORMS).text())?;
        let name = RegionName::new(name)?;
        if known.iter().any(|known| known.name == name) {
            let what = message!(
                "\"{}\" is listed twice; allowed: each region once",
                name.as_str()
            );
            return Err(what.text());
        }
        match Endpoint::parse_http(url).and_then(Endpoint::health_base) {
            Ok(endpoint) => Ok(RegionEndpoint { name, endpoint }),
            Err(why) => Err(message!("{}: {}", name.as_str(), &why).text()),
        }
    };
    read_list(lookup, "REGION_ENDPOINTS", FORMS, problems, parse)
}

/// Every item that `parse` takes, in order; what it says of the others goes to `problems`.
fn read_list<T>(
    lookup: Lookup<'_>,
    variable: &str,
    forms: &str,
    problems: &mut Problems,
    parse: impl Fn(&str, &[T]) -> Result<T, String>,
) -> Vec<T> {
    let list = value(lookup, variable).unwrap_or_default();
    let mut found = Vec::new();
    // Counted before anything is parsed: a list of thousands is refused in no time, with one problem. It
    // is not shown, as a cut could show half a password.
    let entries = count_of(&list);
    if entries > ENTRIES_MAX {
        let what = message!(
            "(not shown) has {} entries; allowed: at most {}",
            &count(entries),
            &count(ENTRIES_MAX)
        );
        problems.error(variable, what);
        return found;
    }
    for (index, item) in items(&list)
        .enumerate()
        .filter(|(_, item)| !item.is_empty())
    {
        match parse(item, &found) {
            Ok(parsed) => found.push(parsed),
            Err(_) if may_hold_half_a_password(&list, item) => {
                let place = count(index.saturating_add(1));
                let what = message!(
                    "item {} (not shown: the list has an @, so it may hold a password) is wrong; {}",
                    &place,
                    forms
                );
                problems.error(variable, what);
            }
            Err(why) => problems.error(variable, message!("{}", &why)),
        }
    }
    found
}

/// A comma in a password cuts it in two, and neither half looks like one: the first has no `@`, the
/// second no `://`.
fn may_hold_half_a_password(list: &str, item: &str) -> bool {
    let has_at = |text: &str| cut(text, b'@').is_some();
    let whole_address = before_authority(item).1.is_some_and(has_at);
    has_at(list) && !whole_address
}

/// The name and the address of an item, without the blanks around them.
fn split(item: &str) -> Option<(&str, &str)> {
    let (name, url) = cut(item, b'=')?;
    Some((trim(name), trim(url)))
}
