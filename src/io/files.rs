//! Files: read with a bound, written, found.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The names under which kustomize looks for a kustomization.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Reads a text file of at most `most` bytes. Anything but a plain file in UTF-8 is an error.
pub fn read_text(path: &Path, most: usize) -> Result<String> {
    text_of(open_plain(path)?, path, most)
}

/// Opens a plain file for reading.
pub(super) fn open_plain(path: &Path) -> Result<File> {
    let failed = |error| unreadable(path, error);
    // Asked before opening: opening a pipe that nobody writes to would wait for ever.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::config(format!("{} is not a file.", path.display())));
    }
    File::open(path).map_err(failed)
}

pub(super) fn unreadable(path: &Path, why: std::io::Error) -> Error {
    Error::config(format!("{} cannot be read.", path.display())).because(why)
}

/// The text of an open file.
pub(super) fn text_of(file: impl Read, path: &Path, most: usize) -> Result<String> {
    let shown = path.display();
    // Room for all of it, mostly, so that it is read without growing.
    let mut bytes = Vec::with_capacity(most.min(16 << 10) + 1);
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    if bytes.len() > most {
        return Err(Error::config(format!("{shown} is larger than {most} bytes, more than is read here.")));
    }
    utf8(bytes).map_err(|line| Error::config(format!("{shown}:{line} is not UTF-8 text.")))
}

/// Bytes as text, or the line on which they are none.
pub(super) fn utf8(bytes: Vec<u8>) -> Result<String, usize> {
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        1 + good.iter().filter(|it| **it == b'\n').count()
    })
}

/// The files of a folder with one of these extensions, sorted. A folder that does not exist has none.
pub fn files_with_extension(folder: &Path, extensions: &[&str]) -> std::io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(why) => return Err(why),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let fits = path.extension().and_then(|it| it.to_str()).is_some_and(|it| extensions.contains(&it));
        if fits && path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Writes a file, making the folders it is in.
pub fn write(path: &Path, content: &str) -> Result<()> {
    let failed = |error: std::io::Error| Error::config(format!("{} cannot be written.", path.display())).because(error);
    path.parent().map_or(Ok(()), fs::create_dir_all).map_err(failed)?;
    fs::write(path, content).map_err(failed)
}

/// The kustomization that a path means: itself, or the only one in that folder.
pub fn kustomization(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    let meta = fs::metadata(path).map_err(|error| unreadable(path, error))?;
    if !meta.is_dir() {
        return Ok(path.to_owned());
    }
    let present: Vec<PathBuf> = KUSTOMIZATIONS.iter().map(|it| path.join(it)).filter(|it| fs::symlink_metadata(it).is_ok()).collect();
    match &present[..] {
        [one] => Ok(one.clone()),
        [] => Err(Error::config(format!("{shown} has no kustomization: none of {}.", KUSTOMIZATIONS.join(", ")))),
        _ => {
            let names: Vec<String> = present.iter().map(|it| it.display().to_string()).collect();
            Err(Error::config(format!("{shown} has several kustomizations: {}.", names.join(", ")))
                .hint("kustomize accepts only one; remove the others"))
        }
    }
}

/// Refuses a path that leads out of the repository it stands in. Outside of repositories there is nothing to leave.
pub fn stays_in_repository(path: &Path) -> Result<()> {
    let shown = path.display();
    let failed = |error: std::io::Error| Error::config(format!("{shown} cannot be read.")).because(error);
    let absolute = std::path::absolute(path).map_err(failed)?;
    let Some(root) = absolute.ancestors().skip(1).find(|it| fs::symlink_metadata(it.join(".git")).is_ok()) else { return Ok(()) };
    let (root, target) = (fs::canonicalize(root).map_err(failed)?, fs::canonicalize(path).map_err(failed)?);
    if target.starts_with(&root) {
        return Ok(());
    }
    Err(Error::refused(format!("{shown} leads out of its repository, to {}.", target.display())).hint("edit that file under its own path"))
}
