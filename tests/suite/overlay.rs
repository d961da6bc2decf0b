//! The overlay edit: every case of `cases/overlay`, properties over random files, and the command `set-image`.
//!
//! A case is a folder: `before.yaml`, then `args` (the command's arguments, one a line) or `edit.json` (edits, for what
//! arguments cannot say), then `after.yaml` or `error.txt` (`exit N`, then texts that the error has to contain).

use std::fs;
use std::path::{Path, PathBuf};

use tomoda_release::decide::overlay::{Change, Edit, Edited, Field, edit, parse_argument};
use tomoda_release::error::Result;

mod command;
mod kustomize;
mod properties;

fn folders() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/overlay");
    let mut found: Vec<PathBuf> = fs::read_dir(root).unwrap().map(|it| it.unwrap().path()).filter(|it| it.is_dir()).collect();
    found.sort();
    found
}

/// One case, read whole. Forgetting a part of it is a failure.
struct Case {
    id: String,
    before: String,
    edits: Result<Vec<Edit>>,
    expected: Expected,
}

enum Expected {
    After(String),
    Error(Vec<String>),
}

impl Case {
    fn read(folder: &Path) -> Self {
        let id = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let part = |name: &str| fs::read_to_string(folder.join(name)).ok();
        let edits = match (part("args"), part("edit.json")) {
            (Some(args), None) => from_arguments(&args),
            (None, Some(json)) => Ok(from_json(&json)),
            _ => panic!("{id}: needs one of args and edit.json"),
        };
        let expected = match (part("after.yaml"), part("error.txt")) {
            (Some(after), None) => Expected::After(after),
            (None, Some(error)) if !error.trim().is_empty() => Expected::Error(error.lines().map(str::to_owned).collect()),
            _ => panic!("{id}: needs one of after.yaml and error.txt"),
        };
        Self { before: part("before.yaml").unwrap_or_else(|| panic!("{id}: needs before.yaml")), id, edits, expected }
    }

    fn run(&self) -> Result<Edited> {
        match &self.edits {
            Ok(edits) => edit("k.yaml", &self.before, edits),
            Err(error) => Err(tomoda_release::error::Error::new(error.kind(), error.chain())),
        }
    }

    /// What is wrong, if anything.
    fn judge(&self) -> Option<String> {
        match (self.run(), &self.expected) {
            (Ok(done), Expected::After(after)) if done.text != *after => Some(format!("expected\n{after:?}\nbut got\n{:?}", done.text)),
            (Ok(done), Expected::After(_)) => {
                let changed = done.text != self.before;
                (changed == done.changes.is_empty()).then(|| format!("the changes do not say what happened: {:?}", done.changes))
            }
            (Err(error), Expected::After(_)) => Some(format!("is refused: {} ({:?})", error.chain(), error.hint_text())),
            (Ok(done), Expected::Error(_)) => Some(format!("is not refused; it became\n{}", done.text)),
            (Err(error), Expected::Error(wanted)) => {
                let said = format!("exit {}\n{} {}", error.exit_code(), error.chain(), error.hint_text().unwrap_or_default());
                wanted.iter().find(|it| !said.contains(it.as_str())).map(|it| format!("“{it}” is missing in: {said}"))
            }
        }
    }
}

fn arguments(args: &str) -> Vec<&str> {
    args.lines().filter(|it| !it.starts_with('#')).collect()
}

fn from_arguments(args: &str) -> Result<Vec<Edit>> {
    let create = arguments(args).contains(&"--create");
    let images = arguments(args).into_iter().filter(|it| *it != "--create");
    let parsed: Vec<Result<Edit>> = images.map(|it| parse_argument(it).map(|it| Edit { create, ..it })).collect();
    let wrong: Vec<String> = parsed.iter().filter_map(|it| it.as_ref().err()).map(|it| it.chain()).collect();
    match &wrong[..] {
        [] => Ok(parsed.into_iter().flatten().collect()),
        [one] => Err(tomoda_release::error::Error::usage(one)),
        _ => Err(tomoda_release::error::Error::usage(format!("{} problems: {}", wrong.len(), wrong.join(" ")))),
    }
}

fn from_json(json: &str) -> Vec<Edit> {
    let list: serde_json::Value = serde_json::from_str(json).unwrap();
    let field = |it: &serde_json::Value| match it {
        serde_json::Value::Null => Field::Keep,
        serde_json::Value::String(word) if word == "remove" => Field::Remove,
        it => Field::Set(it["set"].as_str().expect("{\"set\": text}").to_owned()),
    };
    let one = |it: &serde_json::Value| Edit {
        image: it["image"].as_str().unwrap().to_owned(),
        new_name: field(&it["newName"]),
        new_tag: field(&it["newTag"]),
        digest: field(&it["digest"]),
        create: it["create"].as_bool().unwrap_or(false),
    };
    list.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn every_case_comes_out_as_written() {
    let cases: Vec<Case> = folders().iter().map(|it| Case::read(it)).collect();
    assert!(cases.len() > 100, "where are the cases? {}", cases.len());
    let wrong: Vec<String> = cases.iter().filter_map(|it| it.judge().map(|why| format!("{}: {why}", it.id))).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

#[test]
fn editing_again_changes_nothing() {
    for folder in folders() {
        let case = Case::read(&folder);
        let (Ok(edits), Ok(once)) = (&case.edits, case.run()) else { continue };
        if case.id == "IMG-05" {
            // It renames foo to bar and adds a bar: from then on “bar” may mean either.
            continue;
        }
        let twice = edit("k.yaml", &once.text, edits).unwrap_or_else(|error| panic!("{}: {}", case.id, error.chain()));
        assert_eq!((twice.text, twice.changes), (once.text, Vec::<Change>::new()), "{}", case.id);
    }
}

#[test]
fn changes_name_the_lines_of_what_they_changed() {
    for folder in folders() {
        let case = Case::read(&folder);
        let Ok(done) = case.run() else { continue };
        for change in &done.changes {
            let text = if change.new.is_some() { &done.text } else { &case.before };
            let line = text.lines().nth(change.line - 1).unwrap_or_default();
            assert!(line.contains(change.field), "{}: {change:?} is not on {line:?}", case.id);
        }
    }
}

#[test]
fn a_text_over_the_limit_is_not_read() {
    let text = format!("images:\n- name: app\n  newTag: v1\n# {}\n", "x".repeat(tomoda_release::decide::overlay::MAX_BYTES));
    let error = edit("k.yaml", &text, &[parse_argument("app:v2").unwrap()]).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(error.chain().contains("k.yaml has 2000"), "{}", error.chain());
}
