//! What somebody probably meant.

use alloc::string::String;
use alloc::vec::Vec;

use crate::text::{beginning, message};

/// The one of `known` that is written most like `seen`, if any is alike: at most a third of its
/// characters, and at least one, may have to be inserted, deleted, replaced or exchanged with its
/// neighbour, and some of either must be left.
///
/// ```
/// use halcyon_core::document::nearest;
/// assert_eq!(nearest("residancy", ["residency", "pins", "slots"]), Some("residency"));
/// assert_eq!(nearest("colour", ["residency", "pins", "slots"]), None);
/// assert_eq!((nearest("c", ["a", "b"]), nearest("", ["a", "b"])), (None, None));
/// ```
///
/// Source of the distance: Damerau, "A technique for computer detection and correction of spelling
/// errors" (1964).
pub fn nearest<'k>(seen: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let mut known = known.into_iter();
    nearest_of(seen, &mut || known.next())
}

/// The next of some, while there is one: of an iterator, a module would carry all that one can do.
pub(crate) type Next<'n, T> = &'n mut dyn FnMut() -> Option<T>;

/// `did you mean "…"? `, if one of `known` was probably meant; else nothing.
pub(crate) fn meant(seen: &str, known: Next<'_, &str>) -> String {
    match nearest_of(seen, known) {
        Some(meant) => message!("did you mean \"{}\"? ", meant).text(),
        None => String::new(),
    }
}

fn nearest_of<'k>(seen: &str, known: Next<'_, &'k str>) -> Option<&'k str> {
    // A longer text is like nothing, and measuring it would cost its square.
    let seen = chars(beginning(seen, 65).0);
    let mut best: Option<(usize, &str)> = None;
    while let Some(name) = known() {
        let wanted = chars(name);
        let length = wanted.len();
        let allowed = length.div_euclid(3).max(1);
        let found = distance(&seen, &wanted);
        let alike = found <= allowed && found < length.min(seen.len());
        if alike && best.is_none_or(|best| (found, name) < best) {
            best = Some((found, name));
        }
    }
    best.map(|(_, name)| name)
}

fn chars(text: &str) -> Vec<char> {
    let mut chars = Vec::new();
    for c in text.chars() {
        chars.push(c);
    }
    chars
}

/// Insertions, deletions, replacements and exchanges of two neighbours that make `to` of `from`.
fn distance(from: &[char], to: &[char]) -> usize {
    // For each beginning of `to`, its distances from every beginning of `from`: the last one's, and the
    // one's before.
    let mut above: Vec<usize> = Vec::new();
    for column in 0..=from.len() {
        above.push(column);
    }
    let mut above_that = Vec::new();
    let mut wanted_before = None;
    for (i, wanted) in to.iter().enumerate() {
        let mut row = Vec::new();
        let mut left = i.saturating_add(1);
        row.push(left);
        let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX);
        let mut found_before = None;
        for (j, found) in from.iter().enumerate() {
            let same = found.eq_ignore_ascii_case(wanted);
            let replaced = at(&above, j).saturating_add(usize::from(!same));
            let inserted = at(&above, j.saturating_add(1)).saturating_add(1);
            left = replaced.min(inserted).min(left.saturating_add(1));
            // Neighbours exchanged: both are there, the other way round.
            if wanted_before == Some(found) && found_before == Some(wanted) {
                let exchanged = at(&above_that, j.saturating_sub(1)).saturating_add(1);
                left = left.min(exchanged);
            }
            found_before = Some(found);
            row.push(left);
        }
        wanted_before = Some(wanted);
        above_that = above;
        above = row;
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects)]
mod tests {
    use super::*;

    /// The definition, word by word, without a table.
    fn by_definition(from: &[char], to: &[char]) -> usize {
        let (Some((last, rest)), Some((goal, before))) = (from.split_last(), to.split_last())
        else {
            return from.len().max(to.len());
        };
        let same = usize::from(!last.eq_ignore_ascii_case(goal));
        let mut least = (by_definition(rest, before) + same)
            .min(by_definition(from, before) + 1)
            .min(by_definition(rest, to) + 1);
        if let ([from @ .., a, b], [to @ .., c, d]) = (from, to)
            && a == d
            && b == c
        {
            least = least.min(by_definition(from, to) + 1);
        }
        least
    }

    #[test]
    fn the_distance_is_the_least_number_of_changes() {
        let texts = [
            "", "a", "ab", "ba", "abc", "acb", "bca", "aB", "üb", "bü", "abab", "baba", "aabb",
            "cabba",
        ];
        for from in texts {
            for to in texts {
                let expected = by_definition(&chars(from), &chars(to));
                assert_eq!(distance(&chars(from), &chars(to)), expected, "{from} {to}");
            }
        }
    }
}
