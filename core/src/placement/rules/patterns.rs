//! Tenant patterns: a literal, or a beginning followed by one `*`.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patterns<T> {
    exact: BTreeMap<String, T>,
    /// By what stands before the `*`.
    beginnings: BTreeMap<String, T>,
    /// The lengths of the beginnings in bytes, each once, the greatest first.
    lengths: Vec<usize>,
}

impl<T> Default for Patterns<T> {
    fn default() -> Self {
        Self {
            exact: BTreeMap::new(),
            beginnings: BTreeMap::new(),
            lengths: Vec::new(),
        }
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
        if text.contains('*') {
            return Err(format!(
                "has the pattern {}; allowed: a tenant id, or its beginning and one * at the end",
                Seen(pattern)
            ));
        }
        if text.len() > TENANT_ID_MAX || (exact && text.is_empty()) {
            return Err(format!(
                "has a pattern of {} bytes, {}, which is no tenant's; allowed: 1 to {TENANT_ID_MAX}",
                text.len(),
                Seen(pattern)
            ));
        }
        let map = if exact {
            &mut self.exact
        } else {
            &mut self.beginnings
        };
        if map.contains_key(text) {
            return Err(format!(
                "has the pattern {} again; allowed: each pattern once in a list",
                Seen(pattern)
            ));
        }
        map.insert(text.to_string(), value);
        if !exact && let Err(at) = self.lengths.binary_search_by(|known| text.len().cmp(known)) {
            self.lengths.insert(at, text.len());
        }
        Ok(())
    }

    /// The value of the pattern that fits the tenant best.
    pub fn find(&self, tenant: TenantId<'_>) -> Option<&T> {
        let id = tenant.as_str();
        self.exact.get(id).or_else(|| self.longest(id))
    }

    /// The value of the longest beginning of `id`.
    fn longest(&self, id: &str) -> Option<&T> {
        // A length inside a character is no beginning of this id.
        let mut beginnings = self.lengths.iter().filter_map(|length| id.get(..*length));
        beginnings.find_map(|beginning| self.beginnings.get(beginning))
    }

    /// The value that holds for every tenant of `pattern` that has no closer one: of the pattern
    /// itself, or of one that covers it.
    pub fn covering(&self, pattern: &str) -> Option<&T> {
        match pattern.strip_suffix('*') {
            Some(beginning) => self.longest(beginning),
            None => self.exact.get(pattern).or_else(|| self.longest(pattern)),
        }
    }

    /// The pattern whose value [`covering`](Self::covering) gives.
    pub fn covering_pattern(&self, pattern: &str) -> Option<String> {
        match pattern.strip_suffix('*') {
            Some(beginning) => self.longest_pattern(beginning),
            None if self.exact.contains_key(pattern) => Some(pattern.to_string()),
            None => self.longest_pattern(pattern),
        }
    }

    /// The values of patterns that are closer than `pattern`, each of whose tenants are all tenants of it.
    pub fn within(&self, pattern: &str) -> impl Iterator<Item = &T> + use<'_, T> {
        let beginning = pattern.strip_suffix('*').map(ToString::to_string);
        // A literal has none.
        let within = beginning.into_iter().flat_map(|beginning| {
            let from = |bound| (bound, Bound::Unbounded);
            let exact = self.exact.range(from(Bound::Included(beginning.clone())));
            let closer = self
                .beginnings
                .range(from(Bound::Excluded(beginning.clone())));
            let begins = move |entry: &(&String, &T)| entry.0.starts_with(&beginning);
            exact
                .take_while(begins.clone())
                .chain(closer.take_while(begins))
        });
        within.map(|(_, value)| value)
    }

    /// The pattern that fits the tenant best, as it is written.
    pub fn pattern(&self, tenant: TenantId<'_>) -> Option<String> {
        let id = tenant.as_str();
        match self.exact.contains_key(id) {
            true => Some(id.to_string()),
            false => self.longest_pattern(id),
        }
    }

    /// The longest beginning of `id`, as it is written.
    fn longest_pattern(&self, id: &str) -> Option<String> {
        let mut beginnings = self.lengths.iter().filter_map(|length| id.get(..*length));
        beginnings
            .find(|beginning| self.beginnings.contains_key(*beginning))
            .map(|beginning| format!("{beginning}*"))
    }

    /// Every pattern with its value, literals first.
    pub fn iter(&self) -> impl Iterator<Item = (String, &T)> {
        let exact = self.exact.iter().map(|(id, value)| (id.clone(), value));
        let beginnings = self.beginnings.iter();
        exact.chain(beginnings.map(|(beginning, value)| (format!("{beginning}*"), value)))
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.exact.len().saturating_add(self.beginnings.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.beginnings.is_empty()
    }
}
