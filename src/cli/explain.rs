//! `explain`: which tag would be chosen from a list, and why not the others. Works offline.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::decide::candidate::{Choice, Facts, Selection, choose};
use crate::error::{Error, Result};
use crate::io::git::history;
use crate::io::{clock, input};
use crate::model::{BranchName, Digest, HistoryCommit, Listing, Newest, Pin, Policy, Range, TagPattern};
use crate::report::Out;

mod tag_list;

use tag_list::TagList;

/// The largest list of tags.
const LARGEST: u64 = 64 << 20;
/// The policies that choose, and those that will.
const POLICIES: [&str; 3] = ["commit", "uploaded", "semver"];
const LATER: [&str; 3] = ["numerical", "alphabetical", "digest"];

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// What newest means: commit, uploaded or semver.
    #[arg(long, value_name = "POLICY")]
    newest: String,
    /// The versions that count (semver): ~1.2, ">= 1.1, < 2 || >= 3", *.
    #[arg(long, value_name = "RANGE")]
    range: Option<String>,
    /// A regular expression that has to match a whole tag.
    #[arg(long, value_name = "RE")]
    pattern: Option<String>,
    /// The part of the tag that is compared: $1, ${1} or $name.
    #[arg(long, value_name = "EXTRACT")]
    extract: Option<String>,
    /// The direction of the order: asc takes the greatest. Only asc exists for commit, uploaded and semver.
    #[arg(long, value_name = "asc|desc")]
    order: Option<String>,
    /// What the overlay has now: TAG, or TAG@DIGEST.
    #[arg(long, value_name = "TAG")]
    current: Option<String>,
    /// The registry's tags: lines of TAG [RFC3339-TIME] [DIGEST], a JSON list, or an OCI tags/list answer; - reads standard input.
    #[arg(long, value_name = "FILE")]
    tags: PathBuf,
    /// A clone of the app repository (commit).
    #[arg(long, value_name = "DIR")]
    repo: Option<PathBuf>,
    /// The app branch (commit). The checked-out branch when not given.
    #[arg(long, value_name = "BRANCH", requires = "repo", value_parser = BranchName::parse)]
    branch: Option<BranchName>,
    /// A younger tag is left to mature: 30m, 2h.
    #[arg(long, value_name = "DURATION", value_parser = read_duration)]
    min_age: Option<Duration>,
    /// The time to judge by, for results that can be repeated. The present when not given.
    #[arg(long, value_name = "RFC3339-TIME")]
    now: Option<Timestamp>,
    /// Also rank versions with fewer than three parts (semver).
    #[arg(long)]
    lenient: bool,
    /// Move on although the present tag cannot be ranked.
    #[arg(long)]
    adopt: bool,
    /// Follow the present tag when it was pushed again.
    #[arg(long)]
    allow_retag: bool,
}

pub(super) fn run(args: Args, out: &Out) -> Result<()> {
    let mut problems = Vec::new();
    let policy = read_policy(&args, &mut problems);
    let current = args.current.as_deref().and_then(|it| read_pin(it).map_err(|why| problems.push(why)).ok());
    let list = match input::read_text(&args.tags, LARGEST) {
        Ok(text) => TagList::parse(&text, &input::name(&args.tags), &mut problems),
        Err(why) => {
            problems.push(why.chain());
            TagList::default()
        }
    };
    let Some(policy) = policy.filter(|_| problems.is_empty()) else {
        return Err(Error::together(problems.into_iter().map(Error::usage).collect()));
    };
    let history = read_history(&args, &policy)?;
    let listing = Listing { tags: list.images, requests: 0 };
    let facts =
        Facts { listing: &listing, history: history.as_deref(), current: current.as_ref(), now: args.now.unwrap_or_else(clock::now) };
    let mut selection = choose(&policy, &facts);
    selection.losers.extend(list.impossible);
    if args.extract.is_some() && !matches!(policy.newest, Newest::Semver { .. }) {
        selection.warnings.push(format!("--extract changes nothing: --newest {} does not compare a part of the tag.", args.newest));
    }
    tell(&selection, out);
    match selection.choice {
        Choice::Error { reason } => Err(Error::refused(reason)),
        _ => Ok(()),
    }
}

fn read_policy(args: &Args, problems: &mut Vec<String>) -> Option<Policy> {
    let pattern = args.pattern.as_deref().and_then(|it| TagPattern::parse(it).map_err(|why| problems.push(why)).ok());
    let newest = read_newest(args).map_err(|why| problems.push(why)).ok();
    if let Some(extract) = &args.extract {
        match (&pattern, &args.pattern) {
            (Some(pattern), _) => problems.extend(pattern.check_extract(extract).err()),
            (None, None) => problems.push("--extract takes a part of what --pattern matches; there is no --pattern.".to_owned()),
            (None, Some(_)) => {}
        }
    }
    match args.order.as_deref() {
        None | Some("asc") => {}
        Some("desc") => problems.push("--order desc is for numerical and alphabetical; commits, times and versions only grow.".to_owned()),
        Some(other) => problems.push(format!("--order is asc or desc, not “{other}”.")),
    }
    if newest == Some(Newest::Commit) && pattern.as_ref().is_some_and(|it| !it.has_group("commit")) {
        problems.push("--newest commit needs a group named “commit” in --pattern, as in dev-(?P<commit>[0-9a-f]{7,40}).".to_owned());
    }
    Some(Policy {
        pattern,
        extract: args.extract.clone(),
        newest: newest?,
        min_age: args.min_age.unwrap_or_default(),
        adopt: args.adopt,
        allow_retag: args.allow_retag,
    })
}

fn read_newest(args: &Args) -> Result<Newest, String> {
    if args.newest != "semver" && POLICIES.contains(&args.newest.as_str()) && (args.range.is_some() || args.lenient) {
        return Err(format!("--range and --lenient are about versions; --newest {} compares none.", args.newest));
    }
    match args.newest.as_str() {
        "commit" if args.pattern.is_none() => {
            Err("--newest commit needs --pattern with a group named “commit”, as in dev-(?P<commit>[0-9a-f]{7,40}).".to_owned())
        }
        "commit" if args.repo.is_none() => Err("--newest commit needs --repo: the order is that of the app branch's history.".to_owned()),
        "commit" => Ok(Newest::Commit),
        "uploaded" => Ok(Newest::Uploaded),
        "semver" => {
            Ok(Newest::Semver { range: args.range.as_deref().map_or_else(|| Ok(Range::any()), Range::parse)?, lenient: args.lenient })
        }
        later if LATER.contains(&later) => {
            Err(format!("The policy “{later}” is known and not built yet. There are {}.", POLICIES.join(", ")))
        }
        typo => Err(match nearest(typo) {
            Some(near) => format!("There is no policy “{typo}”. Did you mean {near}?"),
            None => format!("There is no policy “{typo}”. There are {}.", POLICIES.join(", ")),
        }),
    }
}

/// The policy that was probably meant.
fn nearest(typo: &str) -> Option<&'static str> {
    let aliases =
        [("newest", "uploaded"), ("newest-build", "uploaded"), ("latest", "uploaded"), ("date", "uploaded"), ("name", "alphabetical")];
    let known = aliases.iter().find(|it| it.0 == typo).map(|it| it.1);
    let close = || {
        let all = POLICIES.iter().chain(&LATER).map(|it| (strsim::levenshtein(&typo.to_ascii_lowercase(), it), *it));
        all.min().filter(|(far, _)| *far <= 2).map(|it| it.1)
    };
    known.or_else(close)
}

fn read_pin(text: &str) -> Result<Pin, String> {
    let (tag, digest) = text.split_once('@').map_or((text, None), |(tag, digest)| (tag, Some(digest)));
    let digest =
        digest.map(|it| Digest::parse(it).map(|it| it.as_str().to_owned())).transpose().map_err(|why| format!("--current: {why}"))?;
    match tag {
        "" if digest.is_none() => Err("--current is empty; leave it out where the overlay has no tag.".to_owned()),
        tag => Ok(Pin { tag: (!tag.is_empty()).then(|| tag.to_owned()), digest }),
    }
}

fn read_duration(text: &str) -> Result<Duration, String> {
    let bad = || format!("“{text}” is not a length of time such as 30m, 2h or 1h 30m.");
    let duration: SignedDuration = text.parse().map_err(|_| bad())?;
    Duration::try_from(duration).map_err(|_| bad())
}

fn read_history(args: &Args, policy: &Policy) -> Result<Option<Vec<HistoryCommit>>> {
    let Some(dir) = args.repo.as_deref().filter(|_| policy.newest == Newest::Commit) else { return Ok(None) };
    let repo = history::open(dir)?;
    history::require_whole(&repo)?;
    let tip = match args.branch.clone().or_else(|| history::checked_out(&repo)) {
        Some(branch) => history::branch_tip(&repo, &branch)?,
        None => history::resolve(&repo, "HEAD")?,
    };
    history::commits(&repo, &tip, &[], history::MOST_COMMITS).map(Some)
}

fn tell(selection: &Selection, out: &Out) {
    let choice = &selection.choice;
    let (tag, digest, commit) = match choice {
        Choice::Candidate { tag, digest, commit, .. } => (Some(tag), digest.as_ref(), commit.as_ref()),
        _ => (None, None, None),
    };
    let others: Vec<_> = selection.losers.iter().map(|(tag, why)| json!({ "tag": tag, "reason": why })).collect();
    out.json(&json!({
        "outcome": choice.word(),
        "tag": tag.map(|it| it.as_str()),
        "digest": digest.map(Digest::as_str),
        "commit": commit.map(|it| it.as_str()),
        "reason": choice.reason(),
        "others": others,
        "warnings": selection.warnings,
    }));
    let mut text = match tag {
        Some(tag) => format!("{tag}\n  {}", choice.reason()),
        None => format!("{}\n  {}", choice.word(), choice.reason()),
    };
    let width = selection.losers.iter().map(|it| it.0.chars().count()).max().unwrap_or(0).min(48);
    for (tag, why) in &selection.losers {
        write!(text, "\n  not {tag:<width$}  {why}").ok();
    }
    for it in &selection.warnings {
        write!(text, "\nwarning: {it}").ok();
    }
    out.text(text);
}
