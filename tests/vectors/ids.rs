//! Tenant ids that implementations tend to disagree on.

use serde_json::Value;

use crate::json;

/// Ids of one byte and of 16,384, of every length modulo a block of the hash, and of many scripts.
pub(crate) fn tenants() -> Vec<String> {
    let mut ids: Vec<String> = SHORT.iter().map(|id| String::from(*id)).collect();
    for (unit, times) in [
        ("x", 255),
        ("x", 256),
        ("x", 16_383),
        ("x", 16_384),
        ("ü", 8_192),
        ("\u{1f426}", 4_096),
    ] {
        ids.push(unit.repeat(times));
    }
    ids
}

const SHORT: [&str; 54] = [
    "acme",
    "tenant1",
    "tenant2",
    "tenant123",
    "globex",
    "initech",
    "umbrella",
    "bank-7",
    // One byte, the least and the greatest included.
    "a",
    "Z",
    "0",
    " ",
    "*",
    "\u{0}",
    "\t",
    "\n",
    "\u{7f}",
    // Around one and two blocks of eight bytes.
    "seven_b",
    "eight_by",
    "nine_byte",
    "fifteen_bytes_x",
    "sixteen_bytes_xx",
    "seventeen_bytes_x",
    // What somebody could trim, fold, normalise or escape.
    "Acme",
    "ACME",
    " acme",
    "acme ",
    "a b",
    "a\u{0}b",
    "line\nbreak",
    "quote\"back\\slash",
    "user@example.com",
    "<script>",
    "tenant*",
    "%41",
    "Zo\u{eb}",
    "Zoe\u{308}",
    "\u{feff}acme",
    "\u{202e}acme",
    "\u{2028}",
    "\u{a0}",
    // Two, three and four bytes a character.
    "\u{fc}",
    "\u{3a9}",
    "Привет",
    "שלום",
    "العربية",
    "हिन्दी",
    "ไทย",
    "日本語",
    "테넌트",
    "\u{ffff}",
    "\u{1f426}",
    "\u{1f469}\u{200d}\u{1f680}",
    "\u{10ffff}",
];

/// A tenant as a vector has it: its text, or a long one as what it repeats.
pub(crate) fn write(id: &str) -> String {
    let unit: String = id.chars().take(1).collect();
    let times = id.len() / unit.len();
    if times > 64 && unit.repeat(times) == id {
        json::object(&[("repeat", json::text(&unit)), ("times", times.to_string())])
    } else {
        json::text(id)
    }
}

/// The tenant of a vector.
pub(crate) fn read(value: &Value) -> String {
    match value {
        Value::String(id) => id.clone(),
        long => {
            let times = long["times"].as_u64().expect("a text, or repeat and times");
            long["repeat"].as_str().unwrap().repeat(times as usize)
        }
    }
}

/// The tenant of a case that may have none.
pub(crate) fn read_if_any(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        value => read(value),
    }
}
