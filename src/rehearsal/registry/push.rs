//! Writing to the registry: uploads, manifests, tags.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::header::{CONTENT_TYPE, LOCATION, RANGE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::image::digest_of;
use super::{Answer, Desk, Problem};
use crate::io::clock;
use crate::rehearsal::stage::{Chance, Query};

const MANIFEST_TYPES: &[&str] = &[
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// Uploads that are not finished.
#[derive(Clone, Debug)]
pub(super) struct Uploads {
    chance: Chance,
    open: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Uploads {
    pub(super) fn new(chance: &Chance) -> Self {
        Self { chance: chance.clone(), open: Arc::default() }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `POST /v2/NAME/blobs/uploads/`: begins an upload, does it in one go (`digest`), or finds the blob next door (`mount`).
pub(super) fn begin(desk: &Desk, name: &str, uri: &Uri, body: &Bytes) -> Answer {
    let query = Query::of(uri, &["digest", "mount", "from"])?;
    if !desk.images.has_repository(name) {
        return Err(Problem::name_unknown(name).into());
    }
    if let Some(digest) = query.get("digest") {
        return store(desk, name, digest, body.clone());
    }
    if let Some(digest) = query.get("mount").filter(|it| desk.images.blob(it).is_some()) {
        return Ok(created(&format!("/v2/{name}/blobs/{digest}"), digest));
    }
    let id = desk.uploads.chance.uuid();
    desk.uploads.open().insert(id.clone(), Vec::new());
    Ok(accepted(name, &id, 0))
}

/// `GET /v2/NAME/blobs/uploads/ID`: how far an upload is.
pub(super) fn progress(desk: &Desk, name: &str, id: &str, uri: &Uri) -> Answer {
    Query::of(uri, &[])?;
    let size = desk.uploads.open().get(id).map(Vec::len).ok_or_else(unknown_upload)?;
    let mut response = accepted(name, id, size);
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// `PATCH /v2/NAME/blobs/uploads/ID`: the next piece.
pub(super) fn append(desk: &Desk, name: &str, id: &str, uri: &Uri, body: &Bytes) -> Answer {
    Query::of(uri, &[])?;
    let mut open = desk.uploads.open();
    let upload = open.get_mut(id).ok_or_else(unknown_upload)?;
    upload.extend_from_slice(body);
    Ok(accepted(name, id, upload.len()))
}

/// `PUT /v2/NAME/blobs/uploads/ID?digest=…`: the last piece, and what all of it should be.
pub(super) fn finish(desk: &Desk, name: &str, id: &str, uri: &Uri, body: &Bytes) -> Answer {
    let query = Query::of(uri, &["digest"])?;
    let mut bytes = desk.uploads.open().remove(id).ok_or_else(unknown_upload)?;
    bytes.extend_from_slice(body);
    store(desk, name, query.get("digest").unwrap_or_default(), bytes.into())
}

/// `PUT /v2/NAME/manifests/REFERENCE`.
pub(super) fn manifest(desk: &Desk, name: &str, reference: &str, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Answer {
    Query::of(uri, &[])?;
    let media_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !MANIFEST_TYPES.contains(&media_type) {
        return Err(Problem::manifest_invalid(format!("manifest invalid: unsupported media type {media_type:?}")).into());
    }
    let digest = desk.images.put_manifest(name, reference, media_type, body.clone(), clock::now())?;
    Ok(created(&format!("/v2/{name}/manifests/{digest}"), &digest))
}

/// `DELETE /v2/NAME/manifests/REFERENCE`.
pub(super) fn delete(desk: &Desk, name: &str, reference: &str, uri: &Uri) -> Answer {
    Query::of(uri, &[])?;
    if desk.images.manifest(name, reference).is_none() {
        return Err(Problem::manifest_unknown(reference).into());
    }
    if desk.images.is_immutable(name) {
        return Err(Problem::immutable(reference).into());
    }
    desk.images.remove(name, reference);
    Ok(StatusCode::ACCEPTED.into_response())
}

fn store(desk: &Desk, name: &str, digest: &str, bytes: Bytes) -> Answer {
    if digest_of(&bytes) != digest {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "the digest does not match the content").into());
    }
    desk.images.put_blob(bytes);
    Ok(created(&format!("/v2/{name}/blobs/{digest}"), digest))
}

fn unknown_upload() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
}

fn created(location: &str, digest: &str) -> Response {
    (StatusCode::CREATED, [(LOCATION.as_str(), location), ("docker-content-digest", digest)]).into_response()
}

/// The range of an upload names its last byte; an empty one is `0-0`.
fn accepted(name: &str, id: &str, size: usize) -> Response {
    let location = format!("/v2/{name}/blobs/uploads/{id}");
    let range = format!("0-{}", size.saturating_sub(1));
    let headers = [(LOCATION.as_str(), location.as_str()), (RANGE.as_str(), range.as_str()), ("docker-upload-uuid", id)];
    (StatusCode::ACCEPTED, headers).into_response()
}
