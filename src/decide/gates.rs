//! What the gates of an environment are to see: what its overlay says.

use super::GateWants;
use super::pins::pins;
use super::settle::known;
use crate::error::{Error, Result};
use crate::model::{Digest, Environment, ImageMove, Sighting, Tag};

/// The images that an environment's overlay pins at the branch's tip. An image without a tag cannot be verified.
pub fn gates_of(environment: &Environment, seen: &Sighting) -> Result<GateWants> {
    let Some(overlay) = seen.overlays.get(&environment.name) else { return Err(Error::bug("The overlay was not looked at.")) };
    let overlay = known(overlay, "the overlay")?;
    let mut images = Vec::new();
    for it in pins(environment, overlay)? {
        let tag = it.pin.tag.as_deref().unwrap_or_default();
        let tag = Tag::parse(tag)
            .map_err(|why| Error::config(format!("{}: the entry of {} has no usable tag: {why}", overlay.file, it.component)))?;
        let digest =
            it.pin.digest.as_deref().map(Digest::parse).transpose().map_err(|why| Error::config(format!("{}: {why}", overlay.file)))?;
        let (component, repository) = (it.component.clone(), it.repository.clone());
        images.push(ImageMove { component, repository, from: it.pin, tag, digest, commit: None });
    }
    Ok(GateWants { environment: environment.name.clone(), commit: overlay.tip.clone(), images })
}
