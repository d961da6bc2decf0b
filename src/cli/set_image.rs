//! `set-image`: the overlay edit alone, on a file.

use std::path::{Path, PathBuf};

use serde_json::json;

use crate::decide::overlay::{self, Change, Edit};
use crate::error::{Error, Result};
use crate::io::files;
use crate::io::rewrite::Rewrite;
use crate::report::Out;

/// Arguments of `set-image`.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A kustomization, or a folder with one.
    pub(super) path: PathBuf,
    /// What to set: NAME[=NEWNAME][:TAG][@DIGEST]; “*” keeps a part.
    ///
    /// As in `kustomize edit set image`, with these differences. Parts that are not mentioned are kept. NAME may also be
    /// the entry's newName. A tag alone takes the digest away, and a new tag with “@*” is refused where there is one: the
    /// old digest would go on deciding what runs. An entry is added only with --create. Two entries for one image, two
    /// different values for one part, and names, tags or digests (sha256) that no registry knows are refused.
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
        Ok(done) if problems.is_empty() => write(done, out),
        Ok(_) => Err(Error::together(problems)),
        Err(more) => {
            problems.extend(more);
            Err(Error::together(problems))
        }
    }
}

/// A file and what becomes of it.
struct Done {
    shown: String,
    file: Rewrite,
    edited: overlay::Edited,
}

fn edited(path: &Path, edits: &[Edit]) -> Result<Done, Vec<Error>> {
    let (shown, file) = read(path).map_err(|error| vec![error])?;
    let edited = overlay::edit_or_problems(&shown, file.text(), edits)?;
    Ok(Done { shown, file, edited })
}

fn read(path: &Path) -> Result<(String, Rewrite)> {
    let path = files::kustomization(path)?;
    files::stays_in_repository(&path)?;
    Ok((path.display().to_string(), Rewrite::begin(&path, overlay::MAX_BYTES)?))
}

fn write(done: Done, out: &Out) -> Result<()> {
    let Done { shown, file, edited: overlay::Edited { text, changes } } = done;
    if changes.is_empty() {
        out.text("Nothing to change.");
    } else {
        file.replace(text.as_bytes()).map_err(|error| error.while_doing("Nothing is changed"))?;
    }
    for change in &changes {
        out.text(line(&shown, change));
    }
    out.json(&json!({ "file": shown, "changes": changes.iter().map(as_json).collect::<Vec<_>>() }));
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
