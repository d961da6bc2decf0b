//! Judges whether it worked. Pure: what was seen and the time go in, one verdict for each gate comes out.
//!
//! Here: one file per gate, what the gates remember between two looks, and the patience they share.
//! Never here: a look at anything. What a gate needs asked of the outside is a value inside its verdict.
//! Start reading at [`judge_all`], then `argocd.rs` and the `handshake.rs` behind it. Used by `drive.rs` and by `verify`.

mod argocd;
mod handshake;
mod http;
mod patience;
mod rollout;
mod soak;
mod wording;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{
    ApplicationName, Ask, Asked, CommitId, ComponentName, Digest, GateSpec, RepoPath, Repository, Sighting, Tag, Verdict, Version,
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
    let verdict = match gate {
        GateSpec::ArgoCd { application, namespace, .. } => {
            let handshake = memory.handshakes.entry(application.clone()).or_default();
            argocd::judge(application, namespace, expected, seen.applications.get(application), handshake, now)
        }
        GateSpec::Rollout { .. } => rollout::judge(expected.images, &seen.workloads, &mut memory.rollouts, now),
        GateSpec::Http(gate) => http::judge(gate, expected, seen.http.get(&gate.url)),
        // A soak has a patience of its own: its time begins when the gates before it are ready.
        GateSpec::Soak { period } => {
            return memory.soaks.entry(position).or_default().judge(*period, gate.within(), before, now);
        }
    };
    let start = patience::Start { pushed: expected.since, began: memory.began.unwrap_or(now) };
    let ready_at = memory.ready_at.get(&position).copied();
    if matches!(verdict, Verdict::Ready(_)) {
        memory.ready_at.insert(position, now);
    }
    patience::within(gate.within(), start, ready_at, verdict, now)
}
