//! Records in words.

use halcyon_core::ledger::Record;
use halcyon_core::release::{Check, Event, RegionFailure, Weight};
use halcyon_core::text::for_screen;

use super::style::{BLUE, DIM, ERROR, GOOD, GREEN, WARN};

/// A record as one line: when, what, and by whom.
pub(super) fn line(record: &Record) -> String {
    let when = record.timestamp.to_string();
    let time = when.get(11..19).unwrap_or(&when);
    format!(
        "{DIM}{time}{DIM:#}  {}  {DIM}{}{DIM:#}",
        what(record),
        by(record)
    )
}

/// A record as one line with its date, its number and its author.
pub(super) fn long_line(record: &Record) -> String {
    format!(
        "{DIM}{:>5}  {}{DIM:#}  {}  {DIM}{}{DIM:#}",
        record.seq,
        record.timestamp,
        what(record),
        by(record)
    )
}

fn by(record: &Record) -> String {
    let user = short(&record.user);
    if record.deploy_role.is_empty() {
        user
    } else {
        format!("{user} ({})", short(&record.deploy_role))
    }
}

fn what(record: &Record) -> String {
    let image = |image: &Option<String>| short(image.as_deref().unwrap_or("nothing"));
    match &record.event {
        Event::ProvisionGreen { image_tag, .. } => {
            format!(
                "{GREEN}green{GREEN:#} {} beside {BLUE}blue{BLUE:#} {}",
                short(image_tag),
                image(&record.blue_image)
            )
        }
        Event::StartCanary { weight } => format!("{GREEN}green{GREEN:#} gets {weight} %"),
        Event::IncreaseWeight {
            old_weight,
            new_weight,
        } => {
            format!("{GREEN}green{GREEN:#} gets {new_weight} %, up from {old_weight} %")
        }
        Event::PromoteGreen { new_blue, skipped } if skipped.is_empty() => {
            format!("{GOOD}promoted{GOOD:#}: {} is live", short(new_blue))
        }
        Event::PromoteGreen { new_blue, skipped } => {
            format!(
                "{GOOD}promoted{GOOD:#} early: {} is live, without a pass at {} %",
                short(new_blue),
                weights(skipped)
            )
        }
        Event::RollbackToBlue {
            reason,
            old_state,
            old_weight,
        } => {
            format!(
                "{ERROR}rolling back{ERROR:#} from {old_state} at {old_weight} %: {}",
                short(reason)
            )
        }
        Event::RollbackComplete {} => format!(
            "{BLUE}blue{BLUE:#} {} serves everybody",
            image(&record.blue_image)
        ),
        Event::RegionConfirmed { region, change } => {
            format!("{} confirmed {change}", short(region))
        }
        Event::StepPassed {
            weight,
            baked_ms,
            rounds,
            traffic,
        } => {
            let seen = traffic.map(|seen| {
                let (requests, errors) = (seen.requests, seen.errors);
                format!(", {errors} of {requests} requests on green failed")
            });
            format!(
                "{GOOD}passed{GOOD:#} at {weight} %: {rounds} probe round(s) in {}{}",
                seconds(*baked_ms),
                seen.unwrap_or_default()
            )
        }
        Event::StepFailed {
            weight,
            check,
            failures,
        } => {
            let check = match check {
                Check::Smoke => "smoke test",
                Check::Hook => "step hook",
                Check::Bake => "bake",
            };
            format!(
                "{WARN}went on{WARN:#} though the {check} at {weight} % failed: {}",
                listed(failures)
            )
        }
        Event::Pause { reason } => format!("{WARN}paused{WARN:#}: {}", short(reason)),
        Event::Resume {} => "resumed".to_owned(),
        Event::AttachDriver {} => "a driver took over".to_owned(),
        Event::DetachDriver { reason } => format!("{WARN}held{WARN:#}: {}", short(reason)),
        Event::PermissionDenied { attempted, reason } => format!(
            "{ERROR}refused{ERROR:#} {}: {}",
            short(attempted),
            short(reason)
        ),
    }
}

fn listed(failures: &[RegionFailure]) -> String {
    short(
        &failures
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; "),
    )
}

/// Weights for a person: `2, 10, 25`.
pub(super) fn weights(weights: &[Weight]) -> String {
    weights
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Milliseconds for a person: `400 ms`, `1.4 s`, `2:05 min`.
pub(super) fn seconds(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..60_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{}:{:02} min", ms / 60_000, ms / 1000 % 60),
    }
}

/// Text from outside, safe for a screen and of bounded length.
pub(super) fn short(text: &str) -> String {
    const MAX: usize = 300;
    let mut shown: String = for_screen(&text.chars().take(MAX).collect::<String>());
    if text.chars().nth(MAX).is_some() {
        shown.push('…');
    }
    shown
}
