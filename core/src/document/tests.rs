use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use serde::de::Deserialize;

use super::*;

fn json(text: &str) -> Document {
    Document::from_json(text).unwrap()
}

#[test]
fn every_kind_of_value_is_kept() {
    let text = r#"{"a":[null,true,-7,18446744073709551615,1.5,"x\n"],"b":{}}"#;
    assert_eq!(
        json(text),
        Document::Object(vec![
            (
                "a".into(),
                Document::List(vec![
                    Document::Null,
                    Document::Bool(true),
                    Document::Integer(-7),
                    Document::Fraction("18446744073709551615".into()),
                    Document::Fraction("1.5".into()),
                    Document::Text("x\n".into()),
                ])
            ),
            ("b".into(), Document::Object(vec![])),
        ])
    );
}

#[test]
fn what_is_no_json_is_an_error_of_one_line_that_says_where() {
    let deep = "[".repeat(100_000);
    for text in [
        "",
        "{",
        "{\"a\":}",
        "[1,]",
        "\u{feff}{}",
        "{}x",
        "\"\u{1b}[2J\"",
        "nul",
        deep.as_str(),
        "1e999",
    ] {
        let why = Document::from_json(text).unwrap_err();
        assert!(
            why.starts_with("is no JSON: ") && why.contains("line 1 column"),
            "{why}"
        );
        assert!(
            why.is_ascii() && !why.contains('\n') && why.len() < 600,
            "{why}"
        );
    }
}

#[test]
fn a_value_in_a_message_is_short_and_ascii() {
    for (text, seen) in [
        ("null", "null"),
        ("-3", "-3"),
        ("0.5", "0.5"),
        ("\"\\u202e\"", r#""\u{202e}""#),
        ("[1,2]", "a list of 2"),
        ("{\"a\":1}", "an object of 1"),
    ] {
        assert_eq!(json(text).seen(), seen);
    }
}

#[test]
fn members_that_are_unknown_or_twice_are_all_reported_with_what_is_meant() {
    let document = json(r#"{"nmae":"a","weight":1,"weight":2,"zzz":0}"#);
    let mut problems = Vec::new();
    let members = Members::of(&document, "region 1", &["name", "weight"], &mut problems);
    assert!(members.is_some());
    assert_eq!(
        problems,
        [
            r#"region 1 has the unknown key "nmae"; did you mean "name"? allowed: name, weight"#,
            r#"region 1 has "weight" twice; allowed: each key once"#,
            r#"region 1 has the unknown key "zzz"; allowed: name, weight"#,
        ]
    );
}

#[test]
fn a_member_of_the_wrong_kind_is_reported_with_its_place() {
    let document = json(r#"{"name":7,"list":"x"}"#);
    let mut problems = Vec::new();
    let mut members = Members::of(
        &document,
        "region 1",
        &["name", "list", "more"],
        &mut problems,
    )
    .unwrap();
    assert_eq!(members.text("name"), None);
    assert_eq!(members.text("more"), None);
    assert_eq!(members.text_if_any("more"), None);
    assert!(members.list("list").is_none() && members.list("more").is_none());
    assert!(members.list_if_any("more").is_empty());
    assert_eq!(
        problems,
        [
            r#"region 1 has "name" = 7; allowed: text"#,
            r#"region 1 has no "more", which it must have"#,
            r#"region 1 has "list" = "x"; allowed: a list"#,
            r#"region 1 has no "more", which it must have"#,
        ]
    );
    let mut problems = Vec::new();
    assert!(Members::of(&json("[]"), "the file", &["pins"], &mut problems).is_none());
    assert_eq!(
        problems,
        ["the file is a list of 0; allowed: an object with pins"]
    );
}

#[test]
fn the_nearest_name_is_the_one_with_the_fewest_changes() {
    let known = ["residency", "pins", "slots"];
    for (seen, meant) in [
        ("residencies", Some("residency")),
        ("RESIDENCY", Some("residency")),
        ("pin", Some("pins")),
        ("spins", Some("pins")),
        ("slot", Some("slots")),
        ("solts", Some("slots")),
        ("stolen", None),
        ("", None),
        ("regions", None),
    ] {
        assert_eq!(nearest(seen, known), meant, "{seen}");
    }
    assert_eq!(nearest(&"x".repeat(1_000_000), known), None);
    assert_eq!(
        nearest("a", ["b", "a"]).map(|name| name.to_string()),
        Some("a".into())
    );
}

#[test]
fn a_number_with_hundreds_of_digits_is_cut_where_it_is_shown() {
    let seen = Document::from_json("1e308").unwrap().seen();
    assert!(seen.len() <= 66 && seen.ends_with("...\""), "{seen}");
    assert_eq!(Document::from_json("-0.25").unwrap().seen(), "-0.25");
}

#[test]
fn an_object_of_64_keys_is_read_and_of_one_more_the_rest_is_not_looked_at() {
    let problems = |count: usize| {
        let members = (0..count).map(|key| (alloc::format!("key{key}"), Document::Null));
        let mut problems = Vec::new();
        let document = Document::Object(members.collect());
        assert!(Members::of(&document, "region 1", &["name"], &mut problems).is_some());
        problems
    };
    assert_eq!(problems(64).len(), 64);
    for count in [65, 1000] {
        let found = problems(count);
        assert_eq!(found.len(), 65);
        assert_eq!(
            found[0],
            alloc::format!("region 1 has {count} keys; allowed: name")
        );
        assert_eq!(
            found[64],
            r#"region 1 has the unknown key "key63"; allowed: name"#
        );
    }
}

#[test]
fn the_hundredth_problem_is_the_last_and_says_so() {
    let mut problems = vec![alloc::string::String::from("x"); 99];
    assert!(!enough(&problems));
    say_if_enough(&mut problems);
    assert_eq!(problems.len(), 99);
    problems.push("x".into());
    assert!(enough(&problems));
    say_if_enough(&mut problems);
    assert_eq!(
        problems[100..],
        ["has 100 problems up to here; nothing behind them was looked at"]
    );
}

#[test]
fn a_kind_of_value_that_no_tree_holds_is_refused_by_its_name() {
    use serde::de::value::{BytesDeserializer, Error};
    let why = Document::deserialize(BytesDeserializer::<Error>::new(b"x")).unwrap_err();
    assert_eq!(
        why.to_string(),
        "invalid type: byte array, expected any value"
    );
}

#[test]
fn what_has_nothing_in_common_with_a_name_is_like_no_name() {
    let known = ["a", "ab", "us-east"];
    assert_eq!((nearest("c", known), nearest("", known)), (None, None));
    assert_eq!(nearest("ac", known), Some("ab"), "half of it is left");
    assert_eq!(nearest("us-eat", known), Some("us-east"));
}
