//! Problems of a pipeline file: collected, then shown the way `rustc` shows them, without ever showing a secret.

use std::{fmt, ops::Range, sync::LazyLock};

use regex::Regex;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The bytes of the file it is about.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Problem {
    /// A problem without a remedy.
    pub(super) fn new(at: &Range<usize>, message: impl Into<String>) -> Self {
        Self { at: at.clone(), message: message.into(), remedy: None }
    }

    /// Adds what to do about it.
    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

/// Everything that is wrong with a pipeline file.
#[derive(Clone, PartialEq)]
pub struct Problems {
    file: String,
    text: String,
    list: Vec<Problem>,
    hidden: Vec<Range<usize>>,
}

impl Problems {
    pub(super) fn new(file: &str, text: &str) -> Self {
        Self { file: file.to_owned(), text: text.to_owned(), list: Vec::new(), hidden: Vec::new() }
    }

    pub(super) fn add(&mut self, problem: Problem) {
        self.list.push(problem);
    }

    /// These bytes could be a secret: no problem shows them.
    pub(super) fn hide(&mut self, at: &Range<usize>) {
        self.hidden.push(at.clone());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In the order of the file, each once: an anchor that is used twice is read twice.
    pub(super) fn sorted(mut self) -> Self {
        self.list.sort_by_key(|it| (it.at.start, it.at.end));
        self.list.dedup();
        self
    }

    /// The problems, in the order of the file.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }

    /// Line and column of a problem, both counted from 1, the column in characters.
    pub fn position(&self, problem: &Problem) -> (usize, usize) {
        let line = self.line_at(problem.at.start);
        (line.number, self.text[line.start..problem.at.start.clamp(line.start, line.end)].chars().count() + 1)
    }

    /// The line with this byte in it.
    pub(super) fn line_at(&self, byte: usize) -> Line {
        let byte = byte.min(self.text.len());
        let start = self.text.as_bytes()[..byte].iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
        let end = self.text.as_bytes()[byte..].iter().position(|it| *it == b'\n').map_or(self.text.len(), |it| byte + it);
        let number = self.text.as_bytes()[..byte].iter().filter(|it| **it == b'\n').count() + 1;
        // A byte-order mark is not a column.
        let start = if number == 1 && self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8().min(end) } else { start };
        Line { number, start, end }
    }

    /// The line as it is shown, the blanks in front of the caret, and how wide the caret is. What could be a secret is
    /// replaced, and the caret moves along.
    fn excerpt(&self, line: &Line, problem: &Problem) -> (String, String, usize) {
        let source = self.text[line.start..line.end].trim_end_matches('\r');
        let inside = |byte: usize| floor(source, byte.saturating_sub(line.start));
        let marked = inside(problem.at.start)..inside(problem.at.end);
        let mut masked = secrets(source);
        masked
            .extend(self.hidden.iter().filter(|it| it.start < line.end && it.end > line.start).map(|it| inside(it.start)..inside(it.end)));
        let [mut before, mut under, mut after] = [String::new(), String::new(), String::new()];
        let mut in_mask = false;
        for (at, char) in source.char_indices() {
            let piece = match at {
                _ if at < marked.start => &mut before,
                _ if at < marked.end => &mut under,
                _ => &mut after,
            };
            let mask = masked.iter().any(|it| it.contains(&at));
            match (mask, char) {
                (true, _) if !in_mask => piece.push_str("***"),
                (true, _) => {}
                (false, '\t') => piece.push(' '),
                (false, char) => piece.push(char),
            }
            in_mask = mask;
        }
        let shown: String = [&*before, &*under, &*after].concat().chars().take(WIDEST).collect();
        let blanks = before.chars().count();
        (shown.trim_end().to_owned(), " ".repeat(blanks), under.trim_end().chars().count().min(WIDEST.saturating_sub(blanks)))
    }

    fn show(&self, problem: &Problem, out: &mut impl fmt::Write) -> fmt::Result {
        let line = self.line_at(problem.at.start);
        let (number, column) = self.position(problem);
        let gutter = " ".repeat(number.to_string().len());
        writeln!(out, "error: {}", problem.message)?;
        writeln!(out, "{gutter}--> {}:{number}:{column}", self.file)?;
        let (shown, before, width) = self.excerpt(&line, problem);
        writeln!(out, "{gutter} |\n{number} | {shown}")?;
        writeln!(out, "{gutter} | {before}{}", "^".repeat(width.max(1)))?;
        if let Some(remedy) = &problem.remedy {
            writeln!(out, "{gutter} = help: {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            self.show(problem, f)?;
            writeln!(f)?;
        }
        let count = if self.list.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", self.list.len()) };
        write!(f, "{} has {count}. Nothing was done.", self.file)
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Problems {}

/// A line of the file: its number from 1, and its bytes without the line break.
pub(super) struct Line {
    pub(super) number: usize,
    start: usize,
    end: usize,
}

/// A longer line is shown up to here.
const WIDEST: usize = 160;

/// The largest character boundary that is not behind `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|it| text.is_char_boundary(*it)).unwrap_or(0)
}

/// What of a line could be a secret: the rest after a key that should name one, and what stands in an address before `@`.
fn secrets(line: &str) -> Vec<Range<usize>> {
    static KEY: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?i)\b(?:(token|passw\w*|secret|sshKey)|sign|basic)["']?\s*:\s*"#).expect("it compiles"));
    static REFERENCE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"^["']?(?:env:\w+|file:[^\s,}]+)["']?(?:$|[\s,}])"#).expect("it compiles"));
    static USERINFO: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"://([^/@\s]+)@").expect("it compiles"));
    let values = KEY.captures_iter(line).filter_map(|key| {
        let rest = key.get(0)?.end()..line.len();
        let inner = key.get(1).is_none() && line[rest.clone()].starts_with(['{', '[']);
        (!inner && !rest.is_empty() && !REFERENCE.is_match(&line[rest.clone()])).then_some(rest)
    });
    let users = USERINFO.captures_iter(line).filter_map(|it| it.get(1)).filter(|it| it.as_str() != "git").map(|it| it.range());
    values.chain(users).collect()
}

/// Whether a key that is not known could have been meant to hold a secret.
pub(super) fn sounds_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["tok", "pass", "secret", "key", "cred", "auth", "pw"].iter().any(|it| key.contains(it))
}
