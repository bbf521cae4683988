//! Releases killed with `kill -9` at random moments, then taken to their end by somebody else.
//!
//! `HALCYON_CRASH_RUNS` says how many (100), `HALCYON_CRASH_SEED` repeats the moments of an earlier
//! run; how far a release has come by then still depends on the machine.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use halcyon_tests::process::program;
use halcyon_tests::region::{Answer, Region};
use halcyon_tests::store::{Running, Store, json_lines, text};
use rustix::process::Signal;
use serde_json::Value;

const WEIGHTS: [i64; 3] = [10, 50, 100];
const AT_ONCE: usize = 3;

#[test]
fn a_release_killed_at_any_moment_is_taken_to_its_end_by_the_next_process() {
    let runs = number("HALCYON_CRASH_RUNS").unwrap_or(100).min(1000);
    let seed = number("HALCYON_CRASH_SEED").unwrap_or_else(|| {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        u64::try_from(since.as_nanos() & 0xffff_ffff).unwrap()
    });
    // Past the capture of the test runner: a seed nobody has seen repeats nothing.
    let say = |text: String| writeln!(std::io::stderr(), "{text}").unwrap();
    say(format!(
        "crash test: {runs} runs, HALCYON_CRASH_SEED={seed}"
    ));
    // Built before anything is measured.
    let _ = program();
    let lives: Vec<Duration> = (0..Scene::KINDS)
        .map(|kind| Scene::of_kind(kind, &mut Dice(seed)).life())
        .collect();
    let (next, tally) = (
        AtomicU64::new(0),
        Mutex::new(BTreeMap::<String, u32>::new()),
    );
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let run @ 0.. = next.fetch_add(1, Ordering::SeqCst)
                    && run < runs
                {
                    let mut dice = Dice(seed ^ (run + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
                    let kind = run % Scene::KINDS;
                    let killed =
                        Scene::of_kind(kind, &mut dice).run(&mut dice, lives[kind as usize]);
                    let mut tally = tally.lock().unwrap();
                    killed
                        .into_iter()
                        .for_each(|phase| *tally.entry(phase).or_default() += 1);
                }
            });
        }
    });
    say(format!(
        "crash test: kills by phase: {:?}",
        tally.into_inner().unwrap()
    ));
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Splitmix64: enough to draw moments with, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn moment(&mut self, within: Duration) -> Duration {
        Duration::from_micros(self.below(u64::try_from(within.as_micros()).unwrap()))
    }
}

/// One store with its release: what will be killed, and how it has to end.
struct Scene {
    store: Store,
    east: Region,
    west: Region,
    /// A region fails in the middle, so the release rolls back.
    fails: bool,
    hook: Option<&'static str>,
    image: String,
    /// In every process that belongs to it.
    mark: String,
}

const NOTE: &str = "echo $HALCYON_ACTION $HALCYON_REGION $HALCYON_WEIGHT >> hooked";
/// Slowest on the way back, so that a rollback is a good target too.
const SLOW_NOTE: &str = "sleep 0.01; [ $HALCYON_ACTION != rollback_to_blue ] || sleep 0.05; \
                         echo $HALCYON_ACTION $HALCYON_REGION $HALCYON_WEIGHT >> hooked";

impl Scene {
    /// Short and long records; no hook, a fast one and a slow one; going well and failing.
    const KINDS: u64 = 12;

    fn of_kind(kind: u64, dice: &mut Dice) -> Self {
        static MARK: AtomicU64 = AtomicU64::new(0);
        let fails = kind / 6 == 1;
        // A whole release asks six times a region.
        let west = if fails {
            Answer::ReadyFor(1 + usize::try_from(dice.below(4)).unwrap())
        } else {
            Answer::Ready
        };
        Self {
            store: Store::new(),
            east: Region::ready(),
            west: Region::answering(west),
            fails,
            hook: [None, Some(NOTE), Some(SLOW_NOTE)][usize::try_from(kind / 2 % 3).unwrap()],
            image: if kind % 2 == 1 {
                "x".repeat(4096 + usize::try_from(dice.below(61_000)).unwrap())
            } else {
                "app".into()
            },
            mark: format!(
                "crash-{}-{}",
                std::process::id(),
                MARK.fetch_add(1, Ordering::SeqCst)
            ),
        }
    }

    fn start(&self, arguments: &[String]) -> Running {
        self.store.start_with(
            arguments,
            &[
                ("PROBE_INTERVAL_MS", "10"),
                ("HALCYON_TEST_MARK", &self.mark),
            ],
        )
    }

    fn release(&self) -> Vec<String> {
        let (blue, green) = (format!("{}:1", self.image), format!("{}:2", self.image));
        let mut arguments: Vec<String> = [
            "release",
            "--abort-on-err",
            "--timeout-s",
            "0",
            "--canary-seq",
            "10,50,100",
        ]
        .into_iter()
        .chain(["--image-blue", &blue, "--image-green", &green])
        .chain(["--region", &self.east.at(), "--region", &self.west.at()])
        .map(str::to_owned)
        .collect();
        arguments.extend(
            self.hook
                .iter()
                .flat_map(|hook| ["--on-step".to_owned(), (*hook).to_owned()]),
        );
        arguments
    }

    /// How long it takes when nobody kills it.
    fn life(self) -> Duration {
        let begin = Instant::now();
        self.start(&self.release())
            .ended()
            .exits(if self.fails { 3 } else { 0 });
        let life = begin.elapsed();
        self.check(&[], self.fails);
        life
    }

    /// Kills it, perhaps kills who resumes it too, has it ended, and checks everything. Says in which
    /// phases it was killed.
    fn run(self, dice: &mut Dice, life: Duration) -> Vec<String> {
        let mut phases = Vec::new();
        let mut printed = Vec::new();
        let mut arguments = self.release();
        let resume = ["release", "--resume"].map(str::to_owned).to_vec();
        let mut left = life * 5 / 4;
        for _ in 0..1 + dice.below(3) {
            let within = if dice.below(5) == 0 {
                Duration::from_millis(8)
            } else {
                left
            };
            left = left * 2 / 3;
            let moment = dice.moment(within);
            let running = self.start(&arguments);
            if dice.below(4) == 0 {
                self.wait_for_a_write(moment);
            } else {
                thread::sleep(moment);
            }
            running.signal(Signal::KILL);
            let ran = running.ended();
            // A line without its newline was not yet said.
            printed.extend(
                ran.stdout
                    .split_inclusive('\n')
                    .filter(|line| line.ends_with('\n'))
                    .map(str::to_owned),
            );
            if ran.code != 137 {
                phases.push("over already".to_owned());
                break;
            }
            phases.push(self.phase());
            if self.store.lines().is_empty() {
                continue;
            }
            arguments = if dice.below(6) == 0 {
                rollback()
            } else {
                resume.clone()
            };
        }
        let by_hand = arguments[0] == "rollback";
        let ran = self
            .start(if by_hand { &arguments } else { &resume })
            .ended();
        printed.extend(ran.stdout.split_inclusive('\n').map(str::to_owned));
        let rolled_back =
            by_hand || self.fails || self.actions().contains(&"rollback_to_blue".to_owned());
        let expected = match (self.store.lines().is_empty(), by_hand, rolled_back) {
            (true, ..) => 2,
            (_, true, _) | (_, _, false) => 0,
            (_, false, true) => 3,
        };
        assert_eq!(
            ran.code,
            expected,
            "after {phases:?}: {}\n{:?}",
            ran.stderr,
            self.actions()
        );
        self.check(&printed, rolled_back);
        phases
    }

    /// Waits until the journal grows, looking as often as can be: a long record may be half written then.
    fn wait_for_a_write(&self, after: Duration) {
        let begin = Instant::now();
        let log = self.store.log();
        let length = || std::fs::metadata(&log).map_or(0, |found| found.len());
        thread::sleep(after / 2);
        let before = length();
        while length() == before && begin.elapsed() < after * 2 {}
    }

    fn actions(&self) -> Vec<String> {
        self.store
            .records()
            .iter()
            .map(|record| text(record, "action"))
            .collect()
    }

    /// Where it was, as the journal says, and whether it died in the middle of a write.
    fn phase(&self) -> String {
        let torn = if self.store.bytes().last().is_some_and(|byte| *byte != b'\n') {
            ", record torn"
        } else {
            ""
        };
        let records = self.store.records();
        match records.last() {
            None => format!("before the first record{torn}"),
            Some(last) => format!("{}{torn}", text(last, "state")),
        }
    }

    fn check(&self, printed: &[String], rolled_back: bool) {
        let store = &self.store;
        let bytes = store.bytes();
        let verified = store
            .run(&["audit", "verify", "-o", "json"])
            .exits(0)
            .json();
        let records = json_lines(&store.lines().join("\n"));
        assert_eq!(verified["records"], records.len());
        self.check_acknowledged(printed, &bytes);
        self.check_steps(&records, rolled_back);
        self.check_hooks(&records, rolled_back);
        self.check_nothing_runs();
    }

    /// What was printed is in the journal, in order.
    fn check_acknowledged(&self, printed: &[String], bytes: &[u8]) {
        let journal = String::from_utf8(bytes.to_vec()).unwrap();
        let mut lines = journal.split_inclusive('\n');
        for line in printed {
            assert!(
                lines.any(|known| known == line),
                "printed, but not in the journal in this order: {line}"
            );
        }
    }

    /// Each step once, in the plan's order, nothing raised after a rollback, and the right end.
    fn check_steps(&self, records: &[Value], rolled_back: bool) {
        let mut raised = Vec::new();
        let mut passed = Vec::new();
        let mut going_back = false;
        for record in records {
            match text(record, "action").as_str() {
                "start_canary" => raised.push(record["weight"].as_i64().unwrap()),
                "increase_weight" => raised.push(record["new_weight"].as_i64().unwrap()),
                "promote_green" => raised.push(1000),
                "step_passed" => passed.push(record["weight"].as_i64().unwrap()),
                "rollback_to_blue" => going_back = true,
                _ => continue,
            }
            let raises =
                !["rollback_to_blue", "step_passed"].contains(&record["action"].as_str().unwrap());
            assert!(!(going_back && raises), "raised after a rollback: {record}");
        }
        let plan = [&WEIGHTS[..], &[1000]].concat();
        assert!(plan.starts_with(&raised), "{raised:?}");
        assert!(WEIGHTS.starts_with(&passed), "{passed:?}");
        let Some(last) = records.last() else { return };
        let (state, blue) = if rolled_back {
            ("idle", ":1")
        } else {
            ("green_live", ":2")
        };
        assert_eq!(text(last, "state"), state, "{:?}", self.actions());
        assert_eq!(text(last, "blue_image"), format!("{}{blue}", self.image));
        assert_eq!(last["canary_weight"], if rolled_back { 0 } else { 100 });
        assert!(
            rolled_back || (raised == plan && passed == WEIGHTS),
            "{raised:?} {passed:?}"
        );
        assert_eq!(
            records
                .iter()
                .filter(|record| record["action"] == "provision_green")
                .count(),
            1
        );
    }

    /// Each region heard last what the journal ends with.
    fn check_hooks(&self, records: &[Value], rolled_back: bool) {
        if self.hook.is_none() || records.is_empty() {
            return;
        }
        let hooked = std::fs::read_to_string(self.store.dir().join("hooked")).unwrap_or_default();
        for region in [self.east.at(), self.west.at()] {
            let last = hooked
                .lines()
                .rfind(|line| line.split(' ').nth(1) == Some(&region));
            let action = if rolled_back {
                "rollback_to_blue"
            } else {
                "promote_green"
            };
            let weight = if rolled_back { 0 } else { 100 };
            assert_eq!(
                last,
                Some(&*format!("{action} {region} {weight}")),
                "{hooked}\n{:?}",
                self.actions()
            );
        }
    }

    /// No driver and no hook is left.
    fn check_nothing_runs(&self) {
        let mark = format!("HALCYON_TEST_MARK={}", self.mark).into_bytes();
        let begin = Instant::now();
        loop {
            let processes = std::fs::read_dir("/proc")
                .unwrap()
                .filter_map(|entry| Some(entry.ok()?.path()));
            let mut ours = processes.filter(|process| {
                let environment = std::fs::read(process.join("environ")).unwrap_or_default();
                environment
                    .split(|byte| *byte == 0)
                    .any(|variable| variable == mark)
            });
            let Some(process) = ours.next() else { return };
            assert!(
                begin.elapsed() < Duration::from_secs(3),
                "{} still runs",
                process.display()
            );
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn rollback() -> Vec<String> {
    ["rollback", "--reason", "by hand"]
        .map(str::to_owned)
        .to_vec()
}
