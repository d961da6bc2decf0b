//! The release commit: the version, written into the files that hold it.
//!
//! A file is either a version and nothing else (`VERSION`), or says the version before in one place (`package.json`, `Chart.yaml`).
//! Whatever is not clear is refused before anything is begun: a tag cannot be taken back.

use crate::error::{Error, Result};
use crate::model::{AppSeen, CommitId, FileText, ParsedVersion, RepoPath, Version, VersionForm};

/// How many lines an error lists.
const LISTED: usize = 8;

/// What the version files are to hold: those that change, or every problem of finding the version in them.
pub(super) fn changed(
    app: &AppSeen,
    onto: &CommitId,
    files: &[RepoPath],
    replaces: Option<Version>,
    version: Version,
) -> Result<Vec<FileText>> {
    let (mut changed, mut problems) = (Vec::new(), Vec::new());
    for path in files {
        let Some(before) = app.files.get(&(onto.clone(), path.clone())).and_then(Option::as_ref) else {
            problems.push(format!("{path} does not exist at {}.", onto.short()));
            continue;
        };
        match written(before, replaces, version) {
            Ok(text) if text == *before => {}
            Ok(text) => changed.push(FileText { path: path.clone(), text }),
            Err(why) => problems.push(format!("{path} at {} {why}.", onto.short())),
        }
    }
    if problems.is_empty() {
        return Ok(changed);
    }
    Err(Error::refused(format!("The version {version} cannot be written: {}", problems.join(" "))).hint(
        "A file of app.versionFiles holds a version and nothing else, or the version before in one place. Mend the file on the branch and have dev run it.",
    ))
}

/// The text with the new version in it, or what is the matter, to be said after the file's name.
fn written(text: &str, replaces: Option<Version>, version: Version) -> Result<String, String> {
    let bare = text.trim_matches(|it: char| it.is_whitespace() || it == '\u{feff}');
    if ParsedVersion::parse(bare, VersionForm::ThreeParts).is_ok() {
        let number = bare.strip_prefix('v').unwrap_or(bare);
        return Ok(text.replacen(number, &version.to_string(), 1));
    }
    let Some(before) = replaces else {
        return Err("holds more than a version, and there is no version before that could be replaced".to_owned());
    };
    let before = before.to_string();
    let found = places(text, &before);
    let spoken: Vec<_> = found.iter().copied().filter(|at| line(text, *at).1.to_lowercase().contains("version")).collect();
    match (&found[..], &spoken[..]) {
        ([at], _) | (_, [at]) => Ok(format!("{}{version}{}", &text[..*at], &text[at + before.len()..])),
        ([], _) if places(text, &version.to_string()).len() == 1 => Ok(text.to_owned()),
        ([], _) => Err(format!("does not say {before}")),
        (several, _) => {
            let lines: Vec<_> = several.iter().take(LISTED).map(|at| line(text, *at).0.to_string()).collect();
            Err(format!("says {before} in {} places (lines {})", several.len(), lines.join(", ")))
        }
    }
}

/// Where a version stands as a word of its own: not as a part of `10.4.2`, `0.4.2-rc.1` or `0.4.2.1`. A `v` before it is no part of it.
fn places(text: &str, version: &str) -> Vec<usize> {
    let part = |it: char| it.is_alphanumeric() || matches!(it, '-' | '+' | '_');
    let begins = |before: &str| {
        let before = before.strip_suffix('v').unwrap_or(before);
        !before.ends_with(|it| part(it) || it == '.')
    };
    let ends = |after: &str| !after.starts_with(part) && !after.strip_prefix('.').is_some_and(|it| it.starts_with(part));
    let found = text.match_indices(version).map(|it| it.0);
    found.filter(|at| begins(&text[..*at]) && ends(&text[at + version.len()..])).collect()
}

/// The number and the text of the line around a position.
fn line(text: &str, at: usize) -> (usize, &str) {
    let start = text[..at].rfind('\n').map_or(0, |it| it + 1);
    let end = text[at..].find('\n').map_or(text.len(), |it| at + it);
    (text[..at].matches('\n').count() + 1, &text[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> Result<String, String> {
        written(text, Version::parse("0.4.2").ok(), Version::parse("0.5.0").unwrap())
    }

    #[test]
    fn a_file_that_is_a_version_keeps_its_form() {
        for (before, after) in [
            ("0.4.2\n", "0.5.0\n"),
            ("v0.4.2", "v0.5.0"),
            ("\u{feff}0.4.1\r\n", "\u{feff}0.5.0\r\n"),
            ("0.4.2-dev\n\n", "0.5.0\n\n"),
            ("  1.0.0+x  ", "  0.5.0  "),
            ("0.5.0\n", "0.5.0\n"),
        ] {
            assert_eq!(write(before).as_deref(), Ok(after), "{before:?}");
        }
        assert_eq!(written("0.0.0\n", None, Version::parse("0.1.0").unwrap()).unwrap(), "0.1.0\n", "a first release");
    }

    #[test]
    fn in_other_files_the_version_before_stands_once() {
        for (before, after) in [
            ("{\n  \"version\": \"0.4.2\"\n}\n", "{\n  \"version\": \"0.5.0\"\n}\n"),
            ("\"version\": \"0.4.2\",\n\"left-pad\": \"0.4.2\"\n", "\"version\": \"0.5.0\",\n\"left-pad\": \"0.4.2\"\n"),
            ("dep 10.4.2, 0.4.2-rc.1, 0.4.2.1, x0.4.2\nours: v0.4.2.", "dep 10.4.2, 0.4.2-rc.1, 0.4.2.1, x0.4.2\nours: v0.5.0."),
            ("version = '0.5.0'", "version = '0.5.0'"),
        ] {
            assert_eq!(write(before).as_deref(), Ok(after), "{before:?}");
        }
        assert_eq!(write("version: 0.4.1\n").unwrap_err(), "does not say 0.4.2");
        assert_eq!(write("").unwrap_err(), "does not say 0.4.2");
        assert_eq!(write("a: 0.4.2\n\nb: 0.4.2\n").unwrap_err(), "says 0.4.2 in 2 places (lines 1, 3)");
        assert!(written("version: 0.4.2\n", None, Version::parse("0.5.0").unwrap()).is_err());
    }
}
