//! Where everything stands: byte spans of `images` and its entries, from a lossless parse.
//!
//! The parse is lenient and lossless; it is believed only where it agrees with the strict reading, and whatever is
//! written at its spans is read strictly again.

use std::ops::Range;

use serde_yaml::Value;
use yaml_edit::{Mapping, YamlFile, YamlNode};

use super::line_at;
use crate::error::{Error, Result};

/// Where the top level and `images` stand.
#[derive(Debug)]
pub(super) struct Layout {
    pub root: Root,
    pub images: Images,
    pub items: Vec<Item>,
}

/// The top level of the file.
#[derive(Debug)]
pub(super) enum Root {
    /// Nothing but comments, if anything.
    Empty,
    /// `{…}`, as in JSON.
    Flow { pairs: Vec<Pair>, span: Range<usize> },
    /// One key a line. `lists` is the indentation of its lists relative to their keys, where one shows it.
    Block { indent: String, lists: Option<usize> },
}

/// The `images` field.
#[derive(Debug)]
pub(super) enum Images {
    Absent,
    /// `images:` or `images: null`: where its value is or would be, right behind the colon.
    Null(Range<usize>),
    /// `[…]`.
    Flow(Range<usize>),
    /// A list with dashes; where the first dash stands.
    Block(usize),
}

/// One entry of `images`.
#[derive(Debug)]
pub(super) struct Item {
    pub span: Range<usize>,
    pub flow: bool,
    /// Why its bytes do not belong to it alone.
    pub shared: Option<&'static str>,
    pub pairs: Vec<Pair>,
}

/// A key and its value.
#[derive(Debug)]
pub(super) struct Pair {
    pub key: String,
    pub key_span: Range<usize>,
    /// Right behind the colon.
    pub colon: usize,
    /// The value without tag and anchor; empty where nothing is written.
    pub value: Range<usize>,
    pub form: Form,
    /// The value can be named elsewhere.
    pub anchored: bool,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Empty,
    Plain,
    Single,
    Double,
    /// `|` or `>`.
    Block,
    Alias,
    Collection,
}

impl Layout {
    /// Finds the spans and refuses where the two readers disagree about what is there.
    pub(super) fn read(file: &str, text: &str, strict: &Value) -> Result<Self> {
        let layout = Self::locate(text);
        let expected = strict.get("images").and_then(Value::as_sequence).map_or(0, Vec::len);
        let agrees = layout.items.len() == expected && matches!(layout.root, Root::Empty) == strict.is_null();
        let absent = matches!(layout.images, Images::Absent) == strict.get("images").is_none();
        match strict.get("images") {
            Some(it) if !it.is_null() && !it.is_sequence() => Err(Error::config(format!("{file}: “images” has to be a list."))),
            _ if agrees && absent => Ok(layout),
            _ => Err(Error::refused(format!("{file}: the list of images is written in a way that is not edited here (an alias, a tag?)."))
                .hint("write “images” as a plain list in this file")),
        }
    }

    fn locate(text: &str) -> Self {
        let Some(root) = YamlFile::parse(text).tree().document().and_then(|it| it.as_mapping()) else {
            return Self { root: Root::Empty, images: Images::Absent, items: Vec::new() };
        };
        let pairs = pairs(text, &root);
        let node = root.entries().zip(&pairs).find(|(_, pair)| pair.key == "images").map(|(entry, pair)| (entry.value_node(), pair));
        let (images, items) = node.map_or((Images::Absent, Vec::new()), |(node, pair)| images(text, node.as_ref(), pair));
        let root = if root.is_flow_style() {
            let span = root.byte_range();
            Root::Flow { span: span.start as usize..span.end as usize, pairs }
        } else {
            let first = pairs.first().map_or(0, |it| it.key_span.start);
            Root::Block { indent: " ".repeat(column(text, first)), lists: list_indent(text, &root) }
        };
        Self { root, images, items }
    }
}

/// Where the comments stand.
pub(super) fn comments(text: &str) -> Vec<Range<usize>> {
    let span = |it: yaml_edit::TextPosition| it.start as usize..it.end as usize;
    YamlFile::parse(text).tree().comments().map(|it| span(it.byte_range())).collect()
}

impl Item {
    pub(super) fn pair(&self, key: &str) -> Option<&Pair> {
        self.pairs.iter().find(|it| it.key == key)
    }
}

impl Pair {
    /// Where what is written of it ends.
    pub(super) fn end(&self) -> usize {
        self.value.end.max(self.colon)
    }
}

fn images(text: &str, node: Option<&YamlNode>, pair: &Pair) -> (Images, Vec<Item>) {
    match node {
        Some(YamlNode::Sequence(list)) => {
            let span = list.byte_range();
            let items = list.values().map(|it| item(text, &it)).collect();
            let flow = list.is_flow_style();
            (if flow { Images::Flow(span.start as usize..span.end as usize) } else { Images::Block(span.start as usize) }, items)
        }
        _ => (Images::Null(pair.colon..pair.end()), Vec::new()),
    }
}

fn item(text: &str, node: &YamlNode) -> Item {
    let span = node.byte_range();
    let span = span.start as usize..span.end as usize;
    match node {
        YamlNode::Mapping(map) => {
            let before = text[..span.start].trim_end();
            let word = before.rfind([' ', '\n', '\t', ',', '[']).map_or(before, |it| &before[it + 1..]);
            let shared = word.starts_with('&').then_some("it has an anchor, so that it is used elsewhere too");
            let pairs = pairs(text, map);
            let merged = pairs.iter().any(|it| it.key == "<<").then_some("it takes fields from elsewhere (“<<”)");
            Item { flow: map.is_flow_style(), shared: merged.or(shared), pairs, span }
        }
        YamlNode::Alias(_) => Item { flow: true, shared: Some("it is an alias of something written elsewhere"), pairs: Vec::new(), span },
        _ => Item { flow: true, shared: Some("it carries a tag or is not a mapping"), pairs: Vec::new(), span },
    }
}

fn pairs(text: &str, map: &Mapping) -> Vec<Pair> {
    map.entries()
        .filter_map(|entry| {
            let key = entry.key_node()?;
            let key_span = key.byte_range();
            let key_span = key_span.start as usize..key_span.end as usize;
            let colon = key_span.end + text.get(key_span.end..)?.find(':')? + 1;
            let key = key.as_scalar().map_or_else(|| text[key_span.clone()].to_owned(), yaml_edit::Scalar::as_string);
            let (value, form) = entry.value_node().map_or((colon..colon, Form::Empty), |it| value(text, colon, &it));
            let anchored = text.get(colon..value.start).is_some_and(has_anchor);
            Some(Pair { key, key_span, colon, value, form, anchored })
        })
        .collect()
}

/// Whether an anchor stands between a colon and its value. Comments may stand there too.
fn has_anchor(gap: &str) -> bool {
    let code = |line: &str| line.split(" #").next().unwrap_or_default().to_owned();
    gap.lines().any(|line| code(line).split_whitespace().any(|it| it.starts_with('&')))
}

/// The span and form of a value, without its tag and without the line break that ends a block scalar.
fn value(text: &str, colon: usize, node: &YamlNode) -> (Range<usize>, Form) {
    let span = node.byte_range();
    let (start, end) = (span.start as usize, span.end as usize);
    let scalar = |start: usize| {
        let end = start + text[start..end].trim_end().len();
        let form = match text.as_bytes().get(start) {
            _ if start == end => return (colon..colon, Form::Empty),
            Some(b'\'') => Form::Single,
            Some(b'"') => Form::Double,
            Some(b'|' | b'>') => Form::Block,
            _ => Form::Plain,
        };
        (start..end, form)
    };
    match node {
        YamlNode::Scalar(_) => scalar(start),
        YamlNode::TaggedNode(it) => it.value().map_or((start..end, Form::Collection), |it| scalar(it.byte_range().start as usize)),
        YamlNode::Alias(_) => (start..end, Form::Alias),
        _ => (start..start + text[start..end].trim_end().len(), Form::Collection),
    }
}

/// How far the dashes of the first block list stand behind its key.
fn list_indent(text: &str, root: &Mapping) -> Option<usize> {
    root.entries().find_map(|entry| {
        let list = entry.value_node()?.as_sequence().filter(|it| !it.is_flow_style())?.byte_range();
        let key = entry.key_node()?.byte_range();
        column(text, list.start as usize).checked_sub(column(text, key.start as usize))
    })
}

/// How many characters stand before this byte on its line.
pub(super) fn column(text: &str, offset: usize) -> usize {
    text[line_start(text, offset)..offset].trim_start_matches('\u{feff}').chars().count()
}

pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind('\n').map_or(0, |it| it + 1)
}

/// The blanks before this byte, when it is the first on its line.
pub(super) fn own_indent(text: &str, offset: usize) -> Option<&str> {
    let before = &text[line_start(text, offset)..offset];
    before.trim().is_empty().then_some(before)
}

/// The end of the line that this byte is on, before its line break.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    let end = text[offset..].find('\n').map_or(text.len(), |it| offset + it);
    if end > offset && text.as_bytes()[end - 1] == b'\r' { end - 1 } else { end }
}

/// The line break that ends the line at `end`, or the file's.
pub(super) fn line_break(text: &str, end: usize) -> &'static str {
    let rest = &text[end..];
    if rest.starts_with("\r\n") {
        "\r\n"
    } else if rest.starts_with('\n') || !text[..text.find('\n').unwrap_or(0)].ends_with('\r') {
        "\n"
    } else {
        "\r\n"
    }
}

/// The line of an item, from 1.
pub(super) fn item_line(text: &str, item: &Item) -> usize {
    line_at(text, item.span.start)
}
