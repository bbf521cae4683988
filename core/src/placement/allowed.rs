//! The regions a tenant may be in.

/// A place in `REGIONS`, however it is kept.
pub(crate) trait Place: Copy {
    fn place(self) -> usize;
}

impl Place for u16 {
    #[inline]
    fn place(self) -> usize {
        usize::from(self)
    }
}

/// As a table in bytes has it.
impl Place for [u8; 2] {
    #[inline]
    fn place(self) -> usize {
        usize::from(u16::from_le_bytes(self))
    }
}

/// Places in `REGIONS`, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed<'r, P = u16> {
    /// All of this many.
    All(usize),
    /// These.
    Only(&'r [P]),
}

impl<'r, P: Place> Allowed<'r, P> {
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
            Allowed::Only(places) => places.get(index).map(|place| place.place()),
        }
    }

    pub(super) fn contains(self, place: usize) -> bool {
        match self {
            Allowed::All(count) => place < count,
            Allowed::Only(places) => places
                .binary_search_by(|known| known.place().cmp(&place))
                .is_ok(),
        }
    }

    /// The allowed regions in the order of `REGIONS`.
    pub(super) fn iter(self) -> impl Iterator<Item = usize> + Clone + use<'r, P> {
        (0..self.len()).filter_map(move |index| self.at(index))
    }
}
