//! Which tag is new and allowed, and why the others are not.
//!
//! Here: filters, the orders `commit`, `uploaded` and `semver`, and the guards that need nothing but the listing, the history and the time.
//! Never here: asking a registry. What the listing does not tell is missing, and what is missing never wins.
//! Start reading at [`choose`], then `guard.rs`; one file for each order. Used by `decide` and by the command `explain`.

use jiff::Timestamp;

use crate::model::{CommitId, Digest, HistoryCommit, Listing, Newest, Pin, Policy, Tag, TaggedImage};

mod by_commit;
mod by_upload;
mod by_version;
mod filter;
mod guard;

/// What a choice is made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The registry's tags, all of them.
    pub listing: &'a Listing,
    /// The history of the app branch, children before parents; needed by `newest: commit`.
    pub history: Option<&'a [HistoryCommit]>,
    /// What the overlay says now; `None` where it says nothing.
    pub current: Option<&'a Pin>,
    /// The time.
    pub now: Timestamp,
}

/// What to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// Move to this tag.
    Candidate {
        /// The tag.
        tag: Tag,
        /// Its digest, where the listing has it.
        digest: Option<Digest>,
        /// The commit it was built from, where the policy knows.
        commit: Option<CommitId>,
        /// Why this one.
        reason: String,
    },
    /// Nothing is newer. The normal case.
    Nothing {
        /// How it was seen.
        reason: String,
    },
    /// Something is there, but moving to it would not be right.
    Hold {
        /// Why not.
        reason: String,
    },
    /// What is needed for a choice is missing or contradicts itself. Nothing may be written.
    Error {
        /// What is wrong.
        reason: String,
    },
}

impl Choice {
    /// The outcome in one word: `candidate`, `none`, `hold`, `error`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Candidate { .. } => "candidate",
            Self::Nothing { .. } => "none",
            Self::Hold { .. } => "hold",
            Self::Error { .. } => "error",
        }
    }

    /// Why, as a sentence.
    pub fn reason(&self) -> &str {
        match self {
            Self::Candidate { reason, .. } | Self::Nothing { reason } | Self::Hold { reason } | Self::Error { reason } => reason,
        }
    }
}

/// A choice, and what became of everything that was not chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    /// What to do.
    pub choice: Choice,
    /// Every other tag of the listing, with the reason why it is not the one.
    pub losers: Vec<(String, String)>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Chooses the newest tag that the policy allows, if it is newer than what the overlay says.
pub fn choose(policy: &Policy, facts: &Facts<'_>) -> Selection {
    match &policy.newest {
        Newest::Semver { range, lenient } => guard::select(&by_version::Versions::new(policy, range, *lenient), policy, facts),
        Newest::Uploaded => guard::select(&by_upload::Uploads::new(facts.listing), policy, facts),
        Newest::Commit => match by_commit::Commits::new(policy, facts.history) {
            Ok(order) => guard::select(&order, policy, facts),
            Err(reason) => Selection { choice: Choice::Error { reason }, losers: Vec::new(), warnings: Vec::new() },
        },
    }
}

/// The commit a tag names through the pattern's group `commit`, if it names exactly one of this history.
pub fn commit_of(policy: &Policy, tag: &str, history: &[HistoryCommit]) -> Option<CommitId> {
    let order = by_commit::Commits::new(policy, Some(history)).ok()?;
    order.commit(&order.rank_current(tag).ok()?)
}

/// How one tag relates to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Newer,
    Same,
    Older,
    /// Neither came before the other: different lines of a history.
    Unrelated,
}

impl From<std::cmp::Ordering> for Relation {
    fn from(it: std::cmp::Ordering) -> Self {
        match it {
            std::cmp::Ordering::Greater => Self::Newer,
            std::cmp::Ordering::Equal => Self::Same,
            std::cmp::Ordering::Less => Self::Older,
        }
    }
}

/// Why a tag has no rank.
enum Unranked {
    /// It is not one of those the policy chooses from.
    NotMeant(String),
    /// It is, but what its rank depends on is missing.
    Missing(String),
}

/// A tag with its rank.
#[derive(Clone)]
struct Ranked<'a, R> {
    image: &'a TaggedImage,
    rank: R,
}

/// What newest means: one implementation for each policy.
trait Order {
    /// What tags are compared by.
    type Rank: Clone;

    /// The rank of a listed tag that passed the filters.
    fn rank(&self, image: &TaggedImage) -> Result<Self::Rank, Unranked>;

    /// The rank of the overlay's tag, which may be one that would not be chosen today.
    fn rank_current(&self, tag: &str) -> Result<Self::Rank, String>;

    /// How ranks relate to this one.
    fn relations(&self, to: &Self::Rank) -> impl Fn(&Self::Rank) -> Relation;

    /// The newest of these; never called with none. An error says why it cannot be told.
    fn newest<'a>(&self, among: &[Ranked<'a, Self::Rank>]) -> Result<Ranked<'a, Self::Rank>, String>;

    /// The rank as people read it: `version 1.2.3`.
    fn describe(&self, rank: &Self::Rank) -> String;

    /// The commit that a rank stands for.
    fn commit(&self, _rank: &Self::Rank) -> Option<CommitId> {
        None
    }
}

/// Of tags with one rank, the one that is as good as any other: all have one digest, or nobody knows. `Err`: they differ.
fn any_of<'a, R: Clone>(tied: &[Ranked<'a, R>]) -> Result<Ranked<'a, R>, ()> {
    let one_image = tied.windows(2).all(|it| it[0].image.digest == it[1].image.digest);
    tied.iter().max_by_key(|it| it.image.tag.as_str()).filter(|_| one_image).cloned().ok_or(())
}

/// Tags in a sentence, at most five of them.
fn list<'a>(tags: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<_> = tags.collect();
    match all.len() {
        0..=5 => all.join(", "),
        more => format!("{} and {} more", all[..4].join(", "), more - 4),
    }
}
