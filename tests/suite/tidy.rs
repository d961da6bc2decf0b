//! The architecture, as a test: who may import whom, how long a file may be, that every file introduces itself, that the
//! core does nothing but think, and that no test is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder (or file) of `src` and what it may name, besides itself and `error`. Order is the reading order.
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("io", &["model"]),
    ("config", &["model", "io"]),
    ("observe", &["model", "io"]),
    ("decide", &["model"]),
    ("act", &["model", "io"]),
    ("verify", &["model"]),
    ("record", &["model", "io"]),
    ("report", &["model", "io", "decide", "record"]),
    ("rehearsal", &["model", "io"]),
    ("world.rs", &["model", "decide"]),
    ("drive.rs", &["model", "decide", "verify", "world"]),
];
/// What the pure folders may not even name.
const PURE: &[&str] = &["model", "decide", "verify"];
const IMPURE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "std::io",
    "tokio",
    "reqwest",
    "git2",
    "kube::",
    "octocrab",
    "now()",
    "println!",
    "Serialize",
];
/// Only these speak to a person.
const VOICE: &[&str] = &["report"];
const MAX_LINES: usize = 400;
const BANNED_NAMES: &[&str] = &["utils.rs", "util.rs", "helpers.rs", "helper.rs", "common.rs", "misc.rs", "types.rs"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn source_is_tidy() {
    let src = root().join("src");
    let mut problems = Vec::new();
    for path in files(&src, "rs") {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(&src).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !text.starts_with("//! ") {
            problems.push(format!("{}: the first line must say what lives here", shown.display()));
        }
        if BANNED_NAMES.contains(&name) {
            problems.push(format!("{}: name the thing, not the shelf", shown.display()));
        }
        let lines = code(&text).lines().count();
        if lines > MAX_LINES {
            problems.push(format!("{}: {lines} lines, over {MAX_LINES}", shown.display()));
        }
        problems.extend(imports(shown, &text));
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Invariant 3: the stages are siblings that meet only in the loop and in `live`.
fn imports(shown: &Path, text: &str) -> Vec<String> {
    let folder = shown.components().next().unwrap().as_os_str().to_str().unwrap();
    let Some((_, allowed)) = MAY_USE.iter().find(|(it, _)| *it == folder) else { return Vec::new() };
    let mut problems = Vec::new();
    for used in code(text).split("crate::").skip(1) {
        let used = used.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap();
        let own = used == folder.trim_end_matches(".rs");
        if !own && used != "error" && !used.is_empty() && !allowed.contains(&used) {
            problems.push(format!("{}: {folder} may not use {used}", shown.display()));
        }
    }
    problems
}

/// Invariants 1 and 8: the core only thinks, and knows no wire format.
#[test]
fn the_core_is_pure() {
    let mut problems = Vec::new();
    for folder in PURE {
        for path in files(&root().join("src").join(folder), "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for line in code(&text).lines().filter(|it| !it.trim_start().starts_with("//")) {
                for word in IMPURE.iter().filter(|it| line.contains(**it)) {
                    problems.push(format!("{}: “{word}” in: {}", path.display(), line.trim()));
                }
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Invariant 2: only `io` touches the outside, only `report` speaks.
#[test]
fn exceptions_to_the_edge_rule_stay_where_they_are() {
    let mut found = BTreeSet::new();
    for path in files(&root().join("src"), "rs") {
        let text = fs::read_to_string(&path).unwrap();
        let folder = path.strip_prefix(root().join("src")).unwrap().components().next().unwrap().as_os_str().to_str().unwrap().to_owned();
        for lint in ["disallowed_methods", "disallowed_types", "print_stdout", "print_stderr"] {
            if text.contains(lint) && !(lint.starts_with("print") && VOICE.contains(&folder.as_str())) {
                found.insert(folder.clone());
            }
        }
    }
    assert_eq!(found, BTreeSet::from(["io".to_owned()]), "only src/io may be excused from clippy.toml");
}

#[test]
fn every_folder_says_what_it_is_for() {
    for path in files(&root().join("src"), "rs").into_iter().filter(|it| it.ends_with("mod.rs")) {
        let text = fs::read_to_string(&path).unwrap();
        let head: String = text.lines().take_while(|it| it.starts_with("//!")).collect();
        for word in ["Here:", "Never here:", "Start reading at", "Used by"] {
            assert!(head.contains(word), "{}: its header does not say “{word}”", path.display());
        }
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let suite = root().join("tests/suite");
    let main = fs::read_to_string(suite.join("main.rs")).unwrap();
    for entry in fs::read_dir(&suite).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        assert!(module == "main" || main.contains(&format!("mod {module};")), "tests/suite/{name} is not listed in main.rs");
    }
}

/// Prose drifts: every file that a page of the project names has to exist.
#[test]
fn pages_name_files_that_exist() {
    let mut problems = Vec::new();
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "hooks/README.md", "pipelines/README.md"] {
        let Ok(text) = fs::read_to_string(root().join(page)) else {
            problems.push(format!("{page} is missing"));
            continue;
        };
        for named in text.split('`').skip(1).step_by(2) {
            let path = named.split([' ', '#', ':']).next().unwrap();
            let looks_like_ours = ["src/", "tests/", "benches/", "pipelines/", "hooks/", ".ci/"].iter().any(|it| path.starts_with(it));
            if looks_like_ours && !path.contains(['*', '<', '…']) && !root().join(path).exists() {
                problems.push(format!("{page} names {path}, which does not exist"));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Nothing that only exists on the machine it was written on.
#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let foreign = [concat!("/wo", "rk/"), concat!("../sha", "red"), concat!("/ro", "ot/")];
    for path in
        files(root(), "").into_iter().filter(|it| !it.components().any(|it| [".git", "target"].contains(&it.as_os_str().to_str().unwrap())))
    {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for word in foreign {
            assert!(!text.contains(word), "{} names {word}", path.display());
        }
    }
}

/// The text above the unit tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

/// Every file below a folder, with this extension or with any.
fn files(dir: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") && !path.ends_with(".git") {
                found.extend(files(&path, extension));
            }
        } else if extension.is_empty() || path.extension().is_some_and(|it| it == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
