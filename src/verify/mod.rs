//! Judges whether it worked. Pure: what was seen and the time go in, one verdict for each gate comes out.
//!
//! Here: one file per gate, what the gates remember between two looks, and the patience they share.
//! Never here: a look at anything. What a gate needs asked of the outside is a value inside its verdict.
//! Start reading at [`judge_all`], then `argocd.rs` and the `handshake.rs` behind it. Used by `drive.rs` and by `verify`.

mod argocd;
mod handshake;
mod http;
mod misdirected;
mod patience;
mod rollout;
mod soak;
mod wording;

pub use misdirected::misdirected;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::model::{
    ApplicationName, Ask, Asked, CommitId, ComponentName, Digest, GateSpec, ImageRef, RepoPath, Repository, Seen, Sighting, Tag, Verdict,
    Version,
};

/// What has to be true before an environment counts as moved.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The commit of the config repository that holds our images.
    pub commit: &'a CommitId,
    /// The tip of the config repository's branch, where this look saw it. With a tip that is not our commit, a branch
    /// that does not build is not held against us.
    pub tip: Option<&'a CommitId>,
    /// The overlay's folder, to notice an Application that follows another one.
    pub overlay: Option<&'a RepoPath>,
    /// The images, one for each component.
    pub images: &'a [ExpectedImage],
    /// The version, for a release.
    pub version: Option<Version>,
    /// When our commit was pushed: the gates' time runs from here.
    pub since: Timestamp,
}

/// An image that has to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedImage {
    /// The component.
    pub component: ComponentName,
    /// The image's name.
    pub repository: Repository,
    /// Its tag, where the overlay has one.
    pub tag: Option<Tag>,
    /// Its digest, where the overlay has one.
    pub digest: Option<Digest>,
    /// The commit it was built from, where known.
    pub commit: Option<CommitId>,
    /// The Deployments that run it.
    pub workloads: Vec<String>,
}

impl ExpectedImage {
    /// Whether a reference to this repository is the image: by its digest where both have one, else by its tag.
    fn is(&self, seen: &ImageRef) -> bool {
        match (&self.digest, &seen.digest) {
            (Some(expected), Some(seen)) => expected == seen,
            _ => self.tag.is_some() && self.tag == seen.tag,
        }
    }

    /// What of these references is of this repository, with the text it was written in.
    fn among<'a>(&self, texts: &'a [String]) -> Vec<(&'a str, ImageRef)> {
        let parsed = texts.iter().filter_map(|text| Some((text.as_str(), ImageRef::parse(text).ok()?)));
        parsed.filter(|(_, seen)| seen.repository == self.repository).collect()
    }

    /// The image as people tell it from another of its repository.
    fn short(&self) -> String {
        wording::image(self.tag.as_ref(), self.digest.as_ref())
    }
}

/// What the gates of one environment remember between two looks. It lives in the driver's memory only: whoever starts
/// with an empty one asks again and waits again, which costs time and never truth.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// When the first look was judged.
    began: Option<Timestamp>,
    /// The requests to each Application.
    handshakes: BTreeMap<ApplicationName, handshake::Handshake>,
    /// What each Deployment was seen doing.
    rollouts: BTreeMap<String, rollout::Watched>,
    /// The time each soak has behind it, by the gate's position.
    soaks: BTreeMap<usize, soak::Soaked>,
    /// When each gate was ready last, by its position.
    ready_at: BTreeMap<usize, Timestamp>,
    /// The gates that were ready and waver: what was proved is there, and something is added to it.
    wavering: BTreeSet<usize>,
}

impl Memory {
    /// Takes note of what came of a request that a verdict contained.
    pub fn asked(&mut self, ask: &Ask, asked: &Asked) {
        let Ask::Refresh { application, .. } = ask;
        self.handshakes.entry(application.clone()).or_default().asked(asked);
    }
}

/// Judges every gate of an environment by one look. The verdicts stand in the order of the gates; a soak looks at those before it.
pub fn judge_all(gates: &[GateSpec], expected: &Expected<'_>, seen: &Sighting, memory: &mut Memory, now: Timestamp) -> Vec<Verdict> {
    memory.began.get_or_insert(now);
    let mut verdicts = Vec::with_capacity(gates.len());
    for (position, gate) in gates.iter().enumerate() {
        let verdict = judge(gate, position, &verdicts, expected, seen, memory, now);
        verdicts.push(verdict);
    }
    verdicts
}

/// Judges one gate, given the verdicts of those before it.
fn judge(
    gate: &GateSpec,
    position: usize,
    before: &[Verdict],
    expected: &Expected<'_>,
    seen: &Sighting,
    memory: &mut Memory,
    now: Timestamp,
) -> Verdict {
    let (verdict, wavers) = match gate {
        GateSpec::ArgoCd { application, namespace, .. } => {
            let handshake = memory.handshakes.entry(application.clone()).or_default();
            let app = seen.applications.get(application);
            let verdict = argocd::judge(application, namespace, expected, app, handshake, now);
            (verdict, app.and_then(Seen::known).is_some_and(|app| handshake.wavers(app)))
        }
        GateSpec::Rollout { .. } => {
            let verdict = rollout::judge(expected.images, &seen.workloads, &mut memory.rollouts, now);
            (verdict, rollout::wavers(expected.images, &seen.workloads, &memory.rollouts))
        }
        GateSpec::Http(gate) => (http::judge(gate, expected, seen.http.get(&gate.url)), false),
        // A soak has a patience of its own: its time begins when the gates before it are ready.
        GateSpec::Soak { period } => {
            let before = as_a_soak_sees(before, &memory.wavering);
            return memory.soaks.entry(position).or_default().judge(*period, gate.within(), &before, now);
        }
    };
    if wavers && matches!(verdict, Verdict::Waiting { .. }) {
        memory.wavering.insert(position);
    } else {
        memory.wavering.remove(&position);
    }
    let start = patience::Start { pushed: expected.since, began: memory.began.unwrap_or(now) };
    let ready_at = memory.ready_at.get(&position).copied();
    if matches!(verdict, Verdict::Ready(_)) {
        memory.ready_at.insert(position, now);
    }
    patience::within(gate.within(), start, ready_at, verdict, now)
}

/// The verdicts before a soak. One that wavers proves nothing, and takes nothing back: it stops the clock, as not knowing does.
fn as_a_soak_sees(before: &[Verdict], wavering: &BTreeSet<usize>) -> Vec<Verdict> {
    let seen = |(position, verdict): (usize, &Verdict)| match verdict {
        Verdict::Waiting { why, .. } if wavering.contains(&position) => Verdict::Unknown { why: why.clone() },
        verdict => verdict.clone(),
    };
    before.iter().enumerate().map(seen).collect()
}
