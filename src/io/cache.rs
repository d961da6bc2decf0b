//! Where caches are kept: git's objects, and the newest ledger head that was seen.

use std::path::PathBuf;

use super::credentials::environment;
use crate::error::{Error, Result};

/// `$XDG_CACHE_HOME/tomoda-release`, or `~/.cache/tomoda-release`.
pub fn dir() -> Result<PathBuf> {
    let below = |variable: &str, path: &str| environment(variable).map(|it| PathBuf::from(it).join(path)).filter(|it| it.is_absolute());
    below("XDG_CACHE_HOME", "tomoda-release")
        .or_else(|| below("HOME", ".cache/tomoda-release"))
        .ok_or_else(|| Error::usage("There is no cache directory: neither XDG_CACHE_HOME nor HOME is set.").hint("Give --cache-dir DIR."))
}
