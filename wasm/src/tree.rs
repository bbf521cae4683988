//! A value as a tree, of which serde-wasm-bindgen then makes an object: what a type takes to be written is a
//! third of the code that way, and its serialiser is there once and not for each type.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::ser::{self, Serialize, Serializer};

/// What JSON can have but for fractions, which no answer has.
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Whole(u64),
    Negative(i64),
    Text(String),
    List(Vec<Tree>),
    /// Names and values in turn.
    Object(Vec<Tree>),
}

impl Tree {
    /// The tree of a value.
    ///
    /// # Errors
    /// Where it has a fraction or bytes in it.
    pub(crate) fn of(value: &impl Serialize) -> Result<Self, NoTree> {
        let mut stack = Stack(Vec::new());
        value.serialize(&mut stack)?;
        stack.0.pop().ok_or(NoTree)
    }
}

impl Serialize for Tree {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Tree::Null => serializer.serialize_unit(),
            Tree::Bool(value) => serializer.serialize_bool(*value),
            Tree::Whole(value) => serializer.serialize_u64(*value),
            Tree::Negative(value) => serializer.serialize_i64(*value),
            Tree::Text(value) => serializer.serialize_str(value),
            Tree::List(items) => serializer.collect_seq(items),
            Tree::Object(members) => {
                let pairs = members.chunks_exact(2);
                serializer.collect_map(pairs.filter_map(|pair| match pair {
                    [name, value] => Some((name, value)),
                    _ => None,
                }))
            }
        }
    }
}

/// A value that no tree is made of.
#[derive(Debug)]
pub(crate) struct NoTree;

impl fmt::Display for NoTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value that JSON has not")
    }
}

impl core::error::Error for NoTree {}

impl ser::Error for NoTree {
    fn custom<T: fmt::Display>(_: T) -> Self {
        NoTree
    }
}

/// What has been read and belongs to nothing yet.
struct Stack(Vec<Tree>);

type Done = Result<(), NoTree>;

impl Stack {
    fn push(&mut self, tree: Tree) -> Done {
        self.0.push(tree);
        Ok(())
    }

    fn open(&mut self) -> Open<'_> {
        let from = self.0.len();
        Open { stack: self, from }
    }

    /// A variant with content: an object of one member.
    fn open_variant(&mut self, name: &str) -> Open<'_> {
        self.0.push(Tree::Text(name.to_string()));
        self.open()
    }
}

/// What belongs to one list or object that is not at its end.
struct Open<'s> {
    stack: &'s mut Stack,
    from: usize,
}

impl Open<'_> {
    fn list(self) -> Done {
        let items = self.stack.0.split_off(self.from);
        self.stack.push(Tree::List(items))
    }

    fn object(self) -> Done {
        let members = self.stack.0.split_off(self.from);
        self.stack.push(Tree::Object(members))
    }

    fn variant(stack: &mut Stack, from: usize) -> Done {
        let from = from.saturating_sub(1);
        Open { stack, from }.object()
    }
}

impl<'s> Serializer for &'s mut Stack {
    type Ok = ();
    type Error = NoTree;
    type SerializeSeq = Open<'s>;
    type SerializeTuple = Open<'s>;
    type SerializeTupleStruct = Open<'s>;
    type SerializeTupleVariant = Open<'s>;
    type SerializeMap = Open<'s>;
    type SerializeStruct = Open<'s>;
    type SerializeStructVariant = Open<'s>;

    fn serialize_bool(self, value: bool) -> Done {
        self.push(Tree::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Done {
        self.push(match u64::try_from(value) {
            Ok(value) => Tree::Whole(value),
            Err(_) => Tree::Negative(value),
        })
    }

    fn serialize_u8(self, value: u8) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Done {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Done {
        self.push(Tree::Whole(value))
    }

    fn serialize_f32(self, _: f32) -> Done {
        Err(NoTree)
    }

    fn serialize_f64(self, _: f64) -> Done {
        Err(NoTree)
    }

    fn serialize_char(self, value: char) -> Done {
        self.push(Tree::Text(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.push(Tree::Text(value.to_string()))
    }

    fn serialize_bytes(self, _: &[u8]) -> Done {
        Err(NoTree)
    }

    fn serialize_none(self) -> Done {
        self.push(Tree::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.push(Tree::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.push(Tree::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let Open { stack, from } = self.open_variant(variant);
        value.serialize(&mut *stack)?;
        Open::variant(stack, from)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'s>, NoTree> {
        Ok(self.open())
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'s>, NoTree> {
        Ok(self.open())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'s>, NoTree> {
        Ok(self.open())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'s>, NoTree> {
        Ok(self.open_variant(variant))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'s>, NoTree> {
        Ok(self.open())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'s>, NoTree> {
        Ok(self.open())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'s>, NoTree> {
        Ok(self.open_variant(variant))
    }
}

impl ser::SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = NoTree;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.stack)
    }

    fn end(self) -> Done {
        self.list()
    }
}

impl ser::SerializeTuple for Open<'_> {
    type Ok = ();
    type Error = NoTree;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.stack)
    }

    fn end(self) -> Done {
        self.list()
    }
}

impl ser::SerializeTupleStruct for Open<'_> {
    type Ok = ();
    type Error = NoTree;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.stack)
    }

    fn end(self) -> Done {
        self.list()
    }
}

impl ser::SerializeTupleVariant for Open<'_> {
    type Ok = ();
    type Error = NoTree;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.stack)
    }

    fn end(self) -> Done {
        let from = self.from;
        let items = self.stack.0.split_off(from);
        self.stack.push(Tree::List(items))?;
        Open::variant(self.stack, from)
    }
}

impl ser::SerializeMap for Open<'_> {
    type Ok = ();
    type Error = NoTree;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        key.serialize(&mut *self.stack)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.stack)
    }

    fn end(self) -> Done {
        self.object()
    }
}

impl ser::SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = NoTree;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        (&mut *self.stack).serialize_str(name)?;
        value.serialize(&mut *self.stack)
    }

    fn end(self) -> Done {
        self.object()
    }
}

impl ser::SerializeStructVariant for Open<'_> {
    type Ok = ();
    type Error = NoTree;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        (&mut *self.stack).serialize_str(name)?;
        value.serialize(&mut *self.stack)
    }

    fn end(self) -> Done {
        let from = self.from;
        let members = self.stack.0.split_off(from);
        self.stack.push(Tree::Object(members))?;
        Open::variant(self.stack, from)
    }
}
