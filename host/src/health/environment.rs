//! Where variables come from.

use std::sync::Arc;

use halcyon_core::config;
use halcyon_core::document::Document;

use crate::documents::Documents;

/// Looks up variables, and the files they name. A function
/// `|name: &str| -> Option<String>` in an [`Arc`] is one.
pub type Environment = Arc<dyn config::Environment + Send + Sync>;

/// The process's environment, and behind it the build metadata that was compiled in.
///
/// A value that is no UTF-8 is not dropped: its wrong bytes become U+FFFD, so that it is set for
/// `REQUIRED_ENVS` and refused where it means something. A file that a variable names is read once.
pub fn environment() -> Environment {
    Arc::new(Process::default())
}

#[derive(Default)]
struct Process(Documents);

impl config::Environment for Process {
    fn variable(&self, name: &str) -> Option<String> {
        match std::env::var_os(name) {
            Some(value) if !value.is_empty() => Some(value.to_string_lossy().into_owned()),
            _ => compiled_in(name).map(String::from),
        }
    }

    fn document(&self, variable: &str, path: &str) -> Result<Document, String> {
        self.0.read(variable, path)
    }
}

fn compiled_in(name: &str) -> Option<&'static str> {
    match name {
        "BUILD_VERSION" => option_env!("BUILD_VERSION"),
        "GIT_SHA" => option_env!("GIT_SHA"),
        "BUILD_DATE" => option_env!("BUILD_DATE"),
        _ => None,
    }
}
