//! The input of a command: a file, or standard input as `-`. Read whole, with a bound, without a byte order mark.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};

/// What an input is called in messages.
pub fn name(path: &Path) -> String {
    if path == Path::new("-") { "Standard input".to_owned() } else { path.display().to_string() }
}

/// Reads text from a file or, for `-`, from standard input; more than `limit` bytes is an error.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    let shown = name(path);
    let bad = |why: std::io::Error| Error::usage(format!("{shown} cannot be read.")).because(why);
    let source: Box<dyn Read> =
        if path == Path::new("-") { Box::new(std::io::stdin().lock()) } else { Box::new(File::open(path).map_err(bad)?) };
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes).map_err(bad)?;
    if bytes.len() as u64 > limit {
        return Err(Error::usage(format!("{shown} is larger than {} MiB.", limit >> 20)));
    }
    let bytes = if bytes.starts_with("\u{feff}".as_bytes()) { bytes.split_off(3) } else { bytes };
    super::files::utf8(bytes).map_err(|line| Error::usage(format!("{shown}, line {line}: this is not UTF-8 text.")))
}
