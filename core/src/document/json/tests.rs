use alloc::format;
use alloc::string::ToString;
use proptest::prelude::*;
use serde::de::DeserializeSeed;

use super::*;
use crate::document::WithoutFractions;

/// What serde_json makes of it.
fn by_the_library(json: &[u8]) -> Result<Document, String> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let document = WithoutFractions.deserialize(&mut reader);
    let document = document.and_then(|document| reader.end().map(|()| document));
    document.map_err(|why| why.to_string())
}

#[track_caller]
fn check(json: &[u8]) {
    let text = String::from_utf8_lossy(json);
    assert_eq!(read(json), by_the_library(json), "{text}");
}

/// Everything that JSON can have.
const WHOLE: &str = "{\"a\" : [null,true,false,-7,0,12.5e-3,\"\\ud83d\\udc26\\u00e9\\\"\\\\\\/\\b\\f\\n\\r\\t\",{}],\n\t\"\u{fc}\":\r{\"b\":[],\"c\":[[1],[2, 3]]},\"d\":18446744073709551615}\n";

#[test]
fn every_beginning_of_a_text_and_every_byte_in_its_place_is_read_as_the_library_does() {
    let whole = WHOLE.as_bytes();
    assert!(read(whole).is_ok());
    for length in 0..=whole.len() {
        check(&whole[..length]);
        for byte in [
            &b"\""[..],
            b"\\",
            b"u",
            b"[",
            b"]",
            b"{",
            b"}",
            b",",
            b":",
            b"0",
            b"-",
            b"e",
            b".",
            b" ",
            b"\n",
            b"\0",
            b"x",
            b"\xff",
            b"\xc3",
        ] {
            check(&[&whole[..length], byte, &whole[length..]].concat());
            let behind = whole.get(length + 1..).unwrap_or_default();
            check(&[&whole[..length], byte, behind].concat());
            check(&[&whole[..length], byte].concat());
        }
        check(
            &[
                &whole[..length],
                whole.get(length + 1..).unwrap_or_default(),
            ]
            .concat(),
        );
    }
}

#[test]
fn numbers_are_read_as_the_library_does() {
    for number in [
        "0",
        "-0",
        "00",
        "01",
        "-",
        "-a",
        "+1",
        ".5",
        "1.",
        "1.e3",
        "1e",
        "1e+",
        "1e-",
        "1ex",
        "1.5.5",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "-18446744073709551615",
        "184467440737095516150.25",
        "1844674407370955161.64",
        "0.00000000000000000000000000001",
        "1.7976931348623157e308",
        "-1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e308",
        "1e309",
        "2e308",
        "17976931348623157e292",
        "17976931348623160e292",
        "1.8e308",
        "0e309",
        "0e99999999999",
        "0.0e99999999999",
        "1e99999999999",
        "1e-99999999999",
        "1e2147483647",
        "1e2147483648",
        "1e-2147483648",
        "0.1e2147483647",
        "10e-2147483647",
        "123456789012345678901234567890e280",
        "1E5",
        "1e0005",
        "-1.25E+2",
    ] {
        check(number.as_bytes());
        check(format!("[{number}]").as_bytes());
        check(format!("{{\"a\":{number} ,\"b\":1}}").as_bytes());
    }
    for zeros in [280, 288, 289, 290, 307, 308, 309, 400] {
        for digits in ["1", "18", "9", "12345678901234567890123"] {
            let long = format!("{digits}{}", "0".repeat(zeros));
            check(long.as_bytes());
            check(format!("{long}.5").as_bytes());
            check(format!("{long}e5").as_bytes());
            check(format!("{long}e-5").as_bytes());
            check(format!("0.{}{digits}e{zeros}", "0".repeat(zeros)).as_bytes());
        }
    }
}

#[test]
fn lists_stand_in_each_other_as_deep_as_the_library_lets_them() {
    for depth in [126, 127, 128, 200] {
        check(format!("{}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        check(objects.as_bytes());
    }
}

#[test]
fn escapes_are_read_as_the_library_does() {
    for escaped in [
        "\\u0000",
        "\\uD83D",
        "\\uD83Dx",
        "\\uD83D\\",
        "\\uD83D\\n",
        "\\uD83D\\u",
        "\\uD83D\\u00",
        "\\uD83D\\uD83D",
        "\\uD83D\\u0041",
        "\\uDC00",
        "\\uDFFF\\uDFFF",
        "\\uDBFF\\uDFFF",
        "\\u12",
        "\\u12g4",
        "\\x",
        "\\",
        "a\\u00e9\u{e9}",
        "\u{1f}",
        "\u{7f}",
    ] {
        check(format!("\"{escaped}\"").as_bytes());
        check(format!("[\n\"{escaped}").as_bytes());
        check(&[b"[\"", escaped.as_bytes(), b"\xff\", 1]"].concat());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_as_the_library_does(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        prop_assert_eq!(read(&bytes), by_the_library(&bytes));
    }

    #[test]
    fn any_text_of_what_json_is_made_of_is_read_as_the_library_does(
        text in r#"([\[\]{}:, \n"]|"a"|"\\u[dD][89c]0[0-9]"|null|tru|-?[0-9]{1,3}(\.[0-9]{0,2})?(e[+-]?[0-9]{0,3})?){0,20}"#,
    ) {
        prop_assert_eq!(read(text.as_bytes()), by_the_library(text.as_bytes()));
    }
}
