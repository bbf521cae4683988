//! `halcyon regions` and `halcyon failover`.

use std::collections::BTreeMap;
use std::fmt::Write;

use halcyon_core::config::{FailoverPolicy, RegionConfig, RegionReport, Settings, Sticky};
use halcyon_core::placement::Router;
use halcyon_core::regions::{next_failover, validate_region_config};
use serde::Serialize;

use super::{Exit, Failure, Invocation, style};

/// Arguments of `regions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Arguments of `failover`.
#[derive(Debug, clap::Args)]
pub(super) struct FailoverArgs {
    /// The region that is lost
    region: String,
}

/// The report, and what the configuration adds up to.
#[derive(Serialize)]
struct Answer {
    #[serde(flatten)]
    report: RegionReport,
    #[serde(serialize_with = "by_name")]
    sticky: Sticky,
    weights: BTreeMap<String, u16>,
    /// Percent of all tenants, to two decimals; none while the configuration has errors.
    shares: BTreeMap<String, f64>,
    rules: Rules,
    endpoints: BTreeMap<String, Endpoints>,
}

/// How many rules for single tenants there are.
#[derive(Serialize)]
struct Rules {
    residency: usize,
    pins: usize,
    slots: usize,
}

/// Where a region is, as far as it is known.
#[derive(Serialize, Default)]
struct Endpoints {
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    green: Option<String>,
}

fn by_name<S: serde::Serializer>(sticky: &Sticky, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(sticky.name())
}

/// Checks the region configuration and reports everything at once.
pub(super) fn run(Args {}: Args, invocation: &Invocation) -> Result<Exit, Failure> {
    let answer = Answer::read(invocation);
    invocation.answer(|| human(&answer), &answer)?;
    Ok(if answer.report.valid {
        Exit::Done
    } else {
        Exit::Usage
    })
}

impl Answer {
    fn read(invocation: &Invocation) -> Self {
        let mut report = validate_region_config(invocation);
        let (config, _) = RegionConfig::read(invocation);
        let (settings, found) = Settings::read(invocation);
        // Of all that is not about placement, this is about regions.
        let mut found = found.errors;
        found.retain(|error| error.starts_with("REGION_ENDPOINTS:"));
        report.errors.extend(found);
        report.valid = report.errors.is_empty();
        let names = || config.regions.iter().map(ToString::to_string);
        Self {
            sticky: config.sticky,
            weights: names().zip(config.weights.iter().copied()).collect(),
            shares: names().zip(shares(&report, &config)).collect(),
            rules: Rules {
                residency: config.rules.residency.len(),
                pins: config.rules.pins.len(),
                slots: config.rules.slots.len(),
            },
            endpoints: endpoints(&config, &settings),
            report,
        }
    }

    fn weights_matter(&self) -> bool {
        self.sticky == Sticky::Rendezvous || self.report.policy == FailoverPolicy::Rendezvous
    }
}

/// What each region has while all are up, in percent.
fn shares(report: &RegionReport, config: &RegionConfig) -> Vec<f64> {
    let router = report.valid.then(|| Router::from_config(config.clone()));
    let Some(router) = router.flatten() else {
        return Vec::new();
    };
    // At most 10,000 hundredths, which a float holds as it is.
    let percent = |hundredths: u64| f64::from(u32::try_from(hundredths).unwrap_or(0)) / 100.0;
    router.loads().shares().map(percent).collect()
}

/// `REGION_ENDPOINTS` outranks the topology, region by region.
fn endpoints(config: &RegionConfig, settings: &Settings) -> BTreeMap<String, Endpoints> {
    let mut known: BTreeMap<String, Endpoints> = BTreeMap::new();
    for region in &config.topology.regions {
        let shown = |endpoint: &Option<_>| endpoint.as_ref().map(ToString::to_string);
        let endpoints = Endpoints {
            health: shown(&region.health),
            blue: shown(&region.blue),
            green: shown(&region.green),
        };
        known.insert(region.name.to_string(), endpoints);
    }
    for region in &settings.region_endpoints {
        let endpoints = known.entry(region.name.to_string()).or_default();
        endpoints.health = Some(region.endpoint.to_string());
    }
    let listed = config.regions.iter().filter_map(|region| {
        let endpoints = known.remove(region.as_str())?;
        Some((region.to_string(), endpoints))
    });
    listed
        .filter(|(_, known)| {
            known.health.is_some() || known.blue.is_some() || known.green.is_some()
        })
        .collect()
}

fn human(answer: &Answer) -> String {
    let report = &answer.report;
    let mut text = table(answer);
    let _ = writeln!(
        text,
        "tenants go by {}, fail over by {}",
        answer.sticky, report.policy
    );
    let rules = &answer.rules;
    if rules.residency + rules.pins + rules.slots > 0 {
        let several = |count| if count == 1 { "" } else { "s" };
        let _ = writeln!(
            text,
            "rules for single tenants: {} residency, {} pin{}, {} slot{}",
            rules.residency,
            rules.pins,
            several(rules.pins),
            rules.slots,
            several(rules.slots)
        );
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "{WARN}warning:{WARN:#} {warning}", WARN = style::WARN);
    }
    for error in &report.errors {
        let _ = writeln!(text, "{ERROR}error:{ERROR:#} {error}", ERROR = style::ERROR);
    }
    let verdict = match (report.valid, report.errors.len()) {
        (true, _) => "valid".to_owned(),
        (false, 1) => "not valid: 1 error".to_owned(),
        (false, n) => format!("not valid: {n} errors"),
    };
    let _ = writeln!(text, "{verdict}");
    text
}

/// A line a region: its place, its name, what it gets, and where it is.
fn table(answer: &Answer) -> String {
    let names = &answer.report.regions;
    let longest = names.iter().map(|name| name.as_str().len()).max();
    let longest = longest.unwrap_or(0).min(40);
    let heaviest = answer
        .weights
        .values()
        .max()
        .map_or(1, |weight| weight.to_string().len());
    let mut text = String::new();
    for (index, region) in names.iter().enumerate() {
        let name = region.as_str();
        let mut facts = String::new();
        if answer.weights_matter() {
            let weight = answer.weights.get(name).copied().unwrap_or(1);
            let _ = write!(facts, "  weight {weight:<heaviest$}");
        }
        if answer.sticky != Sticky::Primary
            && let Some(share) = answer.shares.get(name)
        {
            let _ = write!(facts, "  {share:>6.2} %");
        }
        if let Some(primary) = &answer.report.primary {
            let mark = if primary == region { "primary" } else { "" };
            let _ = write!(facts, "  {mark:7}");
        }
        let left = format!(
            "{:>4}  {NAME}{name}{NAME:#}{:padding$}{facts}",
            index + 1,
            "",
            NAME = style::NAME,
            padding = longest.saturating_sub(name.len())
        );
        let under = " ".repeat(6 + longest.max(name.len()) + facts.len());
        let known = answer.endpoints.get(name).map(Endpoints::known);
        let mut known = known.unwrap_or_default().into_iter();
        let mut line = |left: &str, right: Option<String>| {
            let line = format!("{left}  {}", right.unwrap_or_default());
            let _ = writeln!(text, "{}", line.trim_end());
        };
        line(&left, known.next());
        known.for_each(|more| line(&under, Some(more)));
    }
    text
}

impl Endpoints {
    /// What is known, a line each.
    fn known(&self) -> Vec<String> {
        let all = [
            ("health", &self.health),
            ("blue", &self.blue),
            ("green", &self.green),
        ];
        let known = all
            .into_iter()
            .filter_map(|(what, url)| Some((what, url.as_ref()?)));
        known.map(|(what, url)| format!("{what:6} {url}")).collect()
    }
}

/// Names the next region.
pub(super) fn failover(args: &FailoverArgs, invocation: &Invocation) -> Result<Exit, Failure> {
    let next = next_failover(invocation, &args.region)?;
    let (config, problems) = RegionConfig::read(invocation);
    problems
        .warnings
        .iter()
        .for_each(|warning| invocation.warn(warning));
    if !config
        .regions
        .iter()
        .any(|region| region.as_str() == args.region)
    {
        invocation.warn(&format!(
            "REGION: {} is not in REGIONS; {} is where the {} policy begins",
            halcyon_core::text::Seen(&args.region),
            next,
            config.policy
        ));
    }
    invocation.answer(|| next.to_string(), &serde_json::json!({ "region": next }))?;
    Ok(Exit::Done)
}
