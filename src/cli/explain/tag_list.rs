//! A list of tags as a person or a script has it: lines, or JSON.

use jiff::Timestamp;
use serde::Deserialize;

use crate::model::{Digest, Tag, TaggedImage};

/// What a list says. All its problems are reported together.
#[derive(Debug, Default)]
pub(super) struct TagList {
    /// The tags.
    pub(super) images: Vec<TaggedImage>,
    /// What no registry can hold as a tag, with the reason.
    pub(super) impossible: Vec<(String, String)>,
}

/// What an object of the list may say.
const KEYS: [&str; 3] = ["tag", "uploaded", "digest"];

/// A list, or what a registry answers to `tags/list`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    List(Vec<serde_json::Value>),
    Answer {
        tags: Vec<serde_json::Value>,
    },
    /// How some registries say that there are none.
    Empty {
        tags: (),
    },
}

impl Json {
    fn items(self) -> Vec<serde_json::Value> {
        match self {
            Self::List(tags) | Self::Answer { tags } => tags,
            Self::Empty { tags: () } => Vec::new(),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Item {
    Name(String),
    Full(Wire),
}

#[derive(Deserialize)]
struct Wire {
    tag: String,
    #[serde(default)]
    uploaded: Option<String>,
    #[serde(default)]
    digest: Option<String>,
}

/// serde's words about a value that is no list at all say nothing to a person.
fn json_problem(why: &serde_json::Error) -> String {
    if why.is_data() { "a list, or an object with a list “tags”, is expected".to_owned() } else { why.to_string() }
}

impl TagList {
    /// Reads `TAG [RFC3339-TIME] [DIGEST]` a line, or a JSON list of texts and of `{tag, uploaded, digest}`.
    pub(super) fn parse(text: &str, name: &str, problems: &mut Vec<String>) -> Self {
        let mut list = Self::default();
        if text.trim_start().starts_with(['[', '{']) {
            match serde_json::from_str::<Json>(text).map(Json::items) {
                Ok(items) => {
                    items.into_iter().enumerate().for_each(|(at, it)| list.item(it, &format!("{name}, item {}", at + 1), problems))
                }
                Err(why) => problems.push(format!("{name} begins like JSON and is not a list of tags: {}.", json_problem(&why))),
            }
        } else {
            for (at, line) in text.lines().enumerate().filter(|(_, it)| !it.trim().is_empty() && !it.trim_start().starts_with('#')) {
                list.line(line, &format!("{name}, line {}", at + 1), problems);
            }
        }
        list
    }

    fn line(&mut self, line: &str, place: &str, problems: &mut Vec<String>) {
        let mut words = line.split_whitespace();
        let tag = words.next().unwrap_or("");
        let (mut uploaded, mut digest) = (None, None);
        for word in words {
            if digest.is_none() && word.contains(':') && !word.starts_with(|c: char| c.is_ascii_digit()) {
                digest = Some(word);
            } else if uploaded.is_none() && digest.is_none() {
                uploaded = Some(word);
            } else {
                problems.push(format!("{place}: “{word}” is too much; a line is TAG [RFC3339-TIME] [DIGEST]."));
                return;
            }
        }
        self.add(tag, uploaded, digest, place, problems);
    }

    fn item(&mut self, item: serde_json::Value, place: &str, problems: &mut Vec<String>) {
        if let Some(key) = item.as_object().and_then(|it| it.keys().find(|it| !KEYS.contains(&it.as_str()))) {
            problems.push(format!("{place}: there is no “{key}” here; an object has {}.", KEYS.join(", ")));
            return;
        }
        match serde_json::from_value(item) {
            Ok(Item::Name(tag)) => self.add(&tag, None, None, place, problems),
            Ok(Item::Full(it)) => self.add(&it.tag, it.uploaded.as_deref(), it.digest.as_deref(), place, problems),
            Err(_) => problems.push(format!("{place}: a text or an object with tag, uploaded and digest is expected.")),
        }
    }

    fn add(&mut self, tag: &str, uploaded: Option<&str>, digest: Option<&str>, place: &str, problems: &mut Vec<String>) {
        let before = problems.len();
        let mut note = |why: String| problems.push(format!("{place}: {why}"));
        let uploaded = uploaded.and_then(|it| {
            let bad = |_| note(format!("“{it}” is not a time such as 2025-01-31T12:00:00Z."));
            it.parse::<Timestamp>().map_err(bad).ok()
        });
        let digest = digest.and_then(|it| Digest::parse(it).map_err(&mut note).ok());
        if problems.len() > before {
            return;
        }
        match Tag::parse(tag) {
            Ok(tag) => self.images.push(TaggedImage { tag, digest, uploaded }),
            Err(_) => self.impossible.push((tag.to_owned(), "No registry can hold this as a tag; it is ignored.".to_owned())),
        }
    }
}
