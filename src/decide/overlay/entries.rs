//! What the entries of `images` say, and which one an image means.

use serde_yaml::Value;

use super::layout::{Item, Layout, item_line};
use super::{Entry, field, strict};
use crate::error::{Error, Result};
use crate::model::Repository;

const KNOWN: [&str; 5] = ["name", "newName", "newTag", "digest", "tagSuffix"];

/// Reads the `images` of a kustomization, strictly.
pub fn entries(file: &str, text: &str) -> Result<Vec<Entry>> {
    let root = strict::read(file, text)?;
    from_parts(file, text, &root, &Layout::read(file, text, &root)?).map_err(Error::together)
}

/// The entry of an image: the one whose `name` or `newName` is exactly this text. None or several is an error.
pub fn find<'a>(file: &str, entries: &'a [Entry], image: &str) -> Result<&'a Entry> {
    let hits: Vec<&Entry> = entries.iter().filter(|it| it.name == image || it.new_name.as_deref() == Some(image)).collect();
    match hits[..] {
        [one] => Ok(one),
        [] => Err(absent(file, entries, image)),
        _ => {
            let lines: Vec<String> = hits.iter().map(|it| format!("{file}:{}", it.line)).collect();
            Err(Error::config(format!("Several entries mean image {image}: {}.", lines.join(", ")))
                .hint("keep one, or name one that no other shares"))
        }
    }
}

/// Another entry that means the same image in another spelling: `nginx` and `docker.io/library/nginx`, or with a tag.
pub(super) fn same_image<'a>(entries: &'a [Entry], image: &str) -> Option<&'a Entry> {
    let wanted = Repository::parse(image).ok()?;
    entries.iter().find(|it| Repository::parse(without_version(&it.name)).is_ok_and(|it| it == wanted))
}

/// A name without tag and digest. The colon of a registry's port stays.
pub(super) fn without_version(name: &str) -> &str {
    let name = name.split('@').next().unwrap_or(name);
    let last = name.rfind('/').map_or(0, |it| it + 1);
    name[last..].find(':').map_or(name, |colon| &name[..last + colon])
}

fn absent(file: &str, entries: &[Entry], image: &str) -> Error {
    let shown = |it: &Entry| match &it.new_name {
        Some(new) => format!("{} (newName {new}), line {}", it.name, it.line),
        None => format!("{}, line {}", it.name, it.line),
    };
    let present: Vec<String> = entries.iter().map(shown).collect();
    let list = if present.is_empty() { "it has none".to_owned() } else { format!("present: {}", present.join("; ")) };
    let error = Error::config(format!("{file} has no images entry for {image}; {list}."));
    match same_image(entries, image) {
        Some(it) => error.hint(format!("line {} means the same image; spell it {}", it.line, it.name)),
        None => error.hint("check the spelling, or ask for a new entry (--create)"),
    }
}

/// Puts the strict reading's values and the layout's lines together.
pub(super) fn from_parts(file: &str, text: &str, root: &Value, layout: &Layout) -> Result<Vec<Entry>, Vec<Error>> {
    // Fields that come through `<<` count when reading; such an entry is refused when edited.
    let mut images = root.get("images").cloned().unwrap_or(Value::Null);
    images.apply_merge().map_err(|error| vec![Error::config(format!("{file}: “images” is not strict YAML: {error}."))])?;
    let values = images.as_sequence().map_or(&[][..], Vec::as_slice);
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for (value, item) in values.iter().zip(&layout.items) {
        match entry(text, value, item) {
            Ok(it) => found.push(it),
            Err(why) => problems.push(Error::config(format!("{file}:{}: {why}", item_line(text, item)))),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn entry(text: &str, value: &Value, item: &Item) -> Result<Entry, String> {
    let map = value.as_mapping().ok_or("An entry of “images” has to be a mapping with a name.")?;
    for key in map.keys() {
        let key = key.as_str().unwrap_or("(not text)");
        if !KNOWN.contains(&key) {
            let meant = KNOWN.iter().find(|it| it.eq_ignore_ascii_case(key)).map_or(String::new(), |it| format!(" Is “{it}” meant?"));
            return Err(format!("“{key}” is not a field of an images entry; kustomize does not build this.{meant}"));
        }
    }
    let name =
        value.get("name").and_then(Value::as_str).filter(|it| !it.is_empty()).ok_or("An entry of “images” needs a name, as text.")?;
    let line = item_line(text, item);
    Ok(Entry {
        name: name.to_owned(),
        new_name: written(text, value, item, "newName"),
        new_tag: written(text, value, item, "newTag"),
        digest: written(text, value, item, "digest"),
        line,
    })
}

/// A field as text; where YAML reads a number or a date, as it is written.
fn written(text: &str, value: &Value, item: &Item, key: &str) -> Option<String> {
    match field(value, key)? {
        Value::String(it) => Some(it.clone()),
        Value::Tagged(it) if it.value.is_string() => it.value.as_str().map(str::to_owned),
        _ => item.pair(key).map(|it| text[it.value.clone()].to_owned()),
    }
}
