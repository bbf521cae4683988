//! Placement is total, and every answer is one the contract allows.

use halcyon_core::hash::{HashKey, TenantId};
use halcyon_core::placement::{RegionStatus, ReleaseView, Router, Slot};
use halcyon_core::release::{Phase, Weight};
use proptest::prelude::*;

fn statuses() -> impl Strategy<Value = RegionStatus> {
    prop_oneof![
        Just(RegionStatus::Up),
        Just(RegionStatus::Down),
        Just(RegionStatus::Draining),
        Just(RegionStatus::Forbidden)
    ]
}

fn routers() -> impl Strategy<Value = Router> {
    (1_usize..40, any::<bool>(), any::<bool>(), any::<[u8; 16]>()).prop_map(
        |(count, hash, ordered, key)| {
            let regions: Vec<String> = (0..count).map(|n| format!("r{n}")).collect();
            let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            Router::from_lookup(&|name| {
                Some(match name {
                    "REGIONS" => regions.join(","),
                    "PRIMARY_REGION" => regions[count / 2].clone(),
                    "TENANT_STICKY" if hash => "hash".into(),
                    "FAILOVER_POLICY" if !ordered => "round_robin".into(),
                    "TENANT_HASH_KEY" => key.clone(),
                    _ => return None,
                })
            })
            .unwrap()
        },
    )
}

proptest! {
    #[test]
    fn any_tenant_has_an_answer_that_is_the_best_there_is(
        router in routers(),
        tenant in "\\PC{1,40}|(?s:.{1,40})",
        health in proptest::collection::vec(statuses(), 0..50),
        percent in 0_i64..=100,
    ) {
        let tenant = TenantId::new(&tenant).unwrap();
        let slots = router.slot_rule(Some(ReleaseView { id: "r", phase: Phase::Canary, weight: Weight::new(percent).unwrap() }));
        let status = |index: usize| health.get(index).copied().unwrap_or_default();
        let best = [RegionStatus::Up, RegionStatus::Draining, RegionStatus::Down]
            .into_iter()
            .find(|wanted| (0..router.len()).any(|index| status(index) == *wanted));
        let found = router.route(tenant, &health, &slots);
        prop_assert_eq!(&router.explain(tenant, &health, &slots).outcome, &found);
        prop_assert_eq!(found.is_ok(), best.is_some());
        if let Ok(found) = found {
            let index = router.regions().position(|region| region == found.region).unwrap();
            prop_assert_eq!(Some(status(index)), best);
            prop_assert_eq!(found.preferred, router.preferred(tenant));
            prop_assert_eq!(found, router.route(tenant, &health, &slots).unwrap());
            let everywhere = router.route(tenant, &[], &slots).unwrap();
            prop_assert_eq!(found.slot, everywhere.slot, "failing over keeps the colour");
        }
    }

    #[test]
    fn a_tenant_joins_a_canary_once_and_stays(key in any::<[u8; 16]>(), h in any::<u64>(), release in any::<String>(), one in 0_i64..=100, two in 0_i64..=100) {
        let key = HashKey::from_bytes(key);
        let slot = |percent| {
            let view = ReleaseView { id: &release, phase: Phase::Canary, weight: Weight::new(percent).unwrap() };
            halcyon_core::placement::SlotRule::new(&key, Some(view)).slot(h)
        };
        let (less, more) = (one.min(two), one.max(two));
        prop_assert!(slot(less) == Slot::Blue || slot(more) == Slot::Green);
        prop_assert_eq!((slot(0), slot(100)), (Slot::Blue, Slot::Green));
    }

    #[test]
    fn a_tenant_id_is_accepted_exactly_up_to_its_longest(length in 0_usize..20_000) {
        let id = "x".repeat(length);
        prop_assert_eq!(TenantId::new(&id).is_ok(), (1..=16_384).contains(&length));
    }
}
