//! From the tree to the shapes of `file.rs`, going on after every problem.
//!
//! A serde deserializer stops at its first error. Here every place that may hold a wrong value is a [`Field`], which
//! catches the error of what is inside it, notes it with its position, and lets the rest go on.

use std::{cell::RefCell, fmt, marker::PhantomData, ops::Range};

use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer as _, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

use super::{
    later,
    problem::{Problem, Problems, sounds_secret},
    tree::{Node, Value},
};

/// Fills a shape from a tree.
pub(super) fn read<T: de::DeserializeOwned>(root: &Node, problems: &mut Problems) -> Option<At<T>> {
    let sink = RefCell::new(problems);
    match T::deserialize(Reader { node: root, sink: &sink, unknown: None }) {
        Ok(value) => Some(At { value, at: root.at.clone() }),
        Err(failure) => {
            sink.borrow_mut().add(failure.at(&root.at));
            None
        }
    }
}

/// A place of the file: left out, wrong (and noted as such), or given.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Field<T> {
    /// The file does not have it.
    #[default]
    Absent,
    /// It is there and could not be read; the problem is noted.
    Bad,
    /// It is there.
    Given(At<T>),
}

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: Range<usize>,
}

/// The marker by which the reader knows a [`Field`].
const FIELD: &str = "$field";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Serde answers `deserialize_option` for a missing field with `visit_none`: that is `Absent`.
        deserializer.deserialize_option(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(Field::Absent)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_tuple_struct(FIELD, 3, self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let start = seq.next_element()?.unwrap_or_default();
        let end = seq.next_element()?.unwrap_or_default();
        Ok(seq.next_element()?.map_or(Field::Bad, |value| Field::Given(At { value, at: start..end })))
    }
}

/// The entries of a mapping whose keys are names that the file chooses, in the file's order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entries<T>(pub(super) Vec<(At<String>, Field<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
    type Value = Entries<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((key, value)) = map.next_entry::<Field<String>, Field<T>>()? {
            if let Field::Given(key) = key {
                entries.push((key, value));
            }
        }
        Ok(Entries(entries))
    }
}

/// What is wrong with a value; the nearest [`Field`] around it knows where.
#[derive(Debug)]
struct Failure {
    message: String,
    remedy: Option<String>,
}

impl Failure {
    fn at(self, at: &Range<usize>) -> Problem {
        Problem { remedy: self.remedy, ..Problem::new(at, self.message) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl de::Error for Failure {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), remedy: None }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self { message: format!("`{variant}` is not known here"), remedy: Some(suggestion(variant, expected)) }
    }
}

/// The nearest of the words that would have been right, or all of them.
pub(super) fn suggestion(word: &str, known: &[&str]) -> String {
    let nearest = known.iter().map(|it| (strsim::damerau_levenshtein(&word.to_lowercase(), &it.to_lowercase()), it)).min();
    match nearest {
        Some((distance, it)) if distance <= (word.chars().count() / 3).max(1) => format!("did you mean `{it}`?"),
        _ => format!("known here: {}", known.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ")),
    }
}

type Sink<'a> = RefCell<&'a mut Problems>;

/// A node about to be read.
#[derive(Clone, Copy)]
struct Reader<'a> {
    node: &'a Node,
    sink: &'a Sink<'a>,
    /// Set for the value of a struct's entry: reading it as “ignored” means that the key is not known.
    unknown: Option<(&'a Node, Shape)>,
}

/// A struct: its name and its keys.
type Shape = (&'static str, &'static [&'static str]);

impl<'a> Reader<'a> {
    fn child(self, node: &'a Node) -> Self {
        Self { node, unknown: None, ..self }
    }

    fn expected(self, what: &str) -> Failure {
        Failure::custom(match &self.node.value {
            Value::Nothing => format!("{what} is expected here, but there is nothing"),
            other => format!("{what} is expected here, but this is {}", other.what()),
        })
    }

    fn text(self, what: &str) -> Result<&'a str, Failure> {
        self.node.text().ok_or_else(|| self.expected(what))
    }

    fn note_unknown(self, key: &Node, (name, known): Shape) {
        let word = key.text().unwrap_or_default();
        let failure = match later::reason(name, word) {
            Some(reason) => later::refusal(word, reason),
            None => (format!("unknown key `{word}`"), suggestion(word, known)),
        };
        let mut sink = self.sink.borrow_mut();
        if sounds_secret(word) {
            sink.hide(&self.node.at);
        }
        sink.add(Problem::new(&key.at, failure.0).remedy(failure.1));
    }
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.value {
            Value::Nothing => visitor.visit_unit(),
            Value::Text(text) => visitor.visit_str(text),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, name: &'static str, _: usize, visitor: V) -> Result<V::Value, Failure> {
        debug_assert_eq!(name, FIELD);
        visitor.visit_seq(FieldAccess { reader: self, part: 0 })
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_str(self.text("a text")?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.text("`true` or `false`")? {
            "true" => visitor.visit_bool(true),
            "false" => visitor.visit_bool(false),
            other => Err(Failure::custom(format!("`true` or `false` is expected here, not `{other}`"))),
        }
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        let text = self.text("a number")?;
        let number = text.parse().map_err(|_| Failure::custom(format!("a whole number up to 65535 is expected here, not `{text}`")))?;
        visitor.visit_u16(number)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.value {
            Value::List(items) => visitor.visit_seq(ListAccess { reader: self, items: items.iter() }),
            _ => Err(self.expected("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(EntryAccess { reader: self, entries: entries.iter(), entry: None, shape: None }),
            _ => Err(self.expected("a mapping")),
        }
    }

    /// A shape with nothing in it may also be written as nothing: `- rollout:`.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        keys: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let entries = match &self.node.value {
            Value::Map(entries) => entries.iter(),
            Value::Nothing => [].iter(),
            _ => return Err(self.expected("a mapping")),
        };
        visitor.visit_map(EntryAccess { reader: self, entries, entry: None, shape: Some((name, keys)) })
    }

    /// A word, or a mapping of one word to what belongs to it.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        let (word, content) = match &self.node.value {
            Value::Text(text) => (text.as_str(), None),
            Value::Map(entries) => match &entries[..] {
                [(key, content)] => (key.text().unwrap_or_default(), Some(self.child(content))),
                _ => return Err(Failure::custom(format!("exactly one of {} is expected here", words.join(", ")))),
            },
            _ => return Err(self.expected(&format!("one of {}", words.join(", ")))),
        };
        if let Some(reason) = later::reason(name, word) {
            let (message, remedy) = later::refusal(word, reason);
            return Err(Failure { message, remedy: Some(remedy) });
        }
        visitor.visit_enum(WordAccess { word, content })
    }

    /// Serde's way of skipping the value of a key that a shape does not have.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        if let Some((key, shape)) = self.unknown {
            self.note_unknown(key, shape);
        }
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u32 u64 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple
    }
}

/// The three parts of a [`Field`]: start, end, value.
struct FieldAccess<'a> {
    reader: Reader<'a>,
    part: usize,
}

impl<'de> SeqAccess<'de> for FieldAccess<'_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        let node = self.reader.node;
        self.part += 1;
        match self.part {
            1 => seed.deserialize(node.at.start.into_deserializer()).map(Some),
            2 => seed.deserialize(node.at.end.into_deserializer()).map(Some),
            _ => Ok(seed.deserialize(self.reader).map_err(|why| self.reader.sink.borrow_mut().add(why.at(&node.at))).ok()),
        }
    }
}

struct ListAccess<'a> {
    reader: Reader<'a>,
    items: std::slice::Iter<'a, Node>,
}

impl<'de> SeqAccess<'de> for ListAccess<'_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Failure> {
        self.items.next().map(|it| seed.deserialize(self.reader.child(it))).transpose()
    }
}

struct EntryAccess<'a> {
    reader: Reader<'a>,
    entries: std::slice::Iter<'a, (Node, Node)>,
    entry: Option<&'a (Node, Node)>,
    shape: Option<Shape>,
}

impl<'de> MapAccess<'de> for EntryAccess<'_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Failure> {
        self.entry = self.entries.next();
        self.entry.map(|(key, _)| seed.deserialize(self.reader.child(key))).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let (key, value) = self.entry.expect("serde asks for a key before its value");
        seed.deserialize(Reader { unknown: self.shape.map(|it| (key, it)), ..self.reader.child(value) })
    }
}

struct WordAccess<'a> {
    word: &'a str,
    content: Option<Reader<'a>>,
}

impl<'de> EnumAccess<'de> for WordAccess<'_> {
    type Error = Failure;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Failure> {
        let word = seed.deserialize(self.word.into_deserializer())?;
        Ok((word, self))
    }
}

impl<'de> VariantAccess<'de> for WordAccess<'_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Failure::custom(format!("`{}` is a word alone, nothing belongs to it", self.word))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failure> {
        match self.content {
            Some(content) => seed.deserialize(content),
            None => Err(Failure::custom(format!("`{}` needs a mapping of what belongs to it", self.word))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Failure> {
        Err(Failure::custom("no shape has such a variant"))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Failure> {
        Err(Failure::custom("no shape has such a variant"))
    }
}
