//! `set-image`: the overlay edit alone, on a file.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::decide::overlay::{self, Change, Edit};
use crate::error::{Error, Result};
use crate::io::files;
use crate::report::Out;

/// Arguments of `set-image`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A kustomization, or a folder with one.
    pub(super) path: PathBuf,
    /// What to set: NAME[=NEWNAME][:TAG][@DIGEST]; “*” keeps a part.
    ///
    /// As in `kustomize edit set image`, but parts that are not mentioned are kept, and NAME may also be the entry's
    /// newName. A tag alone takes a digest away: it would go on deciding what runs.
    #[arg(required = true, value_name = "IMAGE")]
    pub(super) images: Vec<String>,
    /// Add an entry for an image that has none.
    #[arg(long)]
    pub(super) create: bool,
}

pub(super) fn run(args: Args, out: &Out) -> Result<()> {
    let mut problems = Vec::new();
    let mut edits: Vec<Edit> = Vec::new();
    for argument in &args.images {
        match overlay::parse_argument(argument) {
            Ok(edit) => edits.push(Edit { create: args.create, ..edit }),
            Err(error) => problems.push(error),
        }
    }
    match edited(&args.path, &edits) {
        Ok(done) if problems.is_empty() => write(&done, out),
        Ok(_) => Err(Error::together(problems)),
        Err(more) => {
            problems.extend(more);
            Err(Error::together(problems))
        }
    }
}

/// A file and what becomes of it.
struct Done {
    path: PathBuf,
    edited: overlay::Edited,
}

fn edited(path: &Path, edits: &[Edit]) -> Result<Done, Vec<Error>> {
    let (path, text) = read(path).map_err(|error| vec![error])?;
    let edited = overlay::edit_or_problems(&path.display().to_string(), &text, edits)?;
    Ok(Done { path, edited })
}

fn read(path: &Path) -> Result<(PathBuf, String)> {
    let path = files::kustomization(path)?;
    files::stays_in_repository(&path)?;
    let text = files::read_text(&path, overlay::MAX_BYTES)?;
    Ok((path, text))
}

fn write(done: &Done, out: &Out) -> Result<()> {
    let (file, changes) = (done.path.display().to_string(), &done.edited.changes);
    if changes.is_empty() {
        out.text("Nothing to change.");
    } else {
        files::replace(&done.path, done.edited.text.as_bytes()).map_err(|error| error.while_doing("Nothing is changed"))?;
    }
    for change in changes {
        out.text(line(&file, change));
    }
    out.json(&json!({ "file": file, "changes": changes.iter().map(as_json).collect::<Vec<_>>() }));
    Ok(())
}

/// `image field old → new file:line`
fn line(file: &str, change: &Change) -> String {
    let Change { image, field, line, old, new } = change;
    let what = match (old.as_deref(), new.as_deref()) {
        (Some(old), Some(new)) if old == new => format!("{old} → \"{new}\" (now quoted)"),
        (Some(old), None) => format!("{old} → (removed: it belongs to the old tag)"),
        (old, new) => format!("{} → {}", old.unwrap_or("(none)"), new.unwrap_or("(none)")),
    };
    format!("{image} {field} {what} {file}:{line}")
}

fn as_json(change: &Change) -> serde_json::Value {
    json!({ "image": change.image, "field": change.field, "line": change.line, "old": change.old, "new": change.new })
}
