//! What other languages must match, computed by an implementation of its own in another language.

use super::*;
use crate::release::{Phase, Weight};

const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const ZERO: &str = "00000000000000000000000000000000";

/// Key, tenant, release, hash, index of three, bucket, index of two and of three survivors.
type Vector<'a> = (&'a str, &'a str, &'a str, u64, usize, u64, usize, usize);

#[test]
fn golden_vectors() {
    let long = "x".repeat(16_384);
    let vectors: [Vector<'_>; 12] = [
        (ZERO, "acme", "r1", 0x3dd3_f1b0_3a8a_ef94, 0, 1041, 1, 2),
        (ZERO, "tenant1", "r1", 0xbdb7_bc09_13e5_71a7, 2, 6989, 1, 0),
        (
            ZERO,
            "tenant2",
            "rel-2026-01-01",
            0x749c_800b_bad1_f0e3,
            1,
            1022,
            0,
            0,
        ),
        (ZERO, "tenant123", "r1", 0x2d89_1f91_ffb0_6cd3, 1, 523, 1, 0),
        (ZERO, "Zoë", "r1", 0x8aed_e47d_3844_1806, 0, 4084, 1, 1),
        (
            ZERO,
            &long,
            "rel-2026-01-01",
            0x98a1_e793_0706_effb,
            0,
            5215,
            1,
            1,
        ),
        (KEY, "acme", "r1", 0x78f9_3c00_892a_b6da, 0, 1341, 1, 0),
        (
            KEY,
            "tenant1",
            "rel-2026-01-01",
            0x50d2_bb5d_2d93_f5b8,
            0,
            6415,
            0,
            0,
        ),
        (KEY, "tenant2", "r1", 0x0caf_8d43_e58c_a230, 2, 2196, 0, 1),
        (
            KEY,
            "tenant123",
            "rel-2026-01-01",
            0x7fd3_93b5_4f84_7fc0,
            2,
            8994,
            0,
            2,
        ),
        (KEY, "Zoë", "r1", 0xcbe5_00c4_91cb_7773, 1, 6328, 1, 0),
        (KEY, &long, "r1", 0x5835_5233_d77f_c223, 2, 181, 1, 0),
    ];
    for (key, tenant, release, h, first, bucket, of_two, of_three) in vectors {
        let config = |regions| {
            let table = [
                ("REGIONS", regions),
                ("TENANT_STICKY", "hash"),
                ("FAILOVER_POLICY", "round_robin"),
                ("TENANT_HASH_KEY", key),
            ];
            Router::from_lookup(&env(&table)).unwrap()
        };
        let three = config("r0,r1,r2");
        let view = ReleaseView {
            id: release,
            phase: Phase::Canary,
            weight: Weight::new(50).unwrap(),
        };
        let slots = three.slot_rule(Some(view));
        assert_eq!(three.hash(id(tenant)), h, "{tenant:.20}");
        assert_eq!(index(&three, tenant, &[]), first, "{tenant:.20}");
        assert_eq!(slots.bucket(h), bucket, "{tenant:.20}");
        let slot = three.route(id(tenant), &[], &slots).unwrap().slot;
        assert_eq!(slot == Slot::Green, bucket < 5000, "{tenant:.20}");

        let mut health = [UP; 3];
        health[first] = DOWN;
        let survivors: Vec<usize> = (0..3).filter(|index| *index != first).collect();
        assert_eq!(
            index(&three, tenant, &health),
            survivors[of_two],
            "{tenant:.20}"
        );
        // With a region more whose status never changes, three survive wherever the first choice is.
        let four = config("r0,r1,r2,r3");
        let first = index(&four, tenant, &[]);
        let mut health = [UP; 4];
        health[first] = DOWN;
        let survivors: Vec<usize> = (0..4).filter(|index| *index != first).collect();
        assert_eq!(
            index(&four, tenant, &health),
            survivors[of_three],
            "{tenant:.20}"
        );
    }
}
