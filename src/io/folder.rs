//! Folders and small text files: read with a bound.

use std::{
    fs,
    io::{Error, ErrorKind, Read as _, Result},
    path::{Path, PathBuf},
};

/// Reads a text file of at most `limit` bytes.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("it is larger than {limit} bytes")));
    }
    String::from_utf8(bytes).map_err(|why| Error::new(ErrorKind::InvalidData, format!("it is not UTF-8: {why}")))
}

/// The files of a folder with one of these extensions, sorted. A folder that does not exist has none.
pub fn files_with_extension(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
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
