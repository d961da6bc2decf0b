//! The release tag: one annotated tag, one ref, never moved.

use super::{Provenance, release};
use crate::error::{Error, Result};
use crate::io::git::{Expect, Person, Pushed, Store};
use crate::model::{FileText, NewRelease, Outcome, Performed, RefName, TagCut};

/// Creates and pushes the tag, and with it the release commit that holds these files. Blocks. An error means that nobody
/// knows whether it landed.
pub fn cut(store: &Store, cut: &TagCut, files: Vec<FileText>, by: &Person, provenance: &Provenance<'_>) -> Result<Performed> {
    let name = RefName::tag(&cut.name).map_err(Error::config)?;
    if let Some(it) = &cut.release {
        let made = release::commit(store, &NewRelease { tag: cut.name.clone(), onto: it.onto.clone(), files }, by)?;
        if made != cut.commit {
            let (made, planned) = (made.short(), cut.commit.short());
            let why = format!("The release commit would be {made} now, {planned} was planned. Was config.author changed since?");
            return Ok(Performed::Settled(Outcome::Refused { why }));
        }
    }
    // The tagger's time is the plan's: made again after a crash, the object is the same, byte for byte.
    let by = Person { time: cut.time, ..by.clone() };
    let message = format!("{}\n{}", cut.message, provenance.trailers());
    let object = store.tag(&cut.name, &cut.commit, &by, &message)?;
    Ok(match store.push(&object, &name, &Expect::Absent)? {
        Pushed::Landed => Performed::Settled(Outcome::Landed { object: Some(object), reference: name.to_string(), adopted: false }),
        Pushed::Lost(_) => Performed::Overtaken,
        Pushed::Refused(why) => Performed::Settled(Outcome::Refused { why }),
    })
}
