//! Reading from the registry: tag lists, manifests, blobs.

use axum::body::Body;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, LINK};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::images::Package;
use super::{Answer, Desk, Problem};
use crate::rehearsal::stage::Query;

/// `GET /v2/NAME/tags/list`, with Google's extension: every digest with its tags and times, all numbers as strings.
pub(super) fn tags(desk: &Desk, name: &str, uri: &Uri) -> Answer {
    let query = Query::of(uri, &["n", "last"])?;
    let package = desk.images.package(name).ok_or_else(|| Problem::name_unknown(name))?;
    let last = query.get("last").unwrap_or_default();
    let mut tags: Vec<&String> = package.tags.keys().filter(|it| last.is_empty() || it.as_str() > last).collect();
    let whole = tags.len() == package.tags.len();
    let size = match query.get("n").map(str::parse::<usize>) {
        None => tags.len(),
        Some(Ok(size)) if size > 0 => size,
        Some(_) => {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "PAGINATION_NUMBER_INVALID", "invalid number of results requested").into());
        }
    };
    let more = tags.len() > size;
    tags.truncate(size);
    let body = json!({
        "child": [],
        "manifest": manifests(&package, &tags, whole && !more),
        "name": name,
        "tags": tags,
    });
    let mut response = axum::Json(body).into_response();
    if let (true, Some(last)) = (more, tags.last()) {
        let last: String = url::form_urlencoded::byte_serialize(last.as_bytes()).collect();
        let link = format!("</v2/{name}/tags/list?n={size}&last={last}>; rel=\"next\"");
        response.headers_mut().insert(LINK, link.parse().map_err(|_| Problem::name_unknown(name))?);
    }
    Ok(response)
}

/// The manifests behind these tags; with the whole list also those that no tag names.
fn manifests(package: &Package, listed: &[&String], whole: bool) -> Map<String, Value> {
    let mut described = Map::new();
    for (digest, manifest) in &package.manifests {
        let tags: Vec<&String> = listed.iter().filter(|it| package.tags.get(**it) == Some(digest)).copied().collect();
        if tags.is_empty() && !whole {
            continue;
        }
        let entry = json!({
            "imageSizeBytes": manifest.size.to_string(),
            "layerId": "",
            "mediaType": manifest.media_type,
            "tag": tags,
            "timeCreatedMs": manifest.created.as_millisecond().to_string(),
            "timeUploadedMs": manifest.uploaded.as_millisecond().to_string(),
        });
        described.insert(digest.clone(), entry);
    }
    described
}

/// `GET` or `HEAD /v2/NAME/manifests/REFERENCE`. A client that does not accept the manifest's type is told it is not there.
pub(super) fn manifest(desk: &Desk, name: &str, reference: &str, uri: &Uri, headers: &HeaderMap) -> Answer {
    Query::of(uri, &[])?;
    if desk.images.package(name).is_none() {
        return Err(Problem::name_unknown(name).into());
    }
    let found = desk.images.manifest(name, reference).filter(|(_, it)| accepts(headers, &it.media_type));
    let (digest, manifest) = found.ok_or_else(|| Problem::manifest_unknown(reference))?;
    Ok(content(&digest, &manifest.media_type, manifest.bytes))
}

/// `GET` or `HEAD /v2/NAME/blobs/DIGEST`.
pub(super) fn blob(desk: &Desk, name: &str, digest: &str, uri: &Uri) -> Answer {
    Query::of(uri, &[])?;
    if !desk.images.has_repository(name) {
        return Err(Problem::name_unknown(name).into());
    }
    let bytes = desk.images.blob(digest).ok_or_else(|| Problem::blob_unknown(digest))?;
    Ok(content(digest, "application/octet-stream", bytes))
}

/// The server leaves the body out of an answer to `HEAD` and keeps the length.
fn content(digest: &str, media_type: &str, bytes: axum::body::Bytes) -> Response {
    let length = bytes.len().to_string();
    let headers = [
        (CONTENT_TYPE.as_str(), media_type),
        (CONTENT_LENGTH.as_str(), length.as_str()),
        ("docker-content-digest", digest),
        ("docker-distribution-api-version", "registry/2.0"),
    ];
    (headers, Body::from(bytes)).into_response()
}

fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let offered = headers.get_all(ACCEPT).iter().filter_map(|it| it.to_str().ok()).flat_map(|it| it.split(','));
    offered.map(|it| it.split(';').next().unwrap_or_default().trim()).any(|it| it == media_type || it == "*/*")
}
