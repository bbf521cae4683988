//! The regions a tenant may be in.

/// Places in `REGIONS`, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed<'r> {
    /// All of this many.
    All(usize),
    /// These.
    Only(&'r [u16]),
}

impl<'r> Allowed<'r> {
    pub(super) fn len(self) -> usize {
        match self {
            Allowed::All(count) => count,
            Allowed::Only(places) => places.len(),
        }
    }

    /// The region at `index` among the allowed ones.
    pub(super) fn at(self, index: usize) -> Option<usize> {
        match self {
            Allowed::All(count) => (index < count).then_some(index),
            Allowed::Only(places) => places.get(index).map(|place| usize::from(*place)),
        }
    }

    pub(super) fn contains(self, place: usize) -> bool {
        match self {
            Allowed::All(count) => place < count,
            Allowed::Only(places) => places
                .binary_search_by(|known| usize::from(*known).cmp(&place))
                .is_ok(),
        }
    }

    /// The allowed regions in the order of `REGIONS`.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> + Clone + use<'r> {
        (0..self.len()).filter_map(move |index| self.at(index))
    }

    /// The allowed regions after `place`, wrapping, without it.
    pub(super) fn after(self, place: usize) -> impl Iterator<Item = usize> + use<'r> {
        let later = self.iter().filter(move |other| *other > place);
        later.chain(self.iter().filter(move |other| *other < place))
    }
}
