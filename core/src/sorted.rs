//! A map for few entries: a sorted list.

use alloc::vec::Vec;
use core::borrow::Borrow;

/// Entries in the order of their keys. A tree is a few thousand bytes of code for each kind of entry, and
/// nothing here has many: the steps and regions of a release, a second's refusals, 1,024 keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sorted<K, V>(Vec<(K, V)>);

/// Inserts an item. Unlike that of the library it has no message for a place behind the end, which is taken for
/// the end: nothing else in an edge's module writes numbers as the language does.
pub(crate) fn insert_at<T>(list: &mut Vec<T>, place: usize, item: T) {
    let mut carried = item;
    for known in list.iter_mut().skip(place) {
        core::mem::swap(known, &mut carried);
    }
    list.push(carried);
}

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0
            .binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    pub(crate) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    pub(crate) fn contains<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// Answers what the key stood for before.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(place) => {
                let (_, known) = self.0.get_mut(place)?;
                Some(core::mem::replace(known, value))
            }
            Err(place) => {
                insert_at(&mut self.0, place, (key, value));
                None
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Removes the entry of which `of` is the least.
    pub(crate) fn remove_least(&mut self, of: impl Fn(&V) -> u64) {
        let mut least: Option<(usize, u64)> = None;
        for (place, (_, value)) in self.0.iter().enumerate() {
            let of = of(value);
            if least.is_none_or(|(_, before)| of < before) {
                least = Some((place, of));
            }
        }
        if let Some((place, _)) = least {
            self.0.remove(place);
        }
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&V) -> bool) {
        self.0.retain(|(_, value)| keep(value));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
