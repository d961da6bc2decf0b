//! Reads one commit message: what it counts as, the line that decided, and what is nearly but not quite a convention.
//!
//! Conventional Commits 1.0.0, with two departures. A breaking marker in capitals counts even where it is malformed, because
//! overlooking a break is the worse mistake. And nothing is ever dropped: a title that cannot be read is `unparsed`, with a warning.

use std::sync::LazyLock;

use regex::Regex;

use super::Class;

/// What a message counts as, before reverts are considered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    pub class: Class,
    pub line: String,
    pub warnings: Vec<String>,
}

/// `type(scope)!: description`.
static TITLE: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?<type>[A-Za-z][\w-]*)(?:\([^()]*[^()\s][^()]*\))?(?<bang>!)?: +\S"));
/// A title with a `!` that is not immediately before a colon and a space.
static STRAY_BANG: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*[A-Za-z][\w-]*\s*(?:\([^()]*\)\s*)*!+\s*(?:\([^()]*\)\s*)*!*\s*:"));
/// A title that begins as a known type does.
static NEARLY_TITLE: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^\s*(?:feat|feature|fix|perf|revert|build|chore|ci|docs|refactor|style|test)\s*(?:\([^)]*\)?\s*)?:"));
/// `BREAKING CHANGE: text` or `BREAKING-CHANGE #text` at the start of a line.
static BREAKING: LazyLock<Regex> = LazyLock::new(|| pattern(r"^BREAKING[ -]CHANGE(?:: +| #)\S"));
/// The marker in capitals at the start of a line, decorated or without its colon.
static NEARLY_BREAKING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"^[\s>*+#_|-]*(?:\d+[.)]\s*)?[*_`]*BREAKING(?:[\s_-]*CHANGE\b|[*_`]*\s*:)"));
/// The marker in small letters or in the plural.
static SOFTLY_BREAKING: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)^[\s>*+#_|-]*(?:\d+[.)]\s*)?[*_`]*breaking(?:[\s_-]*changes?)?[*_`]*\s*[:#]"));
/// A squashed commit's title in a list.
static BULLET: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*[*+-]\s+(.+)$"));
/// An autosquash commit.
static AUTOSQUASH: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:fixup|squash|amend)! "));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant")
}

/// A message's title: its first line that is not empty.
pub(super) fn subject(message: &str) -> &str {
    message.lines().map(str::trim_end).find(|it| !it.is_empty()).unwrap_or("")
}

/// Reads a whole message.
pub(super) fn read(message: &str) -> Reading {
    let lines: Vec<&str> = message.lines().map(str::trim_end).skip_while(|it| it.is_empty()).collect();
    let (title, body) = lines.split_first().map_or(("", &[][..]), |(title, body)| (*title, body));
    let mut reading = read_title(title);
    read_markers(title, body, &mut reading);
    warn_of_squashed(body, &mut reading);
    if body.iter().any(|it| it.get(..11).is_some_and(|it| it.eq_ignore_ascii_case("release-as:"))) {
        reading
            .warnings
            .push("asks for a version with “Release-As”, which is not obeyed: a message does not choose what is released.".to_owned());
    }
    reading
}

/// The class that a well-formed title stands for; `None` where it is not one. The second says whether it has a `!`.
fn title_class(title: &str) -> Option<(Class, bool)> {
    let found = TITLE.captures(title)?;
    let class = match found["type"].to_ascii_lowercase().as_str() {
        "feat" => Class::Minor,
        "fix" | "perf" | "revert" => Class::Patch,
        _ => Class::None,
    };
    let breaking = found.name("bang").is_some();
    Some((if breaking { Class::Major } else { class }, breaking))
}

fn read_title(title: &str) -> Reading {
    let reading = |class, warning: Option<&str>| Reading {
        class,
        line: title.to_owned(),
        warnings: warning.map(str::to_owned).into_iter().collect(),
    };
    if let Some((class, _)) = title_class(title) {
        return reading(class, likely_meant(title));
    }
    if STRAY_BANG.is_match(title) {
        return reading(Class::Major, Some("has a “!” that does not stand immediately before “: ”; counted as breaking to be safe."));
    }
    let warning = if AUTOSQUASH.is_match(title) {
        Some("is an autosquash commit that should have been squashed before it reached the branch; counted as patch.")
    } else if NEARLY_TITLE.is_match(title) {
        Some("is nearly a conventional title and counts as patch; the form is “type(scope): description”.")
    } else {
        None
    };
    reading(Class::Unparsed, warning)
}

/// A warning for types that people write for `feat` and `fix`.
fn likely_meant(title: &str) -> Option<&'static str> {
    let kind = TITLE.captures(title)?["type"].to_ascii_lowercase();
    match kind.as_str() {
        "feature" | "features" | "feats" => Some("has a type that is not “feat”, so it does not raise the minor number."),
        "fixes" | "fixed" | "bugfix" | "hotfix" => Some("has a type that is not “fix”; it counts as patch all the same."),
        _ => None,
    }
}

/// Looks for breaking markers, line by line.
fn read_markers(title: &str, body: &[&str], reading: &mut Reading) {
    let detached = body.first().is_none_or(|it| it.is_empty());
    let mut found: Option<(&str, Option<String>)> = None;
    for (at, line) in std::iter::once(&title).chain(body).enumerate() {
        let exact = at > 0 && BREAKING.is_match(line);
        if exact && detached {
            // A well-formed footer needs no excuse, whatever else was found.
            found = Some((line, None));
            break;
        }
        if exact || NEARLY_BREAKING.is_match(line) {
            let why = match exact {
                true => "has a breaking footer but no empty line after its title; counted as breaking to be safe.".to_owned(),
                false => format!("has “{}”, which is nearly a breaking footer; counted as breaking to be safe.", shown(line)),
            };
            found.get_or_insert((line, Some(why)));
        } else if SOFTLY_BREAKING.is_match(line) {
            reading.warnings.push(format!("has “{}”, which is not the footer “BREAKING CHANGE: ”; not counted as breaking.", shown(line)));
        }
    }
    if let Some((line, warning)) = found {
        // A `!` in the title says it already, and says it where people look.
        if reading.class != Class::Major {
            reading.class = Class::Major;
            reading.line = line.to_owned();
            reading.warnings.extend(warning);
        }
    }
}

/// Says which titles of a squashed body would have counted for more than the title did.
fn warn_of_squashed(body: &[&str], reading: &mut Reading) {
    let titles = body.iter().filter_map(|it| BULLET.captures(it)).map(|it| it.extract::<1>().1[0]);
    let lost =
        titles.filter_map(|it| title_class(it).map(|(class, _)| (class, it))).filter(|(class, _)| class.weight() > reading.class.weight());
    if let Some((class, line)) = lost.max_by_key(|(class, _)| class.weight()) {
        reading.warnings.push(format!(
            "is counted by its title alone: the squashed “{}” would have been {class}. Reword the title if it should count.",
            shown(line)
        ));
    }
}

/// A line, cut to what fits in a sentence.
pub(super) fn shown(line: &str) -> String {
    let line = line.trim();
    match line.char_indices().nth(72) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_count_and_warn_small_letters_only_warn() {
        for (message, class, warned) in [
            ("fix: a\n\nBREAKING-CHANGE: b", Class::Major, false),
            ("fix: a\n\nBREAKING CHANGE #12", Class::Major, false),
            ("fix: a\n\nbody\n\nBREAKING CHANGE: b\nReviewed-by: c", Class::Major, false),
            ("fix: a\n\nBREAKING CHANGE b", Class::Major, true),
            ("fix: a\n\nBREAKING CHANGE:b", Class::Major, true),
            ("fix: a\n\n  BREAKING CHANGE: b", Class::Major, true),
            ("fix: a\n\n**BREAKING CHANGE**: b", Class::Major, true),
            ("fix: a\n\n## BREAKING CHANGE\n\nb", Class::Major, true),
            ("BREAKING CHANGE: b", Class::Major, true),
            ("fix: a\n\nBREAKING CHANGES: b", Class::Patch, true),
            ("fix: a\n\nbreaking change: b", Class::Patch, true),
            ("fix: a\n\nBreaking Change: b", Class::Patch, true),
            ("fix: a\n\nNON-BREAKING CHANGE: b", Class::Patch, false),
            ("feat(api) !: a", Class::Major, true),
            ("feat!:a", Class::Major, true),
            ("feat()!: a", Class::Major, true),
            ("fixup! feat!: a", Class::Unparsed, true),
            ("", Class::Unparsed, false),
        ] {
            let reading = read(message);
            assert_eq!((reading.class, !reading.warnings.is_empty()), (class, warned), "{message:?}: {:?}", reading.warnings);
        }
    }

    #[test]
    fn a_squashed_feature_is_not_lost_in_silence() {
        assert!(read("New nav (#42)\n\n* feat: new nav\n\n* fix: typo").warnings[0].contains("feat: new nav"));
        assert!(read("fix: nav (#42)\n\n* feat!: new nav").warnings[0].contains("major"));
        assert_eq!(read("feat: nav (#42)\n\n* fix: typo").warnings, Vec::<String>::new());
    }
}
