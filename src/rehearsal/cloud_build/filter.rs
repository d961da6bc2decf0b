//! The filter language of `builds.list`, with the fields the service filters on and no others.
//!
//! `OR` binds tighter than `AND`, as in all of Google's list filters. A field that is not on the list is refused: the
//! service does not filter on `substitutions.*`, and a client that relies on it has to find out here.

use jiff::Timestamp;

use super::build::{Build, PROJECT, Status};

/// Fields with plain values.
const TEXTS: &[&str] = &[
    "build_id",
    "status",
    "trigger_id",
    "tags",
    "images",
    "project_id",
    "results.images.name",
    "results.images.digest",
    "source.repo_source.repo_name",
    "source.repo_source.branch_name",
    "source.repo_source.tag_name",
    "source.repo_source.commit_sha",
    "source_provenance.resolved_repo_source.commit_sha",
    "source.storage_source.bucket",
    "source.storage_source.object",
    "options.requested_verify_option",
];
const TIMES: &[&str] = &["create_time", "start_time", "finish_time"];

/// A filter that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Text { field: &'static str, equal: bool, value: String },
    Time { field: &'static str, compare: Compare, value: Timestamp },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Compare(Compare),
    Word(String),
    Quoted(String),
}

impl Filter {
    /// Reads a filter; the error is the sentence that the service would say.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let tokens = tokens(text)?;
        if tokens.is_empty() {
            return Ok(Self::All(Vec::new()));
        }
        let mut parser = Parser { tokens: &tokens };
        let filter = parser.all()?;
        if parser.tokens.is_empty() { Ok(filter) } else { Err("unexpected text after the end of the expression".to_owned()) }
    }

    /// Whether a build passes.
    pub(super) fn accepts(&self, build: &Build) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|it| it.accepts(build)),
            Self::Any(parts) => parts.iter().any(|it| it.accepts(build)),
            Self::Text { field, equal, value } => texts(build, field).iter().any(|it| it == value) == *equal,
            Self::Time { field, compare, value } => time(build, field).is_some_and(|it| compare.holds(it, *value)),
        }
    }
}

impl Compare {
    fn holds(self, left: Timestamp, right: Timestamp) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

fn texts(build: &Build, field: &str) -> Vec<String> {
    match field {
        "build_id" => vec![build.id.clone()],
        "status" => vec![build.status.name().to_owned()],
        "trigger_id" => vec![build.trigger.id.clone()],
        "tags" => vec![format!("trigger-{}", build.trigger.id)],
        "images" => build.images.clone(),
        "project_id" => vec![PROJECT.to_owned()],
        "results.images.name" => build.results.iter().map(|(name, _)| name.clone()).collect(),
        "results.images.digest" => build.results.iter().map(|(_, digest)| digest.clone()).collect(),
        "options.requested_verify_option" => vec!["NOT_VERIFIED".to_owned()],
        // The source of a build from GitHub is neither a repo source nor a storage source.
        _ => Vec::new(),
    }
}

fn time(build: &Build, field: &str) -> Option<Timestamp> {
    match field {
        "create_time" => Some(build.created),
        "start_time" => build.started,
        _ => build.finished,
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
}

impl Parser<'_> {
    fn all(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.any()?];
        while self.takes_word("AND") {
            parts.push(self.any()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::All(parts) })
    }

    fn any(&mut self) -> Result<Filter, String> {
        let mut parts = vec![self.one()?];
        while self.takes_word("OR") {
            parts.push(self.one()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Any(parts) })
    }

    fn one(&mut self) -> Result<Filter, String> {
        match self.take() {
            Some(Token::Open) => {
                let inner = self.all()?;
                if self.take() == Some(Token::Close) { Ok(inner) } else { Err("missing closing parenthesis".to_owned()) }
            }
            Some(Token::Word(field)) => {
                let Some(Token::Compare(compare)) = self.take() else { return Err(format!("missing comparison after {field}")) };
                let Some(Token::Quoted(value) | Token::Word(value)) = self.take() else {
                    return Err(format!("missing value after {field}"));
                };
                term(&field, compare, value)
            }
            _ => Err("missing expression".to_owned()),
        }
    }

    fn take(&mut self) -> Option<Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let here = matches!(self.tokens.first(), Some(Token::Word(it)) if it == word);
        if here {
            self.take();
        }
        here
    }
}

fn term(field: &str, compare: Compare, value: String) -> Result<Filter, String> {
    if let Some(field) = TIMES.iter().find(|it| **it == field) {
        let value = value.parse().map_err(|_| format!("{value:?} is not a timestamp"))?;
        return Ok(Filter::Time { field, compare, value });
    }
    let Some(field) = TEXTS.iter().find(|it| **it == field) else { return Err(format!("invalid field: {field}")) };
    let equal = match compare {
        Compare::Equal => true,
        Compare::NotEqual => false,
        _ => return Err(format!("invalid comparator for field {field}")),
    };
    if *field == "status" && !Status::is_known(&value) {
        return Err(format!("invalid value for status: {value}"));
    }
    Ok(Filter::Text { field, equal, value })
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '"' => quoted(rest)?,
            '=' | '!' | '<' | '>' => compare(rest)?,
            _ => word(rest)?,
        };
        found.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(found)
}

fn compare(text: &str) -> Result<(Token, usize), String> {
    const SIGNS: &[(&str, Compare)] = &[
        ("!=", Compare::NotEqual),
        ("<=", Compare::LessOrEqual),
        (">=", Compare::GreaterOrEqual),
        ("=", Compare::Equal),
        ("<", Compare::Less),
        (">", Compare::Greater),
    ];
    let found = SIGNS.iter().find(|(sign, _)| text.starts_with(sign));
    found.map(|(sign, compare)| (Token::Compare(*compare), sign.len())).ok_or_else(|| "invalid comparator".to_owned())
}

fn word(text: &str) -> Result<(Token, usize), String> {
    let length = text.find(|it: char| !(it.is_alphanumeric() || "._-:/+".contains(it))).unwrap_or(text.len());
    if length == 0 { Err(format!("unexpected character in {text:?}")) } else { Ok((Token::Word(text[..length].to_owned()), length)) }
}

fn quoted(text: &str) -> Result<(Token, usize), String> {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => {
                value.push(character);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Ok((Token::Quoted(value), at + 1)),
            _ => value.push(character),
        }
    }
    Err("missing closing quote".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_the_service_refuses() {
        let refused = [
            "substitutions.TAG_NAME=\"v1.2.3\"",
            "buildTriggerId=\"x\"",
            "id=\"x\"",
            "status<=2",
            "status=\"RUNNING\"",
            "create_time>\"yesterday\"",
            "trigger_id=",
            "trigger_id=\"x",
            "(trigger_id=\"x\"",
            "trigger_id=\"x\" status=\"WORKING\"",
            "AND",
        ];
        for text in refused {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn or_binds_tighter_than_and() {
        let filter = Filter::parse("trigger_id=\"t\" AND status=\"WORKING\" OR status=\"QUEUED\"").unwrap();
        let Filter::All(parts) = filter else { panic!("{filter:?}") };
        assert!(matches!(parts.as_slice(), [Filter::Text { .. }, Filter::Any(any)] if any.len() == 2));
    }

    #[test]
    fn reads_what_gcloud_sends() {
        let text = "trigger_id=\"t1\" AND (status=\"PENDING\" AND create_time>\"2026-01-01T00:00:00.000Z\")";
        assert!(Filter::parse(text).is_ok());
        assert!(Filter::parse("").is_ok());
        assert!(Filter::parse("(status=\"WORKING\" OR status=\"QUEUED\")").is_ok());
    }
}
