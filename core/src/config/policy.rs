//! The two rules that tenants go by.

use core::fmt;
use serde::{Serialize, Serializer};

use super::{Lookup, Problems, value};
use crate::text::message;

/// Where the tenants of a region go while it is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailoverPolicy {
    /// The next region in `REGIONS` that is up takes all of them.
    #[default]
    Ordered,
    /// They spread over all regions that are up.
    RoundRobin,
    /// Each goes on to the next region of its own order.
    Rendezvous,
}

impl FailoverPolicy {
    /// Every policy.
    pub const ALL: [FailoverPolicy; 3] = [
        FailoverPolicy::Ordered,
        FailoverPolicy::RoundRobin,
        FailoverPolicy::Rendezvous,
    ];

    /// Its name, as `FAILOVER_POLICY` takes it.
    pub fn name(self) -> &'static str {
        match self {
            FailoverPolicy::Ordered => "ordered",
            FailoverPolicy::RoundRobin => "round_robin",
            FailoverPolicy::Rendezvous => "rendezvous",
        }
    }
}

impl fmt::Display for FailoverPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for FailoverPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How a tenant's first choice is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sticky {
    /// Everybody goes to the primary region.
    #[default]
    Primary,
    /// `REGIONS[h mod len]`, `h` the tenant's SipHash.
    Hash,
    /// The first region of the tenant's own weighted order.
    Rendezvous,
}

impl Sticky {
    /// Every rule.
    pub const ALL: [Sticky; 3] = [Sticky::Primary, Sticky::Hash, Sticky::Rendezvous];

    /// Its name, as `TENANT_STICKY` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Sticky::Primary => "primary",
            Sticky::Hash => "hash",
            Sticky::Rendezvous => "rendezvous",
        }
    }
}

impl Serialize for Sticky {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for Sticky {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

pub(super) fn read_policy(lookup: Lookup<'_>, problems: &mut Problems) -> FailoverPolicy {
    let Some(text) = value(lookup, "FAILOVER_POLICY") else {
        return FailoverPolicy::default();
    };
    for policy in FailoverPolicy::ALL {
        if text.eq_ignore_ascii_case(policy.name()) {
            return policy;
        }
    }
    let what = message!(
        "{?} is unknown, ordered is used; allowed: ordered, round_robin, rendezvous",
        &text
    );
    problems.warn("FAILOVER_POLICY", what);
    FailoverPolicy::default()
}

pub(super) fn read_sticky(lookup: Lookup<'_>, problems: &mut Problems) -> Sticky {
    let Some(text) = value(lookup, "TENANT_STICKY") else {
        return Sticky::default();
    };
    for sticky in Sticky::ALL {
        if text.eq_ignore_ascii_case(sticky.name()) {
            return sticky;
        }
    }
    let what = message!(
        "{?} is unknown, tenants go to the primary; allowed: hash, rendezvous, primary",
        &text
    );
    problems.warn("TENANT_STICKY", what);
    Sticky::default()
}
