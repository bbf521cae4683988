//! The same table in bytes.

use super::*;
use crate::hash::TenantId;
use alloc::vec::Vec;

fn table() -> Table {
    let content = TableContent::of(
        &config(),
        &Release::default(),
        &[RegionStatus::Down],
        "shop",
    );
    let mut publisher = Publisher::default();
    Table::from_json(&publisher.publish(content, NOW).unwrap().json).unwrap()
}

fn error(bytes: &[u8]) -> BinaryError {
    Table::from_binary(bytes).unwrap_err()
}

/// With a checksum that holds.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = crate::hash::HashKey::default().sip13(&bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
    bytes
}

#[test]
fn it_reads_like_this() {
    let hex: String = table()
        .to_binary()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex,
        concat!(
            "68616c63796f6e",
            "01",                               // "halcyon", format 1
            "c0cd41a499010000",                 // epoch 1759397400000
            "ffffffffffffffff",                 // no end of a canary
            "000102030405060708090a0b0c0d0e0f", // the key
            "02",
            "00",
            "0000", // rendezvous, ordered, the first region is the primary
            "00",
            "00",
            "00000000", // no release
            "04000000",
            "73686f70", // "shop"
            "02000000", // two regions: weight, status, name, blue, green
            "0200",
            "01",
            "07000000",
            "75732d65617374",
            "0a000000",
            "687474703a2f2f623a31",
            "0a000000",
            "687474703a2f2f673a31",
            "0100",
            "00",
            "07000000",
            "75732d77657374",
            "00000000",
            "00000000",
            "00000000", // no residency of single tenants
            "01000000",
            "8a000000", // one of beginnings, which stands at byte 138
            "05000000",
            "62616e6b2d",
            "0100",
            "0100", // bank-* in one region, the second
            "01000000",
            "9f000000",
            "04000000",
            "5a6fc3ab",
            "0000", // Zoë is pinned to the first
            "00000000",
            "01000000",
            "b5000000",
            "03000000",
            "766970",
            "0000",             // vip gets blue
            "00000000",         // no slots of beginnings
            "b5fb9ceb17d33fd1", // the checksum
        )
    );
}

#[test]
fn it_reads_back_to_the_same_bytes_and_answers() {
    let table = table();
    let again = Table::from_binary(&table.to_binary()).unwrap();
    assert_eq!(again.to_binary(), table.to_binary());
    for tenant in ["acme", "bank-7", "Zo\u{eb}", "vip"] {
        let tenant = TenantId::new(tenant).unwrap();
        assert_eq!(again.route(tenant, NOW), table.route(tenant, NOW));
    }
}

#[test]
fn a_table_that_was_cut_or_has_a_flipped_bit_is_never_taken() {
    let bytes = table().to_binary();
    for end in 0..bytes.len() {
        let expected = if end < 8 {
            BinaryError::NoTable
        } else {
            BinaryError::Damaged
        };
        assert_eq!(error(&bytes[..end]), expected, "{end}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let expected = match bit / 8 {
            0..=6 => BinaryError::NoTable,
            7 => BinaryError::Format,
            _ => BinaryError::Damaged,
        };
        assert_eq!(error(&flipped), expected, "{bit}");
    }
    assert_eq!(error(&[&bytes[..], &[0]].concat()), BinaryError::Damaged);
    assert_eq!(error(&alloc::vec![0; BYTES_MAX + 1]), BinaryError::TooLong);
}

/// Whatever stands in it, whoever made the checksum.
#[test]
fn no_bytes_make_reading_panic_and_what_is_read_can_be_written() {
    let bytes = table().to_binary();
    let content = &bytes[..bytes.len() - 8];
    let mut read = 0;
    for at in 8..content.len() {
        for value in [0, 1, 2, 0x2a, 0x7f, 0x80, 0xff] {
            let mut changed = content.to_vec();
            changed[at] = value;
            match Table::from_binary(&sealed(changed.clone())) {
                Ok(table) => {
                    read += 1;
                    assert!(Table::from_binary(&table.to_binary()).is_ok());
                    let _ = table.route(TenantId::new("bank-7").unwrap(), NOW);
                }
                Err(why) => assert_eq!(why, BinaryError::Malformed, "{at} {value}"),
            }
        }
        let cut = sealed(content[..at].to_vec());
        assert_eq!(error(&cut), BinaryError::Malformed, "{at}");
    }
    assert!(read > 100, "{read}");
    assert_eq!(
        error(&sealed([content, &[0]].concat())),
        BinaryError::Malformed
    );
}

#[test]
fn without_a_region_there_is_no_table() {
    let bytes = table().to_binary();
    let mut empty = bytes[..58].to_vec();
    empty[42..44].copy_from_slice(&[0xff; 2]);
    empty.extend_from_slice(&[0; 28]);
    assert_eq!(error(&sealed(empty)), BinaryError::NoRegion);
}

#[test]
fn every_error_has_a_code_of_its_own_and_says_what_is_allowed() {
    let all = [
        BinaryError::NoTable,
        BinaryError::Format,
        BinaryError::Damaged,
        BinaryError::Malformed,
        BinaryError::NoRegion,
        BinaryError::TooLong,
    ];
    for (code, error) in (1..).zip(all) {
        assert_eq!(error.code(), code);
        assert!(error.to_string().contains("table"), "{error}");
    }
}
