//! The HTTP gate: an address answers with the expected status and says the expected things about itself.

use serde_json::Value;

use super::{Expected, ExpectedImage};
use crate::model::{Evidence, HttpGate, HttpSeen, Seen, Verdict};

/// The shortest abbreviation of a commit that counts as the commit.
const ABBREVIATED: usize = 7;

/// Judges one address.
pub(super) fn judge(gate: &HttpGate, expected: &Expected<'_>, seen: Option<&Seen<HttpSeen>>) -> Verdict {
    let url = &gate.url;
    let seen = match seen.map(Seen::as_result) {
        None => return Verdict::Unknown { why: format!("{url} was not looked at.") },
        Some(Err(why)) => return Verdict::Unknown { why: why.to_string() },
        Some(Ok(seen)) => seen,
    };
    let wanted = match wanted(gate, expected) {
        Ok(wanted) => wanted,
        Err(why) => return Verdict::Unknown { why },
    };
    if seen.status != gate.status {
        return waiting(format!("{url} answers {}, not {}.", seen.status, gate.status));
    }
    let mut evidence = Evidence::default().fact("status", seen.status.to_string());
    if wanted.is_empty() {
        return Verdict::Ready(evidence);
    }
    let Ok(body) = serde_json::from_str::<Value>(&seen.body) else {
        return waiting(format!("{url} does not answer with JSON, but with “{}”.", start(&seen.body)));
    };
    for wanted in wanted {
        match wanted.compare(&body) {
            Ok(said) => evidence = evidence.fact(wanted.pointer, said),
            Err(why) => return waiting(format!("{url} {why}")),
        }
    }
    Verdict::Ready(evidence)
}

/// One place in the answer and the text it should have.
struct Wanted<'a> {
    pointer: &'a str,
    text: String,
    /// Whether the text is a commit, which an answer may abbreviate.
    commit: bool,
}

impl Wanted<'_> {
    /// What the answer says there, if it is what we want.
    fn compare(&self, body: &Value) -> Result<String, String> {
        let said = match body.pointer(self.pointer) {
            None => return Err(format!("says nothing at {}; {} is expected there.", self.pointer, self.text)),
            Some(Value::String(said)) => said.clone(),
            Some(Value::Null | Value::Array(_) | Value::Object(_)) => {
                return Err(format!("has no single value at {}; {} is expected there.", self.pointer, self.text));
            }
            Some(said) => said.to_string(),
        };
        let abbreviated = self.commit && said.len() >= ABBREVIATED && self.text.starts_with(&said);
        if said == self.text || abbreviated {
            Ok(said)
        } else {
            Err(format!("says “{}” at {}, not {}.", start(&said), self.pointer, self.text))
        }
    }
}

/// The texts that are wanted, with the placeholders filled in.
fn wanted<'a>(gate: &'a HttpGate, expected: &Expected<'_>) -> Result<Vec<Wanted<'a>>, String> {
    let image = match &gate.component {
        Some(name) => expected.images.iter().find(|it| it.component == *name),
        None => expected.images.first(),
    };
    gate.json
        .iter()
        .map(|(pointer, template)| {
            let text =
                filled(template, image, expected).map_err(|name| format!("What {{{name}}} stands for at {} is not known.", gate.url))?;
            Ok(Wanted { pointer, text, commit: template == "{commit}" })
        })
        .collect()
}

/// A template with its placeholders filled in, or the name of the one that cannot be. Values are never searched for placeholders.
fn filled(template: &str, image: Option<&ExpectedImage>, expected: &Expected<'_>) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        let value = |name: &str| match name {
            "tag" => Some(image.and_then(|it| it.tag.as_ref()).map(ToString::to_string)),
            "digest" => Some(image.and_then(|it| it.digest.as_ref()).map(ToString::to_string)),
            "commit" => Some(image.and_then(|it| it.commit.as_ref()).map(ToString::to_string)),
            "version" => Some(expected.version.map(|it| it.to_string())),
            _ => None,
        };
        match after.split_once('}').and_then(|(name, after)| Some((name, value(name)?, after))) {
            Some((name, value, after)) => {
                text.push_str(&value.ok_or_else(|| name.to_owned())?);
                rest = after;
            }
            // Not a placeholder of ours: a brace is a brace.
            None => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    Ok(text)
}

/// The start of somebody else's text, for a sentence.
fn start(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

fn waiting(why: String) -> Verdict {
    Verdict::Waiting { why, ask: None }
}
