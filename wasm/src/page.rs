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

use crate::js::{Core, document, moment};
use crate::router::Failure;
use crate::tree::Tree;

/// An object whose JSON is the command line's.
fn object(value: &impl Serialize) -> Result<JsValue, String> {
    let tree = Tree::of(value).ok();
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

#[wasm_bindgen]
impl Core {
    // Where a tenant goes, step by step.
    pub fn explain(&self, tenant: &[u8], now: f64) -> Result<JsValue, String> {
        let Some(routing) = &self.routing else {
            return Ok(JsValue::NULL);
        };
        let slots = routing.slots(moment(now));
        object(
            &routing
                .router()
                .answer(text(tenant), routing.health(), slots, true),
        )
    }
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

// A journal, read to its end or to the first line that does not verify.
#[wasm_bindgen]
pub struct Replay {
    ledger: Ledger,
    lines: String,
    torn: u32,
    error: Option<String>,
}

#[wasm_bindgen]
impl Replay {
    #[wasm_bindgen(constructor)]
    pub fn new(journal: &[u8]) -> Replay {
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
        Self {
            ledger,
            // What has been read as JSON is UTF-8.
            lines: String::from_utf8(lines).unwrap_or_default(),
            torn,
            error,
        }
    }

    // The lines that verify.
    pub fn lines(&self) -> String {
        self.lines.clone()
    }

    // Bytes after the last newline.
    pub fn torn(&self) -> u32 {
        self.torn
    }

    // What does not verify.
    pub fn error(&self) -> Option<String> {
        self.error.clone()
    }

    // The state.
    pub fn status(&self, driver: bool) -> Result<JsValue, String> {
        object(&self.ledger.status(driver))
    }

    // What a person may ask for now.
    pub fn offers(&self, role: &[u8], kill_switch: bool) -> Result<JsValue, String> {
        let actor = person(role);
        object(
            &self
                .ledger
                .release()
                .offers(&context(&actor, kill_switch, "")),
        )
    }

    // What a command would do now.
    pub fn forecast(
        &self,
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
        let release = self.ledger.release();
        object(&release.forecast(&command, &context, moment(now)))
    }
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
