//! From a commit and a trigger to what a build does: the build file, with every substitution in place.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::build::{LOCATION, PROJECT};
use super::trigger::{Fires, Trigger};
use crate::rehearsal::history::short;

/// What a build does.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    pub(super) substitutions: BTreeMap<String, String>,
    pub(super) steps: Value,
    pub(super) images: Vec<String>,
    pub(super) logging: String,
}

/// What set a build off.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    pub(super) commit: String,
    pub(super) tag: Option<String>,
}

/// Reads the build file of a commit. The error is what the service says about a build that cannot start.
pub(super) fn read(repository: &Path, trigger: &Trigger, build_id: &str, cause: &Cause) -> Result<Recipe, (Recipe, String)> {
    let mut recipe = Recipe {
        substitutions: built_in(trigger, build_id, cause),
        steps: Value::Array(Vec::new()),
        images: Vec::new(),
        logging: "CLOUD_LOGGING_ONLY".to_owned(),
    };
    match file(repository, &cause.commit, &trigger.file) {
        Err(why) => Err((recipe, why)),
        Ok(file) => {
            let own = file["substitutions"].as_object().into_iter().flatten();
            for (key, value) in own.filter_map(|(key, value)| Some((key, value.as_str()?))) {
                recipe.substitutions.entry(key.clone()).or_insert_with(|| value.to_owned());
            }
            recipe.steps = substitute(&file["steps"], &recipe.substitutions);
            recipe.images = texts(&substitute(&file["images"], &recipe.substitutions));
            recipe.logging = file["options"]["logging"].as_str().unwrap_or("LEGACY").to_owned();
            Ok(recipe)
        }
    }
}

fn file(repository: &Path, commit: &str, path: &str) -> Result<Value, String> {
    let read = || {
        let repository = git2::Repository::open_bare(repository)?;
        let tree = repository.revparse_single(&format!("{commit}^{{tree}}"))?.peel_to_tree()?;
        let blob = tree.get_path(Path::new(path))?.to_object(&repository)?.peel_to_blob()?;
        Ok::<_, git2::Error>(blob.content().to_vec())
    };
    let bytes = read().map_err(|_| format!("failed unmarshalling build config {path}: no such file at {commit}"))?;
    serde_yaml::from_slice(&bytes).map_err(|why| format!("failed unmarshalling build config {path}: {why}"))
}

/// What the service and the trigger give to every build.
fn built_in(trigger: &Trigger, build_id: &str, cause: &Cause) -> BTreeMap<String, String> {
    let name = cause.tag.as_deref().unwrap_or("main");
    let pairs = [
        ("PROJECT_ID", PROJECT),
        ("BUILD_ID", build_id),
        ("LOCATION", LOCATION),
        ("COMMIT_SHA", &cause.commit),
        ("REVISION_ID", &cause.commit),
        ("SHORT_SHA", short(&cause.commit)),
        ("REPO_NAME", "tomoda"),
        ("REPO_FULL_NAME", "tomoda-labs/tomoda"),
        ("REF_NAME", name),
        ("TRIGGER_NAME", &trigger.name),
        ("TRIGGER_BUILD_CONFIG_PATH", &trigger.file),
        (if trigger.fires == Fires::Tag { "TAG_NAME" } else { "BRANCH_NAME" }, name),
    ];
    let mut all: BTreeMap<String, String> = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    for (key, value) in &trigger.substitutions {
        let value = fill(value, &all);
        all.insert(key.clone(), value);
    }
    all
}

fn substitute(value: &Value, with: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, with)),
        Value::Array(items) => Value::Array(items.iter().map(|it| substitute(it, with)).collect()),
        Value::Object(fields) => fields.iter().map(|(key, it)| (key.clone(), substitute(it, with))).collect(),
        other => other.clone(),
    }
}

/// Puts `$NAME` and `${NAME}` in place. A name nobody set stands for nothing.
fn fill(text: &str, with: &BTreeMap<String, String>) -> String {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        let (braced, body) = after.strip_prefix('{').map_or((false, after), |it| (true, it));
        let length = body.find(|it: char| !(it.is_ascii_alphanumeric() || it == '_')).unwrap_or(body.len());
        let (name, tail) = body.split_at(length);
        if name.is_empty() {
            filled.push('$');
            rest = after;
            continue;
        }
        filled.push_str(with.get(name).map_or("", String::as_str));
        rest = if braced { tail.strip_prefix('}').unwrap_or(tail) } else { tail };
    }
    filled + rest
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_substitutions_in_place() {
        let with = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("A_B".to_owned(), "2".to_owned())]);
        assert_eq!(fill("x-$A-${A_B}y", &with), "x-1-2y");
        assert_eq!(fill("$NOBODY$ 5$", &with), "$ 5$");
    }
}
