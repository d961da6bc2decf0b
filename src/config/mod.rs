//! Pipeline files: from YAML to [`Pipeline`], or every problem at once, each with its line and a caret.
//!
//! Text becomes a tree that knows positions (`tree`), the tree fills the shapes of `file` (`read`), and `validate` turns
//! the shapes into the model. Each of these steps goes on after a problem, so that one run names them all.
//!
//! Here: what a pipeline file may say, its defaults, its JSON Schema.
//! Never here: what any of it leads to; values of secrets (only references to them).
//! Start reading at `file.rs` (the keys), then `validate.rs`, `environments.rs` and `gates.rs`. Used by `cli`.

mod check;
mod defaults;
mod duration;
mod environments;
mod field;
mod file;
mod gates;
mod later;
mod problem;
mod read;
mod schema;
mod tree;
mod validate;

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::io::files;
use crate::model::Pipeline;

pub use problem::{Problem, Problems};
pub use schema::schema;

/// A pipeline file is a page or two; anything near this is not one.
const LARGEST_FILE: usize = 1024 * 1024;

/// Where pipeline files live, below the directory of the command.
const FOLDER: &str = "pipelines";

/// Reads a pipeline file.
pub fn load(path: &Path) -> Result<Pipeline> {
    let shown = path.display().to_string();
    let text = files::read_text(path, LARGEST_FILE)
        .map_err(|why| why.hint("This is the pipeline file; name another one with --pipeline FILE."))?;
    parse(&shown, &text).map_err(|problems| Error::config(problems.to_string().trim_end()))
}

/// Reads a pipeline from its text. `file` is only its name in messages.
pub fn parse(file: &str, text: &str) -> Result<Pipeline, Problems> {
    let mut problems = Problems::new(file, text);
    let shape = tree::parse(text, &mut problems).and_then(|root| read::read::<file::File>(&root, &mut problems));
    let pipeline = shape.and_then(|shape| validate::pipeline(shape, &mut problems));
    match pipeline {
        Some(pipeline) if problems.is_empty() => Ok(pipeline),
        _ => Err(problems.sorted()),
    }
}

/// The pipeline file to use: the one that was named, or the only one in `pipelines/` below `cwd`.
pub fn find(explicit: Option<&Path>, cwd: &Path) -> Result<PathBuf> {
    if let Some(path) = explicit {
        return Ok(below(cwd, path));
    }
    let within = below(cwd, Path::new(FOLDER));
    let found = files::files_with_extension(&within, &["yaml", "yml"])
        .map_err(|why| Error::config(format!("The folder {} cannot be read.", within.display())).because(why))?;
    match &found[..] {
        [only] => Ok(only.clone()),
        [] => Err(Error::usage(format!("There is no pipeline file in {}.", within.display()))
            .hint("Name one with --pipeline FILE, or write one: pipelines/README.md explains every key.")),
        several => {
            let names: Vec<String> = several.iter().map(|it| it.display().to_string()).collect();
            Err(Error::usage(format!("There are several pipeline files: {}.", names.join(", "))).hint("Name one with --pipeline FILE."))
        }
    }
}

/// A path below a directory, without a `./` that would only be noise in messages.
fn below(cwd: &Path, path: &Path) -> PathBuf {
    if cwd == Path::new(".") { path.to_owned() } else { cwd.join(path) }
}
