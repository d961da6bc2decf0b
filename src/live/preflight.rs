//! Before the first write of a run: can everything that the run will need be used at all?
//!
//! A tag that was cut cannot be taken back, so a missing permission or a wrong address has to show before it.

use super::{Live, look};
use crate::decide::{BuildWants, Wants, gates_to_look_at};
use crate::error::{Error, Kind, Result};
use crate::io::{clock, credentials};
use crate::model::{EnvName, Seen, Sighting, Source, Unseen};
use crate::verify;

/// Reads once from every system that a run of this environment needs.
pub(super) async fn check(live: &mut Live, name: &EnvName) -> Result<()> {
    let pipeline = live.pipeline.clone();
    let Some(environment) = pipeline.environment(name) else { return Err(Error::bug(format!("There is no environment {name}."))) };
    let overlay = look::look(live, &Wants { overlays: vec![(name.clone(), None)], ..Wants::default() }).await?;
    let gates = gates_to_look_at(environment, &overlay)?;
    let mut wants = Wants::default();
    if matches!(environment.source, Source::Release(_)) {
        wants.digests = gates.images.iter().map(|it| (it.repository.clone(), it.tag.clone())).collect();
        let tag = gates.images.first().map_or_else(String::new, |it| it.tag.to_string());
        if let Some(github) = &pipeline.app.github {
            credentials::resolve(&github.token)?;
            wants.page = Some(tag.clone());
        }
        wants.builds = Some(BuildWants { environment: name.clone(), tag, since: Some(clock::now()) });
    }
    wants.gates = Some(gates);
    let seen = look::look(live, &wants).await?;
    let (overlay, images) = (Some(&environment.overlay), environment.images());
    let repositories = || images.iter().map(|(_, repository)| *repository);
    let wrong = seen.applications.iter().filter_map(|(name, it)| verify::misdirected(name, it.known()?, overlay, repositories()));
    if let Some(why) = wrong.reduce(|all, it| format!("{all} {it}")) {
        return Err(Error::config(why)
            .hint("Nothing was begun. The Application and the pipeline's `argocd.application` and `overlay` have to agree."));
    }
    let problems = problems(&seen);
    let Some(kind) = problems.iter().map(|it| it.kind).max_by_key(|it| weight(*it)) else { return Ok(()) };
    let told = match &problems[..] {
        [one] => one.to_string(),
        several => {
            let list: String = several.iter().map(|it| format!("\n  - {it}")).collect();
            format!("{} systems that {name} needs cannot be used:{list}", several.len())
        }
    };
    Err(Error::new(kind, told).hint("Nothing was begun and nothing was changed; run the command again once this is put right."))
}

/// Of several problems the most lasting decides whether looking again can help.
fn weight(kind: Kind) -> u8 {
    match kind {
        Kind::Remote => 0,
        Kind::Unreachable => 1,
        _ => 2,
    }
}

/// What could not be seen, one for each system: of a system that is down, everything would be missing.
/// What the HTTP gates ask is not among it: the service may well be what this run repairs.
fn problems(seen: &Sighting) -> Vec<Unseen> {
    let registry = seen.digests.values().find_map(unseen);
    let builder = seen.builds.values().find_map(unseen);
    let cluster = seen.applications.values().find_map(unseen).or_else(|| seen.workloads.values().find_map(unseen));
    let page = seen.page.as_ref().and_then(unseen);
    [registry, builder, cluster, page].into_iter().flatten().collect()
}

fn unseen<T>(seen: &Seen<T>) -> Option<Unseen> {
    seen.as_result().err().cloned()
}
