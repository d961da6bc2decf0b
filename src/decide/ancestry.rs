//! Which commit came from which: a branch's history with every commit numbered once.

use std::collections::HashMap;

use crate::model::{CommitId, HistoryCommit};

/// A history, children before parents; a commit is named by its position. Every question walks it once.
#[derive(Debug)]
pub struct Ancestry<'a> {
    history: &'a [HistoryCommit],
    positions: HashMap<&'a CommitId, usize>,
    parents: Vec<Vec<usize>>,
}

/// What an abbreviated commit id means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abbreviated {
    /// Exactly this commit.
    One(usize),
    /// No commit of the history.
    Nothing,
    /// More than one commit.
    Several,
}

impl<'a> Ancestry<'a> {
    /// Numbers a history. Parents outside of it (before a shallow or bounded beginning) are left out.
    pub fn new(history: &'a [HistoryCommit]) -> Self {
        let positions: HashMap<_, _> = history.iter().enumerate().map(|(at, it)| (&it.id, at)).collect();
        let parents = history.iter().map(|it| it.parents.iter().filter_map(|id| positions.get(id).copied()).collect()).collect();
        Self { history, positions, parents }
    }

    /// The position of a commit.
    pub fn position(&self, id: &CommitId) -> Option<usize> {
        self.positions.get(id).copied()
    }

    /// The commit at a position.
    pub fn commit(&self, at: usize) -> &'a HistoryCommit {
        &self.history[at]
    }

    /// The commits reachable from this one, itself included, by position.
    pub fn ancestors(&self, of: usize) -> Vec<bool> {
        let mut reached = vec![false; self.history.len()];
        reached[of] = true;
        for at in of..self.history.len() {
            if reached[at] {
                self.parents[at].iter().for_each(|&it| reached[it] = true);
            }
        }
        reached
    }

    /// The commits that this one is reachable from, itself included, by position.
    pub fn descendants(&self, of: usize) -> Vec<bool> {
        let mut reached = vec![false; self.history.len()];
        reached[of] = true;
        for at in (0..of).rev() {
            reached[at] = self.parents[at].iter().any(|&it| reached[it]);
        }
        reached
    }

    /// The commits among these that no other of them descends from.
    pub fn newest_of(&self, commits: &[usize]) -> Vec<usize> {
        let mut wanted = vec![false; self.history.len()];
        let mut covered = vec![false; self.history.len()];
        commits.iter().for_each(|&it| wanted[it] = true);
        for at in 0..self.history.len() {
            if wanted[at] || covered[at] {
                self.parents[at].iter().for_each(|&it| covered[it] = true);
            }
        }
        (0..self.history.len()).filter(|&it| wanted[it] && !covered[it]).collect()
    }

    /// The branch's own line: the tip and its first parents, by position.
    pub fn mainline(&self) -> Vec<bool> {
        let mut on_line = vec![false; self.history.len()];
        let mut next = (!self.history.is_empty()).then_some(0);
        while let Some(at) = next {
            on_line[at] = true;
            next = self.history[at].parents.first().and_then(|it| self.position(it));
        }
        on_line
    }

    /// Every id of the history in order, for [`Abbreviations::find`].
    pub fn abbreviations(&self) -> Abbreviations<'a> {
        Abbreviations::new(self.history.iter().map(|it| &it.id))
    }
}

/// The ids of a history in order, so that an abbreviation is found by halving.
#[derive(Debug)]
pub struct Abbreviations<'a> {
    sorted: Vec<(&'a str, usize)>,
}

impl<'a> Abbreviations<'a> {
    /// Puts ids in order; the positions they are found by are those in which they come.
    pub fn new(ids: impl Iterator<Item = &'a CommitId>) -> Self {
        let mut sorted: Vec<_> = ids.enumerate().map(|(at, id)| (id.as_str(), at)).collect();
        sorted.sort_unstable();
        Self { sorted }
    }

    /// What this abbreviation means.
    pub fn find(&self, short: &str) -> Abbreviated {
        let from = self.sorted.partition_point(|(id, _)| *id < short);
        let mut found = self.sorted[from..].iter().take_while(|(id, _)| id.starts_with(short));
        match (found.next(), found.next()) {
            (None, _) => Abbreviated::Nothing,
            (Some((_, at)), None) => Abbreviated::One(*at),
            (Some(_), Some(_)) => Abbreviated::Several,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> CommitId {
        CommitId::parse(&digit.to_string().repeat(40)).unwrap()
    }

    /// `e` merges `d` (main line, on `b`) and `c` (side, on `a`); `b` is on `a`.
    fn history() -> Vec<HistoryCommit> {
        [('e', "dc"), ('d', "b"), ('c', "a"), ('b', "a"), ('a', "")]
            .iter()
            .map(|(it, parents)| HistoryCommit { id: id(*it), parents: parents.chars().map(id).collect(), message: String::new() })
            .collect()
    }

    #[test]
    fn a_merge_joins_two_lines() {
        let history = history();
        let graph = Ancestry::new(&history);
        let named = |set: Vec<bool>| (0..5).filter(|&it| set[it]).map(|it| &graph.commit(it).id.as_str()[..1]).collect::<String>();
        assert_eq!(named(graph.ancestors(1)), "dba");
        assert_eq!(named(graph.descendants(3)), "edb");
        assert_eq!(named(graph.mainline()), "edba");
        assert_eq!(graph.newest_of(&[1, 2, 3]), [1, 2]);
        assert_eq!(graph.abbreviations().find("aaaa"), Abbreviated::One(4));
        assert_eq!(graph.abbreviations().find(""), Abbreviated::Several);
    }
}
