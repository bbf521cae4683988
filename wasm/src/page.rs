//! What the dashboard's page calls besides what an edge does: the core's answers to people, as objects.
//! `js/page/` is in front of it.
#![allow(missing_docs, unreachable_pub)]

use alloc::string::String;
use alloc::vec::Vec;

use halcyon_core::ledger::{AuditReport, Head, Ledger};
use halcyon_core::release::{Command, Context};
use halcyon_core::role::Actor;
use halcyon_core::table::{Moves, Table};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::held::{Numbered, Single};
use crate::js::{document, moment, routing};
use crate::router::Failure;
use crate::tree::Tree;

/// An object whose JSON is the command line's.
fn object(value: &impl Serialize) -> Result<JsValue, String> {
    made(tree(value))
}

fn tree(value: &impl Serialize) -> Option<Tree> {
    Tree::of(value).ok()
}

fn made(tree: Option<Tree>) -> Result<JsValue, String> {
    let made = tree.and_then(|tree| tree.serialize(&Serializer::json_compatible()).ok());
    made.ok_or_else(|| {
        let why = String::from("a value that JSON has not");
        Failure::new("no_object", why).lines()
    })
}

/// Text as it comes in, which JavaScript has encoded.
fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

// Where a tenant goes, step by step.
#[wasm_bindgen]
pub fn explain(core: usize, tenant: &[u8], now: f64) -> Result<JsValue, String> {
    let Some(routing) = routing(core) else {
        return Ok(JsValue::NULL);
    };
    let slots = routing.slots(moment(now));
    let router = routing.router();
    object(&router.answer(text(tenant), routing.health(), slots, true))
}

// Who moves between two tables.
#[wasm_bindgen]
pub fn simulate(from: &[u8], to: &[u8], now: f64) -> Result<JsValue, String> {
    let table = |value: &[u8]| -> Result<Table, String> {
        let document = document(value).map_err(|why| why.lines())?;
        Table::from_document(&document).map_err(|why| {
            let code = "bad_table";
            let problems = why.problems;
            Failure { code, problems }.lines()
        })
    };
    object(&Moves::between(&table(from)?, &table(to)?, moment(now)))
}

// Whether a journal's chain holds.
#[wasm_bindgen]
pub fn verify(journal: &[u8], expected: Option<Vec<u8>>) -> Result<JsValue, String> {
    let expected = match &expected {
        Some(head) => {
            let head = Head::parse(text(head));
            Some(head.map_err(|why| Failure::new("bad_head", why).lines())?)
        }
        None => None,
    };
    object(&AuditReport::of(journal, expected.as_ref()))
}

/// A journal, read to its end or to the first line that does not verify.
struct Replay {
    ledger: Ledger,
    lines: String,
    torn: u32,
    error: Option<String>,
}

static REPLAYS: Single<Numbered<Replay>> = Single::new(Numbered::new());

/// What is asked of a journal; empty where nobody holds the number.
fn of<T: Default>(at: usize, ask: impl FnOnce(&Replay) -> T) -> T {
    REPLAYS.with(|replays| replays.get(at).map(ask).unwrap_or_default())
}

// Reads a journal: its number.
#[wasm_bindgen]
pub fn replay(journal: &[u8]) -> usize {
    let mut ledger = Ledger::default();
    let mut lines = Vec::new();
    let read = ledger.read(journal, |_, _, line| {
        lines.extend_from_slice(line);
        lines.push(b'\n');
    });
    let (torn, error) = match read {
        Ok(tail) => (u32::try_from(tail.len()).unwrap_or(u32::MAX), None),
        Err(why) => (0, Some(why.text())),
    };
    let replay = Replay {
        ledger,
        // What has been read as JSON is UTF-8.
        lines: String::from_utf8(lines).unwrap_or_default(),
        torn,
        error,
    };
    REPLAYS.with(|replays| replays.hold(replay))
}

// Nobody has the number any longer.
#[wasm_bindgen(js_name = dropReplay)]
pub fn drop_replay(at: usize) {
    REPLAYS.with(|replays| replays.drop(at));
}

// The lines that verify.
#[wasm_bindgen]
pub fn lines(at: usize) -> String {
    of(at, |replay| replay.lines.clone())
}

// Bytes after the last newline.
#[wasm_bindgen]
pub fn torn(at: usize) -> u32 {
    of(at, |replay| replay.torn)
}

// What does not verify.
#[wasm_bindgen]
pub fn error(at: usize) -> Option<String> {
    of(at, |replay| replay.error.clone())
}

// The state.
#[wasm_bindgen]
pub fn status(at: usize, driver: bool) -> Result<JsValue, String> {
    made(of(at, |replay| tree(&replay.ledger.status(driver))))
}

// What a person may ask for now.
#[wasm_bindgen]
pub fn offers(at: usize, role: &[u8], kill_switch: bool) -> Result<JsValue, String> {
    let actor = person(role);
    let context = context(&actor, kill_switch, "");
    made(of(at, |replay| {
        tree(&replay.ledger.release().offers(&context))
    }))
}

// What a command would do now.
#[wasm_bindgen]
pub fn forecast(
    at: usize,
    command: &[u8],
    argument: &[u8],
    role: &[u8],
    kill_switch: bool,
    now: f64,
) -> Result<JsValue, String> {
    let command = Command::of_person(text(command), text(argument));
    let command = command.map_err(|why| Failure::new("bad_command", why).lines())?;
    let actor = person(role);
    let context = context(&actor, kill_switch, "next");
    made(of(at, |replay| {
        let release = replay.ledger.release();
        tree(&release.forecast(&command, &context, moment(now)))
    }))
}

fn person(role: &[u8]) -> Actor {
    Actor {
        user: String::new(),
        role: String::from(text(role)),
    }
}

fn context<'a>(actor: &'a Actor, kill_switch: bool, id: &'a str) -> Context<'a> {
    Context {
        actor,
        kill_switch,
        new_release_id: id,
    }
}
