//! Every variable, read the way the contract says.

use std::collections::{BTreeMap, BTreeSet};

use halcyon_core::config::{
    Environment, FailoverPolicy, RegionConfig, RegionReport, Settings, Sticky, startup_problems,
};
use halcyon_core::document::Document;
use halcyon_core::endpoint::Endpoint;
use halcyon_core::hash::TenantId;
use halcyon_core::placement::{RegionStatus, Router};
use halcyon_core::readiness::Readiness;
use halcyon_core::regions::{
    active_regions, next_failover, preferred_region, validate_region_config,
};

use super::names_its_variable;

/// What stands for a password: no message may show it.
const SECRET: &str = "hunter2";

/// More problems than this would bury the cause.
const PROBLEMS_MAX: usize = 6_000;

/// The variables of an input: `NAME=value` lines. `+more` goes on with the value in a new line, `*N more`
/// puts `more` behind it N times. A variable that names a file has the file's content, JSON, as its value.
struct Variables(BTreeMap<String, String>);

impl Variables {
    fn read(text: &str) -> Self {
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        let mut last = String::new();
        for line in text.split('\n') {
            let value = variables.get_mut(&last);
            if let (Some(more), Some(value)) = (line.strip_prefix('+'), &value) {
                let more = format!("{value}\n{more}");
                variables.insert(last.clone(), more);
            } else if let (Some(more), Some(value)) = (line.strip_prefix('*'), value) {
                let (times, more) = more.split_once(' ').unwrap_or_default();
                let times = times.parse().unwrap_or(0_usize);
                let room = (1_usize << 20).saturating_sub(value.len());
                value.push_str(&more.repeat(times.min(room / more.len().max(1))));
            } else if let Some((name, value)) = line.split_once('=') {
                name.clone_into(&mut last);
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
        Self(variables)
    }

    /// The value, where it is set.
    fn set(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// Whether the marker of a password stands in URLs' user information and nowhere else.
    fn hides_a_secret(&self) -> bool {
        let values = self.0.values();
        let all = values.clone().map(|value| value.matches(SECRET).count());
        let hidden = values.map(|value| value.matches("://ann:hunter2@").count());
        let names = self.0.keys().any(|name| name.contains(SECRET));
        let lengths = self.0.values().all(|value| value.len() < 200);
        all.clone().sum::<usize>() > 0 && all.eq(hidden) && !names && lengths
    }
}

impl Environment for Variables {
    fn variable(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    fn document(&self, _: &str, path: &str) -> Result<Document, String> {
        Document::from_json(path)
    }
}

/// A configuration is read as its variables say, and everything that is wrong is said of the variable it
/// is about.
///
/// # Panics
/// When a law does not hold.
pub fn configuration(data: &[u8]) {
    let environment = Variables::read(&String::from_utf8_lossy(data));
    let report = RegionReport::read(&environment);
    let (settings, found) = Settings::read(&environment);
    let startup = startup_problems(&environment);
    let readiness = Readiness::evaluate(&environment, BTreeMap::new(), false);
    let messages = [
        &report.errors,
        &report.warnings,
        &found.errors,
        &found.warnings,
        &startup.errors,
        &startup.warnings,
        &readiness.checks.warnings,
    ];
    for list in messages {
        list.iter().for_each(|problem| names_its_variable(problem));
        assert!(list.len() <= PROBLEMS_MAX, "{} problems", list.len());
        let shown = list.iter().any(|problem| problem.contains(SECRET));
        assert!(!(shown && environment.hides_a_secret()), "{list:?}");
    }
    assert_eq!(report.valid, report.errors.is_empty());
    let count = |list: &[String], problem| list.iter().filter(|other| *other == problem).count();
    for problem in &startup.errors {
        let said = count(&report.errors, problem).max(count(&found.errors, problem));
        assert_eq!(count(&startup.errors, problem), said, "{problem}");
    }
    regions_are_as_listed(&environment, &report);
    numbers_are_in_range(&environment, &settings, &found.errors);
    lists_are_kept(&environment, &settings);
    readiness_says_what_is_missing(&environment, &readiness);
    routing(&environment, &report);
}

/// `REGIONS`, `PRIMARY_REGION` and the words of the policies, read a second time.
fn regions_are_as_listed(environment: &Variables, report: &RegionReport) {
    let about = |variable: &str, list: &[String]| {
        let prefix = format!("{variable}: ");
        list.iter().any(|problem| problem.starts_with(&prefix))
    };
    if let Some(list) = environment.set("REGIONS") {
        let items: Vec<&str> = list
            .split(',')
            .map(|item| item.trim_matches([' ', '\t']))
            .collect();
        let named: Vec<&str> = items
            .iter()
            .copied()
            .filter(|item| !item.is_empty())
            .collect();
        let mut folded = BTreeSet::new();
        let mut good = Vec::new();
        for name in &named {
            if is_a_name(name) && folded.insert(name.to_ascii_lowercase()) {
                good.push(*name);
            }
        }
        let too_many = named.len() > 1024;
        let wrong = named.is_empty() || too_many || good.len() < named.len();
        assert_eq!(about("REGIONS", &report.errors), wrong, "{list:?}");
        assert_eq!(
            about("REGIONS", &report.warnings),
            !too_many && !named.is_empty() && named.len() < items.len(),
            "{list:?}"
        );
        let read: Vec<&str> = report.regions.iter().map(|name| name.as_str()).collect();
        assert_eq!(read, if too_many { vec![] } else { good });
    }
    let primary = environment.set("PRIMARY_REGION");
    let listed = report
        .regions
        .iter()
        .find(|name| Some(name.as_str()) == primary);
    assert_eq!(report.primary.as_ref(), listed);
    let policy = environment
        .set("FAILOVER_POLICY")
        .unwrap_or("ordered")
        .to_ascii_lowercase();
    let known = FailoverPolicy::ALL
        .into_iter()
        .find(|known| known.name() == policy);
    assert_eq!(report.policy, known.unwrap_or_default());
    assert_eq!(about("FAILOVER_POLICY", &report.warnings), known.is_none());
}

fn is_a_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes[0].is_ascii_alphanumeric()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte))
}

/// A number is digits in its range, or its default and an error.
fn numbers_are_in_range(environment: &Variables, settings: &Settings, errors: &[String]) {
    for (name, read, default, from, to) in [
        (
            "HEALTH_PORT",
            u64::from(settings.health_port),
            8086,
            0,
            65_535,
        ),
        (
            "READINESS_TIMEOUT_MS",
            settings.readiness_timeout_ms,
            400,
            1,
            60_000,
        ),
        (
            "PROBE_INTERVAL_MS",
            settings.probe_interval_ms,
            1000,
            10,
            3_600_000,
        ),
        (
            "PROBE_TIMEOUT_MS",
            settings.probe_timeout_ms,
            500,
            1,
            60_000,
        ),
        ("DRAIN_MS", settings.drain_ms, 5000, 0, 3_600_000),
    ] {
        let text = environment.set(name);
        let digits = text.filter(|text| text.chars().all(|c| c.is_ascii_digit()));
        let good = digits
            .and_then(|digits| digits.parse().ok())
            .filter(|n| (from..=to).contains(n));
        assert_eq!(read, good.unwrap_or(default), "{name}={text:?}");
        let error = format!("{name}: ");
        let said = errors.iter().any(|problem| problem.starts_with(&error));
        assert_eq!(said, text.is_some() && good.is_none(), "{name}={text:?}");
    }
}

/// Names occur once, endpoints are written as they are read, the switches are as they stand.
fn lists_are_kept(environment: &Variables, settings: &Settings) {
    let names: BTreeSet<&String> = settings.dependencies.iter().map(|one| &one.name).collect();
    assert_eq!(names.len(), settings.dependencies.len());
    let regions: BTreeSet<&str> = settings
        .region_endpoints
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    assert_eq!(regions.len(), settings.region_endpoints.len());
    let dependencies = settings.dependencies.iter().map(|one| &one.endpoint);
    for endpoint in dependencies.chain(settings.region_endpoints.iter().map(|one| &one.endpoint)) {
        let written = endpoint.to_string();
        assert_eq!(Endpoint::parse(&written).as_ref(), Ok(endpoint));
        assert!(
            !endpoint.host().is_empty()
                && endpoint.port() > 0
                && !endpoint.authority().contains('@')
        );
    }
    assert!(settings.probe_networks.len() <= 64);
    for network in &settings.probe_networks {
        assert_eq!(network.to_string().parse(), Ok(*network));
    }
    let switch = environment
        .set("FEATURE_BLUE_GREEN")
        .map(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "1"));
    assert_eq!(settings.features.blue_green, switch);
    assert_eq!(settings.features.kill_switch(), switch == Some(false));
    assert!(!settings.store_dir.is_empty() && !settings.store_dir.contains('\0'));
}

fn readiness_says_what_is_missing(environment: &Variables, readiness: &Readiness) {
    let required = environment
        .set("REQUIRED_ENVS")
        .unwrap_or_default()
        .split(',');
    let required = required
        .map(|item| item.trim_matches([' ', '\t']))
        .filter(|item| !item.is_empty());
    let missing: Vec<&str> = required
        .filter(|name| environment.set(name).is_none())
        .collect();
    assert_eq!(readiness.checks.required_envs.missing, missing);
    assert_eq!(readiness.is_ready(), readiness.checks.blockers().is_empty());
    let json = serde_json::to_string(readiness).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok());
    assert!(
        readiness
            .verbose()
            .lines()
            .all(|line| !line.contains(char::is_control))
    );
}

/// The router takes exactly what has no error, answers within it, and reads back what it was made of.
fn routing(environment: &Variables, report: &RegionReport) {
    let (config, problems) = RegionConfig::read(environment);
    let wants_primary = config.sticky == Sticky::Primary && config.primary.is_none();
    let router = Router::from_lookup(environment);
    let good = problems.errors.is_empty() && !wants_primary;
    assert_eq!(router.is_ok(), good, "{:?}: {problems:?}", router.err());
    assert!(!report.valid || router.is_ok());
    let Ok(router) = router else {
        assert!(preferred_region(environment, "acme").is_err());
        return;
    };
    assert_eq!(active_regions(environment).unwrap(), config.regions);
    let statuses = |shift: usize| -> Vec<RegionStatus> {
        (0..router.len())
            .map(|place| RegionStatus::ALL[(place * 7 + shift) % 4])
            .collect()
    };
    let health = [vec![], statuses(0), statuses(1), statuses(2), statuses(3)];
    let slots = router.slot_rule(None);
    for tenant in ["acme", "bank-7", "tenant123"] {
        let id = TenantId::new(tenant).unwrap();
        for health in &health {
            let found = router.route(id, health, &slots);
            assert_eq!(router.explain(id, health, &slots).outcome, found);
            let Ok(found) = found else { continue };
            let place = config
                .regions
                .iter()
                .position(|region| region == found.region)
                .unwrap();
            assert_ne!(health.get(place), Some(&RegionStatus::Forbidden));
            let residency = config.rules.residency.find(id);
            assert!(
                residency.is_none_or(|places| places.iter().any(|at| usize::from(*at) == place))
            );
            assert_eq!(router.preferred(id), Ok(found.preferred));
        }
    }
    let next = next_failover(environment, router.regions().first().unwrap().as_str());
    assert_eq!(next.ok().as_ref(), config.regions.get(1));
    if config.regions.len() <= 3 {
        let linted = validate_region_config(environment);
        assert_eq!(linted.errors, report.errors);
        linted
            .warnings
            .iter()
            .for_each(|warning| names_its_variable(warning));
    }
    reads_back(environment, &config);
}

/// A configuration written out in full is read as the same one.
fn reads_back(environment: &Variables, config: &RegionConfig) {
    let mut full = environment.0.clone();
    let regions: Vec<&str> = config.regions.iter().map(|name| name.as_str()).collect();
    let weights = regions.iter().zip(&config.weights);
    let weights: Vec<String> = weights
        .map(|(name, weight)| format!("{name}={weight}"))
        .collect();
    full.insert("REGIONS".into(), regions.join(","));
    full.insert("REGION_WEIGHTS".into(), weights.join(","));
    full.insert(
        "PRIMARY_REGION".into(),
        config
            .primary
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
    );
    full.insert("FAILOVER_POLICY".into(), config.policy.name().into());
    full.insert("TENANT_STICKY".into(), config.sticky.name().into());
    full.insert("TENANT_HASH_KEY".into(), config.key.to_hex());
    let (again, problems) = RegionConfig::read(&Variables(full));
    assert_eq!(problems.errors, Vec::<String>::new());
    assert_eq!(&again, config);
}
