//! Every vector and a million random cases, answered alike.

use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use crate::cases::{Expected, Group, of_file, reason_name, slot_name};
use crate::dice::Dice;
use crate::edge::{Answer, Edge};

/// The vector files that ask where a tenant goes. The others are about the hash alone, crowds of these
/// same answers, and machines that no edge has.
pub(crate) const FILES: [&str; 5] = [
    "placement.json",
    "orders.json",
    "rules.json",
    "routing.json",
    "slots.json",
];

const RANDOM: usize = 1_000_000;
/// Cases that share a table.
const TOGETHER: usize = 500;

/// What an answer of the C ABI says, as far as the case says something of it.
pub(crate) fn differs(group: &Group, answer: Answer, expected: &Expected) -> bool {
    let regions = group.regions();
    match &expected.region {
        Err(()) => !matches!(answer.error, 5 | 6),
        Ok(region) => {
            answer.error != 0
                || regions.get(answer.region) != Some(&region.as_str())
                || expected
                    .slot
                    .as_ref()
                    .is_some_and(|slot| slot != slot_name(answer.slot))
                || expected
                    .reason
                    .as_ref()
                    .is_some_and(|reason| reason != reason_name(answer.reason))
        }
    }
}

/// Asks one instance everything, one table after the other.
pub(crate) fn compare(edge: &mut Edge, epoch: &mut u64, group: &Group) -> usize {
    *epoch += 1;
    assert_eq!(edge.take(&group.binary(*epoch)), 0, "{}", group.table);
    for (id, expected) in &group.asks {
        let answer = edge.ask(id.as_bytes(), 0);
        assert!(
            !differs(group, answer, expected),
            "{answer:?} for {id:?}, expected {expected:?}, under {}",
            group.table
        );
    }
    group.asks.len()
}

#[test]
fn the_module_answers_every_vector_like_the_core() {
    let (mut edge, mut epoch) = (Edge::new(), 0);
    for name in FILES {
        let groups = vectors(name);
        let cases: usize = groups
            .iter()
            .map(|group| compare(&mut edge, &mut epoch, group))
            .sum();
        assert!(cases > 500, "{name}: {cases}");
        println!("{name}: {cases} cases, 0 differences");
    }
}

#[test]
fn the_module_answers_1_000_000_random_cases_like_the_core() {
    let seed = seed("module", RANDOM);
    let compared: usize = std::thread::scope(|scope| {
        let part = |part: u64| {
            scope.spawn(move || {
                let mut dice = Dice(seed.rotate_left(17) ^ part);
                let (mut edge, mut epoch) = (Edge::new(), 0);
                let groups = (0..RANDOM / TOGETHER / 2).map(|_| {
                    let group = crate::random::group(&mut dice, TOGETHER);
                    compare(&mut edge, &mut epoch, &group)
                });
                groups.sum::<usize>()
            })
        };
        let parts: Vec<_> = (0..2).map(part).collect();
        let joined = parts.into_iter().map(|part| part.join());
        joined
            .map(|compared| compared.unwrap_or_else(|_| panic!("HALCYON_RANDOM_SEED={seed}")))
            .sum()
    });
    assert_eq!(compared, RANDOM);
}

/// The questions of a vector file.
pub(crate) fn vectors(name: &str) -> Vec<Group> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(name);
    of_file(name, &std::fs::read_to_string(path).unwrap())
}

/// The seed of random cases, shown past the capture of the test runner: one that nobody has seen repeats
/// nothing.
pub(crate) fn seed(of: &str, cases: usize) -> u64 {
    let given = std::env::var("HALCYON_RANDOM_SEED").ok();
    let now = || {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since.unwrap().as_nanos() as u64 & 0xffff_ffff
    };
    let seed = given.map_or_else(now, |seed| seed.parse().expect("a number"));
    let say = format!("random cases for the {of}: {cases}, HALCYON_RANDOM_SEED={seed}\n");
    std::io::stderr().write_all(say.as_bytes()).unwrap();
    seed
}
