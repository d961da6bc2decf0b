//! Real images, small ones: a layer with one file, a configuration, a manifest whose hash is the digest.

use axum::body::Bytes;
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

/// An image, ready to be pushed.
#[derive(Clone, Debug)]
pub struct Image {
    /// The configuration.
    pub config: Bytes,
    /// The only layer: an uncompressed tar.
    pub layer: Bytes,
    /// The manifest.
    pub manifest: Bytes,
}

impl Image {
    /// What its manifest is.
    pub const MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

    /// Builds an image that knows its version and its commit. The time makes a second build of the same source another image.
    pub fn build(component: &str, version: &str, commit: &str, created: Timestamp) -> Self {
        let layer = Bytes::from(tar("app/version", format!("{component} {version} {commit}\n").as_bytes()));
        let config = json!({
            "created": created.to_string(),
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": ["/tomoda"],
                "Labels": {
                    "org.opencontainers.image.title": component,
                    "org.opencontainers.image.version": version,
                    "org.opencontainers.image.revision": commit,
                },
            },
            "rootfs": {"type": "layers", "diff_ids": [digest_of(&layer)]},
            "history": [{"created": created.to_string(), "created_by": "COPY /app /app"}],
        });
        let config = Bytes::from(config.to_string());
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": Self::MEDIA_TYPE,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(&config), "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest_of(&layer), "size": layer.len()}],
        });
        Self { config, layer, manifest: Bytes::from(manifest.to_string()) }
    }
}

/// The digest of some content: `sha256:…`.
pub fn digest_of(bytes: &[u8]) -> String {
    format!("sha256:{:x}", Sha256::digest(bytes))
}

/// A tar archive with one file (POSIX ustar).
fn tar(path: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, path.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|it| u32::from(*it)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(512) + 1024, 0);
    archive
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_source_built_later_is_another_image() {
        let at = |second| Image::build("backend", "v1.0.0", "abc", Timestamp::from_second(second).unwrap());
        assert_eq!(at(1).manifest, at(1).manifest);
        assert_ne!(digest_of(&at(1).manifest), digest_of(&at(2).manifest));
        assert_eq!(at(1).layer, at(2).layer);
        assert_eq!(at(1).layer.len() % 512, 0);
    }
}
