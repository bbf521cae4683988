//! Random tables and tenants.

#[path = "../vectors/random/settings.rs"]
mod settings;
#[path = "../vectors/random/tenants.rs"]
mod tenants;

use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;

use crate::cases::{Group, expected, table};
use crate::dice::Dice;
use crate::setting::tenant;

/// A table, and so many tenants with the core's answers.
pub(crate) fn group(dice: &mut Dice, count: usize) -> Group {
    let names = settings::random_names(dice);
    let ids: Vec<String> = (0..count).map(|_| tenants::random_tenant(dice)).collect();
    let setting = settings::random_setting(dice, &names, &ids[..count.min(20)]);
    let health = tenants::random_health(dice, names.len());
    let release = tenants::random_release(dice);
    let json = table(&setting, &health, release.as_ref());
    let native = Table::from_json(&json.to_string()).unwrap();
    let asks = ids.into_iter().map(|id| {
        let answer = expected(native.route(tenant(&id), Timestamp(0)));
        (id, answer)
    });
    Group {
        asks: asks.collect(),
        table: json.clone(),
    }
}
