#![allow(clippy::arithmetic_side_effects)]

use super::*;
use alloc::{format, vec};
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn of(text: &str) -> Kind {
    Kind::of(ip(text))
}

#[test]
fn every_range_is_what_the_registries_say_from_its_first_address_to_its_last() {
    for (kind, first, last) in [
        (NO_HOST, "0.0.0.0", "0.255.255.255"),
        (Kind::Public, "1.0.0.0", "9.255.255.255"),
        (Kind::Private, "10.0.0.0", "10.255.255.255"),
        (Kind::Public, "11.0.0.0", "100.63.255.255"),
        (Kind::Private, "100.64.0.0", "100.127.255.255"),
        (Kind::Public, "100.128.0.0", "126.255.255.255"),
        (Kind::Loopback, "127.0.0.0", "127.255.255.255"),
        (Kind::Public, "128.0.0.0", "169.253.255.255"),
        (LINK_LOCAL, "169.254.0.0", "169.254.255.255"),
        (Kind::Public, "169.255.0.0", "172.15.255.255"),
        (Kind::Private, "172.16.0.0", "172.31.255.255"),
        (Kind::Public, "172.32.0.0", "191.255.255.255"),
        (RESERVED, "192.0.0.0", "192.0.0.255"),
        (Kind::Public, "192.0.1.0", "192.167.255.255"),
        (Kind::Private, "192.168.0.0", "192.168.255.255"),
        (Kind::Public, "192.169.0.0", "198.17.255.255"),
        (Kind::Private, "198.18.0.0", "198.19.255.255"),
        (Kind::Public, "198.20.0.0", "223.255.255.255"),
        (MULTICAST, "224.0.0.0", "239.255.255.255"),
        (RESERVED, "240.0.0.0", "255.255.255.254"),
        (BROADCAST, "255.255.255.255", "255.255.255.255"),
        (NO_HOST, "::", "::"),
        (Kind::Loopback, "::1", "::1"),
        (RESERVED, "0:0:0:1::", "64:ff9a:ffff::"),
        (HIDES, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
        (RESERVED, "64:ff9b:2::", "1fff:ffff::"),
        (HIDES, "2001::", "2001::ffff:ffff:ffff:ffff:ffff:ffff"),
        (Kind::Public, "2001:1::", "2001:1:ffff::"),
        (Kind::Private, "2001:2::", "2001:2:0:ffff::"),
        (Kind::Public, "2001:2:1::", "2001:ffff::"),
        (Kind::Public, "2003::", "3fff:ffff::"),
        (RESERVED, "4000::", "fbff:ffff::"),
        (Kind::Private, "fc00::", "fdff:ffff::"),
        (RESERVED, "fe00::", "fe7f:ffff::"),
        (LINK_LOCAL, "fe80::", "febf:ffff::"),
        (Kind::Private, "fec0::", "feff:ffff::"),
        (MULTICAST, "ff00::", "ffff:ffff::"),
    ] {
        assert_eq!((of(first), of(last)), (kind, kind), "{first} to {last}");
    }
}

#[test]
fn a_metadata_service_is_one_in_whatever_range_its_cloud_has_put_it() {
    for text in [
        "169.254.169.254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:c1::a9fe:a9fe",
        "fd00:42::42",
        "fd00:a9fe:a9fe::1",
        "fd00:100::100:200",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "2002:6464:64c8::",
    ] {
        assert_eq!(of(text), METADATA, "{text}");
    }
    for text in [
        "100.100.100.201",
        "168.63.129.15",
        "fd00:ec3::254",
        "fd20:ce::255",
    ] {
        assert_ne!(of(text), METADATA, "{text}");
    }
}

/// What a name or a literal may say of an IPv4 address in an IPv6 one.
fn with_inside(inner: Ipv4Addr) -> [IpAddr; 5] {
    let [a, b, c, d] = inner.octets();
    let all = u32::from_be_bytes([a, b, c, d]);
    let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    [
        format!("::ffff:{inner}"),
        // Two of the compatible ones are something else.
        format!("::{:x}:{:x}", high, if all < 2 { 2 } else { low }),
        format!("::ffff:0:{inner}"),
        format!("64:ff9b::{inner}"),
        format!("2002:{high:x}:{low:x}:1::1"),
    ]
    .map(|text| text.parse().unwrap())
}

/// Addresses of every kind, and their neighbours.
fn any_v4() -> impl Strategy<Value = Ipv4Addr> {
    let edges = prop::sample::select(vec![
        [0, 0, 0, 0],
        [10, 0, 0, 5],
        [100, 100, 100, 200],
        [127, 0, 0, 1],
        [168, 63, 129, 16],
        [169, 254, 169, 254],
        [172, 31, 0, 1],
        [192, 0, 0, 192],
        [192, 168, 1, 1],
        [224, 0, 0, 1],
        [255, 255, 255, 255],
    ]);
    prop_oneof![
        edges.prop_map(Ipv4Addr::from),
        any::<u32>().prop_map(Ipv4Addr::from_bits)
    ]
}

fn any_address() -> impl Strategy<Value = IpAddr> {
    let first = prop::sample::select(vec![
        0, 0x64, 0x2001, 0x2002, 0xfc00, 0xfd00, 0xfd20, 0xfe80, 0xfec0, 0xff02,
    ]);
    let v6 = (first, any::<[u16; 7]>(), any::<bool>()).prop_map(
        |(first, [b, c, d, e, f, g, h], few)| {
            let [b, c, d, e, f] = if few { [0; 5] } else { [b, c, d, e, f] };
            Ipv6Addr::from([first, b, c, d, e, f, g, h])
        },
    );
    prop_oneof![
        any_v4().prop_map(IpAddr::V4),
        v6.prop_map(IpAddr::V6),
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).into()),
        (any_v4(), 0..5_usize).prop_map(|(inner, form)| with_inside(inner)[form]),
    ]
}

fn any_network() -> impl Strategy<Value = Network> {
    (any_address(), 0..=128_u8).prop_map(|(address, prefix)| {
        let prefix = if address.is_ipv4() {
            prefix / 4
        } else {
            prefix
        };
        let bits = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits()) << 96,
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let first = bits.checked_shr(u32::from(128 - prefix)).unwrap_or(0);
        let first = first.checked_shl(u32::from(128 - prefix)).unwrap_or(0);
        let first = match address {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::from_bits(u32::try_from(first >> 96).unwrap())),
            IpAddr::V6(_) => Ipv6Addr::from_bits(first).into(),
        };
        format!("{first}/{prefix}").parse().unwrap()
    })
}

/// The bits of an address as text, which is a way to compare prefixes that shares nothing with the other one.
fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("{:032b}", v4.to_bits()),
        IpAddr::V6(v6) => format!("{:0128b}", v6.to_bits()),
    }
}

proptest! {
    #[test]
    fn an_ipv4_address_inside_an_ipv6_address_is_what_counts(inner in any_v4()) {
        for address in with_inside(inner) {
            if inside(address) == Some(inner) {
                prop_assert_eq!(Kind::of(address), Kind::of(inner.into()), "{}", address);
            } else {
                prop_assert!(inner.to_bits() < 2 && of("::2") == NO_HOST, "{}", address);
            }
        }
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_with_its_bits(network in any_network(), address in any_address()) {
        let text = network.to_string();
        let (first, length) = text.split_once('/').unwrap();
        let (first, length) = (ip(first), length.parse::<usize>().unwrap());
        let same = first.is_ipv4() == address.is_ipv4();
        let mut prefix = bits(first);
        prefix.truncate(length);
        prop_assert_eq!(network.contains(address), same && bits(address).starts_with(&prefix));
        prop_assert!(network.contains(first));
        prop_assert_eq!(text.parse(), Ok(network));
    }

    #[test]
    fn nothing_but_reach_any_reaches_what_is_never_asked(
        address in any_address(),
        networks in prop::collection::vec(any_network(), 0..4),
        host in prop_oneof![Just(None), Just(Some("localhost")), Just(Some("eu.internal"))],
    ) {
        let literal = address.to_string();
        let host = host.unwrap_or(&literal);
        let all = ["0.0.0.0/0", "::/0"].map(|all| all.parse().unwrap());
        let reaches = [Reach::Typed, Reach::Named(networks.clone()), Reach::Named(all.into())];
        let verdicts = reaches.map(|reach| reach.check(host, [address]));
        match Kind::of(address) {
            Kind::Never(what) => for verdict in verdicts {
                let why = verdict.unwrap_err();
                let end = format!("{what}, which is never asked");
                prop_assert!(why.ends_with(&end), "{}", why);
            },
            Kind::Public => prop_assert!(verdicts.iter().all(Result::is_ok)),
            Kind::Loopback | Kind::Private => {
                let [typed, named, everything] = verdicts;
                prop_assert_eq!((typed, everything), (Ok(()), Ok(())));
                let inner = inside(address).map(IpAddr::V4);
                let listed = networks.iter().any(|network| {
                    network.contains(address) || inner.is_some_and(|inner| network.contains(inner))
                });
                let local = host == "localhost" && Kind::of(address) == Kind::Loopback;
                let written = host == literal && inner.is_none();
                prop_assert_eq!(named.is_ok(), listed || local || written);
            }
        }
        prop_assert_eq!(Reach::Any.check(host, [address]), Ok(()));
    }

    #[test]
    fn one_address_that_may_not_be_dialled_refuses_all(
        addresses in prop::collection::vec(any_address(), 0..6),
        networks in prop::collection::vec(any_network(), 0..4),
    ) {
        let reach = Reach::Named(networks);
        let each = addresses.iter().map(|address| reach.check("eu.internal", [*address]));
        let first = each.filter_map(Result::err).next();
        prop_assert_eq!(reach.check("eu.internal", addresses).err(), first);
    }
}

#[test]
fn a_refusal_says_what_the_address_is_and_what_would_be_allowed() {
    let named = |networks: &str| {
        let networks = networks.split_whitespace();
        Reach::Named(networks.map(|text| text.parse().unwrap()).collect())
    };
    let refusal = |reach: &Reach, host, address| reach.check(host, [ip(address)]).unwrap_err();
    for (host, address, said) in [
        (
            "us-east.internal",
            "10.0.0.5",
            r#""us-east.internal" has 10.0.0.5, a private address that the configuration does not name; allowed: it or its network in PROBE_NETWORKS"#,
        ),
        (
            "127.1",
            "127.0.0.1",
            r#""127.1" has 127.0.0.1, a loopback address that the configuration does not name; allowed: it or its network in PROBE_NETWORKS"#,
        ),
        (
            "::ffff:a00:5",
            "::ffff:10.0.0.5",
            "::ffff:10.0.0.5 (10.0.0.5) is a private address that the configuration does not name; allowed: it or its network in PROBE_NETWORKS",
        ),
        (
            "evil.example",
            "64:ff9b::a9fe:a9fe",
            r#""evil.example" has 64:ff9b::a9fe:a9fe (169.254.169.254), the address of a metadata service, which is never asked"#,
        ),
        (
            "169.254.1.1",
            "169.254.1.1",
            "169.254.1.1 is a link-local address, which is never asked",
        ),
    ] {
        assert_eq!(
            refusal(&named("192.168.0.0/16 fd00::/8"), host, address),
            said
        );
    }
    assert_eq!(
        refusal(&Reach::Typed, "0.0.0.0", "0.0.0.0"),
        "0.0.0.0 is an address that stands for no host, which is never asked"
    );
}

#[test]
fn the_configuration_names_an_address_by_writing_it_by_localhost_or_by_its_network() {
    let reach = Reach::Named(
        ["10.1.0.0/16", "fd12::/16"]
            .map(|text| text.parse().unwrap())
            .into(),
    );
    for (host, address, allowed) in [
        ("127.0.0.1", "127.0.0.1", true),
        ("127.9.9.9", "127.9.9.9", true),
        ("192.168.1.1", "192.168.1.1", true),
        ("::1", "::1", true),
        ("fd34::1", "fd34:0:0::1", true),
        ("localhost", "127.0.0.1", true),
        ("LocalHost", "::1", true),
        ("eu.localhost", "127.0.0.1", true),
        ("eu.internal", "10.1.255.255", true),
        ("eu.internal", "fd12:1::1", true),
        ("eu.internal", "64:ff9b::a01:1", true),
        ("::ffff:10.1.0.1", "::ffff:10.1.0.1", true),
        ("eu.internal", "93.184.215.14", true),
        // Not what is written, but what there is.
        ("192.168.1.1", "192.168.1.2", false),
        ("localhost", "192.168.1.1", false),
        ("localhost.evil.example", "127.0.0.1", false),
        ("notlocalhost", "127.0.0.1", false),
        ("eu.internal", "10.2.0.0", false),
        ("eu.internal", "fd34::1", false),
        ("eu.internal", "127.0.0.1", false),
        // An IPv4 address that is spelt to be overlooked.
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", false),
        ("::127.0.0.1", "::127.0.0.1", false),
        ("2002:7f00:1::", "2002:7f00:1::", false),
        ("2130706433", "127.0.0.1", false),
    ] {
        let found = reach.check(host, [ip(address)]);
        assert_eq!(found.is_ok(), allowed, "{host} {address}: {found:?}");
    }
}

#[test]
fn a_network_is_written_with_the_length_of_its_prefix_and_no_bit_behind_it() {
    for (text, shown) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("10.1.2.3/32", "10.1.2.3/32"),
        ("FD00:0::/8", "fd00::/8"),
        ("::/0", "::/0"),
        ("fd00::1", "fd00::1/128"),
    ] {
        let network: Network = text.parse().unwrap();
        assert_eq!(network.to_string(), shown);
    }
    for (text, said) in [
        (
            "10.0.0.5/8",
            r#""10.0.0.5/8" has bits set behind its prefix; allowed: 10.0.0.0/8"#,
        ),
        (
            "fd00::1/8",
            r#""fd00::1/8" has bits set behind its prefix; allowed: fd00::/8"#,
        ),
        (
            "1.2.3.4/0",
            r#""1.2.3.4/0" has bits set behind its prefix; allowed: 0.0.0.0/0"#,
        ),
        (
            "10.0.0.0/33",
            r#""10.0.0.0/33" has no prefix of a length that there is; allowed: 0 to 32"#,
        ),
        (
            "fd00::/129",
            r#""fd00::/129" has no prefix of a length that there is; allowed: 0 to 128"#,
        ),
    ] {
        assert_eq!(text.parse::<Network>().unwrap_err(), said);
    }
    for wrong in [
        "",
        "/",
        "/8",
        "10/8",
        "10.0.0.0/",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/08",
        "10.0.0.0/8/8",
        "10.0.0.0/255.0.0.0",
        "10.0.0/8",
        "010.0.0.0/8",
        "0xa.0.0.0/8",
        "eu.internal",
        "[fd00::]/8",
        "fe80::%1/64",
        "10.0.0.0-10.0.0.9",
        "10.0.0.0/99999999999999999999",
        "10.0.0.0 /8",
    ] {
        let said = wrong.parse::<Network>().unwrap_err();
        assert!(
            said.starts_with('"') && said.contains("; allowed: "),
            "{said}"
        );
    }
}
