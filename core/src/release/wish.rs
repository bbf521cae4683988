//! A release as a client of the control API wishes for it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Limits, P95_MAX_MS, Plan, RegionTarget, Weight, parse_rate};
use crate::document::{Document, Members};
use crate::endpoint::Endpoint;
use crate::text::{count, message};

/// The longest time a step may bake, in seconds.
pub const BAKE_MAX_S: u64 = 7 * 86_400;

/// How long a step bakes where nobody says, in seconds.
const BAKE_S: u64 = 60;

const KEYS: [&str; 8] = [
    "image_blue",
    "image_green",
    "canary_seq",
    "regions",
    "abort_on_err",
    "timeout_s",
    "max_error_rate",
    "max_p95_ms",
];

/// What `POST /api/v1/releases` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The image that serves now, needed only while the journal knows none.
    pub image_blue: Option<String>,
    /// The image that is to serve.
    pub image_green: String,
    /// How it is to go: driven by the server.
    pub plan: Plan,
}

impl Wish {
    /// Reads a wish. Regions are names of those that are `known`, or addresses that are theirs once they are
    /// parsed; where none are given, all of them. So nobody makes a server ask whom its configuration does not
    /// name.
    ///
    /// ```
    /// use halcyon_core::document::Document;
    /// use halcyon_core::endpoint::Endpoint;
    /// use halcyon_core::release::{Pools, RegionTarget, Wish};
    ///
    /// let url = Endpoint::parse("http://10.0.0.1:8086").unwrap();
    /// let known = [RegionTarget { name: "us-east".into(), url, named: true, pools: Pools::default() }];
    /// let body = Document::from_json(r#"{"image_green":"app:v2","canary_seq":[10,100],"regions":["10.0.0.1"]}"#);
    /// let wish = Wish::from_document(&body.unwrap(), &known, 8086).unwrap();
    /// assert_eq!(wish.plan.regions[0].name, "us-east");
    ///
    /// let body = Document::from_json(r#"{"image_green":"","canary_seq":[10,10],"regions":["169.254.169.254"]}"#);
    /// assert_eq!(Wish::from_document(&body.unwrap(), &known, 8086).unwrap_err().len(), 3);
    /// ```
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn from_document(
        document: &Document,
        known: &[RegionTarget],
        health_port: u16,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let wish = read(document, known, health_port, &mut problems);
        match (wish, problems.is_empty()) {
            (Some(wish), true) => Ok(wish),
            _ => Err(problems),
        }
    }
}

fn read(
    document: &Document,
    known: &[RegionTarget],
    health_port: u16,
    problems: &mut Vec<String>,
) -> Option<Wish> {
    let mut members = Members::of(document, "the body", &KEYS, problems)?;
    let image_blue = members.text_if_any("image_blue");
    let image_green = members.text("image_green");
    for (key, image) in [("image_blue", image_blue), ("image_green", image_green)] {
        if image == Some("") {
            members.problem(message!(
                "has \"{}\" = \"\"; allowed: 1 to 65536 bytes without NUL",
                key
            ));
        }
    }
    let steps = members.list("canary_seq").unwrap_or_default();
    let weights = read_steps(steps, &mut members);
    let regions = match members.get("regions") {
        None => known.to_vec(),
        Some(_) => read_regions(known, health_port, &mut members),
    };
    if regions.is_empty() && known.is_empty() {
        members.problem(message!(
            "has no region to go to: none is configured with an address; allowed: REGION_ENDPOINTS, or \"health\" in the topology"
        ));
    }
    let abort_on_err = match members.get("abort_on_err") {
        None => false,
        Some(Document::Bool(abort)) => *abort,
        Some(other) => {
            members.wrong("abort_on_err", other, "true, false");
            false
        }
    };
    let timeout_s = match members.get("timeout_s") {
        None => BAKE_S,
        Some(_) => members.whole("timeout_s", 0, BAKE_MAX_S),
    };
    let limits = read_limits(&mut members);
    let limited = ["max_error_rate", "max_p95_ms"].map(|key| members.get(key).is_some());
    if limited.contains(&true) && !abort_on_err {
        members.problem(message!(
            "has limits and not \"abort_on_err\" = true; allowed: both, as a release that breaks a limit goes back"
        ));
    }
    Some(Wish {
        image_blue: image_blue.map(ToString::to_string),
        image_green: image_green?.to_string(),
        plan: Plan {
            weights,
            regions,
            bake_ms: timeout_s.saturating_mul(1_000),
            abort_on_err,
            on_step: None,
            on_step_dir: None,
            limits,
            by_server: true,
            deadline: None,
        },
    })
}

/// What green's traffic must keep to, where the wish says something of it.
fn read_limits(members: &mut Members<'_, '_>) -> Option<Limits> {
    let max_errors_ppm = members.get("max_error_rate").and_then(|rate| {
        let ppm = match rate {
            Document::Fraction(text) => parse_rate(&decimal(text)).ok(),
            _ => None,
        };
        if ppm.is_none() {
            let allowed = "more than 0 and less than 1, in steps of 0.000001";
            members.wrong("max_error_rate", rate, allowed);
        }
        ppm
    });
    let max_p95_ms = members.get("max_p95_ms");
    let limits = Limits {
        max_errors_ppm,
        max_p95_ms: max_p95_ms.map(|_| members.whole("max_p95_ms", 1, P95_MAX_MS)),
    };
    (!limits.is_empty()).then_some(limits)
}

/// A fraction without an exponent, as some programs write small ones with it.
fn decimal(text: &str) -> String {
    let number: Option<f64> = text.parse().ok();
    match number.filter(|_| text.contains(['e', 'E'])) {
        Some(number) => format!("{number:.9}"),
        None => text.to_string(),
    }
}

fn read_steps(steps: &[Document], members: &mut Members<'_, '_>) -> Vec<Weight> {
    const RULE: &str = "whole numbers from 0 to 100, strictly rising, at least one";
    let mut weights: Vec<Weight> = Vec::new();
    if steps.is_empty() && members.get("canary_seq").is_some() {
        members.problem(message!("has an empty \"canary_seq\"; allowed: {}", RULE));
    }
    for (index, step) in steps.iter().enumerate() {
        let weight = match step {
            Document::Integer(percent) => Weight::new(*percent),
            _ => None,
        };
        let rising = |weight: &Weight| weights.last().is_none_or(|before| before < weight);
        match weight.filter(rising) {
            Some(weight) => weights.push(weight),
            None => {
                let (place, seen) = (count(index.saturating_add(1)), step.seen());
                members.problem(message!(
                    "has {} as item {} of \"canary_seq\"; allowed: {}",
                    &seen,
                    &place,
                    RULE
                ));
                // What follows a wrong one would be called wrong for its sake.
                break;
            }
        }
    }
    weights
}

fn read_regions(
    known: &[RegionTarget],
    health_port: u16,
    members: &mut Members<'_, '_>,
) -> Vec<RegionTarget> {
    let items = members.list("regions").unwrap_or_default();
    let mut regions: Vec<RegionTarget> = Vec::new();
    if items.is_empty() {
        members.problem(message!(
            "has an empty \"regions\"; allowed: names of configured regions, or no \"regions\" for all of them"
        ));
    }
    for item in items {
        let found = match item {
            Document::Text(text) => find(text, known, health_port),
            _ => None,
        };
        let seen = item.seen();
        match found {
            None => members.problem(message!(
                "has {} in \"regions\"; allowed: names of configured regions that have an address, and these addresses",
                &seen
            )),
            Some(found) if regions.iter().any(|before| before.name == found.name) => {
                members.problem(message!("has {} in \"regions\" again; allowed: each region once", &seen));
            }
            Some(found) => regions.push(found.clone()),
        }
    }
    regions
}

fn find<'k>(text: &str, known: &'k [RegionTarget], health_port: u16) -> Option<&'k RegionTarget> {
    let by_name = known.iter().find(|region| region.name == text);
    by_name.or_else(|| {
        let address = Endpoint::parse_region(text, health_port).ok()?;
        known.iter().find(|region| region.url == address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::Pools;

    fn known() -> Vec<RegionTarget> {
        let region = |(name, url): (&str, &str)| RegionTarget {
            name: name.into(),
            url: Endpoint::parse(url).unwrap(),
            named: true,
            pools: Pools::default(),
        };
        [
            ("us-east", "http://10.0.0.1:8086"),
            ("eu-west", "https://[fd00::1]:9/x"),
        ]
        .map(region)
        .into()
    }

    fn wish(json: &str) -> Result<Wish, Vec<String>> {
        Wish::from_document(&Document::from_json(json).unwrap(), &known(), 8086)
    }

    #[test]
    fn a_wish_goes_to_the_regions_it_names_and_without_names_to_all() {
        let names = |regions: &str| -> Vec<String> {
            let json = alloc::format!(r#"{{"image_green":"b","canary_seq":[0,50]{regions}}}"#);
            let plan = wish(&json).unwrap().plan;
            assert!(plan.by_server && !plan.abort_on_err && plan.bake_ms == 60_000);
            plan.regions.into_iter().map(|region| region.name).collect()
        };
        assert_eq!(names(""), ["us-east", "eu-west"]);
        assert_eq!(names(r#","regions":["eu-west"]"#), ["eu-west"]);
        assert_eq!(
            names(r#","regions":["http://10.0.0.1:8086/ready"]"#),
            ["us-east"]
        );
        assert_eq!(
            names(r#","regions":["https://[fd00::1]:9/x","10.0.0.1:8086"]"#),
            ["eu-west", "us-east"]
        );
    }

    #[test]
    fn an_address_that_is_no_configured_regions_is_refused() {
        for other in [
            "10.0.0.2",
            "http://10.0.0.1:80",
            "https://10.0.0.1:8086",
            "10.0.0.1:8087",
            "http://10.0.0.1:8086/x",
            "http://u@10.0.0.1:8086",
            "http://167772161:8086",
            "http://0x0a000001:8086",
            "http://10.0.1:8086",
            "us-East",
            "",
            "http://10.0.0.1:8086@169.254.169.254",
            "http://[::ffff:10.0.0.1]:8086",
        ] {
            let json = serde_json::json!({"image_green":"b","canary_seq":[1],"regions":[other]});
            let problems = wish(&json.to_string()).unwrap_err();
            assert!(
                problems.len() == 1 && problems[0].contains("\"regions\""),
                "{other}: {problems:?}"
            );
        }
    }

    #[test]
    fn limits_are_read_and_need_a_release_that_goes_back() {
        let limits = |more: &str| {
            let json =
                format!(r#"{{"image_green":"b","canary_seq":[50],"abort_on_err":true{more}}}"#);
            wish(&json).map(|wish| wish.plan.limits)
        };
        assert_eq!(limits(""), Ok(None));
        let both = limits(r#","max_error_rate":0.01,"max_p95_ms":250"#)
            .unwrap()
            .unwrap();
        assert_eq!(both.max_errors_ppm, Some(10_000));
        assert_eq!(both.max_p95_ms, Some(250));
        let small = limits(r#","max_error_rate":1e-05"#).unwrap().unwrap();
        assert_eq!((small.max_errors_ppm, small.max_p95_ms), (Some(10), None));
        for (wrong, says) in [
            (
                r#","max_error_rate":1"#,
                "\"max_error_rate\" = 1; allowed: more than 0",
            ),
            (
                r#","max_error_rate":0.0"#,
                "\"max_error_rate\" = 0; allowed",
            ),
            (r#","max_error_rate":"1%""#, "\"max_error_rate\""),
            (r#","max_error_rate":1e40"#, "\"max_error_rate\""),
            (r#","max_p95_ms":0"#, "from 1 to 600000"),
            (r#","max_p95_ms":1,"abort_on_err":false"#, "twice"),
        ] {
            let problems = limits(wrong).unwrap_err().join("\n");
            assert!(problems.contains(says), "{wrong}: {problems}");
        }
        let json = r#"{"image_green":"b","canary_seq":[50],"max_p95_ms":9}"#;
        assert!(wish(json).unwrap_err()[0].contains("not \"abort_on_err\" = true"));
    }

    #[test]
    fn everything_wrong_with_a_wish_is_said_at_once() {
        let problems = wish(
            r#"{"image_gren":"b","image_blue":"","canary_seq":[5,5,"x"],"regions":["us-east","us-east",7],"abort_on_err":"yes","timeout_s":-1}"#,
        )
        .unwrap_err();
        let all = problems.join("\n");
        for part in [
            "unknown key \"image_gren\"; did you mean \"image_green\"?",
            "no \"image_green\"",
            "\"image_blue\" = \"\"",
            "has 5 as item 2 of \"canary_seq\"",
            "\"us-east\" in \"regions\" again",
            "has 7 in \"regions\"",
            "\"abort_on_err\" = \"yes\"",
            "\"timeout_s\" = -1; allowed: whole numbers from 0 to 604800",
        ] {
            assert!(all.contains(part), "{part}\n{all}");
        }
        assert!(wish("[]").unwrap_err()[0].contains("an object with"));
        assert!(wish(r#"{"image_green":"b","canary_seq":[]}"#).unwrap_err()[0].contains("empty"));
    }
}
