//! A file of rules for tenants, read by lists and looked up by loops.

use halcyon_core::config::{Environment, FailoverPolicy, Sticky};
use halcyon_core::document::Document;
use halcyon_core::hash::{HashKey, TenantId, fmix64};
use halcyon_core::placement::{Reason, RegionStatus, Router, Slot, TenantRules};
use halcyon_core::region::RegionName;

use super::is_one_short_line;

const REGIONS: [&str; 5] = ["us-east", "us-west", "eu-west", "eu-central", "ap-south"];
const PRIMARY: usize = 1;

/// The rules of a file as they stand there.
#[derive(Default)]
struct Listed {
    residency: Vec<(String, Vec<u16>)>,
    pins: Vec<(String, u16)>,
    slots: Vec<(String, Slot)>,
}

/// A file is taken exactly when the contract takes it, and every tenant is treated as its rules say.
///
/// # Panics
/// When a law does not hold.
pub fn rules(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let plain: Result<serde_json::Value, _> = serde_json::from_str(&text);
    let document = match Document::from_json(&text) {
        Ok(document) => document,
        Err(why) => return is_one_short_line(&why),
    };
    assert!(plain.is_ok(), "a tree of what is no JSON: {text}");
    let seen = document.seen();
    is_one_short_line(&seen);
    assert!(seen.len() <= 66, "{seen}");
    let regions = REGIONS.map(|name| RegionName::new(name).unwrap());
    let (rules, problems) = TenantRules::from_document(&document, &regions);
    problems
        .iter()
        .for_each(|problem| is_one_short_line(problem));
    assert!(problems.len() <= 500, "{} problems", problems.len());
    let listed = listed(&document);
    assert_eq!(problems.is_empty(), listed.is_some(), "{problems:?}");
    let Some(listed) = listed else { return };
    let lengths = (rules.residency.len(), rules.pins.len(), rules.slots.len());
    assert_eq!(
        lengths,
        (
            listed.residency.len(),
            listed.pins.len(),
            listed.slots.len()
        )
    );
    let sticky = [Sticky::Primary, Sticky::Hash, Sticky::Rendezvous][data.len() % 3];
    let policy = FailoverPolicy::ALL[data.len() / 3 % 3];
    let router = Router::from_lookup(&Configured {
        document,
        sticky,
        policy,
    })
    .unwrap();
    assert_eq!(router.rules(), &rules);
    for tenant in tenants(&listed) {
        let id = TenantId::new(&tenant).unwrap();
        let residency = best(&listed.residency, &tenant);
        let pin = best(&listed.pins, &tenant);
        assert_eq!(
            rules.residency.find(id),
            residency.map(|(_, places)| places),
            "{tenant:?}"
        );
        assert_eq!(
            rules.pins.find(id),
            pin.map(|(_, place)| place),
            "{tenant:?}"
        );
        assert_eq!(
            rules.slots.find(id),
            best(&listed.slots, &tenant).map(|(_, slot)| slot)
        );
        assert_eq!(
            rules.pins.pattern(id),
            pin.map(|(pattern, _)| pattern.clone())
        );
        let question = Question {
            h: HashKey::default().sip13(tenant.as_bytes()),
            residency: residency.map(|(_, places)| places.as_slice()),
            pin: pin.map(|(_, place)| *place),
            sticky,
            policy,
        };
        for shift in 0..5 {
            let status = |place: usize| RegionStatus::ALL[(place * shift + shift / 2) % 4];
            let health: Vec<_> = (0..REGIONS.len()).map(status).collect();
            question.check(&router, id, &health);
        }
    }
}

struct Configured {
    document: Document,
    sticky: Sticky,
    policy: FailoverPolicy,
}

impl Environment for Configured {
    fn variable(&self, name: &str) -> Option<String> {
        Some(match name {
            "REGIONS" => REGIONS.join(","),
            "PRIMARY_REGION" => REGIONS[PRIMARY].into(),
            "TENANT_STICKY" => self.sticky.name().into(),
            "FAILOVER_POLICY" => self.policy.name().into(),
            "TENANT_RULES_FILE" => "rules.json".into(),
            _ => return None,
        })
    }

    fn document(&self, _: &str, _: &str) -> Result<Document, String> {
        Ok(self.document.clone())
    }
}

/// One tenant, and everything the contract lets decide about it.
struct Question<'q> {
    h: u64,
    residency: Option<&'q [u16]>,
    pin: Option<u16>,
    sticky: Sticky,
    policy: FailoverPolicy,
}

impl Question<'_> {
    fn check(&self, router: &Router, tenant: TenantId<'_>, health: &[RegionStatus]) {
        let slots = router.slot_rule(None);
        let found = router.route(tenant, health, &slots);
        assert_eq!(router.explain(tenant, health, &slots).outcome, found);
        let place = |name: &RegionName| {
            REGIONS
                .iter()
                .position(|region| *region == name.as_str())
                .unwrap()
        };
        let allowed: Vec<usize> = (0..REGIONS.len())
            .filter(|place| self.allows(*place))
            .collect();
        let with = |status: RegionStatus| -> Vec<usize> {
            let allowed = allowed.iter().copied();
            allowed.filter(|place| health[*place] == status).collect()
        };
        let best = [RegionStatus::Up, RegionStatus::Draining, RegionStatus::Down].map(with);
        let best = best.into_iter().find(|places| !places.is_empty());
        let (Some(best), Ok(found)) = (&best, found) else {
            assert_eq!(best.is_some(), found.is_ok(), "{tenant:?} {health:?}");
            return;
        };
        let (region, preferred) = (place(found.region), place(found.preferred));
        assert!(
            allowed.contains(&preferred) && best.contains(&region),
            "{tenant:?} {health:?}"
        );
        let pin = self
            .pin
            .map(usize::from)
            .filter(|pin| allowed.contains(pin));
        let by_rule = match self.sticky {
            Sticky::Primary if allowed.contains(&PRIMARY) => Some(PRIMARY),
            Sticky::Primary => Some(allowed[0]),
            Sticky::Hash => Some(allowed[(self.h % allowed.len() as u64) as usize]),
            Sticky::Rendezvous => None,
        };
        if let Some(first) = pin.or(by_rule) {
            assert_eq!(preferred, first, "{tenant:?}");
        }
        if let Some(walked) = self.walked(preferred, best) {
            assert_eq!(region, walked, "{tenant:?} {health:?}");
        }
        let by_health = match health[region] {
            RegionStatus::Down => Some(Reason::AllDown),
            _ if region != preferred => Some(Reason::Failover),
            _ => None,
        };
        let by_rule = match self.sticky {
            _ if pin.is_some() => Reason::Pinned,
            _ if self.residency.is_some() => Reason::Residency,
            Sticky::Primary => Reason::Primary,
            Sticky::Hash => Reason::Hash,
            Sticky::Rendezvous => Reason::Rendezvous,
        };
        assert_eq!(
            found.reason,
            by_health.unwrap_or(by_rule),
            "{tenant:?} {health:?}"
        );
    }

    fn allows(&self, place: usize) -> bool {
        let listed = |places: &[u16]| places.iter().any(|other| usize::from(*other) == place);
        self.residency.is_none_or(listed)
    }

    /// Where the policy goes from `first`; what rendezvous takes is for the page of placement.
    fn walked(&self, first: usize, candidates: &[usize]) -> Option<usize> {
        if candidates.contains(&first) {
            return Some(first);
        }
        match self.policy {
            FailoverPolicy::Ordered => {
                let mut after = (first..first + REGIONS.len()).map(|place| place % REGIONS.len());
                after.find(|place| candidates.contains(place))
            }
            FailoverPolicy::RoundRobin => {
                Some(candidates[(fmix64(self.h) % candidates.len() as u64) as usize])
            }
            FailoverPolicy::Rendezvous => None,
        }
    }
}

/// The rule that fits best: the tenant itself, else the longest beginning.
fn best<'l, T>(rules: &'l [(String, T)], tenant: &str) -> Option<&'l (String, T)> {
    let exact = rules
        .iter()
        .find(|(pattern, _)| pattern == tenant && !pattern.ends_with('*'));
    let fits = |pattern: &str| {
        pattern
            .strip_suffix('*')
            .is_some_and(|start| tenant.starts_with(start))
    };
    let patterns = rules.iter().filter(|(pattern, _)| fits(pattern));
    exact.or_else(|| patterns.max_by_key(|(pattern, _)| pattern.len()))
}

/// Tenants that the rules are about, and such that they are nearly about.
fn tenants(listed: &Listed) -> Vec<String> {
    let residency = listed.residency.iter().map(|(pattern, _)| pattern);
    let pins = listed.pins.iter().map(|(pattern, _)| pattern);
    let slots = listed.slots.iter().map(|(pattern, _)| pattern);
    let mut tenants = vec!["acme".to_owned(), "Zoë".to_owned()];
    for pattern in residency.chain(pins).chain(slots).take(60) {
        let stem = pattern.trim_end_matches('*');
        tenants.extend([stem.to_owned(), format!("{stem}7"), format!("{stem}*")]);
        let shorter: String = stem
            .chars()
            .take(stem.chars().count().saturating_sub(1))
            .collect();
        tenants.push(shorter);
    }
    tenants.retain(|tenant| TenantId::new(tenant).is_ok());
    tenants
}

/// The rules, or nothing where the file has any fault.
fn listed(document: &Document) -> Option<Listed> {
    let members = members(document, &["residency", "pins", "slots"])?;
    let list = |name: &str| -> Option<&[Document]> {
        match members.iter().find(|(known, _)| known == name) {
            None => Some(&[]),
            Some((_, Document::List(items))) => Some(items),
            Some(_) => None,
        }
    };
    let place = |name: &Document| {
        let Document::Text(name) = name else {
            return None;
        };
        REGIONS
            .iter()
            .position(|region| region == name)?
            .try_into()
            .ok()
    };
    let places = |regions: &Document| -> Option<Vec<u16>> {
        let Document::List(names) = regions else {
            return None;
        };
        let mut places = names.iter().map(place).collect::<Option<Vec<u16>>>()?;
        places.sort_unstable();
        places.is_sorted_by(|a, b| a < b).then_some(places)
    };
    let slot = |name: &Document| match name {
        Document::Text(name) if name == "blue" => Some(Slot::Blue),
        Document::Text(name) if name == "green" => Some(Slot::Green),
        _ => None,
    };
    Some(Listed {
        residency: each(list("residency")?, "regions", places)?,
        pins: each(list("pins")?, "region", place)?,
        slots: each(list("slots")?, "slot", slot)?,
    })
}

fn each<T>(
    rules: &[Document],
    key: &str,
    read: impl Fn(&Document) -> Option<T>,
) -> Option<Vec<(String, T)>> {
    let mut found: Vec<(String, T)> = Vec::new();
    for rule in rules {
        let rule = members(rule, &["tenant", key])?;
        let member = |name: &str| {
            rule.iter()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value)
        };
        let (Document::Text(pattern), value) = (member("tenant")?, read(member(key)?)?) else {
            return None;
        };
        let stem = pattern.strip_suffix('*').unwrap_or(pattern);
        let known = found.iter().any(|(other, _)| other == pattern);
        if pattern.is_empty() || stem.contains('*') || stem.len() > 16_384 || known {
            return None;
        }
        found.push((pattern.clone(), value));
    }
    Some(found)
}

/// The members of an object that has only these keys, each once.
fn members<'d>(document: &'d Document, known: &[&str]) -> Option<&'d [(String, Document)]> {
    let Document::Object(members) = document else {
        return None;
    };
    let once = |name: &String| members.iter().filter(|(other, _)| other == name).count() == 1;
    let good = |(name, _): &(String, Document)| known.contains(&name.as_str()) && once(name);
    members.iter().all(good).then_some(members)
}
