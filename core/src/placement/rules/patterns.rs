//! Tenant patterns: a literal, or a beginning followed by one `*`.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

use crate::hash::{TENANT_ID_MAX, TenantId};
use crate::text::Seen;

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

/// The patterns with the places of their values: not generic, so that there is one look-up in a program.
#[derive(Debug, Clone, Default)]
struct Keys {
    exact: BTreeMap<String, usize>,
    /// By what stands before the `*`.
    beginnings: BTreeMap<String, usize>,
    /// The lengths of the beginnings in bytes, each once, the greatest first.
    lengths: Vec<usize>,
}

/// Why a pattern was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotAdded {
    /// A `*` stands elsewhere than at its end.
    NoPattern,
    /// No tenant id has so many bytes.
    Length(usize),
    /// It is there already.
    Twice,
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
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Eq> Eq for Patterns<T> {}

impl Keys {
    /// Adds a literal or a beginning whose value is at `place`.
    fn add(&mut self, text: &str, exact: bool, place: usize) -> Result<(), NotAdded> {
        if text.bytes().any(|byte| byte == b'*') {
            return Err(NotAdded::NoPattern);
        }
        if text.len() > TENANT_ID_MAX || (exact && text.is_empty()) {
            return Err(NotAdded::Length(text.len()));
        }
        let map = if exact {
            &mut self.exact
        } else {
            &mut self.beginnings
        };
        if map.contains_key(text) {
            return Err(NotAdded::Twice);
        }
        map.insert(text.to_owned(), place);
        if !exact && let Err(at) = self.lengths.binary_search_by(|known| text.len().cmp(known)) {
            self.lengths.insert(at, text.len());
        }
        Ok(())
    }

    /// The value of the pattern that fits the id best.
    fn find(&self, id: &str) -> Option<usize> {
        let exact = self.exact.get(id).copied();
        exact.or_else(|| self.longest(id))
    }

    /// The value of the longest beginning of `id`.
    fn longest(&self, id: &str) -> Option<usize> {
        // A length inside a character is no beginning of this id.
        let mut beginnings = self.lengths.iter().filter_map(|length| id.get(..*length));
        beginnings.find_map(|beginning| self.beginnings.get(beginning).copied())
    }

    /// The longest beginning of `id`, as it is written.
    fn longest_pattern(&self, id: &str) -> Option<String> {
        let mut beginnings = self.lengths.iter().filter_map(|length| id.get(..*length));
        beginnings
            .find(|beginning| self.beginnings.contains_key(*beginning))
            .map(|beginning| format!("{beginning}*"))
    }
}

impl<T> Patterns<T> {
    /// Adds a value.
    ///
    /// # Errors
    /// When the pattern matches no tenant id, has a `*` anywhere but at its end, or is there already;
    /// the message begins with the verb.
    pub fn insert(&mut self, pattern: &str, value: T) -> Result<(), String> {
        let (text, exact) = match pattern.strip_suffix('*') {
            Some(beginning) => (beginning, false),
            None => (pattern, true),
        };
        self.add(text, exact, value).map_err(|why| match why {
            NotAdded::NoPattern => format!(
                "has the pattern {}; allowed: a tenant id, or its beginning and one * at the end",
                Seen(pattern)
            ),
            NotAdded::Length(length) => format!(
                "has a pattern of {length} bytes, {}, which is no tenant's; allowed: 1 to {TENANT_ID_MAX}",
                Seen(pattern)
            ),
            NotAdded::Twice => format!(
                "has the pattern {} again; allowed: each pattern once in a list",
                Seen(pattern)
            ),
        })
    }

    /// The same without a message: a literal, or what stands before a `*`.
    pub(crate) fn add(&mut self, text: &str, exact: bool, value: T) -> Result<(), NotAdded> {
        self.keys.add(text, exact, self.values.len())?;
        self.values.push(value);
        Ok(())
    }

    fn at(&self, place: usize) -> Option<&T> {
        self.values.get(place)
    }

    /// The value of the pattern that fits the tenant best.
    pub fn find(&self, tenant: TenantId<'_>) -> Option<&T> {
        let place = self.keys.find(tenant.as_str())?;
        self.at(place)
    }

    /// The value that holds for every tenant of `pattern` that has no closer one: of the pattern
    /// itself, or of one that covers it.
    pub fn covering(&self, pattern: &str) -> Option<&T> {
        let place = match pattern.strip_suffix('*') {
            Some(beginning) => self.keys.longest(beginning),
            None => self.keys.find(pattern),
        };
        place.and_then(|place| self.at(place))
    }

    /// The pattern whose value [`covering`](Self::covering) gives.
    pub fn covering_pattern(&self, pattern: &str) -> Option<String> {
        match pattern.strip_suffix('*') {
            Some(beginning) => self.keys.longest_pattern(beginning),
            None if self.keys.exact.contains_key(pattern) => Some(pattern.to_owned()),
            None => self.keys.longest_pattern(pattern),
        }
    }

    /// The values of patterns that are closer than `pattern`, each of whose tenants are all tenants of it.
    pub fn within(&self, pattern: &str) -> impl Iterator<Item = &T> + use<'_, T> {
        let beginning = pattern.strip_suffix('*').map(ToOwned::to_owned);
        // A literal has none.
        let within = beginning.into_iter().flat_map(|beginning| {
            let from = |bound| (bound, Bound::Unbounded);
            let Keys {
                exact, beginnings, ..
            } = &self.keys;
            let exact = exact.range(from(Bound::Included(beginning.clone())));
            let closer = beginnings.range(from(Bound::Excluded(beginning.clone())));
            let begins = move |entry: &(&String, &usize)| entry.0.starts_with(&beginning);
            exact
                .take_while(begins.clone())
                .chain(closer.take_while(begins))
        });
        within.filter_map(|(_, place)| self.at(*place))
    }

    /// The pattern that fits the tenant best, as it is written.
    pub fn pattern(&self, tenant: TenantId<'_>) -> Option<String> {
        let id = tenant.as_str();
        match self.keys.exact.contains_key(id) {
            true => Some(id.to_owned()),
            false => self.keys.longest_pattern(id),
        }
    }

    /// Every pattern with its value, literals first.
    pub fn iter(&self) -> impl Iterator<Item = (String, &T)> {
        let literals = self.texts(true).map(|(id, value)| (id.to_owned(), value));
        let beginnings = self.texts(false);
        literals.chain(beginnings.map(|(beginning, value)| (format!("{beginning}*"), value)))
    }

    /// Every literal, or what stands before the `*` of every other pattern, by its bytes.
    pub(crate) fn texts(&self, exact: bool) -> impl Iterator<Item = (&str, &T)> {
        let map = match exact {
            true => &self.keys.exact,
            false => &self.keys.beginnings,
        };
        map.iter()
            .filter_map(|(text, place)| Some((text.as_str(), self.at(*place)?)))
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
