//! Repositories in a folder of this computer.

use std::path::Path;

use super::store::Store;

/// The address of a folder, where this is one.
pub fn address(text: &str) -> Option<String> {
    let folder = std::fs::canonicalize(text).ok().filter(|it| it.is_dir())?;
    Some(format!("file://{}", folder.display()))
}

impl Store {
    /// Whether the remote is a folder that holds a shallow clone: its history cannot be had from there.
    pub fn is_of_shallow_clone(&self) -> bool {
        let Some(path) = self.remote().url.expose().strip_prefix("file://") else { return false };
        ["shallow", ".git/shallow"].iter().any(|it| Path::new(path).join(it).exists())
    }
}
