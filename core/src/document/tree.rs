//! A tree from whatever serde reads.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::Document;
use crate::text::number;

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Tree::<Shown>(PhantomData).deserialize(deserializer)
    }
}

/// Reads a tree in which a number that is not whole has no text: what a program wrote has none, and
/// writing them takes more code than everything else here.
pub(crate) struct WithoutFractions;

impl<'de> DeserializeSeed<'de> for WithoutFractions {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        Tree::<Unsaid>(PhantomData).deserialize(deserializer)
    }
}

/// What text a number that is not whole gets.
trait Fractions {
    fn text(value: f64) -> String;
}

struct Shown;

impl Fractions for Shown {
    fn text(value: f64) -> String {
        value.to_string()
    }
}

struct Unsaid;

impl Fractions for Unsaid {
    fn text(_: f64) -> String {
        String::new()
    }
}

struct Tree<F>(PhantomData<F>);

impl<'de, F: Fractions> DeserializeSeed<'de> for Tree<F> {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Document, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: Fractions> Visitor<'de> for Tree<F> {
    type Value = Document;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<Document, E> {
        Ok(Document::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Document, E> {
        Ok(Document::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Document, E> {
        Ok(Document::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Document, E> {
        Ok(match i64::try_from(value) {
            Ok(value) => Document::Integer(value),
            Err(_) => Document::Fraction(number(value)),
        })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Document, E> {
        Ok(Document::Fraction(F::text(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Document, E> {
        Ok(Document::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Document, E> {
        Ok(Document::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Document, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self(PhantomData))? {
            list.push(item);
        }
        Ok(Document::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Document, A::Error> {
        let mut object = Vec::new();
        while let Some(name) = members.next_key()? {
            object.push((name, members.next_value_seed(Self(PhantomData))?));
        }
        Ok(Document::Object(object))
    }
}
