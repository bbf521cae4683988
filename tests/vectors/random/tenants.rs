//! Random tenants, health and releases.

use halcyon_core::placement::RegionStatus;
use halcyon_core::release::Phase;

use crate::dice::Dice;
use crate::setting::Seen;

/// Statuses in the order of the regions; a list that ends early leaves the others up.
pub(super) fn random_health(dice: &mut Dice, count: usize) -> Vec<RegionStatus> {
    const DOWN: [RegionStatus; 2] = [RegionStatus::Down, RegionStatus::Forbidden];
    const AWAY: [RegionStatus; 3] = [
        RegionStatus::Down,
        RegionStatus::Draining,
        RegionStatus::Forbidden,
    ];
    match dice.below(6) {
        0 => Vec::new(),
        // Of many regions mostly a few: thousands of words a case say little more.
        _ if count > 64 && dice.often(80) => {
            let mut health = vec![RegionStatus::Up; count];
            (0..4).for_each(|_| health[dice.below(count)] = *dice.pick(&AWAY));
            health
        }
        1 => vec![*dice.pick(&AWAY); count],
        2 => (0..count).map(|_| *dice.pick(&AWAY)).collect(),
        3 => (0..count).map(|_| *dice.pick(&DOWN)).collect(),
        4 => (0..dice.below(count + 1))
            .map(|_| *dice.pick(&RegionStatus::ALL))
            .collect(),
        _ => (0..count)
            .map(|_| {
                if dice.often(30) {
                    *dice.pick(&AWAY)
                } else {
                    RegionStatus::Up
                }
            })
            .collect(),
    }
}

pub(super) fn random_release(dice: &mut Dice) -> Option<Seen> {
    if dice.often(20) {
        return None;
    }
    let id = match dice.below(3) {
        0 => "r1".into(),
        1 => random_text(dice, 12),
        _ => format!("rel-{:x}", dice.next()),
    };
    Some(Seen {
        id,
        phase: if dice.often(50) {
            Phase::Canary
        } else {
            *dice.pick(&Phase::ALL)
        },
        weight: match dice.often(50) {
            true => *dice.pick(&[0, 1, 2, 10, 50, 99, 100]),
            false => dice.below(101) as i64,
        },
    })
}

/// Mostly short, in many scripts, often such that share a beginning; now and then up to the longest.
pub(super) fn random_tenant(dice: &mut Dice) -> String {
    match dice.below(400) {
        0..140 => format!("tenant{}", dice.below(100_000)),
        140..200 => (0..1 + dice.below(4))
            .map(|_| *dice.pick(&['a', 'b', 'c', 'ä', '*']))
            .collect(),
        200 => dice
            .pick(&["x", "ü", "日", "\u{1f426}"])
            .repeat(dice.below(4096) + 1),
        201 => "x".repeat(16_384 - dice.below(9)),
        202..230 => random_text(dice, 400),
        _ => random_text(dice, 24),
    }
}

/// One to `longest` characters of one or several scripts.
fn random_text(dice: &mut Dice, longest: usize) -> String {
    const SCRIPTS: [(u32, u32); 15] = [
        (0x20, 0x7e),
        (0x20, 0x7e),
        (0x00, 0x7f),
        (0x80, 0x24f),
        (0x300, 0x36f),
        (0x370, 0x3ff),
        (0x400, 0x4ff),
        (0x590, 0x6ff),
        (0x900, 0xdff),
        (0xe00, 0xe7f),
        (0x2000, 0x206f),
        (0x3040, 0x9fff),
        (0xac00, 0xd7a3),
        (0xfe00, 0xffff),
        (0x1_f300, 0x1_f9ff),
    ];
    let mut script = *dice.pick(&SCRIPTS);
    let mixed = dice.often(20);
    let mut text = String::new();
    for _ in 0..1 + dice.below(longest) {
        if mixed {
            script = if dice.often(20) {
                (0, 0x10_ffff)
            } else {
                *dice.pick(&SCRIPTS)
            };
        }
        let code = script.0 + dice.below((script.1 - script.0) as usize + 1) as u32;
        // The surrogates are no characters.
        text.push(char::from_u32(code).unwrap_or('\u{fffd}'));
    }
    text
}
