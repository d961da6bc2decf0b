//! Fitting events into a record of 64 KiB: what is shortened, in which order, and how that is said.
//!
//! Shortening happens before the events are folded, so that the events and the state of a record always agree.

use super::envelope::{hex, sha256};
use crate::model::{Brief, BriefCut, Event, Evidence, Outcome, Plan, Step};

/// The largest `record.json`.
pub(super) const MAX_RECORD: usize = 64 * 1024;

/// Sentences and addresses from outside are kept up to this many characters.
const MAX_TEXT: usize = 1000;

/// The first line of a commit is kept up to this many characters.
const MAX_SUBJECT: usize = 200;

/// How much is kept of what may be long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    commits: usize,
    page: usize,
}

/// From "all of it" to "hardly anything": the first one that fits is taken.
pub(super) const MEASURES: [Measure; 7] = [
    Measure { commits: usize::MAX, page: usize::MAX },
    Measure { commits: 200, page: 16_000 },
    Measure { commits: 100, page: 8_000 },
    Measure { commits: 50, page: 4_000 },
    Measure { commits: 20, page: 2_000 },
    Measure { commits: 5, page: 1_000 },
    Measure { commits: 0, page: 500 },
];

/// The event, shortened to this measure.
pub(super) fn shorten(event: &Event, to: Measure) -> Event {
    let mut event = event.clone();
    match &mut event {
        Event::Genesis => {}
        Event::Opened { plan, first, .. } => {
            shorten_plan(plan, to);
            first.iter_mut().for_each(|it| shorten_step(it, to));
        }
        Event::Intended { step, .. } => shorten_step(step, to),
        Event::Did { outcome: Outcome::Landed { reference, .. }, .. } => clip(reference, MAX_TEXT),
        Event::Did { outcome: Outcome::Refused { why }, .. } | Event::Failed { why, .. } => clip(why, MAX_TEXT),
        Event::Superseded { by, .. } => clip(by, MAX_TEXT),
        Event::Built { builds, .. } => builds.iter_mut().for_each(|it| clip(&mut it.log_url, MAX_TEXT)),
        Event::Passed { evidence: Evidence { facts }, .. } => facts.iter_mut().for_each(|it| clip(&mut it.1, MAX_TEXT)),
        Event::Completed { .. } => {}
    }
    event
}

fn shorten_plan(plan: &mut Plan, to: Measure) {
    plan.warnings.iter_mut().for_each(|it| clip(it, MAX_TEXT));
    if let Some(tag) = &mut plan.tag {
        shorten_brief(&mut tag.brief, to.commits);
    }
}

/// A brief keeps its beginning, and says how long the whole was and what its hash is.
fn shorten_brief(brief: &mut Brief, to: usize) {
    if brief.commits.len() > to || brief.commits.iter().any(|it| it.subject.chars().nth(MAX_SUBJECT).is_some()) {
        let lines = brief.commits.iter().map(|it| format!("{} {} {}\n", it.id, it.class, it.subject));
        let whole = BriefCut { count: brief.commits.len(), sha256: hex(&sha256(lines.collect::<String>().as_bytes())) };
        brief.cut.get_or_insert(whole);
        brief.commits.truncate(to);
    }
    brief.commits.iter_mut().for_each(|it| clip(&mut it.subject, MAX_SUBJECT));
}

fn shorten_step(step: &mut Step, to: Measure) {
    // A tag's message is part of its object's id and an overlay's moves are the intent itself: neither may change.
    if let Step::PublishPage(page) = step {
        let whole = hex(&sha256(page.body.as_bytes()));
        if clipped(&mut page.body, to.page) {
            page.body.push_str(&format!("\n\n(The rest did not fit. SHA-256 of the whole text: {whole})\n"));
        }
    }
}

fn clip(text: &mut String, at: usize) {
    clipped(text, at);
}

fn clipped(text: &mut String, at: usize) -> bool {
    let Some((end, _)) = text.char_indices().nth(at) else { return false };
    text.truncate(end);
    text.push('…');
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BriefCommit, CommitId};

    #[test]
    fn a_cut_brief_says_what_the_whole_was() {
        let commit =
            |n: u32| BriefCommit { id: CommitId::parse(&format!("{n:040x}")).unwrap(), subject: "x".into(), class: "patch".into() };
        let mut brief = Brief { commits: (0..300).map(commit).collect(), cut: None };
        shorten_brief(&mut brief, 200);
        let cut = brief.cut.clone().unwrap();
        assert_eq!((brief.commits.len(), cut.count, cut.sha256.len()), (200, 300, 64));
        shorten_brief(&mut brief, 10);
        assert_eq!((brief.commits.len(), brief.cut), (10, Some(cut)), "cutting again keeps what is said of the whole");
    }

    #[test]
    fn text_is_cut_between_characters() {
        let mut text = "é".repeat(2000);
        clip(&mut text, 1000);
        assert_eq!(text.chars().count(), 1001);
    }
}
