//! A configuration as a vector has it: the variables, and the rules that `TENANT_RULES_FILE` would name.

use halcyon_core::config::Environment;
use halcyon_core::document::Document;
use halcyon_core::hash::TenantId;
use halcyon_core::placement::{
    Placement, RegionStatus, ReleaseView, ResidencyUnavailable, Router, SlotRule,
};
use halcyon_core::release::{Phase, Weight};
use serde_json::Value;

use crate::json;

#[derive(Debug, Clone, Default)]
pub(crate) struct Setting {
    env: Vec<(String, String)>,
    /// JSON text.
    rules: Option<String>,
}

impl Environment for Setting {
    fn variable(&self, name: &str) -> Option<String> {
        if name == "TENANT_RULES_FILE" {
            return self.rules.is_some().then(|| "rules.json".into());
        }
        let found = self.env.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone())
    }

    fn document(&self, _: &str, _: &str) -> Result<Document, String> {
        Document::from_json(self.rules.as_deref().unwrap_or_default())
    }
}

impl Setting {
    /// The variables that are not empty.
    pub(crate) fn new<V: Into<String>>(env: impl IntoIterator<Item = (&'static str, V)>) -> Self {
        let env = env
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            env: env
                .filter(|(_, value): &(String, String)| !value.is_empty())
                .collect(),
            rules: None,
        }
    }

    pub(crate) fn with_rules(mut self, rules: impl Into<String>) -> Self {
        self.rules = Some(rules.into());
        self
    }

    /// Whether a variable is set.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.variable(name).is_some()
    }

    /// Its members of a group: `env`, and `rules` where there are any.
    pub(crate) fn write(&self) -> Vec<(&'static str, String)> {
        let env: Vec<(&String, String)> = self
            .env
            .iter()
            .map(|(name, value)| (name, json::text(value)))
            .collect();
        let mut members = vec![("env", json::object(&env))];
        members.extend(self.rules.iter().map(|rules| ("rules", rules.clone())));
        members
    }

    /// The setting of a group.
    pub(crate) fn read(group: &Value) -> Self {
        let env = group["env"].as_object().expect("env");
        let env = env
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().unwrap().into()));
        Self {
            env: env.collect(),
            rules: group.get("rules").map(Value::to_string),
        }
    }

    pub(crate) fn router(&self) -> Router {
        Router::from_lookup(self).unwrap_or_else(|why| panic!("{why}\n{self:?}"))
    }
}

pub(crate) type Answer<'r> = Result<Placement<'r>, ResidencyUnavailable>;

pub(crate) fn tenant(id: &str) -> TenantId<'_> {
    TenantId::new(id).unwrap()
}

/// The answer's members in a case.
pub(crate) fn write_answer(answer: Answer<'_>) -> Vec<(&'static str, String)> {
    match answer {
        Err(_) => vec![("error", json::text("residency_unavailable"))],
        Ok(found) => vec![
            ("region", json::text(found.region.as_str())),
            ("preferred", json::text(found.preferred.as_str())),
            ("slot", json::text(found.slot.name())),
            ("reason", json::text(found.reason.name())),
        ],
    }
}

pub(crate) fn write_health(health: &[RegionStatus]) -> String {
    json::texts(health.iter().map(|status| status.name()))
}

/// The health of a case, in the order of `REGIONS`; none is everything up.
pub(crate) fn read_health(value: &Value) -> Vec<RegionStatus> {
    let words = value.as_array().into_iter().flatten();
    words
        .map(|word| RegionStatus::parse(word.as_str().unwrap()).unwrap())
        .collect()
}

/// A release as placement looks at it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) phase: Phase,
    pub(crate) weight: i64,
}

impl Seen {
    pub(crate) fn rule(&self, router: &Router) -> SlotRule {
        router.slot_rule(Some(ReleaseView {
            id: &self.id,
            phase: self.phase,
            weight: Weight::new(self.weight).unwrap(),
        }))
    }

    pub(crate) fn write(&self) -> String {
        json::object(&[
            ("id", json::text(&self.id)),
            ("state", json::text(self.phase.name())),
            ("weight", self.weight.to_string()),
        ])
    }
}
