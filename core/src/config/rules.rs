//! `TENANT_RULES_FILE`.

use super::{Lookup, Problems, value};
use crate::placement::TenantRules;
use crate::region::RegionName;
use crate::text::Seen;

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
    match lookup.document(VARIABLE, &path) {
        Err(why) => {
            problems.error(VARIABLE, format_args!("{} {why}", Seen(&path)));
            TenantRules::default()
        }
        Ok(document) => {
            let (rules, found) = TenantRules::from_document(&document, regions);
            found
                .iter()
                .for_each(|why| problems.error(VARIABLE, format_args!("{} {why}", Seen(&path))));
            rules
        }
    }
}
