//! Strictness: what a server does not know it refuses loudly, so that no client is right by accident.

use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// A route, query key or body field that the rehearsal does not know: answered with 501 and remembered.
#[derive(Clone, Debug)]
pub struct NotUnderstood(String);

impl NotUnderstood {
    /// Names what was not understood.
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl std::fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl IntoResponse for NotUnderstood {
    fn into_response(self) -> Response {
        let message = format!("The rehearsal does not understand: {self}");
        let body = json!({"error": {"code": 501, "status": "UNIMPLEMENTED", "message": message}});
        let mut response = (StatusCode::NOT_IMPLEMENTED, axum::Json(body)).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The query of a request, all of whose keys are known.
#[derive(Clone, Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query; a key that is not listed is not understood.
    pub fn of(uri: &Uri, known: &[&str]) -> Result<Self, NotUnderstood> {
        let text = uri.query().unwrap_or_default();
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        match pairs.iter().find(|(key, _)| !known.contains(&key.as_str())) {
            Some((key, _)) => Err(NotUnderstood::new(format!("the query key {key:?} of {}", uri.path()))),
            None => Ok(Self(pairs)),
        }
    }

    /// The first value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(it, _)| it == key).map(|(_, value)| value.as_str())
    }

    /// All pairs, in the order they were sent.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
}

/// Reads a JSON object; an empty body is an empty object.
pub fn json_body(bytes: &[u8]) -> Result<Value, NotUnderstood> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(json!({}));
    }
    match serde_json::from_slice(bytes) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(NotUnderstood::new("a body that is not a JSON object")),
    }
}

/// Checks that an object has only these fields.
pub fn known_fields(object: &Value, known: &[&str]) -> Result<(), NotUnderstood> {
    let fields = object.as_object().into_iter().flat_map(serde_json::Map::keys);
    match fields.into_iter().find(|it| !known.contains(&it.as_str())) {
        Some(field) => Err(NotUnderstood::new(format!("the body field {field:?}"))),
        None => Ok(()),
    }
}
