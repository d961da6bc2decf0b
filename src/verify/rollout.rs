//! The rollout gate: every Deployment runs the expected image, with all its replicas.
//!
//! How many replicas there are is the autoscaler's business: the object is only ever compared with itself.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::ExpectedImage;
use super::patience::elapsed;
use super::wording::{self, quoted};
use crate::model::{Evidence, ImageRef, Seen, Verdict, WorkloadSeen};

/// How long a missed progress deadline has to stand when it was there at our first look: it may still be the one of the
/// template before, which the controller keeps until the new one moves.
const STANDS: Duration = Duration::from_secs(10);

/// What one Deployment was seen doing.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    generation: i64,
    /// When this generation was seen first.
    since: Timestamp,
    /// Whether this generation was seen while it had not missed its deadline.
    moved: bool,
    /// How many replicas were available when the rollout was complete last.
    complete: Option<i32>,
}

/// Judges all Deployments of all images.
pub(super) fn judge(
    images: &[ExpectedImage],
    seen: &BTreeMap<String, Seen<Option<WorkloadSeen>>>,
    watched: &mut BTreeMap<String, Watched>,
    now: Timestamp,
) -> Verdict {
    let mut all = Tally::default();
    for image in images {
        for name in &image.workloads {
            match seen.get(name).map(Seen::as_result) {
                None => all.unknown.push(format!("The Deployment {name} was not looked at.")),
                Some(Err(why)) => all.unknown.push(why.to_string()),
                Some(Ok(None)) => all.waiting.push(format!("There is no Deployment {name} yet, or `workloads` names it wrongly.")),
                Some(Ok(Some(workload))) => all.add(judge_one(name, image, workload, watched, now)),
            }
        }
    }
    all.verdict()
}

/// Whether rollouts that were complete only grow: all that was available still is, and no old replica is there. How many
/// there should be is the autoscaler's business, and it likes to think again just after a rollout.
pub(super) fn wavers(
    images: &[ExpectedImage],
    seen: &BTreeMap<String, Seen<Option<WorkloadSeen>>>,
    watched: &BTreeMap<String, Watched>,
) -> bool {
    let grows = |image: &ExpectedImage, name: &String| {
        let Some(Some(it)) = seen.get(name).and_then(Seen::known) else { return false };
        let kept = watched.get(name).and_then(|it| it.complete).is_some_and(|had| it.available >= had.min(it.desired.unwrap_or(1)));
        kept && template(name, image, it).is_ok() && it.replicas == it.updated && !it.paused
    };
    images.iter().all(|image| image.workloads.iter().all(|name| grows(image, name)))
}

/// The verdicts so far, the worst kind of which counts.
#[derive(Default)]
struct Tally {
    failed: Vec<String>,
    unknown: Vec<String>,
    waiting: Vec<String>,
    evidence: Evidence,
}

/// What one Deployment says.
enum One {
    Failed(String),
    Unknown(String),
    Waiting(String),
    Ready(String, String),
}

impl Tally {
    fn add(&mut self, one: One) {
        match one {
            One::Failed(why) => self.failed.push(why),
            One::Unknown(why) => self.unknown.push(why),
            One::Waiting(why) => self.waiting.push(why),
            One::Ready(name, what) => self.evidence.facts.push((name, what)),
        }
    }

    fn verdict(self) -> Verdict {
        if !self.failed.is_empty() {
            Verdict::Failed { why: self.failed.join(" ") }
        } else if !self.unknown.is_empty() {
            Verdict::Unknown { why: self.unknown.join(" ") }
        } else if !self.waiting.is_empty() {
            Verdict::Waiting { why: self.waiting.join(" "), ask: None }
        } else if self.evidence.facts.is_empty() {
            Verdict::Failed { why: "The rollout gate has nothing to look at: no component names a Deployment.".to_owned() }
        } else {
            Verdict::Ready(self.evidence)
        }
    }
}

fn judge_one(name: &str, image: &ExpectedImage, it: &WorkloadSeen, watched: &mut BTreeMap<String, Watched>, now: Timestamp) -> One {
    let runs = match template(name, image, it) {
        Ok(runs) => runs,
        Err(one) => return one,
    };
    if it.observed_generation < it.generation {
        return One::Waiting(format!("{name}: the new template was not taken up yet."));
    }
    if let Some(one) = missed_deadline(name, it, watched, now) {
        return one;
    }
    match (unfinished(it), foreign_digest(image, it)) {
        (Some(why), _) => One::Waiting(format!("{name}: {why}{}", complaints(it))),
        (None, Some(other)) => One::Waiting(format!("{name} has the right tag, but a pod runs {other}. Is the tag pinned to its digest?")),
        // Without the count: it is the autoscaler's, and would make the same state look new.
        (None, None) => {
            watched.entry(name.to_owned()).and_modify(|entry| entry.complete = Some(it.available));
            One::Ready(name.to_owned(), format!("runs {runs}, all replicas updated and available"))
        }
    }
}

/// What the pod template runs, if it is what we expect.
fn template(name: &str, image: &ExpectedImage, it: &WorkloadSeen) -> Result<String, One> {
    if image.digest.is_none() && image.tag.is_none() {
        return Err(One::Unknown(format!("What {name} should run is not known: neither a tag nor a digest.")));
    }
    let runs = image.among(&it.images);
    match (runs.first(), runs.iter().find(|(_, seen)| !image.is(seen))) {
        (None, _) => Err(One::Waiting(format!("{name} does not run {}; it runs {}.", image.repository, listed(&it.images)))),
        (_, Some((_, other))) => {
            let other = wording::image(other.tag.as_ref(), other.digest.as_ref());
            Err(One::Waiting(format!("{name} still has {other} in its template, not {}.", image.short())))
        }
        (Some((text, _)), None) => Ok((*text).to_owned()),
    }
}

/// The missed progress deadline, once it is sure to be this template's.
fn missed_deadline(name: &str, it: &WorkloadSeen, watched: &mut BTreeMap<String, Watched>, now: Timestamp) -> Option<One> {
    let missed = it.progressing.as_ref().filter(|(reason, _)| reason == "ProgressDeadlineExceeded");
    let fresh = Watched { generation: it.generation, since: now, moved: false, complete: None };
    let entry = watched.entry(name.to_owned()).or_insert_with(|| fresh.clone());
    if entry.generation != it.generation {
        *entry = Watched { complete: entry.complete, ..fresh };
    }
    let Some((reason, message)) = missed else {
        entry.moved = true;
        return None;
    };
    let why = format!("{name}: {reason}: {}{}", quoted(message), complaints(it));
    let sure = entry.moved || elapsed(entry.since, now) >= STANDS;
    Some(if sure { One::Failed(why) } else { One::Waiting(why) })
}

/// What is missing until the rollout is complete, by the same rule as `kubectl rollout status`.
fn unfinished(it: &WorkloadSeen) -> Option<String> {
    let desired = it.desired.unwrap_or(1);
    if it.paused {
        Some("its rollout is paused.".to_owned())
    } else if desired <= 0 {
        Some("it is scaled to zero, so nothing runs.".to_owned())
    } else if it.updated < desired {
        Some(format!("{} of {desired} replicas have the new template.", it.updated))
    } else if it.replicas > it.updated {
        Some(format!("{} old replicas are still there.", it.replicas - it.updated))
    } else if it.available < it.updated {
        Some(format!("{} of {} new replicas are available.", it.available, it.updated))
    } else {
        None
    }
}

/// What the pods complain about, as far as it was seen.
fn complaints(it: &WorkloadSeen) -> String {
    if it.waiting.is_empty() { String::new() } else { format!(" Its pods: {}", quoted(&it.waiting.join("; "))) }
}

/// A digest of our image that a pod runs and that is not the expected one. Only asked where the template names no digest: one
/// that is pinned there is what the node pulls, and what it reports may be the digest of one platform inside it.
fn foreign_digest(image: &ExpectedImage, it: &WorkloadSeen) -> Option<String> {
    let expected = image.digest.as_ref()?;
    if it.images.iter().any(|text| text.ends_with(expected.as_str())) {
        return None;
    }
    let ours = |text: &String| ImageRef::parse(text).ok().filter(|seen| seen.repository == image.repository)?.digest;
    it.running.iter().filter_map(ours).find(|digest| digest != expected).map(|digest| digest.to_string())
}

fn listed(images: &[String]) -> String {
    if images.is_empty() { "nothing".to_owned() } else { images.join(", ") }
}
