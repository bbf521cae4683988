//! `TENANT_RULES_FILE`.

use super::{Lookup, Problems, file, value};
use crate::placement::TenantRules;
use crate::region::RegionName;

const VARIABLE: &str = "TENANT_RULES_FILE";

/// The rules of the file, if the variable is set; everything wrong with it goes to `problems`.
pub(super) fn read_rules(
    lookup: Lookup<'_>,
    regions: &[RegionName],
    problems: &mut Problems,
) -> TenantRules {
    let Some(path) = value(lookup, VARIABLE) else {
        return TenantRules::default();
    };
    file(VARIABLE, &path, lookup.rules(&path, regions), problems)
}
