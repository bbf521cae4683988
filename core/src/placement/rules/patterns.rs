//! Tenant patterns: a literal, or a beginning followed by one `*`.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::keys::{Keys, NotAdded};
use crate::hash::{TENANT_ID_MAX, TenantId};
use crate::text::{count, message};

/// Values by tenant pattern: a tenant id, or its beginning and one `*`. An exact pattern beats one with a
/// `*`, a longer one beats a shorter one.
///
/// A look-up takes one search for each length that the beginnings have.
///
/// ```
/// use halcyon_core::hash::TenantId;
/// use halcyon_core::placement::Patterns;
///
/// let mut patterns = Patterns::default();
/// for (pattern, value) in [("*", 1), ("bank-*", 2), ("bank-7", 3)] {
///     patterns.insert(pattern, value)?;
/// }
/// let find = |tenant| patterns.find(TenantId::new(tenant).unwrap()).copied();
/// assert_eq!((find("acme"), find("bank-8"), find("bank-7")), (Some(1), Some(2), Some(3)));
/// assert!(patterns.insert("bank-*", 4).unwrap_err().starts_with("has the pattern \"bank-*\" again"));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone)]
pub struct Patterns<T> {
    keys: Keys,
    /// In the order in which they were added.
    values: Vec<T>,
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self {
            keys: Keys::default(),
            values: Vec::new(),
        }
    }
}

/// Whatever the order in which they were added.
impl<T: PartialEq> PartialEq for Patterns<T> {
    fn eq(&self, other: &Self) -> bool {
        let same = |place: usize| {
            let others = other.keys.place_of(self.keys.at(place));
            others.and_then(|place| other.values.get(place)) == self.values.get(place)
        };
        self.len() == other.len() && (0..self.len()).all(same)
    }
}

impl<T: Eq> Eq for Patterns<T> {}

impl<T> Patterns<T> {
    /// Adds a value.
    ///
    /// # Errors
    /// When the pattern matches no tenant id, has a `*` anywhere but at its end, or is there already;
    /// the message begins with the verb.
    pub fn insert(&mut self, pattern: &str, value: T) -> Result<(), String> {
        self.add(pattern, value)
            .map_err(|why| refusal(pattern, why))
    }

    /// The same without a message.
    pub(crate) fn add(&mut self, pattern: &str, value: T) -> Result<(), NotAdded> {
        self.keys.add(pattern)?;
        self.values.push(value);
        Ok(())
    }

    /// The value of the pattern that fits the tenant best.
    pub fn find(&self, tenant: TenantId<'_>) -> Option<&T> {
        let place = self.keys.covering(tenant.as_str())?;
        self.values.get(place)
    }

    /// The value that holds for every tenant of `pattern` that has no closer one: of the pattern
    /// itself, or of one that covers it.
    pub fn covering(&self, pattern: &str) -> Option<&T> {
        let place = self.keys.covering(pattern)?;
        self.values.get(place)
    }

    /// The pattern whose value [`covering`](Self::covering) gives, and that value.
    pub fn covering_entry(&self, pattern: &str) -> Option<(&str, &T)> {
        let place = self.keys.covering(pattern)?;
        Some((self.keys.at(place), self.values.get(place)?))
    }

    /// The pattern that fits the tenant best, as it is written.
    pub fn pattern(&self, tenant: TenantId<'_>) -> Option<String> {
        let place = self.keys.covering(tenant.as_str())?;
        Some(self.keys.at(place).to_owned())
    }

    /// The patterns in their order: literals first, each kind by its bytes.
    pub fn in_order(&self) -> InOrder<'_, T> {
        InOrder {
            patterns: self,
            places: self.keys.in_order(),
        }
    }

    /// Every pattern with its value, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let places = self.keys.in_order().into_iter();
        places.filter_map(|place| Some((self.keys.at(place), self.values.get(place)?)))
    }

    /// Without the values.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The value at a place.
    pub(crate) fn at(&self, place: usize) -> Option<&T> {
        self.values.get(place)
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

/// The patterns in their order, for whoever asks more than once.
#[derive(Debug, Clone)]
pub struct InOrder<'p, T> {
    patterns: &'p Patterns<T>,
    places: Vec<usize>,
}

impl<'p, T> InOrder<'p, T> {
    /// Every pattern with its value.
    pub fn iter(&self) -> impl Iterator<Item = (&'p str, &'p T)> {
        let Patterns { keys, values } = self.patterns;
        let places = self.places.iter();
        places.filter_map(|place| Some((keys.at(*place), values.get(*place)?)))
    }

    /// Whether `fits` holds for the value of a pattern that is closer than `pattern`, and each of whose tenants
    /// are all tenants of it.
    pub fn any_within(&self, pattern: &str, fits: impl Fn(&T) -> bool) -> bool {
        let Patterns { keys, values } = self.patterns;
        keys.within(pattern, &self.places)
            .into_iter()
            .flatten()
            .any(|place| values.get(*place).is_some_and(&fits))
    }
}

#[inline(never)]
fn refusal(pattern: &str, why: NotAdded) -> String {
    match why {
        NotAdded::NoPattern => message!(
            "has the pattern {?}; allowed: a tenant id, or its beginning and one * at the end",
            pattern
        )
        .text(),
        NotAdded::Length(length) => message!(
            "has a pattern of {} bytes, {?}, which is no tenant's; allowed: 1 to {}",
            &count(length),
            pattern,
            &count(TENANT_ID_MAX)
        )
        .text(),
        NotAdded::Twice => message!(
            "has the pattern {?} again; allowed: each pattern once in a list",
            pattern
        )
        .text(),
    }
}
