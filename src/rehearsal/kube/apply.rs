//! Merging of objects: the strategic merge by keys, and the three-way apply that `kubectl` and Argo CD do.

use serde_json::{Map, Value};

/// How the items of a list are told apart.
enum Items {
    ByKey(&'static str),
    /// The list is replaced as a whole.
    Whole,
}

/// Which lists have items with a key. The names are unambiguous enough in the kinds that are served here.
fn items(list: &str, sample: Option<&Value>) -> Items {
    let has = |key: &str| sample.is_some_and(|it| it.get(key).is_some());
    match list {
        "containers" | "initContainers" | "ephemeralContainers" | "env" | "volumes" | "imagePullSecrets" => Items::ByKey("name"),
        "volumeMounts" => Items::ByKey("mountPath"),
        "ports" if has("containerPort") => Items::ByKey("containerPort"),
        "ports" if has("port") && !has("from") => Items::ByKey("port"),
        "conditions" => Items::ByKey("type"),
        _ => Items::Whole,
    }
}

/// Merges a patch into a target: objects by name, lists by their key, `null` and `$patch: delete` remove.
pub fn merge_lists(target: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    let target = object(target);
    for (name, wanted) in patch {
        match wanted {
            Value::Null => drop(target.shift_remove(name)),
            Value::Object(fields) if fields.get("$patch").is_some_and(|it| it == "delete") => drop(target.shift_remove(name)),
            Value::Object(_) => merge_lists(target.entry(name.clone()).or_insert(Value::Null), wanted),
            Value::Array(list) => merge_list(name, target.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new())), list),
            _ => drop(target.insert(name.clone(), wanted.clone())),
        }
    }
}

fn merge_list(name: &str, target: &mut Value, patch: &[Value]) {
    let (Items::ByKey(key), Value::Array(kept)) = (items(name, patch.first()), &mut *target) else {
        *target = Value::Array(patch.to_vec());
        return;
    };
    for wanted in patch {
        let at = kept.iter().position(|it| it.get(key).is_some() && it.get(key) == wanted.get(key));
        let gone = wanted.get("$patch").is_some_and(|it| it == "delete");
        match (at, gone) {
            (Some(at), true) => drop(kept.remove(at)),
            (None, true) => {}
            (Some(at), false) => merge_lists(&mut kept[at], wanted),
            (None, false) => kept.push(wanted.clone()),
        }
    }
}

/// What applying makes of a live object: what was applied before and is no longer wanted goes, what is wanted comes,
/// what others wrote stays.
pub fn applied(live: &Value, last: &Value, wanted: &Value) -> Value {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => Value::Object(applied_fields(live, last, wanted)),
        _ => wanted.clone(),
    }
}

fn applied_fields(live: &Map<String, Value>, last: &Value, wanted: &Map<String, Value>) -> Map<String, Value> {
    let mut result = live.clone();
    for name in last.as_object().into_iter().flat_map(Map::keys) {
        if !wanted.contains_key(name) {
            result.shift_remove(name);
        }
    }
    for (name, want) in wanted {
        let had = last.get(name).unwrap_or(&Value::Null);
        let value = match (live.get(name), want) {
            (Some(Value::Array(live)), Value::Array(want)) => applied_list(name, live, had, want),
            (Some(live), want) => applied(live, had, want),
            (None, want) => want.clone(),
        };
        result.insert(name.clone(), value);
    }
    result
}

fn applied_list(name: &str, live: &[Value], last: &Value, wanted: &[Value]) -> Value {
    let Items::ByKey(key) = items(name, wanted.first()) else { return Value::Array(wanted.to_vec()) };
    let find = |list: &[Value], item: &Value| list.iter().find(|it| it.get(key) == item.get(key)).cloned();
    let last = last.as_array().cloned().unwrap_or_default();
    let merged = wanted.iter().map(|want| match find(live, want) {
        Some(is) => applied(&is, &find(&last, want).unwrap_or(Value::Null), want),
        None => want.clone(),
    });
    let foreign = live.iter().filter(|it| find(wanted, it).is_none() && find(&last, it).is_none()).cloned();
    Value::Array(merged.chain(foreign).collect())
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("made an object above")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_with_keys_are_merged_by_key() {
        let mut live = json!({ "containers": [{ "name": "a", "image": "x:1", "env": [{ "name": "E", "value": "1" }] }, { "name": "b" }] });
        let patch = json!({ "containers": [{ "name": "a", "image": "x:2" }, { "name": "b", "$patch": "delete" }], "hosts": ["h"] });
        merge_lists(&mut live, &patch);
        let wanted = json!({ "containers": [{ "name": "a", "image": "x:2", "env": [{ "name": "E", "value": "1" }] }], "hosts": ["h"] });
        assert_eq!(live, wanted);
    }

    #[test]
    fn apply_removes_what_it_once_wrote_and_keeps_the_rest() {
        let live = json!({ "replicas": 3, "nodeSelector": { "no": "such" }, "containers": [{ "name": "a", "pull": "Always" }] });
        let last = json!({ "replicas": 2, "nodeSelector": { "no": "such" }, "containers": [{ "name": "a" }] });
        let wanted = json!({ "replicas": 2, "containers": [{ "name": "a" }] });
        let result = applied(&live, &last, &wanted);
        assert_eq!(result, json!({ "replicas": 2, "containers": [{ "name": "a", "pull": "Always" }] }));
        assert_eq!(applied(&result, &wanted, &wanted), result, "applying again changes nothing");
    }
}
