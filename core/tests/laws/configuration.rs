//! No environment makes a reading panic, echo much, or execute anything in a terminal.

use std::collections::BTreeMap;

use halcyon_core::config::{Settings, VARIABLES};
use halcyon_core::endpoint::Endpoint;
use halcyon_core::readiness::Readiness;
use halcyon_core::regions::{
    active_regions, next_failover, preferred_region, validate_region_config,
};
use halcyon_core::text::{Seen, ascii_json, for_screen, printable};
use proptest::prelude::*;

/// Values between right and wild.
fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "(us-east|us-west|eu|US-EAST|,| |\t|\u{a0}|=|http://|@|:80|x){0,8}",
        proptest::sample::select(vec![
            "true", "hash", "ordered", "0", "-1", "1e400", "a,a", "file:x", "80"
        ])
        .prop_map(String::from),
    ]
}

fn environments() -> impl Strategy<Value = BTreeMap<&'static str, String>> {
    let names: Vec<&'static str> = VARIABLES.iter().map(|variable| variable.name).collect();
    proptest::collection::btree_map(proptest::sample::select(names), values(), 0..20)
}

proptest! {
    #[test]
    fn every_problem_begins_with_a_variable_and_is_short_printable_text(environment in environments()) {
        let lookup = |name: &str| environment.get(name).cloned();
        let (_, settings) = Settings::read(&lookup);
        let report = validate_region_config(&lookup);
        let problems = settings.errors.iter().chain(&settings.warnings).chain(&report.errors).chain(&report.warnings);
        for problem in problems {
            let name = problem.split(": ").next().unwrap();
            prop_assert!(VARIABLES.iter().any(|variable| variable.name == name), "{}", problem);
            prop_assert!(problem.len() < 1000, "{}", problem);
            prop_assert!(!problem.chars().any(|c| c.is_control() || c == '\u{2028}' || c == '\u{202e}'), "{}", problem);
        }
        prop_assert_eq!(report.valid, report.errors.is_empty());
    }

    #[test]
    fn the_region_functions_agree_with_the_report(environment in environments(), tenant in "[a-z]{1,8}") {
        let lookup = |name: &str| environment.get(name).cloned();
        let report = validate_region_config(&lookup);
        if report.valid {
            prop_assert_eq!(active_regions(&lookup).unwrap(), report.regions.clone());
            let preferred = preferred_region(&lookup, &tenant).unwrap();
            prop_assert!(report.regions.contains(&preferred));
            let next = next_failover(&lookup, preferred.as_str());
            prop_assert_eq!(next.is_ok(), report.regions.len() > 1);
            prop_assert!(next.is_err() || next.unwrap() != preferred);
        } else {
            let only_primary = report.errors.iter().all(|error| error.starts_with("PRIMARY_REGION: unset"));
            prop_assert!(only_primary || preferred_region(&lookup, &tenant).is_err());
        }
    }

    #[test]
    fn readiness_never_shows_the_value_of_a_required_variable(mut environment in environments(), secret in "[A-Z]{3}[a-z]{12}") {
        // Names the secret may hide behind; the values of the others are the environment's.
        for name in ["FAILOVER_POLICY", "TENANT_STICKY", "CURRENT_REGION", "PRIMARY_REGION", "DEPLOY_RBAC_ROLE", "FEATURE_MULTI_REGION"] {
            environment.insert(name, secret.clone());
            environment.insert("REQUIRED_ENVS", name.into());
            let readiness = Readiness::evaluate(&|name: &str| environment.get(name).cloned(), BTreeMap::new(), false);
            let text = serde_json::to_string(&readiness).unwrap() + &readiness.verbose();
            prop_assert!(!text.contains(&secret), "{}: {}", name, text);
            environment.remove(name);
        }
    }

    #[test]
    fn a_value_shown_is_quoted_ascii_of_at_most_64_characters(text in any::<String>()) {
        let shown = Seen(&text).to_string();
        prop_assert!(shown.len() <= 66 && shown.is_ascii() && shown.starts_with('"') && shown.ends_with('"'), "{}", shown);
        prop_assert!(printable(&text).chars().all(|c| c.is_ascii() && !c.is_control()));
        prop_assert!(!for_screen(&text).chars().any(char::is_control));
    }

    #[test]
    fn a_password_in_a_url_is_never_shown(user in "[a-z]{0,5}", password in "[a-z]{3}[a-z0-9:/?#,@!% ]{0,20}[a-z]{3}", host in "[a-z]{1,10}") {
        prop_assume!(!password.contains("://") && !host.contains(&password) && !user.contains(&password));
        let url = format!("http://{user}:{password}@{host}/");
        prop_assert_eq!(Seen(&url).to_string(), format!("\"http://***@{host}/\""));
        if let Err(error) = Endpoint::parse(&url) {
            prop_assert!(!error.contains(&password), "{}", error);
        }
    }

    #[test]
    fn json_made_ascii_means_the_same(text in any::<String>()) {
        let ascii = ascii_json(&serde_json::to_string(&text).unwrap());
        prop_assert!(ascii.bytes().all(|byte| (0x20..0x7f).contains(&byte)));
        prop_assert_eq!(serde_json::from_str::<String>(&ascii).unwrap(), text);
    }

    #[test]
    fn an_endpoint_is_written_as_it_is_read(text in "(tcp|http|https|HTTP)://([a-z0-9.-]{1,12}|\\[::1\\])(:[0-9]{1,5})?(/[a-z?=&/]{0,12})?") {
        if let Ok(endpoint) = Endpoint::parse(&text) {
            let again = Endpoint::parse(&endpoint.to_string()).unwrap();
            prop_assert_eq!((endpoint.scheme(), endpoint.host(), endpoint.port()), (again.scheme(), again.host(), again.port()));
            prop_assert_eq!(again.to_string(), endpoint.to_string());
        }
    }
}
