//! What every command needs to know of how it was called.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use halcyon_core::config::{Environment, Problems, Settings};
use halcyon_core::document::Document;
use halcyon_core::text::ascii_json;
pub(super) use halcyon_core::text::json;
use serde::Serialize;

use super::{Failure, Output, out, style};
use crate::documents::Documents;

/// How the program was called: the environment, and where answers go.
pub struct Invocation {
    /// How to answer.
    pub output: Output,
    /// Whether stdout is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether stderr is a terminal.
    pub stderr_is_terminal: bool,
    overrides: Vec<(&'static str, String)>,
    documents: Arc<Documents>,
}

impl Invocation {
    /// From this process's environment.
    pub fn from_environment(output: Output) -> Self {
        Self {
            output,
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            overrides: Vec::new(),
            documents: Arc::default(),
        }
    }

    /// The same with a flag that outranks a variable.
    #[must_use]
    pub fn with(&self, flags: &[(&'static str, Option<String>)]) -> Self {
        let set = flags
            .iter()
            .filter_map(|(name, value)| Some((*name, value.clone()?)));
        // The newest first: the first one is in force.
        let overrides = set.chain(self.overrides.iter().cloned());
        Self {
            overrides: overrides.collect(),
            documents: self.documents.clone(),
            ..*self
        }
    }

    /// The same with the journal that a flag names: whoever names one means that one, and no control plane's.
    pub fn over_store(&self, store: Option<String>) -> Self {
        if store.is_some() && self.has_server() {
            self.say("--store: the journal here is meant, and HALCYON_SERVER is not asked");
        }
        let nowhere = store.as_ref().map(|_| String::new());
        self.with(&[("HALCYON_STORE", store), ("HALCYON_SERVER", nowhere)])
    }

    /// The same for what is a control plane's to do where one is set: no journal here is looked at then, wherever
    /// `HALCYON_STORE` has it.
    #[must_use]
    pub fn over_server(&self) -> Self {
        let nowhere = self.has_server().then(String::new);
        self.with(&[("HALCYON_STORE", nowhere)])
    }

    fn has_server(&self) -> bool {
        let server = self.variable("HALCYON_SERVER");
        server.is_some_and(|at| !at.is_empty())
    }

    /// Every variable that is not about placement; warnings are shown.
    ///
    /// # Errors
    /// Everything malformed, at once.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let (settings, problems) = Settings::read(self);
        self.check(problems)?;
        Ok(settings)
    }

    /// The same for a command that says or ends what is under way, which needs to know where the journal is: any
    /// other variable that is malformed is a warning, as it may keep nobody from going back to blue.
    ///
    /// # Errors
    /// Everything malformed, at once, where `HALCYON_STORE` is.
    pub fn settings_of_store(&self) -> Result<Settings, Failure> {
        let (settings, mut problems) = Settings::read(self);
        if !problems.about("HALCYON_STORE") {
            problems.warnings.append(&mut problems.errors);
        }
        self.check(problems)?;
        Ok(settings)
    }

    /// Shows warnings and turns errors into a failure.
    ///
    /// # Errors
    /// When there are errors.
    pub fn check(&self, problems: Problems) -> Result<(), Failure> {
        if problems.errors.is_empty() {
            problems
                .warnings
                .iter()
                .for_each(|warning| self.warn(warning));
            return Ok(());
        }
        Err(Failure::usage(problems.errors))
    }

    /// The directory of the journal.
    ///
    /// # Errors
    /// As [`settings_of_store`](Self::settings_of_store).
    pub fn store_dir(&self) -> Result<PathBuf, Failure> {
        Ok(PathBuf::from(self.settings_of_store()?.store_dir))
    }

    /// Shows a warning on stderr.
    pub fn warn(&self, text: &str) {
        match self.output {
            Output::Human => out::talk(format_args!(
                "{WARN}warning:{WARN:#} {text}",
                WARN = style::WARN
            )),
            Output::Json | Output::Jsonl => {
                let object = serde_json::json!({ "warning": text });
                out::talk(ascii_json(&object.to_string()));
            }
        }
    }

    /// Says something that is no answer, to a person only.
    pub fn say(&self, text: impl std::fmt::Display) {
        if self.output == Output::Human {
            out::talk(text);
        }
    }

    /// Writes an answer: the human text, or the object as one line of JSON.
    ///
    /// # Errors
    /// When stdout is gone.
    pub fn answer(
        &self,
        human: impl FnOnce() -> String,
        object: &impl Serialize,
    ) -> Result<(), Failure> {
        let mut stdout = anstream::stdout();
        match self.output {
            Output::Human => {
                let text = human();
                if !text.is_empty() {
                    writeln!(stdout, "{}", text.trim_end_matches('\n'))?;
                }
            }
            Output::Json | Output::Jsonl => writeln!(stdout, "{}", json(object))?,
        }
        stdout.flush()?;
        Ok(())
    }
}

impl Environment for Invocation {
    /// A flag's value if it was given, else the variable's. What is no UTF-8 is read with U+FFFD in its
    /// place, which no variable allows where it matters.
    fn variable(&self, name: &str) -> Option<String> {
        let flag = self
            .overrides
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.clone());
        flag.or_else(|| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn document(&self, variable: &str, path: &str) -> Result<Document, String> {
        self.documents.read(variable, path)
    }
}
