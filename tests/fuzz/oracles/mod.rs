//! What must hold of an input, whatever it is: more than that nothing panics.
//!
//! Each function reads its input with the production code and says of the result what the contract says,
//! computed a second time and plainly, by lists and loops. libFuzzer calls them with what it makes up,
//! `cargo test` with every file of `corpus/`.

mod configuration;
mod http;
mod http_head;
mod journal;
mod journal_script;
mod rules;
mod topology;

pub use configuration::configuration;
pub use http_head::http_head;
pub use journal::journal;
pub use rules::rules;
pub use topology::topology;

use halcyon_core::config::VARIABLES;

/// A message for people: one line that a terminal only shows, and never a long one.
fn is_one_short_line(text: &str) {
    let shown = |c: char| c == '…' || c.is_ascii_graphic() || c == ' ';
    assert!(text.chars().all(shown), "not printable: {text:?}");
    assert!(text.len() <= 1000, "{} bytes: {text}", text.len());
}

/// A problem of the configuration begins with a variable's name.
fn names_its_variable(problem: &str) {
    is_one_short_line(problem);
    let name = problem.split(": ").next().unwrap_or_default();
    let mut known = VARIABLES.iter().map(|variable| variable.name);
    assert!(known.any(|known| known == name), "{problem}");
}
