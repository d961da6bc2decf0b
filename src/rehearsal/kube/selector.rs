//! Label and field selectors.

use serde_json::Value;

use super::refusal::Refusal;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// A parsed label selector: every requirement has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

impl LabelSelector {
    /// Parses the query form: `a=b,c!=d,e in (f,g),h notin (i),j,!k`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        split_outside_brackets(text).into_iter().filter(|it| !it.is_empty()).map(requirement).collect::<Result<_, _>>().map(Self)
    }

    /// Reads `matchLabels`.
    pub fn matching(labels: &Value) -> Self {
        let pairs = labels.as_object().into_iter().flatten();
        Self(pairs.map(|(key, value)| Requirement::In(key.clone(), vec![value.as_str().unwrap_or_default().to_owned()])).collect())
    }

    /// Whether an object is selected.
    pub fn selects(&self, object: &Value) -> bool {
        self.selects_labels(&object["metadata"]["labels"])
    }

    /// Whether a set of labels is selected.
    pub fn selects_labels(&self, labels: &Value) -> bool {
        self.0.iter().all(|it| match it {
            Requirement::In(key, values) => labels[key].as_str().is_some_and(|it| values.iter().any(|value| value == it)),
            Requirement::NotIn(key, values) => labels[key].as_str().is_none_or(|it| values.iter().all(|value| value != it)),
            Requirement::Exists(key) => labels.get(key).is_some(),
            Requirement::Absent(key) => labels.get(key).is_none(),
        })
    }
}

fn requirement(text: &str) -> Result<Requirement, Refusal> {
    let word = |it: &str| it.trim().to_owned();
    let values = |it: &str| it.trim().trim_start_matches('(').trim_end_matches(')').split(',').map(word).collect::<Vec<_>>();
    if let Some((key, list)) = text.split_once(" notin ") {
        return Ok(Requirement::NotIn(word(key), values(list)));
    }
    if let Some((key, list)) = text.split_once(" in ") {
        return Ok(Requirement::In(word(key), values(list)));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Ok(Requirement::NotIn(word(key), vec![word(value)]));
    }
    if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        return Ok(Requirement::In(word(key), vec![word(value)]));
    }
    let key = word(text);
    if let Some(key) = key.strip_prefix('!') {
        return Ok(Requirement::Absent(word(key)));
    }
    if key.contains([' ', '<', '>', '(', ')']) {
        return Err(Refusal::bad_request(format!("unable to parse requirement: found '{key}', expected: in, notin, =, ==, !=")));
    }
    Ok(Requirement::Exists(key))
}

fn split_outside_brackets(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// A parsed field selector. Every kind has `metadata.name` and `metadata.namespace`, pods a few more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<(&'static str, bool, String)>);

const FIELDS: &[(&str, &str)] = &[
    ("metadata.name", "/metadata/name"),
    ("metadata.namespace", "/metadata/namespace"),
    ("status.phase", "/status/phase"),
    ("spec.nodeName", "/spec/nodeName"),
];

impl FieldSelector {
    /// Parses the query form: `metadata.name=a,metadata.namespace!=b`.
    pub fn parse(text: &str, kind: &str) -> Result<Self, Refusal> {
        let terms = text.split(',').filter(|it| !it.is_empty()).map(|term| {
            let (field, value) = term.split_once('=').ok_or_else(|| {
                Refusal::bad_request(format!("invalid selector: '{text}'; can't understand '{term}'"))
            })?;
            let wanted = !field.ends_with('!');
            let field = field.trim_end_matches('!');
            let known = FIELDS.iter().find(|(name, _)| *name == field && (kind == "Pod" || name.starts_with("metadata.")));
            let (_, pointer) = known.ok_or_else(|| Refusal::bad_request(format!("field label not supported: {field}")))?;
            Ok((*pointer, wanted, value.trim_start_matches('=').to_owned()))
        });
        terms.collect::<Result<_, _>>().map(Self)
    }

    /// Whether an object is selected.
    pub fn selects(&self, object: &Value) -> bool {
        self.0.iter().all(|(pointer, wanted, value)| {
            (object.pointer(pointer).and_then(Value::as_str).unwrap_or_default() == value) == *wanted
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_of_every_form() {
        let labels = json!({ "metadata": { "name": "x", "labels": { "app": "a", "env": "dev" } } });
        for (text, selected) in [
            ("app=a", true),
            ("app==b", false),
            ("app!=b,env", true),
            ("!env", false),
            ("env in (prod, dev),app", true),
            ("env notin (dev)", false),
            ("", true),
        ] {
            assert_eq!(LabelSelector::parse(text).unwrap().selects(&labels), selected, "{text}");
        }
        assert!(FieldSelector::parse("metadata.name=x", "Pod").unwrap().selects(&labels));
        assert!(!FieldSelector::parse("metadata.name!=x", "Pod").unwrap().selects(&labels));
        assert_eq!(FieldSelector::parse("spec.replicas=1", "Deployment").unwrap_err().code, 400);
    }
}
