//! `next-version`: which version the commits make, and why.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::decide::bump::{Classified, Commit, Next, PlannedVersion, next_version, plan_version};
use crate::error::{Error, Result};
use crate::io::git::history;
use crate::io::input;
use crate::model::{AppSeen, BranchName, CommitId, TagTemplate, Version};
use crate::report::Out;

/// The largest file of messages.
const LARGEST: u64 = 64 << 20;

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A clone of the app repository, with its whole history and tags.
    #[arg(long, value_name = "DIR", default_value = ".")]
    repo: PathBuf,
    /// The commit to release.
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    commit: String,
    /// The branch that releases come from: the commit has to be on it. The checked-out branch when not given.
    #[arg(long, value_name = "BRANCH", value_parser = BranchName::parse)]
    branch: Option<BranchName>,
    /// How a version is written as a tag.
    #[arg(long, value_name = "TEMPLATE", default_value = "v{version}", value_parser = TagTemplate::parse)]
    tag_template: TagTemplate,
    /// The version of the first release, where there is no tag yet.
    #[arg(long, value_name = "vX.Y.Z")]
    initial: Option<String>,
    /// Classify these commits instead of a repository's: a JSON list of {sha, msg, merge}, oldest first; - reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["repo", "commit", "branch"])]
    messages: Option<PathBuf>,
    /// The version before those commits.
    #[arg(long, value_name = "vX.Y.Z", requires = "messages")]
    previous: Option<String>,
}

pub(super) fn run(args: Args, out: &Out) -> Result<()> {
    let mut problems = Vec::new();
    let mut version = |name: &str, text: &Option<String>| {
        let read = |it| read_version(name, it, &args.tag_template).map_err(|why| problems.push(why)).ok();
        text.as_deref().and_then(read)
    };
    let (initial, previous) = (version("--initial", &args.initial), version("--previous", &args.previous));
    let commits = match args.messages.as_deref().map(read_messages).transpose() {
        Ok(commits) => commits,
        Err(more) => {
            problems.extend(more);
            None
        }
    };
    if !problems.is_empty() {
        return Err(Error::together(problems));
    }
    match commits {
        Some(commits) => {
            let commits: Vec<Commit<'_>> = commits.iter().map(Given::as_commit).collect();
            let next = next_version(previous, initial, &commits)?;
            tell(&args.tag_template, None, &next, out);
        }
        None => match plan(&args, initial)? {
            PlannedVersion::Cut { tag, next } => tell(&args.tag_template, Some(&tag), &next, out),
            PlannedVersion::AlreadyTagged { tag, warnings } => {
                let next = Next { previous: Some(tag.version), next: tag.version, level: None, commits: Vec::new(), warnings };
                tell_released(&tag.name, tag.commit.short(), &next, out);
            }
        },
    }
    Ok(())
}

/// Reads the repository and plans.
fn plan(args: &Args, initial: Option<Version>) -> Result<PlannedVersion> {
    let repo = history::open(&args.repo)?;
    history::require_whole(&repo)?;
    let target = history::resolve(&repo, &args.commit)?;
    let branch = args.branch.clone().or_else(|| history::checked_out(&repo));
    let tip = match &branch {
        Some(branch) => history::branch_tip(&repo, branch)?,
        None => history::resolve(&repo, "HEAD")?,
    };
    let app = history::app(&repo, branch.clone(), &tip, &args.tag_template)?;
    let elsewhere = !app.history.iter().any(|it| it.id == target);
    if args.branch.is_some() || !elsewhere {
        return plan_version(&app, &args.tag_template, initial, &target);
    }
    // Nobody said which branch matters: the commit's own history is taken, and that is worth a word.
    let app = AppSeen { branch: None, ..history::app(&repo, None, &target, &args.tag_template)? };
    let mut planned = plan_version(&app, &args.tag_template, initial, &target)?;
    let branch = branch.map_or("what is checked out".to_owned(), |it| format!("the checked-out branch {it}"));
    let warning = format!("The commit {} is not on {branch}; name the release branch with --branch to have that checked.", target.short());
    match &mut planned {
        PlannedVersion::AlreadyTagged { warnings, .. } => warnings.insert(0, warning),
        PlannedVersion::Cut { next, .. } => next.warnings.insert(0, warning),
    }
    Ok(planned)
}

/// Accepts a version as the template writes it, or bare.
fn read_version(name: &str, text: &str, template: &TagTemplate) -> Result<Version> {
    template.read(text).map_or_else(
        || {
            Version::parse(text).map_err(|_| {
                let example = template.render(Version { major: 1, minor: 2, patch: 3 });
                Error::usage(format!("{name} “{text}” is not a version such as {example}."))
            })
        },
        Ok,
    )
}

/// A commit as the file gives it.
struct Given {
    id: CommitId,
    message: String,
    merge: bool,
}

impl Given {
    fn as_commit(&self) -> Commit<'_> {
        Commit { id: &self.id, message: &self.message, parents: &[], merge: self.merge }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    sha: String,
    msg: String,
    #[serde(default)]
    merge: bool,
}

fn read_messages(file: &Path) -> Result<Vec<Given>, Vec<Error>> {
    let shown = input::name(file);
    let text = input::read_text(file, LARGEST).map_err(|why| vec![why])?;
    let list: Vec<Value> = serde_json::from_str(&text).map_err(|why| {
        let what = format!("{shown} is not a JSON list of commits, each {{\"sha\", \"msg\", \"merge\"}}, oldest first.");
        vec![Error::usage(what).because(why)]
    })?;
    let mut problems = Vec::new();
    let mut given = Vec::new();
    for (at, it) in list.into_iter().enumerate() {
        let wire = serde_json::from_value::<Wire>(it).map_err(|why| why.to_string());
        match wire.and_then(|it| Ok(Given { id: CommitId::parse(&it.sha)?, message: it.msg, merge: it.merge })) {
            Ok(it) => given.push(it),
            Err(why) => problems.push(Error::usage(format!("{shown}, commit {}: {}.", at + 1, why.trim_end_matches('.')))),
        }
    }
    if problems.is_empty() { Ok(given) } else { Err(problems) }
}

fn tell(template: &TagTemplate, tag: Option<&str>, next: &Next, out: &Out) {
    let written = |it: Version| template.render(it);
    let previous = next.previous.map(written);
    out.json(&json!({
        "previous": previous,
        "next": written(next.next),
        "level": next.level.map(|it| it.to_string()),
        "tag": tag.map_or_else(|| written(next.next), str::to_owned),
        "alreadyTagged": false,
        "commits": next.commits.iter().map(commit_json).collect::<Vec<_>>(),
        "warnings": next.warnings,
    }));
    let mut text = match (&previous, next.level) {
        (None, _) => format!("{}  the first release", written(next.next)),
        (Some(previous), Some(level)) => format!("{}  {level}, after {previous}", written(next.next)),
        (Some(previous), None) => format!("{previous}  no commits since: nothing to release"),
    };
    write_details(&mut text, next);
    out.text(text);
}

fn tell_released(tag: &str, commit: &str, next: &Next, out: &Out) {
    out.json(&json!({
        "previous": tag,
        "next": tag,
        "level": null,
        "tag": tag,
        "alreadyTagged": true,
        "commits": [],
        "warnings": next.warnings,
    }));
    let mut text = format!("{tag}  released already, at {commit}: nothing to cut");
    write_details(&mut text, next);
    out.text(text);
}

fn commit_json(it: &Classified) -> Value {
    json!({ "sha": it.id.as_str(), "subject": it.subject, "class": it.class.to_string(), "because": it.because })
}

/// The commits with their classes, then the warnings.
fn write_details(text: &mut String, next: &Next) {
    for it in &next.commits {
        write!(text, "\n  {}  {:<8}  {}", it.id.short(), it.class, it.subject).ok();
        if it.because != it.subject {
            write!(text, "\n                     └ {}", it.because).ok();
        }
    }
    for it in &next.warnings {
        write!(text, "\nwarning: {it}").ok();
    }
}
