//! A survey: where every environment stands, for a person who asks.

use super::candidate::{self, Choice, Facts};
use super::pins::{Pinned, pins};
use super::{AppWants, GateWants, Wants, gates_to_look_at};
use crate::model::{ApplicationSeen, Environment, OpenRun, Pin, Pipeline, Proved, Repository, Seen, Sighting, Source, WorkloadSeen};

/// Where one environment stands. What could not be seen says why.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its name.
    pub environment: String,
    /// One line for each component.
    pub components: Vec<ComponentStanding>,
    /// What Argo CD says about each Application.
    pub applications: Vec<(String, Seen<ApplicationSeen>)>,
    /// What it proved last.
    pub proved: Option<Proved>,
    /// Where the overlay wants something else than what was proved, though no run is under way: a run that failed, or
    /// somebody's edit.
    pub drift: Vec<String>,
    /// The run under way.
    pub open: Option<OpenRun>,
    /// Why it must not move.
    pub hold: Option<String>,
    /// What could not be found out.
    pub unknown: Vec<String>,
}

/// Where one component of an environment stands.
#[derive(Clone, Debug)]
pub struct ComponentStanding {
    /// Its name.
    pub component: String,
    /// The image it is.
    pub repository: Repository,
    /// The newest candidate of an environment that follows tags, or why there is none.
    pub newest: Option<Result<String, String>>,
    /// What the overlay says.
    pub wanted: Pin,
    /// What its workloads run, and whether all of it is up.
    pub workloads: Vec<(String, Seen<Option<WorkloadSeen>>)>,
}

/// What to look at for one environment.
pub fn wants(environment: &Environment) -> Wants {
    let (mut listings, mut history) = (Vec::new(), false);
    if let Source::Follow(follows) = &environment.source {
        listings = follows.iter().map(|it| it.image.clone()).collect();
        listings.dedup();
        history = follows.iter().any(|it| it.policy.newest == crate::model::Newest::Commit);
    }
    let app = history.then(|| AppWants { history, ..AppWants::default() });
    Wants { overlays: vec![(environment.name.clone(), None)], listings, app, ..Wants::default() }
}

/// What to look at in the cluster, once the overlay is known. An overlay that cannot be read tells the survey so itself.
pub fn cluster_wants(environment: &Environment, seen: &Sighting) -> Option<GateWants> {
    gates_to_look_at(environment, seen).ok()
}

/// Where the environment stands, by what was seen of it.
pub fn survey(pipeline: &Pipeline, environment: &Environment, seen: &Sighting, cluster: Option<&Sighting>) -> Standing {
    let mut unknown = Vec::new();
    let pinned = match seen.overlays.get(&environment.name) {
        Some(Seen::Known(overlay)) => pins(environment, overlay).unwrap_or_else(|why| {
            unknown.push(why.chain());
            Vec::new()
        }),
        Some(Seen::Unknown(why)) => {
            unknown.push(why.to_string());
            Vec::new()
        }
        None => Vec::new(),
    };
    let (proved, open) = (seen.state.proved.get(&environment.name), seen.state.open.get(&environment.name));
    let drift = proved.filter(|_| open.is_none()).map_or(Vec::new(), |it| drift(&pinned, it));
    let components = pinned.into_iter().map(|it| ComponentStanding {
        component: it.component.to_string(),
        repository: it.repository.clone(),
        newest: newest(environment, it.component, &it.pin, seen),
        workloads: workloads(pipeline, it.component, cluster),
        wanted: it.pin,
    });
    Standing {
        environment: environment.name.to_string(),
        components: components.collect(),
        applications: cluster
            .map(|it| it.applications.iter().map(|(name, it)| (name.to_string(), it.clone())).collect())
            .unwrap_or_default(),
        proved: proved.cloned(),
        drift,
        open: open.cloned(),
        hold: seen.state.holds.get(&environment.name).map(|it| format!("{} ({}, {})", it.why, it.by, it.since)),
        unknown,
    }
}

fn drift(pinned: &[Pinned<'_>], proved: &Proved) -> Vec<String> {
    let differs = |it: &Pinned<'_>| {
        let proved = proved.images.iter().find(|image| image.component == *it.component)?;
        let proved = Pin::exact(&proved.tag, &proved.digest);
        (proved != it.pin).then(|| format!("{} wants {}, and {proved} was proved", it.component, it.pin))
    };
    pinned.iter().filter_map(differs).collect()
}

fn newest(
    environment: &Environment,
    component: &crate::model::ComponentName,
    pin: &Pin,
    seen: &Sighting,
) -> Option<Result<String, String>> {
    let Source::Follow(follows) = &environment.source else { return None };
    let follow = follows.iter().find(|it| it.component == *component)?;
    let listing = match seen.listings.get(&follow.image)? {
        Seen::Known(listing) => listing,
        Seen::Unknown(why) => return Some(Err(why.to_string())),
    };
    let history = match &seen.app {
        Some(Seen::Unknown(why)) => return Some(Err(why.to_string())),
        other => other.as_ref().and_then(|it| it.known()).map(|it| it.history.as_slice()),
    };
    let facts = Facts { listing, history, current: (*pin != Pin::default()).then_some(pin), now: seen.at };
    Some(match candidate::choose(&follow.policy, &facts).choice {
        Choice::Candidate { tag, .. } => Ok(tag.to_string()),
        Choice::Nothing { .. } => Ok(pin.tag.clone().unwrap_or_default()),
        Choice::Hold { reason } | Choice::Error { reason } => Err(reason),
    })
}

fn workloads(
    pipeline: &Pipeline,
    component: &crate::model::ComponentName,
    cluster: Option<&Sighting>,
) -> Vec<(String, Seen<Option<WorkloadSeen>>)> {
    let (Some(component), Some(cluster)) = (pipeline.component(component), cluster) else { return Vec::new() };
    component.workloads.iter().filter_map(|it| Some((it.clone(), cluster.workloads.get(it)?.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CommitId, ComponentName, Digest, ProvedImage, Repository, RunId, Tag};

    #[test]
    fn what_was_not_proved_is_drift() {
        let (component, repository) = (ComponentName::parse("backend").unwrap(), Repository::parse("eu.pkg.dev/p/r/backend").unwrap());
        let (tag, digest) = (Tag::parse("v1").unwrap(), Digest::parse(&format!("sha256:{}", "1".repeat(64))).unwrap());
        let exact = Pin::exact(&tag, &digest);
        let image = ProvedImage { component: component.clone(), repository: repository.clone(), tag, digest, commit: None };
        let proved = Proved {
            run: RunId::parse("dev-bump-0-1").unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            commit: CommitId::parse(&"2".repeat(40)).unwrap(),
            version: None,
            images: vec![image],
        };
        let said = |pin: Pin| drift(&[Pinned { component: &component, repository: &repository, pin }], &proved);
        assert_eq!(said(exact.clone()), Vec::<String>::new());
        let other = Pin { tag: Some("v2".to_owned()), ..exact };
        assert_eq!(said(other), ["backend wants v2@sha256:111111111111, and v1@sha256:111111111111 was proved"]);
        assert_eq!(said(Pin::default()), ["backend wants (nothing), and v1@sha256:111111111111 was proved"]);
    }
}
