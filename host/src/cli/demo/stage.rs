//! How the demo speaks: headings and prose for a person, objects for a program.

use serde_json::{Map, Value, json};

use super::super::style::{DIM, NAME};
use super::super::{Exit, Failure, Invocation, Output};
use super::super::{invocation, out};

/// The widest line of what is quoted.
const QUOTED_MAX: usize = 75;

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

    /// What a typed command goes on with on its next line.
    pub(super) fn typed_on(&self, command: &str) {
        self.line(&format!("   {DIM}    {command}{DIM:#}"));
    }

    /// What a command has said, broken where it would not fit on a terminal of 80 columns.
    pub(super) fn quoted(&self, text: &str) {
        let mut line = String::new();
        for word in text.split(' ') {
            if line.chars().count() + word.chars().count() > QUOTED_MAX {
                self.line(&format!("   {DIM}{line}{DIM:#}"));
                line = String::from("    ");
            }
            line = format!(
                "{line}{}{word}",
                if line.trim().is_empty() { "" } else { " " }
            );
        }
        self.line(&format!("   {DIM}{line}{DIM:#}"));
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

    /// The last words, when everything has ended, and the document.
    pub(super) fn close(self, exit: Exit, farewell: &str, kept: bool) -> Result<(), Failure> {
        let files = if kept { "" } else { " and every file removed" };
        self.line(&format!("\n{farewell} Every process is ended{files}."));
        if exit == Exit::Done {
            self.line(&format!(
                "{DIM}Next: halcyon --help, docs/, or a topology with your own regions.{DIM:#}"
            ));
        }
        // Half a story would look like one.
        if self.invocation.output == Output::Json && exit == Exit::Done {
            self.invocation
                .answer(String::new, &Value::Object(self.answers))?;
        }
        Ok(())
    }
}
