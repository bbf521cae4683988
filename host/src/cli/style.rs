//! The few styles of a terminal. `anstream` drops them where there is none, and under `NO_COLOR`.

use anstyle::{AnsiColor, Style};

/// `error:`
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
pub(super) const WARN: Style = AnsiColor::Yellow.on_default().bold();
/// What went well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// Blue, the role.
pub(super) const BLUE: Style = AnsiColor::Blue.on_default().bold();
/// Green, the role.
pub(super) const GREEN: Style = AnsiColor::Green.on_default().bold();
/// Names of things.
pub(super) const NAME: Style = Style::new().bold();
/// What matters less.
pub(super) const DIM: Style = Style::new().dimmed();
