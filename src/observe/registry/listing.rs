//! What a page of a listing says, and what all pages say together.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::error::{Error, Result};
use crate::model::{Digest, Listing, Tag, TaggedImage};

/// `tags/list`: the standard's `tags`, and Google's `manifest` with the digest and the times of every image.
#[derive(Deserialize)]
pub(super) struct Page {
    /// `null` for a repository without tags.
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    manifest: Option<BTreeMap<String, Manifest>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest {
    #[serde(default)]
    tag: Vec<String>,
    #[serde(default, deserialize_with = "number")]
    time_uploaded_ms: Option<i64>,
}

/// All pages so far.
#[derive(Default)]
pub(super) struct Tags {
    names: BTreeSet<String>,
    images: BTreeMap<String, Manifest>,
}

impl Tags {
    /// Adds a page; says whether it brought anything new.
    pub(super) fn add(&mut self, page: Page) -> Result<bool> {
        let before = (self.names.len(), self.images.len());
        self.names.extend(page.tags.unwrap_or_default());
        for (digest, manifest) in page.manifest.unwrap_or_default() {
            match self.images.get_mut(&digest) {
                Some(known) => known.tag.extend(manifest.tag),
                None => _ = self.images.insert(digest, manifest),
            }
        }
        Ok(before != (self.names.len(), self.images.len()))
    }

    /// How many tags or images there are, whichever is more.
    pub(super) fn largest(&self) -> usize {
        self.names.len().max(self.images.len())
    }

    /// Every tag with what is known of it. Names that no registry accepts cannot be anyone's tag and are left out.
    pub(super) fn listing(&self, requests: usize) -> Result<Listing> {
        let mut known: BTreeMap<&str, (&str, Option<i64>)> = BTreeMap::new();
        for (digest, manifest) in &self.images {
            for tag in manifest.tag.iter().collect::<BTreeSet<_>>() {
                if known.insert(tag, (digest, manifest.time_uploaded_ms)).is_some() {
                    return Err(Error::remote(format!(
                        "it says that tag {} is two images at once; it moved while the list was made",
                        tag.escape_debug()
                    )));
                }
            }
        }
        let tags = self.names.iter().filter_map(|name| {
            let image = known.get(name.as_str());
            Some(TaggedImage {
                tag: Tag::parse(name).ok()?,
                digest: image.and_then(|it| Digest::parse(it.0).ok()),
                // Zero is what a registry without a time says.
                uploaded: image.and_then(|it| it.1).filter(|it| *it > 0).and_then(|it| Timestamp::from_millisecond(it).ok()),
            })
        });
        Ok(Listing { tags: tags.collect(), requests })
    }
}

/// Milliseconds: a number in one of Google's registries, a text in the other.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Option<i64>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_i64(),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    })
}
