//! The release tag: one annotated tag, one ref, never moved.

use super::Provenance;
use crate::error::{Error, Result};
use crate::io::git::{Expect, Person, Pushed, Store};
use crate::model::{Outcome, Performed, RefName, TagCut};

/// Creates and pushes the tag. Blocks. An error means that nobody knows whether it landed.
pub fn cut(store: &Store, cut: &TagCut, by: &Person, provenance: &Provenance<'_>) -> Result<Performed> {
    let name = RefName::tag(&cut.name).map_err(Error::config)?;
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
