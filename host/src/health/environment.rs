//! Where variables come from.

use std::sync::Arc;

/// Looks up a variable by its name.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// The process's environment, and behind it the build metadata that was compiled in.
///
/// A value that is no UTF-8 is not dropped: its wrong bytes become U+FFFD, so that it is set for
/// `REQUIRED_ENVS` and refused where it means something.
pub fn environment() -> Environment {
    Arc::new(|name| match std::env::var_os(name) {
        Some(value) if !value.is_empty() => Some(value.to_string_lossy().into_owned()),
        _ => compiled_in(name).map(String::from),
    })
}

fn compiled_in(name: &str) -> Option<&'static str> {
    match name {
        "BUILD_VERSION" => option_env!("BUILD_VERSION"),
        "GIT_SHA" => option_env!("GIT_SHA"),
        "BUILD_DATE" => option_env!("BUILD_DATE"),
        _ => None,
    }
}
