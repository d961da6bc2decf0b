//! The patch transformer: JSON patches with a target, strategic patches that name theirs.

use regex::Regex;
use serde_json::Value;

use super::file::{Patch, Target};
use crate::rehearsal::kube::{LabelSelector, json_patch, merge_lists};

/// Applies one entry of `patches`. `read` finds the file that it may name.
pub(super) fn apply(objects: &mut Vec<Value>, patch: &Patch, read: impl Fn(&str) -> Option<String>) -> Result<(), String> {
    let text = match (patch.path.as_str(), patch.patch.as_str()) {
        ("", "") => return Err("must specify one of patch and path in\n{}".to_owned()),
        ("", inline) => inline.to_owned(),
        (path, "") => read(path).ok_or_else(|| format!("failed to get the patch file from path({path}): no such file or directory"))?,
        _ => return Err("patch and path can't be set at the same time".to_owned()),
    };
    let parsed: Value = serde_yaml::from_str(&text).map_err(|why| format!("unable to parse SM or JSON patch from [{text}]: {why}"))?;
    // A list that begins with a bracket is read as JSON, and JSON alone.
    if text.trim_start().starts_with('[') && serde_json::from_str::<Value>(&text).is_err() {
        return Err(format!("unable to parse SM or JSON patch from [patch: {text:?}]"));
    }
    match (&parsed, &patch.target) {
        (Value::Array(operations), Some(target)) => {
            let chosen = Chosen::new(target)?;
            for object in objects.iter_mut().filter(|it| chosen.is(it)) {
                for operation in operations {
                    json_patch(object, operation)?;
                }
            }
        }
        (Value::Array(_), None) => return Err("must specify a target for JSON patch".to_owned()),
        (Value::Object(_), Some(target)) => {
            let chosen = Chosen::new(target)?;
            merge(objects, &parsed, |it| chosen.is(it));
        }
        (Value::Object(_), None) => {
            let name = &parsed["metadata"]["name"];
            let own = |it: &Value| it["kind"] == parsed["kind"] && it["metadata"]["name"] == *name;
            if !objects.iter().any(own) {
                return Err(format!("no matches for Id {}.{name}; failed to find unique target for patch", parsed["kind"]));
            }
            merge(objects, &parsed, own);
        }
        _ => return Err(format!("unable to parse SM or JSON patch from [{text}]")),
    }
    Ok(())
}

fn merge(objects: &mut Vec<Value>, patch: &Value, chosen: impl Fn(&Value) -> bool) {
    if patch["$patch"] == "delete" {
        objects.retain(|it| !chosen(it));
        return;
    }
    for object in objects.iter_mut().filter(|it| chosen(it)) {
        // A patch says which object it is for; it does not rename what it is applied to.
        let identity = (object["kind"].clone(), object["apiVersion"].clone(), object["metadata"]["name"].clone());
        merge_lists(object, patch);
        (object["kind"], object["apiVersion"], object["metadata"]["name"]) = identity;
    }
}

/// How a field of an object is read that a target can ask about.
type Field = fn(&Value) -> &str;

/// A target whose expressions are understood.
struct Chosen {
    fields: Vec<(Regex, Field)>,
    labels: LabelSelector,
}

impl Chosen {
    fn new(target: &Target) -> Result<Self, String> {
        let wanted: [(&str, Field); 5] = [
            (&target.kind, |it| it["kind"].as_str().unwrap_or_default()),
            (&target.name, |it| it["metadata"]["name"].as_str().unwrap_or_default()),
            (&target.namespace, |it| it["metadata"]["namespace"].as_str().unwrap_or_default()),
            (&target.group, |it| it["apiVersion"].as_str().and_then(|it| it.split_once('/')).map_or("", |it| it.0)),
            (&target.version, |it| it["apiVersion"].as_str().and_then(|it| it.rsplit('/').next()).unwrap_or_default()),
        ];
        let mut fields = Vec::new();
        for (pattern, field) in wanted.into_iter().filter(|(pattern, _)| !pattern.is_empty()) {
            fields.push((Regex::new(&format!("^(?:{pattern})$")).map_err(|why| why.to_string())?, field));
        }
        let labels = LabelSelector::parse(&target.label_selector).map_err(|why| why.message)?;
        Ok(Self { fields, labels })
    }

    fn is(&self, object: &Value) -> bool {
        self.fields.iter().all(|(pattern, field)| pattern.is_match(field(object))) && self.labels.selects(object)
    }
}
