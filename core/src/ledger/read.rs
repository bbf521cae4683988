//! Reading a record from its JSON.

use alloc::string::String;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error};

use super::{Key, Record, unreadable};
use crate::document::{Document, Fields, WithoutFractions, read_json};
use crate::release::{Event, Phase, Weight};
use crate::text::{count, message};
use crate::time::Timestamp;

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = WithoutFractions.deserialize(deserializer)?;
        Self::of(&document).map_err(D::Error::custom)
    }
}

impl Record {
    /// The record that a line is.
    pub(super) fn of_line(line: &[u8]) -> Result<Self, String> {
        match read_json(line) {
            // Where a line is no JSON, its reader says at which column.
            Err(why) => Err(unreadable(&why)),
            Ok(document) => Self::of(&document).map_err(|why| {
                let column = count(line.len());
                unreadable(&message!("{} at line 1 column {}", &why, &column).text())
            }),
        }
    }

    /// What its members say; those that nobody knows say nothing.
    fn of(document: &Document) -> Result<Self, String> {
        let mut wrong = None;
        let record = Self::read_into(document, &mut wrong);
        match (record, wrong) {
            (Some(record), None) => Ok(record),
            (_, why) => Err(why.unwrap_or_default()),
        }
    }

    fn read_into(document: &Document, wrong: &mut Option<String>) -> Option<Self> {
        let mut members = Fields::of(document, "struct Record", wrong);
        let event = Event::of(&mut members);
        let state = members.one_of("state", &Phase::ALL, Phase::name);
        let key = members.text_if_any("idempotency_key").map(Key::parse);
        let moment = members.text("timestamp");
        let canary_weight = members.needed("canary_weight");
        Some(Self {
            timestamp: members.ok(Timestamp::parse(moment))?,
            blue_image: members.string_if_any("blue_image"),
            green_image: members.string_if_any("green_image"),
            canary_weight: Weight::of(canary_weight, &mut members),
            user: members.string("user"),
            deploy_role: members.string("deploy_role"),
            torn_tail_cut: members.whole_if_any("torn_tail_cut"),
            idempotency_key: key.and_then(|key| members.ok(key)),
            command_sha256: members.string_if_any("command_sha256"),
            seq: members.whole("seq"),
            release_id: members.string_if_any("release_id"),
            prev_hash: members.string("prev_hash"),
            event: event?,
            state: state?,
        })
    }
}
