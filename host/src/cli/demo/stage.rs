//! How the demo speaks: headings and prose for a person, objects for a program.

use serde_json::{Map, Value, json};

use super::super::style::{DIM, NAME};
use super::super::{Failure, Invocation, Output};
use super::super::{invocation, out};

/// The demo's voice.
pub(super) struct Stage<'a> {
    invocation: &'a Invocation,
    scene: u32,
    answers: Map<String, Value>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(invocation: &'a Invocation) -> Self {
        Self {
            invocation,
            scene: 0,
            answers: Map::new(),
        }
    }

    pub(super) fn output(&self) -> Output {
        self.invocation.output
    }

    /// A new scene.
    pub(super) fn scene(&mut self, title: &str) {
        self.scene += 1;
        self.line(&format!("\n{NAME}{}. {title}{NAME:#}", self.scene));
    }

    /// A command as a person would type it.
    pub(super) fn typed(&self, command: &str) {
        self.line(&format!("   {DIM}$ {command}{DIM:#}"));
    }

    /// A line of prose.
    pub(super) fn line(&self, text: &str) {
        if self.invocation.output == Output::Human {
            out::tell(text);
        }
    }

    /// A fact for a program: at once under jsonl, in the document at the end under json.
    pub(super) fn fact(&mut self, name: &str, value: Value) {
        if self.invocation.output == Output::Jsonl {
            out::tell(invocation::json(&json!({ name: value })));
        }
        self.answers.insert(name.to_owned(), value);
    }

    /// The document at the end.
    pub(super) fn close(self) -> Result<(), Failure> {
        if self.invocation.output == Output::Json {
            self.invocation
                .answer(String::new, &Value::Object(self.answers))?;
        }
        Ok(())
    }
}
