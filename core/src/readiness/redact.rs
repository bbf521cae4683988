//! Keeps the values of variables named in `REQUIRED_ENVS` out of what `/ready` says.
//!
//! Whoever names a variable there may mean a secret, and a message about a wrong value quotes it.

use alloc::format;
use alloc::string::{String, ToString};

use crate::config::{Lookup, Problems, required_envs, value};

/// What is wrong, without the value of any variable named in `REQUIRED_ENVS`.
///
/// ```
/// use halcyon_core::config::startup_problems;
/// use halcyon_core::readiness::redact_problems;
///
/// let env = |name: &str| match name {
///     "REQUIRED_ENVS" => Some("TENANT_STICKY".into()),
///     "TENANT_STICKY" => Some("s3cret".into()),
///     _ => None,
/// };
/// let problems = startup_problems(&env);
/// assert!(problems.warnings[0].contains("s3cret"));
/// assert!(!redact_problems(problems, &env).warnings[0].contains("s3cret"));
/// ```
pub fn redact_problems(problems: Problems, lookup: Lookup<'_>) -> Problems {
    let required = required_envs(lookup);
    let shown = |message: String| redact(&message, &required, lookup);
    Problems {
        errors: problems.errors.into_iter().map(shown).collect(),
        warnings: problems.warnings.into_iter().map(shown).collect(),
    }
}

/// `message` without the value of any variable in `required`.
///
/// A message that begins with such a variable quotes its value; one that only mentions it quotes it
/// in the list of what is allowed. A variable that is unset has no value to hide.
pub(super) fn redact(message: &str, required: &[String], lookup: Lookup<'_>) -> String {
    let hidden = |name: &&String| value(lookup, name).is_some();
    let begins = |name: &&String| {
        message
            .strip_prefix(name.as_str())
            .is_some_and(|rest| rest.starts_with(':'))
    };
    if let Some(name) = required.iter().filter(hidden).find(begins) {
        return format!(
            "{name}: set to a value that is not allowed (not shown: REQUIRED_ENVS names it)"
        );
    }
    let mentioned = |name: &&String| words(message).any(|word| word == name.as_str());
    match (
        required.iter().filter(hidden).find(mentioned),
        message.rsplit_once("; allowed: "),
    ) {
        (Some(name), Some((before, _))) => {
            format!("{before} (values not shown: REQUIRED_ENVS names {name})")
        }
        _ => message.to_string(),
    }
}

/// The role check's error, which quotes `DEPLOY_RBAC_ROLE`.
pub(super) fn redact_role(message: String, required: &[String], lookup: Lookup<'_>) -> String {
    let named = required.iter().any(|name| name == "DEPLOY_RBAC_ROLE");
    if named && value(lookup, "DEPLOY_RBAC_ROLE").is_some() {
        String::from(
            "Invalid DEPLOY_RBAC_ROLE: (not shown: REQUIRED_ENVS names it); allowed: Deployer, Admin",
        )
    } else {
        message
    }
}

/// The journal's error, which names a file in the directory of `HALCYON_STORE`.
pub(super) fn redact_store(message: String, required: &[String], lookup: Lookup<'_>) -> String {
    let named = required.iter().any(|name| name == "HALCYON_STORE");
    match named && value(lookup, "HALCYON_STORE").is_some() {
        true => String::from("it cannot be read (not shown: REQUIRED_ENVS names HALCYON_STORE)"),
        false => message,
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}
