//! What the gates of an environment are to see: what its overlay says.

use super::GateWants;
use super::pins::{Pinned, pins};
use super::settle::known;
use crate::error::{Error, Result};
use crate::model::{Digest, Environment, ImageMove, OverlaySeen, RepoPath, Sighting, Tag};

/// The images that an environment's overlay pins at the branch's tip. An image without a tag cannot be verified.
pub fn gates_of(environment: &Environment, seen: &Sighting) -> Result<GateWants> {
    let overlay = overlay_of(environment, seen)?;
    let images = pins(environment, overlay)?.into_iter().map(|it| image(&overlay.file, it)).collect::<Result<_>>()?;
    Ok(GateWants { environment: environment.name.clone(), commit: overlay.tip.clone(), images })
}

/// The same for who only looks: what the overlay does not pin yet, or not well, is in nobody's way.
pub fn gates_to_look_at(environment: &Environment, seen: &Sighting) -> Result<GateWants> {
    let overlay = overlay_of(environment, seen)?;
    let images = pins(environment, overlay)?.into_iter().filter_map(|it| image(&overlay.file, it).ok()).collect();
    Ok(GateWants { environment: environment.name.clone(), commit: overlay.tip.clone(), images })
}

fn overlay_of<'a>(environment: &Environment, seen: &'a Sighting) -> Result<&'a OverlaySeen> {
    let Some(overlay) = seen.overlays.get(&environment.name) else { return Err(Error::bug("The overlay was not looked at.")) };
    known(overlay, "the overlay")
}

fn image(file: &RepoPath, it: Pinned<'_>) -> Result<ImageMove> {
    let wrong = |why: String| Error::config(format!("{file}: the entry of {}, {}, {why}", it.component, it.repository));
    let Some(tag) = it.pin.tag.as_deref() else {
        let hint = "Without its tag nobody can tell which version it is. Write `newTag` into it once; from then on it is kept.";
        return Err(wrong("has no `newTag`.".to_owned()).hint(hint));
    };
    let tag = Tag::parse(tag).map_err(|why| wrong(format!("has no usable tag: {why}")))?;
    let digest = it.pin.digest.as_deref().map(Digest::parse).transpose().map_err(|why| wrong(format!("has no usable digest: {why}")))?;
    let (component, repository) = (it.component.clone(), it.repository.clone());
    Ok(ImageMove { component, repository, from: it.pin, tag, digest, commit: None })
}
