//! The strict reader: one document, no duplicate keys, no templates, within limits. Independent of the reader that
//! finds the byte spans, so that a mistake of either is noticed.

use serde::Deserialize;
use serde_yaml::Value;

use crate::error::{Error, Result};

/// The largest file that is read. Real ones have a few thousand bytes.
pub const MAX_BYTES: usize = 2_000_000;

/// Reads a kustomization.
pub(super) fn read(file: &str, text: &str) -> Result<Value> {
    if text.len() > MAX_BYTES {
        return Err(Error::config(format!("{file} has {} bytes; a kustomization of over {MAX_BYTES} is not read.", text.len())));
    }
    let root = only_document(file, text)?;
    if let Some(line) = template_line(text, &root) {
        return Err(template(file, line));
    }
    match &root {
        Value::Null => Ok(root),
        Value::Mapping(_) => kustomization(file, text, root),
        _ => Err(Error::config(format!("{file} is not a kustomization: it has to be a mapping."))),
    }
}

fn only_document(file: &str, text: &str) -> Result<Value> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut root = None;
    for document in serde_yaml::Deserializer::from_str(body) {
        if root.is_some() {
            return Err(Error::config(format!("{file} holds several YAML documents."))
                .hint("kustomize reads only the first; split the file or remove the “---” between them"));
        }
        root = Some(Value::deserialize(document).map_err(|error| unreadable(file, body, &error))?);
    }
    Ok(root.unwrap_or(Value::Null))
}

fn unreadable(file: &str, text: &str, error: &serde_yaml::Error) -> Error {
    if let Some(line) = first_template(text) {
        return template(file, line);
    }
    let said = error.to_string();
    let what = said.split(" at line ").next().unwrap_or(&said);
    let line = error.location().map(|it| line(text, what, &it));
    let at = line.map_or_else(|| file.to_owned(), |it| format!("{file}:{it}"));
    Error::config(format!("{at} is not strict YAML: {what}."))
}

/// The line of the mistake. The reader names where a mapping with a repeated key begins, and line 1 for a character that cannot be.
fn line(text: &str, what: &str, at: &serde_yaml::Location) -> usize {
    if let Some(byte) = what.rsplit_once(" at position ").and_then(|it| it.1.parse::<usize>().ok()) {
        return 1 + text.as_bytes().iter().take(byte).filter(|it| **it == b'\n').count();
    }
    let key = what.split_once("duplicate entry with key ").map(|it| it.1.trim_matches('"'));
    let repeats = |key: &str| {
        let here = |line: &str| {
            let unquoted: String = line.chars().skip(at.column().saturating_sub(1)).filter(|it| !matches!(it, '"' | '\'')).collect();
            unquoted.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(':'))
        };
        let lines = text.lines().enumerate().skip(at.line().saturating_sub(1)).filter(|(_, it)| here(it));
        lines.map(|(at, _)| at + 1).nth(1)
    };
    key.and_then(repeats).unwrap_or(at.line())
}

fn template(file: &str, line: usize) -> Error {
    Error::config(format!("{file}:{line} is template text (“{{{{ … }}}}”), not YAML."))
        .hint("render the template first, or edit its source")
}

/// Unquoted `{{ x }}` is YAML by accident: a mapping whose key is a mapping.
fn template_line(text: &str, root: &Value) -> Option<usize> {
    fn has_mapping_key(value: &Value) -> bool {
        match value {
            Value::Mapping(it) => it.iter().any(|(key, value)| key.is_mapping() || has_mapping_key(value)),
            Value::Sequence(it) => it.iter().any(has_mapping_key),
            Value::Tagged(it) => has_mapping_key(&it.value),
            _ => false,
        }
    }
    let looks_like = text.contains("{{") && has_mapping_key(root);
    looks_like.then(|| first_template(text).unwrap_or(1))
}

/// The first line with template text outside a comment.
fn first_template(text: &str) -> Option<usize> {
    let code = |line: &str| !line.trim_start().starts_with('#') && (line.contains("{{") || line.contains("{%"));
    text.lines().position(code).map(|it| it + 1)
}

fn kustomization(file: &str, text: &str, root: Value) -> Result<Value> {
    if let Some(kind) = root.get("kind").filter(|it| !it.is_null())
        && !matches!(kind.as_str(), Some("Kustomization" | "Component"))
    {
        let shown = kind.as_str().unwrap_or("(not text)");
        return Err(Error::config(format!("{file} is not a kustomization: its kind is {shown}.")));
    }
    // Flux has a kind of the same name.
    if let Some(version) = root.get("apiVersion").and_then(Value::as_str).filter(|it| !it.starts_with("kustomize.config.k8s.io/")) {
        return Err(Error::config(format!("{file} is not a kustomization: its apiVersion is {version}.")));
    }
    if root.get("imageTags").is_some() {
        let line = text.lines().position(|it| it.starts_with("imageTags")).map_or(1, |it| it + 1);
        return Err(Error::refused(format!("{file}:{line} uses “imageTags”, which kustomize replaced by “images”."))
            .hint("run `kustomize edit fix`, then try again"));
    }
    Ok(root)
}
