//! What a canary's weight is worth: real requests of many tenants through two releases and a lost region.
//!
//! `HALCYON_TENANTS` says how many (docs/performance.md has the figures of 100,000).

mod control;
mod traffic;

use std::io::Write;

use halcyon_core::release::{Command, Phase};

use crate::edge::Runtime;
use control::Control;
use traffic::{Seen, Traffic};

in_every_edge! { a_weight_is_a_share_of_requests_and_no_tenant_ever_goes_back }

/// What every tenant is asked for is so many; enough for the shares to mean something.
const TENANTS: usize = 2_000;

const STEPS: [i64; 4] = [2, 10, 25, 50];

fn a_weight_is_a_share_of_requests_and_no_tenant_ever_goes_back(runtime: Runtime) {
    let count = std::env::var("HALCYON_TENANTS").ok();
    let count = count.map_or(TENANTS, |count| count.parse().expect("a number"));
    let mut control = Control::start();
    let Some(traffic) = Traffic::start(runtime, &control, count) else {
        return;
    };
    let mut line = format!("{:<10} {count:>8}", format!("{runtime:?}"));
    control.give(Command::ProvisionGreen {
        image: "shop:v2".into(),
        blue_image: Some("shop:v1".into()),
        plan: None,
    });
    let blue = traffic.ask_everybody(&mut control);
    assert_eq!(greens(&blue), 0, "provisioned is not released");

    // The first release, step by step.
    let mut before = blue.clone();
    for weight in STEPS {
        control.give(match control.phase() {
            Phase::GreenProvisioned => Command::StartCanary { weight },
            _ => Command::IncreaseWeight { weight },
        });
        let seen = traffic.ask_everybody(&mut control);
        let share = greens(&seen) as f64 / count as f64;
        let wanted = weight as f64 / 100.0;
        let sigma = (wanted * (1.0 - wanted) / count as f64).sqrt();
        let off = (share - wanted) / sigma;
        line += &format!(" {:>7.3} ({off:+.1})", share * 100.0);
        assert!(off.abs() <= 3.0, "{weight} %: {line}");
        for (now, then) in seen.iter().zip(&before) {
            assert!(now.green || !then.green, "a tenant went back at {weight} %");
            assert_eq!(now.region, then.region, "a colour is no region");
        }
        before = seen;
    }

    // A region is lost: everybody keeps the colour, and only its tenants move.
    control.lose(Some("us-west"));
    let without = traffic.ask_everybody(&mut control);
    let moved = without.iter().zip(&before);
    let moved = moved.filter(|(now, then)| now.region != then.region);
    let moved: Vec<_> = moved.collect();
    let of_it = before.iter().filter(|seen| seen.region == 1).count();
    assert_eq!(moved.len(), of_it);
    for (now, then) in without.iter().zip(&before) {
        assert_eq!(now.green, then.green, "failing over changed a colour");
    }
    control.lose(None);
    assert_eq!(
        traffic.ask_everybody(&mut control),
        before,
        "exactly as it was"
    );
    line += &format!(" {:>9}", moved.len());

    // Taken back.
    let reason = String::from("a test");
    control.give(Command::RollbackToBlue { reason });
    let back = traffic.ask_everybody(&mut control);
    assert_eq!(back, blue, "a rollback is for everybody at once");
    line += &format!(" {:>14}", greens(&back));

    // Two releases one after the other: the pools change places, and nobody gets the version before.
    let mut old = 0;
    for version in ["shop:v3", "shop:v4"] {
        control.give(Command::ProvisionGreen {
            image: version.into(),
            blue_image: None,
            plan: None,
        });
        let serving = traffic.ask_everybody(&mut control);
        assert_eq!(greens(&serving), 0);
        control.give(Command::StartCanary { weight: 25 });
        let quarter = traffic.ask_everybody(&mut control);
        // Blue is where everybody was before.
        for (now, then) in quarter.iter().zip(&serving) {
            assert_eq!(now.pool == then.pool, !now.green);
        }
        control.give(Command::PromoteGreen);
        let live = traffic.ask_everybody(&mut control);
        assert_eq!(greens(&live), count);
        old += live
            .iter()
            .zip(&serving)
            .filter(|(now, then)| now.pool == then.pool)
            .count();
    }
    assert_eq!(old, 0, "requests that the version before has got");
    line += &format!(" {old:>7}\n");
    let head = format!(
        "{:<10} {:>8} {:>14} {:>14} {:>14} {:>14} {:>9} {:>14} {:>7}\n",
        "edge",
        "tenants",
        "2 % (sigma)",
        "10 %",
        "25 %",
        "50 %",
        "lost: of",
        "after rollback",
        "old"
    );
    std::io::stderr()
        .write_all((head + &line).as_bytes())
        .unwrap();
}

fn greens(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| seen.green).count()
}
