//! What a person is told may be asked for, against what the machine takes.

use super::*;
use alloc::format;

use crate::release::{Offer, PERSONS_COMMANDS};

fn offers(release: &Release, role: &str, kill_switch: bool) -> Vec<Offer> {
    let actor = actor(role);
    let context = Context {
        actor: &actor,
        kill_switch,
        new_release_id: "r1",
    };
    release.offers(&context)
}

/// The commands that are taken, with their weights.
fn taken(offers: &[Offer]) -> String {
    let taken = offers.iter().filter(|offer| offer.allowed);
    let words = taken.map(|offer| match &offer.weights {
        Some(weights) => format!(
            "{} {}..{}",
            offer.command,
            weights[0],
            weights[weights.len() - 1]
        ),
        None => offer.command.to_string(),
    });
    words.collect::<Vec<_>>().join(", ")
}

#[test]
fn each_state_offers_what_it_takes_and_says_why_not_the_rest() {
    let mut release = Release::default();
    let deployer = actor("Deployer");
    let context = Context {
        actor: &deployer,
        kill_switch: false,
        new_release_id: "r1",
    };
    let now = Timestamp(1);
    assert_eq!(
        taken(&offers(&release, "Admin", false)),
        "provision_green, rollback_to_blue"
    );
    release.provision_green("app:v2", &context, now).unwrap();
    let offered = offers(&release, "Deployer", false);
    assert_eq!(
        taken(&offered),
        "start_canary 0..100, rollback_to_blue, pause"
    );
    assert_eq!(
        offered[6].refusal.as_deref(),
        Some("Cannot resume: the release is not paused")
    );
    release.start_canary(25, &context, now).unwrap();
    let offered = offers(&release, "Deployer", false);
    assert_eq!(
        taken(&offered),
        "increase_weight 26..100, promote_green, rollback_to_blue, pause"
    );
    assert!(
        offered[0]
            .refusal
            .as_deref()
            .unwrap()
            .starts_with("Cannot provision green from state canary")
    );
    release.increase_weight(100, &context, now).unwrap();
    let offered = offers(&release, "Deployer", false);
    assert_eq!(
        offered[2].refusal.as_deref(),
        Some("New weight 100% must be greater than current 100%")
    );
    assert_eq!(
        taken(&offers(&release, "Deployer", true)),
        "rollback_to_blue, pause"
    );
    let refused = offers(&release, "Viewer", false);
    assert_eq!(refused.len(), PERSONS_COMMANDS.len());
    assert!(refused.iter().all(|offer| {
        offer
            .refusal
            .as_deref()
            .unwrap()
            .contains("Invalid DEPLOY_RBAC_ROLE")
    }));
}

#[test]
fn a_forecast_changes_nothing() {
    let release = Release::default();
    let deployer = actor("Deployer");
    let context = Context {
        actor: &deployer,
        kill_switch: false,
        new_release_id: "r1",
    };
    let provision = Command::of_person("provision_green", "app:v2").unwrap();
    let forecast = release.forecast(&provision, &context, Timestamp(1));
    assert_eq!((forecast.allowed, forecast.events.len()), (true, 1));
    assert_eq!(forecast.after.state, Phase::GreenProvisioned);
    assert_eq!(release, Release::default());
    let forecast = release.forecast(&Command::PromoteGreen, &context, Timestamp(1));
    assert!(!forecast.allowed && forecast.events.is_empty());
    assert_eq!(forecast.after, release.status());
}

#[test]
fn a_persons_command_is_read_by_its_name() {
    for name in PERSONS_COMMANDS {
        assert_eq!(Command::of_person(name, "7").unwrap().name(), name);
    }
    for (name, argument) in [
        ("start_canary", "1.5"),
        ("increase_weight", ""),
        ("finish_plan", ""),
        ("", ""),
    ] {
        assert!(Command::of_person(name, argument).is_err(), "{name}");
    }
}
