//! A high-water mark: a line of text this computer remembers about a ledger, replaced whole or not at all.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A remembered line, in a file of its own.
#[derive(Clone, Debug)]
pub struct Watermark {
    file: PathBuf,
}

impl Watermark {
    /// The mark of this name (a hash or another plain word) below a cache directory. Nothing is touched yet.
    pub fn at(root: &Path, name: &str) -> Self {
        Self { file: root.join("marks").join(name) }
    }

    /// The remembered line; `None`: there is none yet.
    pub fn read(&self) -> Result<Option<String>> {
        match std::fs::read_to_string(&self.file) {
            Ok(text) => Ok(Some(text.trim_end().to_owned())),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(self.failed("read", why)),
        }
    }

    /// Remembers a line. A crash leaves the old one or the new one.
    pub fn write(&self, line: &str) -> Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|why| self.failed("made", why))?;
        let mut new = tempfile::NamedTempFile::new_in(folder).map_err(|why| self.failed("written", why))?;
        std::io::Write::write_all(&mut new, format!("{line}\n").as_bytes()).map_err(|why| self.failed("written", why))?;
        new.persist(&self.file).map_err(|why| self.failed("written", why.error))?;
        Ok(())
    }

    /// Where it is kept, for messages.
    pub fn path(&self) -> &Path {
        &self.file
    }

    fn failed(&self, what: &str, why: std::io::Error) -> Error {
        Error::config(format!("The remembered head of the ledger, {}, cannot be {what}.", self.file.display())).because(why)
    }
}
