//! The two rules that tenants go by.

use core::fmt;
use serde::{Serialize, Serializer};

use super::{Lookup, Problems, value};
use crate::text::Seen;

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

const POLICIES: &str = "allowed: ordered, round_robin, rendezvous";

pub(super) fn read_policy(lookup: Lookup<'_>, problems: &mut Problems) -> FailoverPolicy {
    let Some(text) = value(lookup, "FAILOVER_POLICY") else {
        return FailoverPolicy::default();
    };
    match text.to_ascii_lowercase().as_str() {
        "ordered" => FailoverPolicy::Ordered,
        "round_robin" => FailoverPolicy::RoundRobin,
        "rendezvous" => FailoverPolicy::Rendezvous,
        _ => {
            problems.warn(
                "FAILOVER_POLICY",
                format_args!("{} is unknown, ordered is used; {POLICIES}", Seen(&text)),
            );
            FailoverPolicy::default()
        }
    }
}

pub(super) fn read_sticky(lookup: Lookup<'_>, problems: &mut Problems) -> Sticky {
    let Some(text) = value(lookup, "TENANT_STICKY") else {
        return Sticky::default();
    };
    match text.to_ascii_lowercase().as_str() {
        "hash" => Sticky::Hash,
        "primary" => Sticky::Primary,
        "rendezvous" => Sticky::Rendezvous,
        _ => {
            problems.warn(
                "TENANT_STICKY",
                format_args!(
                    "{} is unknown, tenants go to the primary; allowed: hash, rendezvous, primary",
                    Seen(&text)
                ),
            );
            Sticky::default()
        }
    }
}
