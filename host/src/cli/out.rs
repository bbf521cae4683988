//! Writing to stdout and stderr when losing the words must not change what the program does: a reader that
//! has gone or a full disk behind stderr is no reason to fail, let alone to panic.

use std::fmt::Display;
use std::io::Write;

/// A line on stderr, coloured where there is a terminal.
pub(super) fn talk(text: impl Display) {
    let mut stderr = anstream::stderr();
    let _ = writeln!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// A line on stdout, coloured where there is a terminal, from a program that has more to do than to
/// answer.
pub(super) fn tell(text: impl Display) {
    let mut stdout = anstream::stdout();
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}
