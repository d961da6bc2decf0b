//! Doing to a request what a fault says.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER, TRANSFER_ENCODING};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;

use super::{Effect, EventLog, Wire};
use crate::io::clock;

/// Larger answers than this are not held back; none of the rehearsal's are.
const MOST_HELD: usize = 256 << 20;

/// Answers a request as the fault says. A request that is to hang is told as an event: whoever ordered it can act at that moment.
pub(super) async fn inject(effect: Effect, wire: &Wire, events: &EventLog, request: Request, next: Next) -> Response {
    let what = format!("{} {}", request.method(), request.uri().path());
    match effect {
        Effect::Status { code, retry_after, html } => status(code, retry_after, html),
        Effect::Redirect(to) => redirect(&to),
        Effect::ResetBefore => {
            wire.reset();
            StatusCode::OK.into_response()
        }
        Effect::ResetAfter => {
            let answer = next.run(request).await;
            axum::body::to_bytes(answer.into_body(), MOST_HELD).await.ok();
            wire.reset();
            StatusCode::OK.into_response()
        }
        Effect::SilentBefore => silence(events, &what).await,
        Effect::SilentAfter => {
            let answer = next.run(request).await;
            axum::body::to_bytes(answer.into_body(), MOST_HELD).await.ok();
            silence(events, &what).await
        }
        Effect::Delay(pause) => {
            events.add("fault", format!("{what} hangs"));
            clock::wait(pause).await;
            next.run(request).await
        }
        Effect::Late(pause) => {
            let (parts, body) = next.run(request).await.into_parts();
            let whole = axum::body::to_bytes(body, MOST_HELD).await.unwrap_or_default();
            clock::wait(pause).await;
            Response::from_parts(parts, Body::from(whole))
        }
        Effect::Cut(bytes) => cut(next.run(request).await, bytes).await,
    }
}

async fn silence(events: &EventLog, what: &str) -> Response {
    events.add("fault", format!("{what} hangs"));
    std::future::pending().await
}

fn status(code: u16, retry_after: Option<String>, html: bool) -> Response {
    let code = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if html {
        (code, axum::response::Html(format!("<html><head><title>{code}</title></head><body><center>{code}</center></body></html>")))
            .into_response()
    } else {
        let body = json!({"error": {"code": code.as_u16(), "message": "This fault was ordered."}});
        (code, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
    };
    if let Some(value) = retry_after.and_then(|it| HeaderValue::from_str(&it).ok()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

fn redirect(to: &str) -> Response {
    let mut response = StatusCode::TEMPORARY_REDIRECT.into_response();
    if let Ok(value) = HeaderValue::from_str(to) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}

/// Announces the whole body and ends inside it.
async fn cut(answer: Response, bytes: usize) -> Response {
    let (mut parts, body) = answer.into_parts();
    let Ok(whole) = axum::body::to_bytes(body, MOST_HELD).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let sent = whole.slice(..bytes.min(whole.len().saturating_sub(1)));
    parts.headers.remove(TRANSFER_ENCODING);
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(whole.len()));
    let pieces = stream::unfold(Some(sent), async |left| match left {
        Some(sent) => Some((Ok(sent), None)),
        None => {
            // What was sent leaves before the end comes.
            tokio::task::yield_now().await;
            Some((Err(std::io::Error::other("this fault was ordered")), None::<Bytes>))
        }
    });
    Response::from_parts(parts, Body::from_stream(pieces))
}
