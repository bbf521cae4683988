//! Configuration: every variable read through one lookup function, every problem at once.
//!
//! [`RegionConfig::read`] reads what placement needs, [`Settings::read`] everything else, and
//! [`VARIABLES`] is the table of all of them. Nothing stops at the first problem, and a reading always
//! gives a value: with an error in it, the documented default. Whether an error stops a program is the
//! program's decision; [`startup_problems`] is what stops a server.

mod dashboard;
mod deployment;
mod edge;
mod endpoints;
mod environment;
mod filter;
mod lint;
mod networks;
mod policy;
mod regions;
mod rules;
mod settings;
mod topology;
mod variables;
mod weights;

#[cfg(test)]
mod tests;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Display, Write};

pub use dashboard::Dashboard;
pub use edge::{EdgeSettings, TableSource};
pub use environment::{Environment, Lookup};
pub use filter::{FilterSettings, TableAt};
pub use lint::OfFiles;
pub use policy::{FailoverPolicy, Sticky};
pub use regions::{RegionConfig, RegionReport};
pub use settings::{
    BuildInfo, Dependency, Features, LogFormat, RegionEndpoint, Settings, required_envs,
};
pub use topology::{Topology, TopologyRegion};
pub use variables::{REGION_VARIABLES, VARIABLES, Variable};

use crate::text::{Message, cut, message, trim};

pub(crate) use deployment::read_deployment;
pub(crate) use regions::{listed, read_regions, unset_primary};

/// What a reading found wrong (`errors`) or worth saying (`warnings`).
///
/// Each string is one line of at most 1,000 bytes: the variable's name, a colon, the value seen (escaped,
/// at most 64 characters, without credentials) and what is allowed.
///
/// ```
/// use halcyon_core::config::Settings;
///
/// let env = |name: &str| match name {
///     "HEALTH_PORT" => Some("65536".into()),
///     "FEATURE_BLUE_GREEN" => Some("on".into()),
///     _ => None,
/// };
/// let (settings, problems) = Settings::read(&env);
/// assert_eq!(problems.errors, [r#"HEALTH_PORT: "65536" is no number in range; allowed: 0 to 65535"#]);
/// assert_eq!(problems.warnings, [r#"FEATURE_BLUE_GREEN: "on" counts as false; allowed: true, false, 1, 0"#]);
/// assert_eq!(settings.health_port, 8086, "the default");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Problems {
    /// Each makes the configuration unusable for what asked.
    pub errors: Vec<String>,
    /// Each was answered with a documented fallback.
    pub warnings: Vec<String>,
}

impl Problems {
    pub(crate) fn error(&mut self, variable: &str, what: impl Say) {
        what.say(variable, &mut self.errors);
    }

    pub(crate) fn warn(&mut self, variable: &str, what: impl Say) {
        what.say(variable, &mut self.warnings);
    }

    /// Whether an error is about this variable.
    pub fn about(&self, variable: &str) -> bool {
        let mut errors = self.errors.iter();
        errors.any(|error| is_about(error, variable))
    }

    /// Takes over everything `other` found.
    pub fn merge(&mut self, other: Problems) {
        self.errors.extend(other.errors);
        self.warnings.extend(other.warnings);
    }
}

/// Whether a problem is about this variable.
pub(crate) fn is_about(problem: &str, variable: &str) -> bool {
    problem
        .strip_prefix(variable)
        .is_some_and(|rest| rest.as_bytes().first() == Some(&b':'))
}

/// What a line can say of a variable.
pub(crate) trait Say {
    /// Adds the line.
    fn say(self, variable: &str, lines: &mut Vec<String>);
}

/// Of what an edge may have to say, with what goes before it: one copy for all of them.
impl Say for Message<'_> {
    #[inline(always)]
    fn say(self, variable: &str, lines: &mut Vec<String>) {
        self.say_of(variable, lines);
    }
}

/// A finished text.
pub(crate) struct Said(String);

impl Say for Said {
    fn say(self, variable: &str, lines: &mut Vec<String>) {
        message!("{}", &self.0).say_of(variable, lines);
    }
}

impl<T: Display> Say for T {
    fn say(self, variable: &str, lines: &mut Vec<String>) {
        let mut line = String::from(variable);
        // Writing to a String cannot fail.
        let _ = write!(line, ": {self}");
        lines.push(line);
    }
}

/// What keeps a server from starting (`errors`), and what it says when it does (`warnings`).
///
/// A malformed variable and one that asks for what this version does not have are errors. Which
/// regions there are and which of them is the primary is for `/ready` to report, not for this. So is,
/// where `REGIONS` is wrong, that another variable names a region that is not in it.
///
/// ```
/// use halcyon_core::config::startup_problems;
///
/// let env = |name: &str| match name {
///     "REGIONS" => Some("not a region".into()),
///     "DRAIN_MS" => Some("soon".into()),
///     _ => None,
/// };
/// let problems = startup_problems(&env);
/// assert_eq!(problems.errors, [r#"DRAIN_MS: "soon" is no number in range; allowed: 0 to 3600000"#]);
/// ```
pub fn startup_problems(lookup: Lookup<'_>) -> Problems {
    let (_, mut problems) = Settings::read(lookup);
    let (_, mut about_regions) = RegionConfig::read(lookup);
    // A name that REGIONS misspells is missing wherever it is spelt well: one mistake, and REGIONS's.
    let misspelt = about_regions.about("REGIONS");
    about_regions.errors.retain(|error| {
        !(is_about(error, "REGIONS")
            || is_about(error, "PRIMARY_REGION")
            || (misspelt && error.contains("\" is not in REGIONS; "))
            || problems.errors.contains(error))
    });
    about_regions
        .warnings
        .retain(|warning| !problems.warnings.contains(warning));
    problems.merge(about_regions);
    problems
}

/// What the file at `path` says, as far as it could be read; everything wrong with it goes to `problems`.
pub(crate) fn file<T: Default>(
    variable: &str,
    path: &str,
    read: Result<(T, Vec<String>), String>,
    problems: &mut Problems,
) -> T {
    let (content, found) = match read {
        Ok(read) => read,
        Err(why) => (T::default(), Vec::from([why])),
    };
    for why in &found {
        problems.error(variable, message!("{?} {}", path, why));
    }
    content
}

/// The value of `name`, with an empty one counting as unset.
pub(crate) fn value(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup.variable(name).filter(|value| !value.is_empty())
}

/// The items of a comma-separated list: ASCII blanks (space, tab) around an item dropped.
pub(crate) fn items(list: &str) -> Items<'_> {
    Items(Some(list))
}

/// What is left of a list.
#[derive(Clone)]
pub(crate) struct Items<'l>(Option<&'l str>);

impl<'l> Iterator for Items<'l> {
    type Item = &'l str;

    fn next(&mut self) -> Option<&'l str> {
        let list = self.0?;
        let (item, rest) = match cut(list, b',') {
            Some((item, rest)) => (item, Some(rest)),
            None => (list, None),
        };
        self.0 = rest;
        Some(trim(item))
    }
}

/// How many items there are that are not empty.
pub(crate) fn count_of(list: &str) -> usize {
    let mut count = 0_usize;
    for item in items(list) {
        count = count.saturating_add(usize::from(!item.is_empty()));
    }
    count
}
