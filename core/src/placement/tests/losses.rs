//! Laws 5 and 7 over every health of up to four regions: a loss moves only those who were there, and a
//! region of weight 0 serves only where nothing else may.

use super::exhaustive::all_health;
use super::*;

#[test]
fn a_loss_moves_only_those_who_were_there_whatever_was_lost_before() {
    let tenants = tenants(12);
    for (count, policy, sticky) in (1..=4).flat_map(|count| {
        let rules = POLICIES
            .map(|policy| ["hash", "rendezvous", "primary"].map(|sticky| (count, policy, sticky)));
        rules.into_iter().flatten()
    }) {
        let router = with_rules(&[3, 0, 1, 1][..count], sticky, policy, count / 2, "{}");
        let answer = |tenant: &str, health: &[RegionStatus]| {
            let found = router
                .route(id(tenant), health, &no_release(&router))
                .ok()?;
            router
                .regions()
                .iter()
                .position(|region| region == found.region)
        };
        for health in all_health(count) {
            let up = (0..count).filter(|region| health[*region] == UP);
            for (lost, how) in
                up.flat_map(|lost| [DOWN, DRAINING, FORBIDDEN].map(|how| (lost, how)))
            {
                let mut after = health.clone();
                after[lost] = how;
                for tenant in &tenants {
                    let (was, is) = (answer(tenant, &health), answer(tenant, &after));
                    let first = answer(tenant, &[]);
                    // Who is displaced already is shared out anew by `round_robin`, and by it alone.
                    let shared_out = policy == "round_robin" && was != first;
                    assert!(
                        was == Some(lost) || was == is || shared_out,
                        "{tenant}: {was:?} to {is:?}, {sticky} {policy} {health:?} without r{lost}"
                    );
                    let others = after.contains(&UP);
                    assert!(
                        was != Some(lost) || !others || is != was,
                        "{tenant} stayed on r{lost}, which is {how:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn under_rendezvous_weight_0_is_chosen_only_where_no_allowed_region_with_a_weight_would_do() {
    let (tenants, mut spares) = (tenants(4), 0);
    for (count, weighted) in
        (1..=4).flat_map(|count| (0..1 << count).map(move |weighted| (count, weighted)))
    {
        let has_weight = |region: usize| weighted >> region & 1 == 1;
        let weights: Vec<u16> = (0..count)
            .map(|region| if has_weight(region) { 3 } else { 0 })
            .collect();
        for allowed in 1..1 << count {
            let is_allowed = |region: &usize| allowed >> region & 1 == 1;
            let names: Vec<String> = (0..count)
                .filter(is_allowed)
                .map(|region| format!("\"r{region}\""))
                .collect();
            let rules = format!(
                r#"{{"residency":[{{"tenant":"*","regions":[{}]}}]}}"#,
                names.join(",")
            );
            let router = with_rules(&weights, "rendezvous", "rendezvous", 0, &rules);
            let place = |name: &RegionName| {
                router
                    .regions()
                    .iter()
                    .position(|region| region == name)
                    .unwrap()
            };
            for health in all_health(count) {
                for tenant in &tenants {
                    let Ok(found) = router.route(id(tenant), &health, &no_release(&router)) else {
                        continue;
                    };
                    let (serves, preferred) = (place(found.region), place(found.preferred));
                    let better = |like: &dyn Fn(usize) -> bool| {
                        let mut allowed = (0..count).filter(is_allowed);
                        allowed.any(|region| has_weight(region) && like(region))
                    };
                    assert!(has_weight(preferred) || !better(&|_| true));
                    let as_well = |region: usize| health[region] == health[serves];
                    assert!(
                        has_weight(serves) || !better(&as_well),
                        "{weights:?} {names:?} {health:?}"
                    );
                    spares += u32::from(!has_weight(serves));
                }
            }
        }
    }
    assert!(spares > 1000, "a spare served {spares} times only");
}
