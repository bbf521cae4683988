//! A range of addresses.

use alloc::string::{String, ToString};
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use crate::text::{cut, digits, message};

/// A network in CIDR notation (RFC 4632, 3.1; RFC 4291, 2.3): `10.0.0.0/8`, `fd00::/8`. An address alone is the
/// network of that one address.
///
/// ```
/// use halcyon_core::address::Network;
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.1.2.3".parse().unwrap()));
/// assert!("10.1.2.3/8".parse::<Network>().unwrap_err().ends_with("allowed: 10.0.0.0/8"));
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// Its first one: none of its bits behind the prefix is set.
    address: IpAddr,
    /// How many bits its addresses share: 0 to 32, to 128 with IPv6.
    prefix: u8,
}

impl Network {
    /// Whether an address is in it. One of the other family never is.
    pub fn contains(&self, address: IpAddr) -> bool {
        first(address, self.prefix) == self.address
    }
}

/// The first address of the network that `address` is in.
fn first(address: IpAddr, prefix: u8) -> IpAddr {
    let behind = |bits: u8| u32::from(bits.saturating_sub(prefix));
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(behind(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(behind(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, length) = match cut(text, b'/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err(message!(
                "{?} is no network; allowed: an IP address, or the first of a network with the length of its prefix, such as 10.0.0.0/8 or fd00::/8",
                text
            )
            .text());
        };
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match length {
            None => Some(most),
            Some(length) if length.len() > 1 && length.starts_with('0') => None,
            Some(length) => digits(length).and_then(|length| u8::try_from(length).ok()),
        };
        let Some(prefix) = prefix.filter(|prefix| *prefix <= most) else {
            return Err(message!(
                "{?} has no prefix of a length that there is; allowed: 0 to {}",
                text,
                &most.to_string()
            )
            .text());
        };
        let network = Self {
            address: first(address, prefix),
            prefix,
        };
        if network.address != address {
            return Err(message!(
                "{?} has bits set behind its prefix; allowed: {}",
                text,
                &network.to_string()
            )
            .text());
        }
        Ok(network)
    }
}

/// As it is read.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}
