//! The four ways to patch an object.

use serde_json::Value;

use super::apply::merge_lists;
use super::refusal::Refusal;

/// How a patch is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PatchKind {
    Merge,
    Json,
    Strategic,
}

const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json-patch+json";
const STRATEGIC: &str = "application/strategic-merge-patch+json";

impl PatchKind {
    /// The kind by the request's content type. Custom resources do not take the strategic one.
    pub(super) fn of(content_type: &str, custom: bool) -> Result<Self, Refusal> {
        match content_type.split(';').next().unwrap_or_default().trim() {
            MERGE => Ok(Self::Merge),
            JSON => Ok(Self::Json),
            STRATEGIC if !custom => Ok(Self::Strategic),
            "application/apply-patch+yaml" => Err(Refusal::not_rehearsed("server-side apply")),
            _ if custom => Err(Refusal::unsupported_media(&format!("{JSON}, {MERGE}, application/apply-patch+yaml"))),
            _ => Err(Refusal::unsupported_media(&format!("{JSON}, {MERGE}, {STRATEGIC}, application/apply-patch+yaml"))),
        }
    }

    /// The object after the patch.
    pub(super) fn apply(self, object: &Value, body: &[u8]) -> Result<Value, Refusal> {
        let patch: Value = serde_json::from_slice(body).map_err(|why| Refusal::bad_request(format!("error decoding patch: {why}")))?;
        let mut result = object.clone();
        match self {
            Self::Merge if patch.is_object() => merge(&mut result, &patch),
            Self::Strategic if patch.is_object() => merge_lists(&mut result, &patch),
            Self::Json if patch.is_array() => {
                for operation in patch.as_array().into_iter().flatten() {
                    operate(&mut result, operation)?;
                }
            }
            _ => return Err(Refusal::bad_request("error decoding patch: the patch has the wrong form for its content type")),
        }
        Ok(result)
    }
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(object) = target.as_object_mut() else { return };
    for (name, value) in fields {
        if value.is_null() {
            object.shift_remove(name);
        } else {
            merge(object.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// One operation of RFC 6902.
pub(super) fn operate(document: &mut Value, operation: &Value) -> Result<(), Refusal> {
    json_patch(document, operation).map_err(|_| Refusal::unprocessable("the server rejected our request due to an error in our request"))
}

/// One operation of RFC 6902, with a plain sentence when it does not fit.
pub(crate) fn json_patch(document: &mut Value, operation: &Value) -> Result<(), String> {
    let field = |name: &str| operation[name].as_str().ok_or_else(|| format!("operation {operation} has no “{name}”"));
    let value = || operation.get("value").cloned().ok_or_else(|| format!("operation {operation} has no “value”"));
    let path = field("path")?;
    let missing = |path: &str| format!("doc is missing path: \"{path}\": missing value");
    match field("op")? {
        "add" => add(document, path, value()?),
        "replace" => {
            *document.pointer_mut(path).ok_or_else(|| format!("replace operation does not apply: {}", missing(path)))? = value()?;
            Ok(())
        }
        "remove" => remove(document, path).map(drop).ok_or_else(|| format!("remove operation does not apply: {}", missing(path))),
        "test" if document.pointer(path).unwrap_or(&Value::Null) == &value()? => Ok(()),
        "test" => Err(format!("testing value {path} failed")),
        "move" => {
            let taken = remove(document, field("from")?).ok_or_else(|| missing(path))?;
            add(document, path, taken)
        }
        "copy" => {
            let taken = document.pointer(field("from")?).cloned().ok_or_else(|| missing(path))?;
            add(document, path, taken)
        }
        other => Err(format!("“{other}” is not an operation")),
    }
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), String> {
    let Some((parent, last)) = path.rsplit_once('/') else {
        *document = value;
        return Ok(());
    };
    let name = last.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.insert(name, value)),
        Some(Value::Array(list)) if name == "-" => list.push(value),
        Some(Value::Array(list)) => {
            let at = name.parse::<usize>().ok().filter(|at| *at <= list.len());
            list.insert(at.ok_or_else(|| format!("add operation does not apply: \"{path}\" is outside of its list"))?, value);
        }
        _ => return Err(format!("add operation does not apply: doc is missing path: \"{path}\": missing value")),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &str) -> Option<Value> {
    let (parent, last) = path.rsplit_once('/')?;
    let name = last.replace("~1", "/").replace("~0", "~");
    match document.pointer_mut(parent)? {
        Value::Object(fields) => fields.shift_remove(&name),
        Value::Array(list) => name.parse::<usize>().ok().filter(|at| *at < list.len()).map(|at| list.remove(at)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_patch_operations() {
        let mut it = json!({ "a": [1, 3], "b~/c": { "d": 1 } });
        for operation in [
            json!({ "op": "test", "path": "/a/0", "value": 1 }),
            json!({ "op": "add", "path": "/a/1", "value": 2 }),
            json!({ "op": "add", "path": "/a/-", "value": 4 }),
            json!({ "op": "replace", "path": "/b~0~1c/d", "value": 2 }),
            json!({ "op": "copy", "from": "/b~0~1c/d", "path": "/e" }),
            json!({ "op": "move", "from": "/e", "path": "/f" }),
            json!({ "op": "remove", "path": "/a/0" }),
        ] {
            json_patch(&mut it, &operation).unwrap();
        }
        assert_eq!(it, json!({ "a": [2, 3, 4], "b~/c": { "d": 2 }, "f": 2 }));
        for bad in [
            json!({ "op": "remove", "path": "/nope" }),
            json!({ "op": "add", "path": "/a/9", "value": 1 }),
            json!({ "op": "x", "path": "" }),
        ] {
            json_patch(&mut it, &bad).unwrap_err();
        }
    }

    #[test]
    fn merge_patch_removes_with_null() {
        let now = PatchKind::Merge.apply(&json!({ "a": { "b": 1, "c": 2 } }), br#"{"a":{"b":null,"d":[1]}}"#).unwrap();
        assert_eq!(now, json!({ "a": { "c": 2, "d": [1] } }));
        assert_eq!(PatchKind::of("application/json", true).unwrap_err().code, 415);
        assert_eq!(PatchKind::of(STRATEGIC, true).unwrap_err().code, 415);
    }
}
