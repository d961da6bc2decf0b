//! The architecture, as a test: who may import whom, how long a file may be,
//! and that every file introduces itself.
use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder of `src` and the folders it may name. Order is the reading order.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("io", &[]),
    ("config", &["model", "io"]),
    ("observe", &["model", "io"]),
    ("decide", &["model"]),
    ("act", &["model", "io"]),
    ("verify", &["model"]),
    ("record", &["model", "io"]),
];
const MAX_LINES: usize = 400;
const BANNED_NAMES: &[&str] = &["utils.rs", "util.rs", "helpers.rs", "common.rs", "misc.rs", "types.rs"];

#[test]
fn source_is_tidy() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut problems = Vec::new();
    for path in rust_files(&src) {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(&src).unwrap();
        let folder = shown.components().next().unwrap().as_os_str().to_str().unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !text.starts_with("//! ") {
            problems.push(format!("{}: first line must say what lives here", shown.display()));
        }
        if BANNED_NAMES.contains(&name) {
            problems.push(format!("{}: name the thing, not the shelf", shown.display()));
        }
        if code(&text).lines().count() > MAX_LINES {
            problems.push(format!("{}: over {MAX_LINES} lines", shown.display()));
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(it, _)| *it == folder) else { continue };
        for used in code(&text).split("crate::").skip(1) {
            let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
            if used != folder && used != "error" && !allowed.contains(&used) {
                problems.push(format!("{}: {folder} may not use {used}", shown.display()));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// The text above the unit tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
