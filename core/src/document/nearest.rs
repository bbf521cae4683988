//! What somebody probably meant.

use alloc::vec::Vec;

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
    // A longer text is like nothing, and measuring it would cost its square.
    let seen: Vec<char> = seen.chars().take(65).collect();
    let alike = |name: &&str| {
        let length = name.chars().count();
        let allowed = length.div_euclid(3).max(1);
        let found = distance(&seen, name);
        (found <= allowed && found < length.min(seen.len())).then_some(found)
    };
    known
        .into_iter()
        .filter_map(|name| alike(&name).map(|distance| (distance, name)))
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and exchanges of two neighbours that make `to` of `from`.
fn distance(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    // A row for each beginning of `to`: its distances from every beginning of `from`.
    let mut rows: Vec<Vec<usize>> = Vec::with_capacity(to.len().saturating_add(1));
    rows.push((0..=from.len()).collect());
    for (i, wanted) in to.iter().enumerate() {
        let at = |row: usize, column: usize| -> usize {
            let cell = rows.get(row).and_then(|row: &Vec<usize>| row.get(column));
            cell.copied().unwrap_or(usize::MAX)
        };
        let mut row = Vec::with_capacity(from.len().saturating_add(1));
        let mut left = i.saturating_add(1);
        row.push(left);
        for (j, found) in from.iter().enumerate() {
            let same = found.eq_ignore_ascii_case(wanted);
            let replaced = at(i, j).saturating_add(usize::from(!same));
            let inserted = at(i, j.saturating_add(1)).saturating_add(1);
            left = replaced.min(inserted).min(left.saturating_add(1));
            let before = |index: usize| index.checked_sub(1);
            if let (Some(above), Some(beside)) = (before(i), before(j))
                && to.get(above) == Some(found)
                && from.get(beside) == Some(wanted)
            {
                left = left.min(at(above, beside).saturating_add(1));
            }
            row.push(left);
        }
        rows.push(row);
    }
    let last = rows.last().and_then(|row| row.last());
    last.copied().unwrap_or_default()
}
