//! How an input becomes a journal: commands that the machine decides, and what somebody does to the file.

use halcyon_core::endpoint::Endpoint;
use halcyon_core::ledger::Ledger;
use halcyon_core::release::{
    Action, Check, Command, Context, Plan, Pools, RegionFailure, RegionTarget, Weight,
    parse_canary_seq,
};
use halcyon_core::role::Actor;
use halcyon_core::time::Timestamp;
use sha2::{Digest, Sha256};

/// The last moment a record can say.
const LAST: Timestamp = Timestamp(253_402_207_200_000);

/// A journal's file, and what wrote it.
pub(super) struct Script {
    pub(super) bytes: Vec<u8>,
    /// The state of whoever wrote it.
    pub(super) ledger: Ledger,
    /// Nobody but the machine wrote it.
    pub(super) untouched: bool,
    actor: Actor,
    now: Timestamp,
}

impl Script {
    /// Plays an input, a line a turn: a command with its arguments, or
    ///
    /// - `as USER ROLE` and `tick MS` for the turns behind it,
    /// - `forge JSON`: a line with a right hash; `$SEQ` and `$PREV` stand for the right ones,
    /// - `raw TEXT` and `torn TEXT`: bytes as they are, with and without a newline behind them,
    /// - `flip AT BIT`, `cut BYTES`, `again` (the last line once more).
    pub(super) fn play(input: &[u8]) -> Self {
        let mut script = Self {
            bytes: Vec::new(),
            ledger: Ledger::default(),
            untouched: true,
            actor: Actor {
                user: "ann".into(),
                role: "Deployer".into(),
            },
            now: Timestamp(1_759_397_400_000),
        };
        // A journal of more lines says nothing new.
        for line in input.split(|byte| *byte == b'\n').take(100) {
            let end = line
                .iter()
                .position(|byte| *byte == b' ')
                .unwrap_or(line.len());
            let (turn, rest) = (&line[..end], line.get(end + 1..).unwrap_or_default());
            match turn {
                b"forge" => script.forge(rest),
                b"raw" => script.touch([rest, b"\n"].concat()),
                b"torn" => script.touch(rest.to_vec()),
                _ => script.turn(
                    &String::from_utf8_lossy(turn),
                    &String::from_utf8_lossy(rest),
                ),
            }
        }
        script
    }

    fn touch(&mut self, bytes: Vec<u8>) {
        self.untouched = false;
        self.bytes.extend(bytes);
    }

    fn turn(&mut self, turn: &str, rest: &str) {
        let mut words = rest.split(' ');
        let mut number = || {
            words
                .next()
                .and_then(|word| word.parse().ok())
                .unwrap_or(0_usize)
        };
        match turn {
            "as" => {
                let (user, role) = rest.split_once(' ').unwrap_or((rest, ""));
                self.actor = Actor {
                    user: user.into(),
                    role: role.into(),
                };
            }
            "tick" => self.now = self.now.plus(number() as u64).min(LAST),
            "flip" => {
                let (at, bit) = (number(), number());
                let length = self.bytes.len().max(1);
                if let Some(byte) = self.bytes.get_mut(at % length) {
                    *byte ^= 1 << (bit % 8);
                    self.untouched = false;
                }
            }
            "cut" => {
                let left = self.bytes.len().saturating_sub(number());
                self.untouched &= left == self.bytes.len();
                self.bytes.truncate(left);
            }
            "again" => {
                let mut whole = self.bytes.split_inclusive(|byte| *byte == b'\n');
                let last = whole.next_back().unwrap_or_default().to_vec();
                self.touch(last);
            }
            _ => {
                if let Some(command) = command(turn, rest, self.ledger.release().weight()) {
                    self.give(&command);
                }
            }
        }
    }

    fn give(&mut self, command: &Command) {
        let id = format!("r{}", self.ledger.head().seq);
        let context = Context {
            actor: &self.actor,
            kill_switch: false,
            new_release_id: &id,
        };
        let release = self.ledger.release();
        let events = match release.decide(command, &context) {
            Ok(events) => events,
            Err(_) => release
                .denial(command, &context, self.now)
                .into_iter()
                .collect(),
        };
        let events = events
            .into_iter()
            .map(|event| (event.clone(), release.release_id_of(&event, &context)));
        let events = events.collect();
        let lines = self.ledger.write(events, &self.actor, None, self.now);
        self.bytes.extend_from_slice(lines.as_bytes());
    }

    /// A line as somebody writes it who can compute SHA-256.
    fn forge(&mut self, json: &[u8]) {
        let whole: Vec<&[u8]> = self.bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let last = whole.last().and_then(|line| line.strip_suffix(b"\"}\n"));
        let prev = last.and_then(|line| line.get(line.len().checked_sub(64)?..));
        let prev = prev.map(|prev| String::from_utf8_lossy(prev).into_owned());
        let json = String::from_utf8_lossy(json)
            .replace("$SEQ", &(whole.len() + 1).to_string())
            .replace("$PREV", &prev.unwrap_or_else(|| "0".repeat(64)));
        let body = json.strip_suffix('}').unwrap_or(&json);
        let line = format!("{body},\"hash\":\"{}\"}}", sha256(body.as_bytes()));
        self.touch([line.as_bytes(), b"\n"].concat());
        // What would be accepted is what the machine goes on from.
        let _ = self.ledger.accept(line.as_bytes());
    }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn command(turn: &str, rest: &str, weight: Weight) -> Option<Command> {
    let reason = rest.to_owned();
    let percent = || rest.parse().unwrap_or(-1);
    Some(match turn {
        "provision" => Command::ProvisionGreen {
            image: reason,
            blue_image: Some("app:v1".into()),
            plan: None,
        },
        "plan" => Command::ProvisionGreen {
            image: "app:v2".into(),
            blue_image: Some("app:v1".into()),
            plan: Some(plan(rest)?),
        },
        "canary" => Command::StartCanary { weight: percent() },
        "increase" => Command::IncreaseWeight { weight: percent() },
        "promote" => Command::PromoteGreen,
        "rollback" => Command::RollbackToBlue { reason },
        "pause" => Command::Pause { reason },
        "resume" => Command::Resume,
        "finish" => Command::FinishPlan,
        "confirm" => {
            let (region, change) = rest.split_once(' ')?;
            let all = [
                Action::ProvisionGreen,
                Action::StartCanary,
                Action::IncreaseWeight,
                Action::PromoteGreen,
                Action::RollbackToBlue,
            ];
            let change = all.into_iter().find(|action| action.name() == change)?;
            Command::ConfirmRegion {
                region: region.into(),
                change,
            }
        }
        "pass" => Command::PassStep {
            weight,
            baked_ms: percent().unsigned_abs(),
            rounds: 1,
            traffic: None,
        },
        "fail" => {
            let failures = vec![RegionFailure {
                region: "us-east".into(),
                why: reason,
            }];
            Command::FailStep {
                weight,
                check: Check::Bake,
                failures,
            }
        }
        "complete" => Command::CompleteRollback,
        "attach" => Command::AttachDriver,
        "detach" => Command::DetachDriver { reason },
        _ => return None,
    })
}

/// `10,50,100 ./hook`: the steps, and the hook where there is one.
fn plan(rest: &str) -> Option<Plan> {
    let (steps, hook) = rest
        .split_once(' ')
        .map_or((rest, None), |(steps, hook)| (steps, Some(hook)));
    let region = |name: &str| {
        let url = Endpoint::parse("http://10.0.0.1:8086").ok()?;
        Some(RegionTarget {
            name: name.into(),
            url,
            named: true,
            pools: Pools::default(),
        })
    };
    Some(Plan {
        weights: parse_canary_seq(steps).ok()?,
        regions: vec![region("us-east")?, region("eu-west")?],
        bake_ms: 1000,
        abort_on_err: true,
        on_step: hook.map(Into::into),
        on_step_dir: None,
        limits: None,
        by_server: false,
        deadline: None,
    })
}
