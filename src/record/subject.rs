//! What a record is about, as in-toto subjects: the things with digests that its events speak of.

use std::collections::BTreeMap;

use super::envelope::hex;
use super::ledger::Tip;
use super::wire::Subject;
use crate::model::{BranchAdvance, Event, ImageMove, ObjectId, Outcome, PlannedTag, Step, TagCut};

/// The subjects of a record, each once. The state the events meet knows which step an outcome is of. A statement has to be
/// about something: where the events speak of nothing that has a digest, it is about the record before.
pub(super) fn of(events: &[Event], on: &Tip) -> Vec<Subject> {
    let before = &on.state;
    let mut found = Subjects::default();
    for event in events {
        match event {
            Event::Genesis | Event::Passed { .. } | Event::Failed { .. } | Event::Superseded { .. } => {}
            Event::Opened { plan, first, .. } => {
                found.moves(&plan.moves);
                found.tag(plan.tag.as_ref());
                first.iter().for_each(|it| found.step(it));
            }
            Event::Intended { step, .. } => found.step(step),
            Event::Did { run, outcome } => {
                found.outcome(outcome, before.open.values().find(|it| it.id == *run).and_then(|it| it.intended.as_ref()))
            }
            Event::Built { builds, .. } => {
                for it in builds {
                    found.add(it.component.as_str(), "sha256", it.digest.hex());
                }
            }
            Event::Completed { proved, .. } => {
                found.add("config", "gitCommit", proved.commit.as_str());
                for it in &proved.images {
                    found.add(&it.repository.to_string(), "sha256", it.digest.hex());
                }
            }
        }
    }
    if found.0.is_empty() {
        found.add(&format!("ledger record {}", on.seq), "sha256", &hex(&on.payload));
    }
    found.0
}

/// The genesis is about the key that begins the ledger.
pub(super) fn of_genesis(key_name: &str, key_sha256: &str) -> Vec<Subject> {
    let mut found = Subjects::default();
    found.add(key_name, "sha256", key_sha256);
    found.0
}

#[derive(Default)]
struct Subjects(Vec<Subject>);

impl Subjects {
    fn add(&mut self, name: &str, algorithm: &str, hex: &str) {
        let subject = Subject { name: name.to_owned(), digest: BTreeMap::from([(algorithm.to_owned(), hex.to_owned())]) };
        if !self.0.contains(&subject) {
            self.0.push(subject);
        }
    }

    fn moves(&mut self, moves: &[ImageMove]) {
        for it in moves {
            if let Some(digest) = &it.digest {
                self.add(&it.repository.to_string(), "sha256", digest.hex());
            }
        }
    }

    fn tag(&mut self, tag: Option<&PlannedTag>) {
        if let Some(it) = tag {
            self.add("app", "gitCommit", it.commit.as_str());
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::WriteOverlay(it) => self.moves(&it.moves),
            Step::CutTag(TagCut { commit, .. }) | Step::AdvanceBranch(BranchAdvance { commit, .. }) => {
                self.add("app", "gitCommit", commit.as_str())
            }
            Step::PublishPage(_) => {}
        }
    }

    fn outcome(&mut self, outcome: &Outcome, step: Option<&Step>) {
        let Outcome::Landed { object: Some(object), .. } = outcome else { return };
        match step {
            Some(Step::CutTag(it)) => self.object(&format!("refs/tags/{}", it.name), "gitTag", object),
            Some(Step::WriteOverlay(_)) => self.object("config", "gitCommit", object),
            Some(Step::AdvanceBranch(_)) => self.object("app", "gitCommit", object),
            Some(Step::PublishPage(_)) | None => {}
        }
    }

    fn object(&mut self, name: &str, kind: &str, object: &ObjectId) {
        self.add(name, kind, object.as_str());
    }
}
