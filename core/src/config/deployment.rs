//! `HALCYON_DEPLOYMENT`.

use alloc::string::String;

use super::{Lookup, Problems, value};
use crate::region::{NAME_RULE, is_name};
use crate::text::message;

const VARIABLE: &str = "HALCYON_DEPLOYMENT";

/// The deployment that tables are for, or whose tables an edge takes. `None` where none is named.
pub(crate) fn read_deployment(lookup: Lookup<'_>, problems: &mut Problems) -> Option<String> {
    let name = value(lookup, VARIABLE)?;
    if is_name(&name) {
        return Some(name);
    }
    let what = message!(
        "{?} is not a deployment's name; allowed: {}",
        &name,
        NAME_RULE
    );
    problems.error(VARIABLE, what);
    None
}
