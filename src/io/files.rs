//! Files: read with a bound, replaced whole or not at all.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The names under which kustomize looks for a kustomization.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Reads a text file of at most `most` bytes. Anything but a plain file in UTF-8 is an error.
pub fn read_text(path: &Path, most: usize) -> Result<String> {
    let shown = path.display();
    let failed = |error: std::io::Error| Error::config(format!("{shown} cannot be read.")).because(error);
    // Asked before opening: opening a pipe that nobody writes to would wait for ever.
    let meta = fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(Error::config(format!("{shown} is not a file.")));
    }
    // One more than it has, so that its end is found without growing.
    let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(most).min(most) + 1);
    let file = fs::File::open(path).map_err(failed)?;
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most {
        return Err(Error::config(format!("{shown} is larger than {most} bytes, more than is read here.")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|it| **it == b'\n').count();
        Error::config(format!("{shown}:{line} is not UTF-8 text."))
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

/// Replaces what a file holds: all of it or nothing, keeping its mode and owner. Of a link, the file it leads to.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let shown = path.display();
    let failed = |error: std::io::Error| Error::config(format!("{shown} cannot be written.")).because(error);
    let target = fs::canonicalize(path).map_err(failed)?;
    let before = fs::metadata(&target).map_err(failed)?;
    if before.permissions().readonly() {
        return Err(Error::config(format!("{shown} is read-only.")).hint("make it writable first"));
    }
    let folder = target.parent().unwrap_or_else(|| Path::new("."));
    // Beside the target: a rename across file systems would not be one step.
    let mut fresh = tempfile::Builder::new().prefix(".tomoda-release-").tempfile_in(folder).map_err(failed)?;
    fresh.write_all(content).map_err(failed)?;
    keep_owner(fresh.path(), &before);
    fresh.as_file().set_permissions(before.permissions()).map_err(failed)?;
    // Not synced to the disk: like git's own files it can be had again, and on a busy disk that costs more than all the rest.
    fresh.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

/// A driver running as root leaves files to whom they belong. That it may not is no reason to stop.
fn keep_owner(fresh: &Path, before: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, chown};
    if fs::metadata(fresh).is_ok_and(|it| (it.uid(), it.gid()) != (before.uid(), before.gid())) {
        chown(fresh, Some(before.uid()), Some(before.gid())).ok();
    }
}

/// The kustomization that a path means: itself, or the only one in that folder.
pub fn kustomization(path: &Path) -> Result<PathBuf> {
    let shown = path.display();
    let meta = fs::metadata(path).map_err(|error| Error::config(format!("{shown} cannot be read.")).because(error))?;
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
