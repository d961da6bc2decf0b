//! `newest: commit`: the order of the commits on the app branch. A rebuilt old commit does not win by being uploaded later.

use super::{Order, Ranked, Relation, Unranked, any_of, list};
use crate::decide::ancestry::{Abbreviated, Abbreviations, Ancestry};
use crate::model::{CommitId, HistoryCommit, Policy, TagPattern, TaggedImage};

/// The shortest abbreviation that is read: what git itself accepts.
const SHORTEST: usize = 4;

/// Commits, by position in the branch's history.
pub(super) struct Commits<'a> {
    pattern: &'a TagPattern,
    graph: Ancestry<'a>,
    short: Abbreviations<'a>,
    mainline: Vec<bool>,
}

impl<'a> Commits<'a> {
    pub(super) fn new(policy: &'a Policy, history: Option<&'a [HistoryCommit]>) -> Result<Self, String> {
        let pattern = policy.pattern.as_ref().filter(|it| it.has_group("commit")).ok_or_else(|| {
            "The policy “commit” needs a pattern with a group named “commit”, as in dev-(?P<commit>[0-9a-f]{7,40}).".to_owned()
        })?;
        let history = history.ok_or_else(|| "The policy “commit” needs the history of the app branch.".to_owned())?;
        let graph = Ancestry::new(history);
        Ok(Self { pattern, short: graph.abbreviations(), mainline: graph.mainline(), graph })
    }

    /// The position of the commit that a tag names.
    fn locate(&self, tag: &str) -> Result<usize, String> {
        let captures =
            self.pattern.regex().captures(tag).ok_or_else(|| format!("“{tag}” does not match the pattern {}.", self.pattern.as_str()))?;
        let short = captures.name("commit").map_or("", |it| it.as_str());
        let hex = short.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !hex || short.len() < SHORTEST {
            return Err(format!("“{short}” is not a commit id: at least {SHORTEST} lower-case hex digits are expected."));
        }
        match self.short.find(short) {
            Abbreviated::One(at) => Ok(at),
            Abbreviated::Nothing => Err(format!("The commit {short} is not on the app branch.")),
            Abbreviated::Several => Err(format!("The commit {short} is ambiguous: several commits of the app branch begin with it.")),
        }
    }
}

impl Order for Commits<'_> {
    type Rank = usize;

    fn rank(&self, image: &TaggedImage) -> Result<usize, Unranked> {
        self.locate(image.tag.as_str()).map_err(Unranked::NotMeant)
    }

    fn rank_current(&self, tag: &str) -> Result<usize, String> {
        self.locate(tag)
    }

    fn relations(&self, to: &usize) -> impl Fn(&usize) -> Relation {
        let (to, newer, older) = (*to, self.graph.descendants(*to), self.graph.ancestors(*to));
        move |&it| match () {
            () if it == to => Relation::Same,
            () if newer[it] => Relation::Newer,
            () if older[it] => Relation::Older,
            () => Relation::Unrelated,
        }
    }

    /// The commit that descends from all others. Where lines of the history run side by side, the branch's own line is ahead.
    fn newest<'a>(&self, among: &[Ranked<'a, usize>]) -> Result<Ranked<'a, usize>, String> {
        let positions: Vec<usize> = among.iter().map(|it| it.rank).collect();
        let heads = self.graph.newest_of(&positions);
        let head = match heads[..] {
            [only] => only,
            _ => *heads.iter().find(|it| self.mainline[**it]).ok_or_else(|| {
                let ids = list(heads.iter().map(|it| self.graph.commit(*it).id.short()));
                format!("The commits {ids} stand on different lines of the branch's history, so none of them is the newest.")
            })?,
        };
        let same: Vec<_> = among.iter().filter(|it| it.rank == head).cloned().collect();
        let last = same.iter().map(|it| it.image.uploaded).max().flatten();
        let tied: Vec<_> = same.into_iter().filter(|it| it.image.uploaded == last).collect();
        any_of(&tied).map_err(|()| {
            let tags = list(tied.iter().map(|it| it.image.tag.as_str()));
            format!("{tags} are different images of one commit, and which was built later cannot be told.")
        })
    }

    fn describe(&self, rank: &usize) -> String {
        format!("commit {}", self.graph.commit(*rank).id.short())
    }

    fn commit(&self, rank: &usize) -> Option<CommitId> {
        Some(self.graph.commit(*rank).id.clone())
    }
}
