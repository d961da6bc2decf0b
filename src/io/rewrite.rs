//! A file that is read, edited and replaced: one writer at a time, and all of it or nothing.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::files;
use crate::error::{Error, Result};

/// How long another writer of the same file is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A text file between reading and replacing it. Whoever else rewrites it waits until this is gone.
#[derive(Debug)]
pub struct Rewrite {
    path: PathBuf,
    text: String,
    seen: State,
    /// Nothing is done with it any more; it carries the lock.
    _locked: File,
}

impl Rewrite {
    /// Reads a text file of at most `most` bytes, once nobody else rewrites it.
    pub fn begin(path: &Path, most: usize) -> Result<Self> {
        let since = Instant::now();
        loop {
            let file = files::open_plain(path)?;
            let free = match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                // Not every file system has locks; the last look before replacing is there in any case.
                Err(TryLockError::Error(_)) => true,
            };
            // Another writer may have put a new file in the place of the one that was opened.
            if free && is_still(path, &file) {
                let seen = state(&file.metadata().map_err(|why| files::unreadable(path, why))?);
                return Ok(Self { path: path.to_owned(), text: files::text_of(&file, path, most)?, seen, _locked: file });
            }
            if since.elapsed() > PATIENCE {
                return Err(Error::refused(format!("{} is locked by another process.", path.display()))
                    .hint("find out who holds it (fuser), and run this again"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// What the file says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces what the file holds, keeping its mode and owner. Of a link, the file it leads to.
    pub fn replace(self, content: &[u8]) -> Result<()> {
        let shown = self.path.display();
        let failed = |error: io::Error| Error::config(format!("{shown} cannot be written.")).because(error);
        let target = fs::canonicalize(&self.path).map_err(failed)?;
        let before = fs::metadata(&target).map_err(failed)?;
        if state(&before) != self.seen {
            return Err(Error::refused(format!("{shown} was changed by someone else meanwhile.")).hint("run this again"));
        }
        if before.permissions().readonly() {
            return Err(Error::config(format!("{shown} is read-only.")).hint("make it writable first"));
        }
        if before.nlink() > 1 {
            // A new file would leave the other names with the old content.
            return overwrite(&target, content).map_err(failed);
        }
        match swap(&target, &before, content) {
            // A folder that takes no new files, or a file that is mounted by itself, as containers do.
            Err(why) if matches!(why.kind(), ErrorKind::PermissionDenied | ErrorKind::ResourceBusy | ErrorKind::CrossesDevices) => {
                overwrite(&target, content).map_err(|_| failed(why))
            }
            done => done.map_err(failed),
        }
    }
}

/// What tells one content of a path from the next: device, inode, length, time of the last change.
type State = (u64, u64, u64, (i64, i64));

fn state(it: &Metadata) -> State {
    (it.dev(), it.ino(), it.len(), (it.mtime(), it.mtime_nsec()))
}

fn is_still(path: &Path, file: &File) -> bool {
    let state = |it: io::Result<Metadata>| it.ok().as_ref().map(state);
    state(fs::metadata(path)) == state(file.metadata())
}

/// Puts a new file in the place of the old one.
fn swap(target: &Path, before: &Metadata, content: &[u8]) -> io::Result<()> {
    // Beside the target: a rename across file systems would not be one step.
    let folder = target.parent().unwrap_or_else(|| Path::new("."));
    let mut fresh = tempfile::Builder::new().prefix(".tomoda-release-").tempfile_in(folder)?;
    fresh.write_all(content)?;
    keep_owner(fresh.path(), before);
    fresh.as_file().set_permissions(before.permissions())?;
    // Not synced to the disk: like git's own files it can be had again, and on a busy disk that costs more than all the rest.
    fresh.persist(target).map_err(|error| error.error)?;
    Ok(())
}

/// Writes into the file itself: whoever reads it at this moment, or a crash, may see half of it.
fn overwrite(target: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).open(target)?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)
}

/// A driver running as root leaves files to whom they belong. That it may not is no reason to stop.
fn keep_owner(fresh: &Path, before: &Metadata) {
    if fs::metadata(fresh).is_ok_and(|it| (it.uid(), it.gid()) != (before.uid(), before.gid())) {
        chown(fresh, Some(before.uid()), Some(before.gid())).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_wrote_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.yaml");
        fs::write(&path, "old").unwrap();
        let ours = Rewrite::begin(&path, 100).unwrap();
        assert_eq!(ours.text(), "old");
        fs::write(&path, "an editor's").unwrap();
        let error = ours.replace(b"new").unwrap_err();
        assert_eq!((error.exit_code(), fs::read_to_string(&path).unwrap().as_str()), (3, "an editor's"));
        Rewrite::begin(&path, 100).unwrap().replace(b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }
}
