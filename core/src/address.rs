//! What an address is, and whether it may be dialled.
//!
//! Whoever answers for a name chooses what is asked under it. A prober that asks whatever a name points to is a
//! way into the network it runs in: to services that listen for their own machine alone, and to the metadata
//! service of a cloud, which gives its credentials to anybody who asks from inside. So a name is resolved once,
//! and all its addresses are judged here before one of them is dialled.

mod network;

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use network::Network;

use crate::text::message;

/// What an address is to somebody who is about to connect to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Somewhere in the internet.
    Public,
    /// This machine: 127.0.0.0/8 (RFC 1122), `::1` (RFC 4291).
    Loopback,
    /// A network that is not the internet: RFC 1918, unique local fc00::/7 (RFC 4193) and what was site-local
    /// before (RFC 3879), the shared address space 100.64.0.0/10 (RFC 6598), and laboratories, 198.18.0.0/15
    /// (RFC 2544) and 2001:2::/48 (RFC 5180).
    Private,
    /// Nobody that a probe could be meant for; what it is instead, in words.
    Never(&'static str),
}

const METADATA: Kind = Kind::Never("the address of a metadata service");
const LINK_LOCAL: Kind = Kind::Never("a link-local address");
const NO_HOST: Kind = Kind::Never("an address that stands for no host");
const MULTICAST: Kind = Kind::Never("a multicast address");
const BROADCAST: Kind = Kind::Never("the broadcast address");
const RESERVED: Kind = Kind::Never("a reserved address");
const HIDES: Kind = Kind::Never("an address in which any other one may hide");

impl Kind {
    /// By the registries of special-purpose addresses at IANA (RFC 6890) and the clouds' documentation.
    ///
    /// An IPv4 address inside an IPv6 address is what counts, wherever there is a machine that would take it
    /// out: mapped (RFC 4291, 2.5.5.2), compatible (2.5.5.1), translated (RFC 2765), behind the well-known
    /// prefix of NAT64 (RFC 6052) and in 6to4 (RFC 3056). Where it cannot be had with certainty the address is
    /// never asked: Teredo (RFC 4380) scrambles it, and behind a translator's own prefix in 64:ff9b:1::/48
    /// (RFC 8215) it may stand at four places.
    ///
    /// Addresses for documentation (RFC 5737, 3849, 9637) count as public: they lead nowhere, and to nobody's
    /// inside.
    ///
    /// ```
    /// use halcyon_core::address::Kind;
    /// let of = |text: &str| Kind::of(text.parse().unwrap());
    /// assert_eq!((of("127.1.2.3"), of("::ffff:10.0.0.1")), (Kind::Loopback, Kind::Private));
    /// assert_eq!(of("64:ff9b::a9fe:a9fe"), Kind::Never("the address of a metadata service"));
    /// ```
    pub fn of(address: IpAddr) -> Self {
        match (address, inside(address)) {
            (_, Some(inner)) => of_v4(inner),
            (IpAddr::V4(address), None) => of_v4(address),
            (IpAddr::V6(address), None) => of_v6(address),
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Kind {
    match address.octets() {
        // Alibaba, Oracle (classic), Azure's wire server; and what the others share.
        [100, 100, 100, 200] | [192, 0, 0, 192] | [168, 63, 129, 16] | [169, 254, 169, 254] => {
            METADATA
        }
        [0, ..] => NO_HOST,
        [127, ..] => Kind::Loopback,
        [10, ..]
        | [172, 16..=31, ..]
        | [192, 168, ..]
        | [100, 64..=127, ..]
        | [198, 18 | 19, ..] => Kind::Private,
        [169, 254, ..] => LINK_LOCAL,
        [192, 0, 0, _] => RESERVED,
        [224..=239, ..] => MULTICAST,
        [255, 255, 255, 255] => BROADCAST,
        [240..=255, ..] => RESERVED,
        _ => Kind::Public,
    }
}

fn of_v6(address: Ipv6Addr) -> Kind {
    match address.segments() {
        // All that Amazon has there, Google, Oracle, Scaleway, Akamai, Alibaba.
        [0xfd00, 0xec2, ..]
        | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
        | [0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe]
        | [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42]
        | [0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1]
        | [0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200] => METADATA,
        [0, 0, 0, 0, 0, 0, 0, 0] => NO_HOST,
        [0, 0, 0, 0, 0, 0, 0, 1] => Kind::Loopback,
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] => HIDES,
        [0xfe80..=0xfebf, ..] => LINK_LOCAL,
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] | [0x2001, 2, 0, ..] => Kind::Private,
        [0xff00..=0xffff, ..] => MULTICAST,
        // Nothing else has been given to anybody (RFC 4291, 2.4).
        [0x2000..=0x3fff, ..] => Kind::Public,
        _ => RESERVED,
    }
}

/// The IPv4 address that an IPv6 address stands for.
fn inside(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(address) = address else {
        return None;
    };
    let (high, low) = match address.segments() {
        // Loopback, and no address at all.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => return None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
}

/// Which of a host's addresses may be dialled. All of them have to be such, or none is: of a name that mixes the
/// outside with the inside none is to be trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every address.
    Any,
    /// All but those that are never asked: a person has typed the host.
    Typed,
    /// The same, and of loopback and private addresses only those that the configuration names: as the
    /// endpoint's host, an IP address; as `localhost` or a name below it (RFC 6761), which is the loopback; or
    /// in one of these networks.
    Named(Vec<Network>),
}

impl Reach {
    /// Judges what `host` has been resolved to.
    ///
    /// ```
    /// use halcyon_core::address::Reach;
    /// let reach = Reach::Named(vec!["10.0.0.0/8".parse().unwrap()]);
    /// let check = |host, address: &str| reach.check(host, [address.parse().unwrap()]);
    /// assert!(check("127.0.0.1", "127.0.0.1").is_ok() && check("eu.internal", "10.1.2.3").is_ok());
    /// assert!(check("127.1", "127.0.0.1").unwrap_err().contains("a loopback address"));
    /// ```
    ///
    /// # Errors
    /// The first address that may not be dialled, what it is, and what would be allowed.
    pub fn check(
        &self,
        host: &str,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Result<(), String> {
        for address in addresses {
            let kind = Kind::of(address);
            let what = match (self, kind) {
                (Self::Any, _) | (_, Kind::Public) => continue,
                (_, Kind::Never(what)) => {
                    let subject = subject(host, address);
                    return Err(message!("{} {}, which is never asked", &subject, what).text());
                }
                (Self::Typed, Kind::Loopback | Kind::Private) => continue,
                (Self::Named(networks), _) if names(networks, host, address) => continue,
                (Self::Named(_), Kind::Loopback) => "loopback",
                (Self::Named(_), Kind::Private) => "private",
            };
            return Err(message!(
                "{} a {} address that the configuration does not name; allowed: it or its network in PROBE_NETWORKS",
                &subject(host, address),
                what
            )
            .text());
        }
        Ok(())
    }
}

/// Whether a configuration with this host and these networks names an address that is loopback or private.
fn names(networks: &[Network], host: &str, address: IpAddr) -> bool {
    let inner = inside(address);
    // Nobody has to write 127.0.0.1 as an IPv6 address, unless to have it overlooked.
    let written = inner.is_none() && host.parse() == Ok(address);
    let local = Kind::of(address) == Kind::Loopback && is_localhost(host);
    let mut networks = networks.iter();
    written
        || local
        || networks.any(|network| {
            network.contains(address) || inner.is_some_and(|inner| network.contains(inner.into()))
        })
}

fn is_localhost(host: &str) -> bool {
    let label = host.rsplit('.').next().unwrap_or_default();
    label.eq_ignore_ascii_case("localhost")
}

/// What is said of an address begins so.
fn subject(host: &str, address: IpAddr) -> String {
    let mut shown = address.to_string();
    if let Some(inner) = inside(address) {
        shown = message!("{} ({})", &shown, &inner.to_string()).text();
    }
    match host.parse::<IpAddr>() {
        Ok(_) => message!("{} is", &shown).text(),
        Err(_) => message!("{?} has {},", host, &shown).text(),
    }
}

#[cfg(test)]
mod tests;
