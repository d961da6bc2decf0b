//! The API server's ways to say no: `Status` objects, worded as the real one words them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::kind::Kind;

/// A request that is not done.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub code: u16,
    reason: &'static str,
    /// What a client prints.
    pub message: String,
    details: Option<Value>,
    /// The answer is not a `Status`, but the page of a web server.
    page: bool,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, page: false }
    }

    /// Texts that are empty are left out, as Go does.
    fn about(mut self, kind: &Kind, name: &str) -> Self {
        let parts = [("name", name), ("group", kind.group), ("kind", kind.plural)];
        self.details = Some(parts.into_iter().filter(|(_, it)| !it.is_empty()).map(|(key, it)| (key.to_owned(), json!(it))).collect());
        self
    }

    fn about_nothing(mut self) -> Self {
        self.details = Some(json!({}));
        self
    }

    /// 404 for an object.
    pub fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} \"{name}\" not found", kind.qualified())).about(kind, name)
    }

    /// 404 for a path that no kind of a known group has.
    pub fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource").about_nothing()
    }

    /// 404 for a group or a version that is not installed: nobody but the web server answers there.
    pub fn no_such_group() -> Self {
        Self { page: true, ..Self::new(404, "NotFound", "404 page not found\n") }
    }

    /// 409: the object is not the one the client saw.
    pub fn conflict(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {} \"{name}\": {why}", kind.qualified())).about(kind, name)
    }

    /// 422: the object would be wrong. Each cause is a field, a reason and a message.
    pub fn invalid(qualified_kind: &str, name: &str, causes: &[Cause]) -> Self {
        let all: Vec<String> = causes.iter().map(|it| format!("{}: {}", it.field, it.message)).collect();
        let said = if let [one] = all.as_slice() { one.clone() } else { format!("[{}]", all.join(", ")) };
        let (kind, group) = qualified_kind.split_once('.').unwrap_or((qualified_kind, ""));
        let causes: Vec<Value> = causes.iter().map(|it| json!({ "reason": it.reason, "message": it.message, "field": it.field })).collect();
        let mut refusal = Self::new(422, "Invalid", format!("{qualified_kind} \"{name}\" is invalid: {said}"));
        refusal.details = Some(json!({ "name": name, "group": group, "kind": kind, "causes": causes }));
        refusal
    }

    /// 422: a well-formed patch that does not fit.
    pub fn unprocessable(message: impl Into<String>) -> Self {
        Self::new(422, "Invalid", message).about_nothing()
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 401.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 403: who may not do what where.
    pub fn forbidden(user: &str, verb: &str, kind: &Kind, namespace: &str, name: &str) -> Self {
        let place = if namespace.is_empty() { "at the cluster scope".to_owned() } else { format!("in the namespace \"{namespace}\"") };
        let (what, group) = (kind.qualified(), kind.group);
        let cannot = format!("User \"{user}\" cannot {verb} resource \"{}\" in API group \"{group}\" {place}", kind.plural);
        let subject = if name.is_empty() { what } else { format!("{what} \"{name}\"") };
        Self::new(403, "Forbidden", format!("{subject} is forbidden: {cannot}")).about(kind, name)
    }

    /// 405.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource").about_nothing()
    }

    /// 410: a resource version older than what is remembered.
    pub fn gone(asked: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {asked} ({oldest})"))
    }

    /// 415: a patch of a kind this resource does not take.
    pub fn unsupported_media(accepted: &str) -> Self {
        let said = format!("the body of the request was in an unknown format - accepted media types include: {accepted}");
        Self::new(415, "UnsupportedMediaType", said)
    }

    /// 501: something a real server does and this one does not. Guessing would make a rehearsal lie.
    pub fn not_rehearsed(what: impl Into<String>) -> Self {
        Self::new(501, "NotImplemented", format!("the rehearsal does not do this: {}", what.into()))
    }

    /// The `Status` object.
    pub fn status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let code = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if self.page { (code, self.message).into_response() } else { (code, Json(self.status())).into_response() }
    }
}

/// One field that would be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The path of the field.
    pub field: String,
    /// `FieldValueInvalid`, `FieldValueRequired`.
    pub reason: &'static str,
    /// What is wrong with it.
    pub message: String,
}
