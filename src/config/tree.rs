//! The YAML of a pipeline file as a tree that knows where everything stands.

use std::{collections::HashMap, ops::Range};

use granit_parser::{Event, Parser, ScalarStyle};

use super::problem::{Problem, Problems};

/// A node and the bytes it stands at.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: Range<usize>,
    pub(super) value: Value,
}

/// What a node holds. A scalar stays the text that was written: what it means is decided by who reads it.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Nothing,
    Text(String),
    List(Vec<Node>),
    /// The keys are nodes too, each of them a text.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Value {
    /// What it is, for a sentence.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

/// More nodes than any pipeline has: the end of a bomb made of aliases.
const MOST_NODES: usize = 20_000;

/// Reads one YAML document. `None` when it cannot be read as a whole; smaller problems leave their part out.
pub(super) fn parse(text: &str, problems: &mut Problems) -> Option<Node> {
    let mut builder = Builder { parser: Parser::new_from_str(text), text, problems, anchors: HashMap::new(), nodes: 0 };
    match builder.document() {
        Ok(root) => Some(root),
        Err(problem) => {
            problems.add(problem);
            None
        }
    }
}

struct Builder<'a, 'p, P: Iterator> {
    parser: P,
    text: &'a str,
    problems: &'p mut Problems,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

type Item<'a> = Result<(Event<'a>, granit_parser::Span), granit_parser::ScanError>;

impl<'a, P: Iterator<Item = Item<'a>>> Builder<'a, '_, P> {
    /// The next event that is not a comment, with its bytes.
    fn next(&mut self) -> Result<(Event<'a>, Range<usize>), Problem> {
        loop {
            match self.parser.next() {
                Some(Ok((Event::Comment(..), _))) => {}
                Some(Ok((event, span))) => return Ok((event, span.byte_range().unwrap_or_default())),
                Some(Err(why)) => {
                    let at = why.marker().byte_offset().unwrap_or(self.text.len());
                    return Err(Problem::new(&(at..at + 1), format!("this is not YAML: {}", why.info())));
                }
                None => return Ok((Event::StreamEnd, self.text.len()..self.text.len())),
            }
        }
    }

    fn document(&mut self) -> Result<Node, Problem> {
        let root = loop {
            match self.next()? {
                (Event::StreamEnd, at) => {
                    return Err(Problem::new(&at, "the file is empty").remedy("pipelines/README.md explains every key"));
                }
                (Event::StreamStart | Event::DocumentStart(..), _) => {}
                (event, at) => break self.node(event, at)?,
            }
        };
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(root),
                (Event::DocumentStart(..), at) => {
                    return Err(Problem::new(&at, "a second document starts here").remedy("one file holds one pipeline"));
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, at: Range<usize>) -> Result<Node, Problem> {
        self.count(1, &at)?;
        let before = self.nodes;
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.check_tag(tag.as_deref(), &at);
                let nothing = style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if nothing { Value::Nothing } else { Value::Text(text.into_owned()) };
                (anchor, Node { at, value })
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &at);
                (anchor, self.list(at)?)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), &at);
                (anchor, self.map(at)?)
            }
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id).cloned() else {
                    return Err(Problem::new(&at, "this alias stands inside the node that it names"));
                };
                self.count(size, &at)?;
                return Ok(node);
            }
            _ => return Err(Problem::new(&at, "this is not YAML: a value is expected here")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn list(&mut self, start: Range<usize>) -> Result<Node, Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => return Ok(Node { at: start.start..end.end.max(start.end), value: Value::List(items) }),
                (event, at) => items.push(self.node(event, at)?),
            }
        }
    }

    fn map(&mut self, start: Range<usize>) -> Result<Node, Problem> {
        let mut entries = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, end) => return Ok(Node { at: start.start..end.end.max(start.end), value: Value::Map(entries) }),
                (event, at) => self.node(event, at)?,
            };
            let (event, at) = self.next()?;
            let value = self.node(event, at)?;
            self.entry(&mut entries, key, value);
        }
    }

    fn entry(&mut self, entries: &mut Vec<(Node, Node)>, key: Node, value: Node) {
        let Value::Text(text) = &key.value else {
            self.problems.add(Problem::new(&key.at, format!("a key has to be a text, this is {}", key.value.what())));
            return;
        };
        if text == "<<" {
            self.problems.add(Problem::new(&key.at, "merge keys (`<<`) are not read").remedy("write the keys out"));
            return;
        }
        if let Some((first, _)) = entries.iter().find(|(it, _)| it.text() == Some(text.as_str())) {
            let line = self.problems.line_at(first.at.start).number;
            let problem =
                Problem::new(&key.at, format!("`{text}` stands here a second time")).remedy(format!("the first one is on line {line}"));
            self.problems.add(problem);
            return;
        }
        entries.push((key, value));
    }

    fn check_tag(&mut self, tag: Option<&granit_parser::Tag>, at: &Range<usize>) {
        if let Some(tag) = tag.filter(|it| it.is_custom()) {
            self.problems.add(Problem::new(at, format!("the YAML tag `{}` means nothing here", tag.original())).remedy("take it away"));
        }
    }

    fn count(&mut self, more: usize, at: &Range<usize>) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > MOST_NODES {
            return Err(Problem::new(at, format!("the file has more than {MOST_NODES} values, counting what its aliases repeat")));
        }
        Ok(())
    }
}
