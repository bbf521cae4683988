//! Whether this instance may get traffic: every check of `/ready`, evaluated from configuration and
//! from what the host found out about dependencies.

mod redact;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

use crate::config::{Lookup, RegionReport, Settings, value};
use crate::region::RegionName;
use crate::role::Role;
use crate::text::for_screen;
use redact::{redact, redact_role, redact_store};

pub use redact::redact_problems;

/// What `/ready` answers. Serialises to its JSON body.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Readiness {
    /// `ready` or `not_ready`.
    pub status: &'static str,
    /// The checks.
    pub checks: Checks,
}

/// The checks of `/ready`; absent ones do not apply.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checks {
    /// `FEATURE_MULTI_REGION`.
    pub feature_multi_region: bool,
    /// `FEATURE_BLUE_GREEN` is `true`.
    pub feature_blue_green: bool,
    /// `REQUIRED_ENVS`: names only, never a value.
    pub required_envs: RequiredEnvs,
    /// The region configuration, with multi-region on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regions: Option<RegionsCheck>,
    /// The deploy role, with blue/green on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy_rbac: Option<RoleCheck>,
    /// The journal, with blue/green on, of a process that writes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub journal: Option<JournalCheck>,
    /// Dependencies by name, when `READINESS_CHECKS` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<BTreeMap<String, DependencyCheck>>,
    /// `draining` once shutdown has begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain: Option<&'static str>,
    /// The deadline over all checks.
    pub readiness_timeout_ms: u64,
    /// Fallbacks in force, when there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The `required_envs` check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequiredEnvs {
    /// Every name asked for.
    pub expected: Vec<String>,
    /// The names that are unset or empty.
    pub missing: Vec<String>,
    /// Nothing is missing.
    pub ok: bool,
}

/// The `regions` check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RegionsCheck {
    /// The configuration is valid.
    Valid {
        /// Always true.
        ok: bool,
        /// The regions in order.
        regions: Vec<RegionName>,
        /// The primary.
        primary: Option<RegionName>,
    },
    /// It is not.
    Invalid {
        /// Always false.
        ok: bool,
        /// The first 16 problems, joined by `; `, and how many more there are.
        error: String,
    },
}

/// The `deploy_rbac` check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum RoleCheck {
    /// The role may release.
    Valid {
        /// Always true.
        ok: bool,
        /// The role.
        role: &'static str,
    },
    /// It may not.
    Invalid {
        /// Always false.
        ok: bool,
        /// `Invalid DEPLOY_RBAC_ROLE: …`.
        error: String,
    },
}

/// What the host found out about the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JournalCheck {
    /// It could be read, and verifies as far as it was looked at.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the host found out about one dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DependencyCheck {
    /// It answered as it should.
    pub ok: bool,
    /// Milliseconds until the answer or the failure.
    pub latency_ms: u64,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Readiness {
    /// Evaluates every check. `dependencies` is what the host found, one entry for each of
    /// [`Settings::dependencies`]; a missing one counts as not answering.
    ///
    /// Another region being down is none of its business: readiness is about this instance.
    ///
    /// ```
    /// use halcyon_core::readiness::Readiness;
    ///
    /// let env = |name: &str| (name == "REQUIRED_ENVS").then(|| "DATABASE_URL".into());
    /// let readiness = Readiness::evaluate(&env, Default::default(), false);
    /// assert!(!readiness.is_ready());
    /// assert_eq!(readiness.checks.required_envs.missing, ["DATABASE_URL"]);
    /// ```
    pub fn evaluate(
        lookup: Lookup<'_>,
        mut dependencies: BTreeMap<String, DependencyCheck>,
        draining: bool,
    ) -> Self {
        let (settings, problems) = Settings::read(lookup);
        let missing: Vec<String> = settings
            .required_envs
            .iter()
            .filter(|name| value(lookup, name).is_none())
            .cloned()
            .collect();
        let required = &settings.required_envs;
        let report = RegionReport::read(lookup);
        let mut warnings: Vec<String> = Vec::new();
        for warning in problems.warnings.iter().chain(&report.warnings) {
            let warning = redact(warning, required, lookup);
            if !warnings.contains(&warning) {
                warnings.push(warning);
            }
        }
        let regions = settings
            .features
            .multi_region
            .then(|| check_regions(report, required, lookup));
        let deploy_rbac = (settings.features.blue_green == Some(true))
            .then(|| check_role(&settings.actor.role, required, lookup));
        for dependency in &settings.dependencies {
            dependencies
                .entry(dependency.name.clone())
                .or_insert_with(|| DependencyCheck {
                    ok: false,
                    latency_ms: settings.readiness_timeout_ms,
                    error: Some("timeout".to_string()),
                });
        }
        let checks = Checks {
            feature_multi_region: settings.features.multi_region,
            feature_blue_green: settings.features.blue_green == Some(true),
            required_envs: RequiredEnvs {
                ok: missing.is_empty(),
                expected: settings.required_envs,
                missing,
            },
            regions,
            deploy_rbac,
            journal: None,
            dependencies: (!dependencies.is_empty()).then_some(dependencies),
            drain: draining.then_some("draining"),
            readiness_timeout_ms: settings.readiness_timeout_ms,
            warnings,
        };
        let status = status(&checks);
        Self { status, checks }
    }

    /// The same with the journal of a process that writes one: `why` it cannot be read, if it cannot. Without
    /// blue/green on, nothing is said of it.
    ///
    /// ```
    /// use halcyon_core::readiness::Readiness;
    ///
    /// let env = |name: &str| match name {
    ///     "FEATURE_BLUE_GREEN" => Some("true".into()),
    ///     "DEPLOY_RBAC_ROLE" => Some("Deployer".into()),
    ///     _ => None,
    /// };
    /// let readiness = Readiness::evaluate(&env, Default::default(), false);
    /// assert!(readiness.clone().with_journal(None, &env).is_ready());
    /// let why = Some("journal logs/deploy_audit.log is corrupt: …".into());
    /// assert!(!readiness.with_journal(why, &env).is_ready());
    /// ```
    #[must_use]
    pub fn with_journal(mut self, why: Option<String>, lookup: Lookup<'_>) -> Self {
        if self.checks.feature_blue_green {
            let required = &self.checks.required_envs.expected;
            self.checks.journal = Some(JournalCheck {
                ok: why.is_none(),
                error: why.map(|why| redact_store(why, required, lookup)),
            });
            self.status = status(&self.checks);
        }
        self
    }

    /// Whether this instance may get traffic.
    pub fn is_ready(&self) -> bool {
        self.status == "ready"
    }

    /// The checks as text, a line each: `[+]name ok` or `[-]name failed: why`.
    pub fn verbose(&self) -> String {
        let blockers = self.checks.blockers();
        let mut text = String::new();
        for name in self.checks.names() {
            let shown = for_screen(&name);
            match blockers.iter().find(|(blocked, _)| *blocked == name) {
                None => text.push_str(&format!("[+]{shown} ok\n")),
                Some((_, why)) => {
                    text.push_str(&format!("[-]{shown} failed: {}\n", for_screen(why)));
                }
            }
        }
        for warning in &self.checks.warnings {
            text.push_str(&format!("[!]{}\n", for_screen(warning)));
        }
        text.push_str(if self.is_ready() {
            "ready\n"
        } else {
            "not ready\n"
        });
        text
    }
}

fn status(checks: &Checks) -> &'static str {
    match checks.blockers().is_empty() {
        true => "ready",
        false => "not_ready",
    }
}

impl Checks {
    fn names(&self) -> Vec<String> {
        let mut names = alloc::vec![String::from("required_envs")];
        names.extend(self.regions.as_ref().map(|_| String::from("regions")));
        names.extend(
            self.deploy_rbac
                .as_ref()
                .map(|_| String::from("deploy_rbac")),
        );
        names.extend(self.journal.as_ref().map(|_| String::from("journal")));
        names.extend(
            self.dependencies
                .iter()
                .flatten()
                .map(|(name, _)| format!("dependencies/{name}")),
        );
        names.extend(self.drain.map(|_| String::from("drain")));
        names
    }

    /// Every check that keeps traffic away, with why.
    pub fn blockers(&self) -> Vec<(String, String)> {
        let mut blockers = Vec::new();
        if !self.required_envs.ok {
            blockers.push((
                "required_envs".into(),
                format!("missing {}", joined(&self.required_envs.missing, ", ")),
            ));
        }
        if let Some(RegionsCheck::Invalid { error, .. }) = &self.regions {
            blockers.push(("regions".into(), error.clone()));
        }
        if let Some(RoleCheck::Invalid { error, .. }) = &self.deploy_rbac {
            blockers.push(("deploy_rbac".into(), error.clone()));
        }
        if let Some(error) = self.journal.as_ref().and_then(|check| check.error.clone()) {
            blockers.push(("journal".into(), error));
        }
        for (name, check) in self
            .dependencies
            .iter()
            .flatten()
            .filter(|(_, check)| !check.ok)
        {
            blockers.push((
                format!("dependencies/{name}"),
                check.error.clone().unwrap_or_default(),
            ));
        }
        if let Some(state) = self.drain {
            blockers.push(("drain".into(), state.into()));
        }
        blockers
    }
}

fn check_regions(report: RegionReport, required: &[String], lookup: Lookup<'_>) -> RegionsCheck {
    if report.valid {
        return RegionsCheck::Valid {
            ok: true,
            regions: report.regions,
            primary: report.primary,
        };
    }
    let shown = |error: &String| redact(error, required, lookup);
    let errors: Vec<String> = report.errors.iter().map(shown).collect();
    RegionsCheck::Invalid {
        ok: false,
        error: joined(&errors, "; "),
    }
}

/// The first of many, and how many more there are: whoever reads only 64 KiB still learns the cause.
fn joined(items: &[String], between: &str) -> String {
    const SHOWN: usize = 16;
    let (first, more) = items.split_at_checked(SHOWN).unwrap_or((items, &[]));
    match more.len() {
        0 => first.join(between),
        more => format!("{}{between}and {more} more", first.join(between)),
    }
}

fn check_role(role: &str, required: &[String], lookup: Lookup<'_>) -> RoleCheck {
    match Role::parse(role) {
        Ok(role) => RoleCheck::Valid {
            ok: true,
            role: role.name(),
        },
        Err(invalid) => RoleCheck::Invalid {
            ok: false,
            error: redact_role(invalid.to_string(), required, lookup),
        },
    }
}

#[cfg(test)]
mod tests;
