//! What the registry holds. Cheap to clone; all clones are one shelf.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::Value;

use super::image::{Image, digest_of};
use super::problem::Problem;

/// All repositories, manifests, tags and blobs.
#[derive(Clone, Debug, Default)]
pub struct Images(Arc<Mutex<Shelf>>);

#[derive(Debug, Default)]
struct Shelf {
    /// By `PROJECT/REPOSITORY`: whether its tags are immutable.
    repositories: BTreeMap<String, bool>,
    /// By `PROJECT/REPOSITORY/IMAGE`.
    packages: BTreeMap<String, Package>,
    blobs: BTreeMap<String, Bytes>,
}

/// One image's manifests and tags.
#[derive(Clone, Debug, Default)]
pub(super) struct Package {
    pub(super) manifests: BTreeMap<String, Manifest>,
    pub(super) tags: BTreeMap<String, String>,
}

/// One manifest.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) bytes: Bytes,
    pub(super) media_type: String,
    pub(super) uploaded: Timestamp,
    /// As the image's configuration says; the epoch when it says nothing.
    pub(super) created: Timestamp,
    pub(super) size: u64,
}

impl Package {
    /// The digest a tag or digest names, when it is there.
    fn digest(&self, reference: &str) -> Option<&str> {
        match self.manifests.get_key_value(reference) {
            Some((digest, _)) => Some(digest),
            None => self.tags.get(reference).map(String::as_str),
        }
    }
}

impl Images {
    /// Makes a repository (`PROJECT/REPOSITORY`) in which images can be pushed.
    pub fn create_repository(&self, name: &str, immutable_tags: bool) {
        self.shelf().repositories.insert(name.to_owned(), immutable_tags);
    }

    /// The digest behind a tag (or digest) of an image, whose name may begin with the registry's host.
    pub fn resolve(&self, image: &str, reference: &str) -> Option<String> {
        let shelf = self.shelf();
        let name = without_host(image);
        shelf.packages.get(name)?.digest(reference).map(str::to_owned)
    }

    /// What an image says of itself: its version and the commit it was built from.
    pub fn identity(&self, image: &str, reference: &str) -> Option<(String, String)> {
        let shelf = self.shelf();
        let package = shelf.packages.get(without_host(image))?;
        let manifest = package.manifests.get(package.digest(reference)?)?;
        let config = shelf.config(&manifest.bytes)?;
        let label = |name: &str| Some(config["config"]["Labels"][name].as_str()?.to_owned());
        Some((label("org.opencontainers.image.version")?, label("org.opencontainers.image.revision")?))
    }

    /// Pushes a whole image under a tag, as a build does. Returns its digest, or why the registry refuses it.
    pub fn push(&self, image: &str, tag: &str, content: &Image, now: Timestamp) -> Result<String, String> {
        self.put_blob(content.config.clone());
        self.put_blob(content.layer.clone());
        self.put_manifest(without_host(image), tag, Image::MEDIA_TYPE, content.manifest.clone(), now).map_err(|why| format!("{why:?}"))
    }

    /// Removes a tag or a manifest, as a clean-up policy does. Whether there was one.
    pub fn remove(&self, image: &str, reference: &str) -> bool {
        let mut shelf = self.shelf();
        let Some(package) = shelf.packages.get_mut(without_host(image)) else { return false };
        if package.tags.remove(reference).is_some() {
            return true;
        }
        package.tags.retain(|_, digest| digest != reference);
        package.manifests.remove(reference).is_some()
    }

    pub(super) fn package(&self, name: &str) -> Option<Package> {
        self.shelf().packages.get(name).cloned()
    }

    pub(super) fn manifest(&self, name: &str, reference: &str) -> Option<(String, Manifest)> {
        let shelf = self.shelf();
        let package = shelf.packages.get(name)?;
        let digest = package.digest(reference)?;
        package.manifests.get(digest).map(|it| (digest.to_owned(), it.clone()))
    }

    pub(super) fn blob(&self, digest: &str) -> Option<Bytes> {
        self.shelf().blobs.get(digest).cloned()
    }

    pub(super) fn put_blob(&self, bytes: Bytes) -> String {
        let digest = digest_of(&bytes);
        self.shelf().blobs.insert(digest.clone(), bytes);
        digest
    }

    pub(super) fn has_repository(&self, name: &str) -> bool {
        self.shelf().repositories.contains_key(repository_of(name))
    }

    /// Whether tags of this image, once set, stay.
    pub(super) fn is_immutable(&self, name: &str) -> bool {
        self.shelf().repositories.get(repository_of(name)).copied().unwrap_or(false)
    }

    /// Puts a manifest under a tag or its digest.
    pub(super) fn put_manifest(
        &self,
        name: &str,
        reference: &str,
        media_type: &str,
        bytes: Bytes,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let digest = digest_of(&bytes);
        let mut shelf = self.shelf();
        let immutable = *shelf.repositories.get(repository_of(name)).ok_or_else(|| Problem::name_unknown(name))?;
        let by_digest = reference.starts_with("sha256:");
        if by_digest && reference != digest {
            return Err(Problem::manifest_invalid("manifest invalid: the digest does not match the content"));
        }
        let (created, size) = shelf.describe(name, &bytes)?;
        let package = shelf.packages.entry(name.to_owned()).or_default();
        if immutable && package.tags.get(reference).is_some_and(|it| *it != digest) {
            return Err(Problem::immutable(reference));
        }
        let manifest = Manifest { bytes, media_type: media_type.to_owned(), uploaded: now, created, size };
        package.manifests.entry(digest.clone()).or_insert(manifest);
        if !by_digest {
            package.tags.insert(reference.to_owned(), digest.clone());
        }
        Ok(digest)
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// When an image was created and how large it is; refuses a manifest whose parts are not there.
    fn describe(&self, name: &str, bytes: &[u8]) -> Result<(Timestamp, u64), Problem> {
        let manifest: Value = serde_json::from_slice(bytes).map_err(|why| Problem::manifest_invalid(format!("manifest invalid: {why}")))?;
        let mut size = 0;
        for part in std::iter::once(&manifest["config"]).chain(manifest["layers"].as_array().into_iter().flatten()) {
            let Some(digest) = part["digest"].as_str() else { continue };
            if !self.blobs.contains_key(digest) {
                return Err(Problem::manifest_invalid(format!("manifest invalid: blob {digest} unknown")));
            }
            size += part["size"].as_u64().unwrap_or(0);
        }
        let package = self.packages.get(name);
        for child in manifest["manifests"].as_array().into_iter().flatten().filter_map(|it| it["digest"].as_str()) {
            if !package.is_some_and(|it| it.manifests.contains_key(child)) {
                return Err(Problem::manifest_invalid(format!("manifest invalid: manifest {child} unknown")));
            }
        }
        let created = self.config(bytes).and_then(|it| it["created"].as_str()?.parse().ok());
        Ok((created.unwrap_or(Timestamp::UNIX_EPOCH), size))
    }

    fn config(&self, manifest: &[u8]) -> Option<Value> {
        let manifest: Value = serde_json::from_slice(manifest).ok()?;
        let blob = self.blobs.get(manifest["config"]["digest"].as_str()?)?;
        serde_json::from_slice(blob).ok()
    }
}

/// An image's name without the registry's host: the host is the only part with a dot or a port before the first slash.
fn without_host(image: &str) -> &str {
    match image.split_once('/') {
        Some((host, rest)) if host.contains(['.', ':']) => rest,
        _ => image,
    }
}

/// The `PROJECT/REPOSITORY` of an image's name.
fn repository_of(name: &str) -> &str {
    match name.match_indices('/').nth(1) {
        Some((at, _)) => &name[..at],
        None => name,
    }
}
