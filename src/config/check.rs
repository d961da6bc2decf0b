//! What every check of a pipeline file is made of: take a place of the file, parse it, note what is wrong, go on.

use std::{collections::BTreeMap, fmt::Display, ops::Range, time::Duration};

use crate::model::{ComponentName, Repository, SecretRef};

use super::{
    duration,
    field::{At, Entries, Field},
    problem::{Problem, Problems},
    read::suggestion,
};

/// The checks' notebook. Every method that returns `None` has noted why, unless the reader did before.
pub(super) struct Check<'p> {
    problems: &'p mut Problems,
}

impl<'p> Check<'p> {
    pub(super) fn new(problems: &'p mut Problems) -> Self {
        Self { problems }
    }

    /// Notes a problem.
    pub(super) fn wrong(&mut self, at: &Range<usize>, message: impl Into<String>) {
        self.problems.add(Problem::new(at, message));
    }

    /// Notes a problem and what to do about it.
    pub(super) fn wrong_with(&mut self, at: &Range<usize>, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.add(Problem::new(at, message).remedy(remedy));
    }

    /// Whether something inside these bytes is noted as wrong.
    pub(super) fn noted_inside(&self, at: &Range<usize>) -> bool {
        self.problems.list().iter().any(|it| at.start <= it.at.start && it.at.end <= at.end)
    }

    /// A word that should have been one of the known ones.
    pub(super) fn unknown(&mut self, what: &str, given: &At<String>, known: &[&str]) {
        let remedy = if known.is_empty() { "there is none before it".to_owned() } else { suggestion(&given.value, known) };
        self.wrong_with(&given.at, format!("there is no {what} `{}`", given.value), remedy);
    }

    /// A required place of the mapping at `owner`.
    pub(super) fn need<T>(&mut self, owner: &Range<usize>, key: &str, field: Field<T>) -> Option<At<T>> {
        match field {
            Field::Given(it) => Some(it),
            Field::Bad => None,
            Field::Absent => {
                self.wrong(owner, format!("`{key}` is missing here"));
                None
            }
        }
    }

    /// Parses a value; the parser's sentence becomes the problem.
    pub(super) fn parse<T>(&mut self, given: &At<String>, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        parse(&given.value).map_err(|why| self.wrong(&given.at, why.trim_end_matches('.'))).ok()
    }

    /// A required value that is parsed.
    pub(super) fn needed<T>(
        &mut self,
        owner: &Range<usize>,
        key: &str,
        field: Field<String>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = self.need(owner, key, field)?;
        self.parse(&given, parse)
    }

    /// A value that is parsed, or else its default: `None` only when it is wrong.
    pub(super) fn or<T>(&mut self, field: Field<String>, default: T, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        match field {
            Field::Absent => Some(default),
            Field::Bad => None,
            Field::Given(it) => self.parse(&it, parse),
        }
    }

    /// A span of time that is not zero.
    pub(super) fn time(&mut self, field: Field<String>, default: Duration) -> Option<Duration> {
        self.or(field, default, |text| match duration::parse(text)? {
            Duration::ZERO => Err("this has to be longer than nothing: 10m for instance.".to_owned()),
            fine => Ok(fine),
        })
    }

    /// A list with something in it, each item parsed.
    pub(super) fn list<T>(
        &mut self,
        owner: &Range<usize>,
        key: &str,
        field: Field<Vec<Field<String>>>,
        mut parse: impl FnMut(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let list = self.need(owner, key, field)?;
        if list.value.is_empty() {
            self.wrong(&list.at, format!("`{key}` is empty: name at least one"));
        }
        self.items(list.value, &mut parse)
    }

    /// The items of a list, each parsed; `None` when one of them is wrong.
    pub(super) fn items<T>(&mut self, list: Vec<Field<String>>, mut parse: impl FnMut(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let parsed: Vec<Option<T>> = list
            .into_iter()
            .map(|it| match it {
                Field::Given(it) => self.parse(&it, &mut parse),
                _ => None,
            })
            .collect();
        parsed.into_iter().collect()
    }

    /// A reference to a secret; what stands there instead is never shown.
    pub(super) fn secret(&mut self, given: &At<String>) -> Option<SecretRef> {
        let parsed = SecretRef::parse(&given.value).ok().filter(|it| match it {
            SecretRef::Env(name) => name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
            SecretRef::File(_) => true,
        });
        if parsed.is_none() {
            let remedy = "write env:NAME (an environment variable) or file:PATH; if this was a secret, change it: it has been in a file";
            self.problems.hide(&given.at);
            self.problems.add(Problem::new(&given.at, "a secret is only named here, never written").remedy(remedy));
        }
        parsed
    }

    /// A reference to a secret that may be left out.
    pub(super) fn optional_secret(&mut self, field: Field<String>) -> Option<Option<SecretRef>> {
        match field {
            Field::Absent => Some(None),
            Field::Bad => None,
            Field::Given(it) => self.secret(&it).map(Some),
        }
    }

    /// An entry for each component: an unknown component and a missing one are both wrong.
    pub(super) fn each_component<T>(
        &mut self,
        components: &[ComponentName],
        owner: &Range<usize>,
        what: &str,
        entries: Entries<T>,
    ) -> Vec<(ComponentName, Field<T>)> {
        let names: Vec<&str> = components.iter().map(ComponentName::as_str).collect();
        let mut known: BTreeMap<String, Field<T>> = BTreeMap::new();
        for (key, value) in entries.0 {
            if names.contains(&key.value.as_str()) {
                known.insert(key.value, value);
            } else {
                self.unknown("component", &key, &names);
            }
        }
        let mut found = Vec::new();
        for component in components {
            match known.remove(component.as_str()) {
                Some(value) => found.push((component.clone(), value)),
                None => self.wrong(owner, format!("the {what} of component `{component}` is missing here")),
            }
        }
        found
    }
}

/// An image's name, without tag and digest.
pub(super) fn image(text: &str) -> Result<Repository, String> {
    let last = text.rsplit('/').next().unwrap_or(text);
    if text.contains('@') || last.contains(':') {
        return Err(format!("“{text}” names a tag or a digest: only the image's name belongs here."));
    }
    Repository::parse(text)
}

/// The name of a Kubernetes object or namespace.
pub(super) fn object_name(text: &str) -> Result<String, String> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    if bytes.len() <= 253 && bytes.iter().all(|b| inner(*b)) && edge(bytes.first()) && edge(bytes.last()) {
        Ok(text.to_owned())
    } else {
        Err(format!("“{text}” is not a name that Kubernetes accepts."))
    }
}

/// An http or https address without a password in it.
pub(super) fn http_url(text: &str) -> Result<String, String> {
    let url = url::Url::parse(text).map_err(|why| format!("this is not an address: {why}."))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("this is not an address that starts with http:// or https://.".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("an address must not carry a password.".to_owned());
    }
    Ok(text.to_owned())
}

/// A text that only has to be there.
pub(super) fn word(text: &str) -> Result<String, String> {
    if text.is_empty() || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("“{}” has a blank in it or is empty.", text.escape_debug()));
    }
    Ok(text.to_owned())
}

/// Names that are taken: notes the second use of each.
pub(super) struct Taken<'a> {
    what: &'a str,
    names: Vec<String>,
}

impl<'a> Taken<'a> {
    pub(super) fn new(what: &'a str) -> Self {
        Self { what, names: Vec::new() }
    }

    /// Takes a name, or notes that it was taken before.
    pub(super) fn take(&mut self, check: &mut Check<'_>, at: &Range<usize>, name: impl Display) {
        let name = name.to_string();
        if self.names.contains(&name) {
            check.wrong(at, format!("there are two {} `{name}`", self.what));
        }
        self.names.push(name);
    }
}
