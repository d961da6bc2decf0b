//! Google's error shape.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::rehearsal::stage::NotUnderstood;

/// Why a request is not served.
pub(super) enum Problem {
    /// Google's own no: HTTP status, canonical code, message.
    Google(StatusCode, &'static str, String),
    /// Something the rehearsal does not know.
    NotUnderstood(NotUnderstood),
}

impl Problem {
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Google(StatusCode::BAD_REQUEST, "INVALID_ARGUMENT", message.into())
    }

    pub(super) fn precondition(message: impl Into<String>) -> Self {
        Self::Google(StatusCode::BAD_REQUEST, "FAILED_PRECONDITION", message.into())
    }

    pub(super) fn not_found() -> Self {
        Self::Google(StatusCode::NOT_FOUND, "NOT_FOUND", "Requested entity was not found.".to_owned())
    }

    pub(super) fn denied() -> Self {
        Self::Google(StatusCode::FORBIDDEN, "PERMISSION_DENIED", "The caller does not have permission".to_owned())
    }
}

impl From<NotUnderstood> for Problem {
    fn from(it: NotUnderstood) -> Self {
        Self::NotUnderstood(it)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        match self {
            Self::NotUnderstood(it) => it.into_response(),
            Self::Google(status, code, message) => {
                let body = json!({"error": {"code": status.as_u16(), "message": message, "status": code}});
                (status, axum::Json(body)).into_response()
            }
        }
    }
}
