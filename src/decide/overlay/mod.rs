//! The overlay edit: text in, text and changes out, every other byte kept.
//!
//! Here: what an `images` entry says ([`entries`], [`find`]) and how to make it say something else ([`edit`]).
//! Never here: a file. Texts come in as strings; `file` only labels errors.
//! Start reading at [`edit_or_problems`]: two strict readings of the text, with the byte spans of a lossless one between them.
//! Used by `cli/set_image.rs`, and by whatever writes to the config repository.

use serde_yaml::Value;

use crate::error::{Error, Result};

mod argument;
mod create;
mod entries;
mod guard;
mod layout;
mod plan;
mod quote;
mod splice;
mod strict;

pub use argument::parse as parse_argument;
pub use entries::{entries, find};
pub use strict::MAX_BYTES;

use layout::Layout;
use plan::{Planned, Target};
use splice::Splice;

/// One entry of `images`, as it stands in the file. An empty or null field is `None`: kustomize ignores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The image's name in the manifests.
    pub name: String,
    /// The name it is replaced by.
    pub new_name: Option<String>,
    /// The tag it gets. As written, even where YAML would read a number.
    pub new_tag: Option<String>,
    /// The digest it gets; it decides what runs.
    pub digest: Option<String>,
    /// The line at which the entry begins, from 1.
    pub line: usize,
}

/// What to do with one field of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Field {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Make it say this.
    Set(String),
    /// Take it away.
    Remove,
}

/// What one entry should say afterwards.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Edit {
    /// Which entry: its `name` or `newName`, letter by letter.
    pub image: String,
    /// The replacing name.
    pub new_name: Field,
    /// The tag.
    pub new_tag: Field,
    /// The digest.
    pub digest: Field,
    /// Whether a missing entry is added rather than an error.
    pub create: bool,
}

/// One field that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The entry's `name`.
    pub image: String,
    /// Which field of the entry.
    pub field: &'static str,
    /// Its line in the edited text; of a removed field, its line in the old text.
    pub line: usize,
    /// What it said. The same as `new` where only quotes were missing.
    pub old: Option<String>,
    /// What it says now.
    pub new: Option<String>,
}

/// The edited text. Without changes it is the text that came in, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// The whole text.
    pub text: String,
    /// What changed, in the order of the file's entries.
    pub changes: Vec<Change>,
}

/// Makes the entries say what the edits ask for, and changes nothing else. All problems are one error.
pub fn edit(file: &str, text: &str, edits: &[Edit]) -> Result<Edited> {
    edit_or_problems(file, text, edits).map_err(Error::together)
}

/// As [`edit`], with every problem on its own.
pub fn edit_or_problems(file: &str, text: &str, edits: &[Edit]) -> Result<Edited, Vec<Error>> {
    let one = |error| vec![error];
    let before = strict::read(file, text).map_err(one)?;
    let layout = Layout::read(file, text, &before).map_err(one)?;
    let present = entries::from_parts(file, text, &before, &layout)?;
    let plan = plan::plan(file, text, &layout, &present, &before, edits)?;
    if plan.is_empty() {
        return Ok(Edited { text: text.to_owned(), changes: Vec::new() });
    }
    let edited = apply(file, text, &layout, &plan).map_err(one)?;
    guard::check(file, &before, &plan, &edited.text).map_err(one)?;
    Ok(edited)
}

/// Edits the entries that are there, then adds the new ones behind what became of the last of them.
fn apply(file: &str, text: &str, layout: &Layout, plan: &[Planned]) -> Result<Edited> {
    let patched = |text: &str, splices: Vec<Splice>| {
        guard::comments_stay(file, text, &splices)?;
        Ok(splice::patch(text, splices))
    };
    let (created, present): (Vec<&Planned>, Vec<&Planned>) = plan.iter().partition(|it| it.target == Target::New);
    let edited = patched(text, splice::splices(text, layout, &present))?;
    if created.is_empty() {
        return Ok(edited);
    }
    let moved = if present.is_empty() { None } else { Some(guard::reread(file, &edited.text)?) };
    let layout = moved.as_ref().unwrap_or(layout);
    let more = patched(&edited.text, vec![create::splice(&edited.text, layout, &created)])?;
    Ok(Edited { text: more.text, changes: [edited.changes, more.changes].concat() })
}

/// The names of an entry's fields, in the order in which they are written.
const FIELDS: [&str; 3] = ["newName", "newTag", "digest"];

/// The value of a key, when it says anything.
fn field<'a>(entry: &'a Value, key: &str) -> Option<&'a Value> {
    entry.get(key).filter(|it| !it.is_null() && it.as_str() != Some(""))
}

/// The line of a byte, from 1.
fn line_at(text: &str, offset: usize) -> usize {
    1 + text.as_bytes()[..offset].iter().filter(|it| **it == b'\n').count()
}
