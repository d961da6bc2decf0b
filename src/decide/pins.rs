//! What an overlay says about the components of its environment.

use super::overlay::{self, Entry};
use crate::error::Result;
use crate::model::{ComponentName, Environment, OverlaySeen, Pin, Repository};

/// One component's entry in an overlay.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pinned<'a> {
    pub(super) component: &'a ComponentName,
    pub(super) repository: &'a Repository,
    pub(super) pin: Pin,
}

/// The entry of every component of the environment, or every problem of finding one.
pub(super) fn pins<'a>(environment: &'a Environment, seen: &OverlaySeen) -> Result<Vec<Pinned<'a>>> {
    let entries = overlay::entries(seen.file.as_str(), &seen.text)?;
    environment
        .images()
        .into_iter()
        .map(|(component, repository)| {
            let entry = overlay::find(seen.file.as_str(), &entries, &repository.to_string())?;
            Ok(Pinned { component, repository, pin: pin(entry) })
        })
        .collect()
}

/// The pin of one entry.
pub(super) fn pin(entry: &Entry) -> Pin {
    Pin { tag: entry.new_tag.clone(), digest: entry.digest.clone() }
}
