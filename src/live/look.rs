//! A look: every system that is wanted, asked at the same time, and what they said put into one sighting.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{Live, blocking, perform};
use crate::act::{page, release};
use crate::decide::{AppWants, BuildWants, GateWants, Wants};
use crate::error::{Error, Result};
use crate::io::kube::Cluster;
use crate::io::{clock, credentials, google};
use crate::model::{
    AppSeen, ApplicationSeen, Build, BuildSeen, ComponentName, Digest, EnvName, Environment, GateSpec, OverlaySeen, Pipeline, RegistryAuth,
    RegistrySettings, Repository, RunId, Seen, Sighting, Source, Tag,
};
use crate::observe::registry::Registry;
use crate::observe::{app, argo, builds, overlay, probe, workloads};

/// Clients that are made when they are first needed and kept.
pub(super) struct Clients {
    registry: OnceLock<Registry>,
    cluster: Option<Cluster>,
    builder: Option<google_cloud_build_v1::client::CloudBuild>,
}

impl Clients {
    pub(super) fn new() -> Self {
        Self { registry: OnceLock::new(), cluster: None, builder: None }
    }

    fn registry(&self) -> Result<&Registry> {
        if self.registry.get().is_none() {
            self.registry.set(Registry::new()?).ok();
        }
        self.registry.get().ok_or_else(|| Error::bug("The registry client was just made."))
    }

    /// The cluster whose API tells about Applications and workloads.
    pub(super) async fn cluster(&mut self) -> Result<&Cluster> {
        if self.cluster.is_none() {
            self.cluster = Some(Cluster::infer().await?);
        }
        self.cluster.as_ref().ok_or_else(|| Error::bug("The cluster's client was just made."))
    }

    async fn builder(&mut self) -> Result<&google_cloud_build_v1::client::CloudBuild> {
        if self.builder.is_none() {
            self.builder = Some(google::cloud_build().await?);
        }
        self.builder.as_ref().ok_or_else(|| Error::bug("The builder's client was just made."))
    }
}

/// Looks at everything that is wanted.
pub(super) async fn look(live: &mut Live, wants: &Wants) -> Result<Sighting> {
    let (state, seq) = live.tip.as_ref().map_or_else(Default::default, |it| (it.state.clone(), Some(it.seq)));
    let mut seen = Sighting::of_ledger(clock::now(), state, seq);
    let (tags, overlays, app) = tokio::join!(tags(live, wants), overlays(live, wants), app_repository(live, wants.app.as_ref()));
    (seen.listings, seen.digests) = tags?;
    seen.overlays = overlays?;
    seen.app = app?;
    if let Some(wants) = &wants.builds {
        seen.builds = release_builds(live, wants).await?.into_iter().collect();
    }
    if let Some(gates) = &wants.gates {
        look_at_gates(live, gates, &mut seen).await?;
    }
    if let Some(tag) = &wants.page {
        seen.page = Some(release_page(live, tag).await);
    }
    Ok(seen)
}

/// A wrong pipeline or overlay is not a passing cloud: it ends the command with its own message.
fn seen_or_wrong<T>(result: Result<T>) -> Result<Seen<T>> {
    match result {
        Err(why) if why.remedy() != crate::error::Remedy::Retry => Err(why),
        other => Ok(other.into()),
    }
}

async fn overlays(live: &Live, wants: &Wants) -> Result<BTreeMap<EnvName, Seen<OverlaySeen>>> {
    let each = wants.overlays.iter().map(|(name, run)| async move { (name.clone(), read_overlay(live, name, run.as_ref()).await) });
    join_all(each).await.into_iter().map(|(name, it)| Ok((name, seen_or_wrong(it)?))).collect()
}

async fn read_overlay(live: &Live, name: &EnvName, run: Option<&RunId>) -> Result<OverlaySeen> {
    let Some(environment) = live.pipeline.environment(name) else { return Err(Error::bug(format!("There is no environment {name}."))) };
    let (store, branch) = (live.config.clone(), live.pipeline.config.branch.clone());
    let (path, run) = (environment.overlay.clone(), run.cloned());
    blocking(move || overlay::look(&store, &branch, &path, run.as_ref())).await
}

async fn app_repository(live: &Live, wants: Option<&AppWants>) -> Result<Option<Seen<AppSeen>>> {
    let Some(wants) = wants.cloned() else { return Ok(None) };
    let (store, pipeline, author) = (live.app.clone(), live.pipeline.clone(), live.person());
    let looked = blocking(move || {
        let compared: Vec<_> = wants
            .sources
            .iter()
            .filter_map(|(component, image, release)| Some(app::Compared { component: pipeline.component(component)?, image, release }))
            .collect();
        let mut seen = app::look(&store, &pipeline.app, wants.history, &compared)?;
        seen.files = app::files(&store, &wants.files)?;
        seen.release = wants.release.map(|it| release::commit(&store, &it, &author).map(|id| (it, id))).transpose()?;
        Ok(seen)
    });
    seen_or_wrong(looked.await).map(Some)
}

/// The settings of an image's registry: the pipeline's, or what its name implies.
fn registry_of(pipeline: &Pipeline, repository: &Repository) -> RegistrySettings {
    let host = repository.registry();
    pipeline.registries.iter().find(|it| it.host == host).cloned().unwrap_or_else(|| {
        let auth = if repository.is_google() { RegistryAuth::Google } else { RegistryAuth::Anonymous };
        RegistrySettings { host: host.to_owned(), endpoint: None, auth }
    })
}

type Listings = BTreeMap<Repository, Seen<crate::model::Listing>>;
type Digests = BTreeMap<(Repository, Tag), Seen<Option<Digest>>>;

/// The tags of repositories, and single digests; one listing a repository, whoever asks.
async fn tags(live: &Live, wants: &Wants) -> Result<(Listings, Digests)> {
    if wants.listings.is_empty() && wants.digests.is_empty() {
        return Ok(Default::default());
    }
    let pipeline = live.pipeline.clone();
    let registry = live.clients.registry()?;
    let pipeline = &pipeline;
    let listings = wants.listings.iter().map(|it| async move { (it.clone(), registry.list(&registry_of(pipeline, it), it).await) });
    let digests = wants.digests.iter().map(|(it, tag)| async move {
        let digest = registry.resolve(&registry_of(pipeline, it), it, tag).await;
        ((it.clone(), tag.clone()), digest)
    });
    let (listings, digests) = tokio::join!(join_all(listings), join_all(digests));
    Ok((listings.into_iter().collect(), digests.into_iter().collect()))
}

/// The builds of every component for one tag.
async fn release_builds(live: &mut Live, wants: &BuildWants) -> Result<Vec<(ComponentName, Seen<Vec<BuildSeen>>)>> {
    let pipeline = live.pipeline.clone();
    let Some(Source::Release(release)) = pipeline.environment(&wants.environment).map(|it| &it.source) else {
        return Err(Error::bug("Builds were wanted for an environment that has none."));
    };
    let Build::CloudBuild(settings) = &release.build;
    let since = since(live, wants).await;
    let client = live.clients.builder().await?;
    let each = release
        .images
        .iter()
        .map(|(component, _)| async move { (component.clone(), builds::builds(client, settings, component, &wants.tag, since).await) });
    Ok(join_all(each).await)
}

/// From when on builds are listed. A tag that was there before us tells its own time.
async fn since(live: &Live, wants: &BuildWants) -> Timestamp {
    let cut = match wants.since {
        Some(at) => at,
        None => {
            let (store, tag) = (live.app.clone(), wants.tag.clone());
            blocking(move || store.tagged_at(&tag)).await.ok().flatten().unwrap_or(Timestamp::UNIX_EPOCH)
        }
    };
    a_day_before(cut, clock::now())
}

/// A day before the tag, by whichever clock is behind: the ledger's times may come from a machine whose clock is ahead. The tag tells which
/// builds count; this only keeps the list short.
fn a_day_before(cut: Timestamp, now: Timestamp) -> Timestamp {
    cut.min(now).checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Everything the gates of an environment ask for.
async fn look_at_gates(live: &mut Live, wants: &GateWants, seen: &mut Sighting) -> Result<()> {
    let pipeline = live.pipeline.clone();
    let Some(environment) = pipeline.environment(&wants.environment) else { return Err(Error::bug("There is no such environment.")) };
    let tip = Seen::from(read_overlay(live, &environment.name, None).await);
    seen.overlays.insert(environment.name.clone(), tip);
    let watches_cluster = environment.gates.iter().any(|it| matches!(it, GateSpec::ArgoCd { .. } | GateSpec::Rollout { .. }));
    if watches_cluster {
        look_at_cluster(live, environment, wants, seen).await?;
    }
    let addresses = environment.gates.iter().filter_map(|it| match it {
        GateSpec::Http(gate) => Some(gate.url.clone()),
        _ => None,
    });
    let answers = join_all(addresses.map(|it| async move { (it.clone(), probe::fetch(&it).await) })).await;
    seen.http.extend(answers);
    Ok(())
}

async fn look_at_cluster(live: &mut Live, environment: &Environment, wants: &GateWants, seen: &mut Sighting) -> Result<()> {
    let pipeline = live.pipeline.clone();
    let names: Vec<_> =
        environment.images().iter().filter_map(|(it, _)| pipeline.component(it)).flat_map(|it| it.workloads.clone()).collect();
    let cluster = live.clients.cluster().await?;
    let applications =
        environment.applications().map(|(name, namespace)| async move { (name.clone(), argo::fetch(cluster, namespace, name).await) });
    let deployments = names.iter().map(|it| async move { (it.clone(), workloads::fetch(cluster, &environment.namespace, it).await) });
    let (applications, deployments) = tokio::join!(join_all(applications), join_all(deployments));
    seen.workloads.extend(deployments);
    for (name, application) in applications {
        let application = match application {
            Seen::Known(it) => Seen::from(relate(live, environment, wants, it).await),
            unknown => unknown,
        };
        seen.applications.insert(name, application);
    }
    Ok(())
}

/// How the revision that Argo CD looked at relates to our commit: git knows, Argo CD does not say.
async fn relate(live: &Live, environment: &Environment, wants: &GateWants, mut application: ApplicationSeen) -> Result<ApplicationSeen> {
    let revision = application.revision.as_deref().and_then(|it| crate::model::CommitId::parse(it).ok());
    let Some(revision) = revision else { return Ok(application) };
    if revision == wants.commit {
        (application.contains_ours, application.holds_our_images) = (Some(true), Some(true));
        return Ok(application);
    }
    let (store, branch, ours) = (live.config.clone(), live.pipeline.config.branch.clone(), wants.commit.clone());
    let (path, images) = (environment.overlay.clone(), wants.images.clone());
    let related = blocking(move || {
        store.fetch(&branch.to_ref(), false)?;
        let contains = store.is_ancestor(&ours, &revision)?;
        let holds = if contains { Some(holds(&overlay::read(&store, &revision, &path)?, &images)?) } else { None };
        Ok((contains, holds))
    })
    .await;
    // A revision that git does not know (a force push, another repository) stays unrelated: the gate waits and says so.
    if let Ok((contains, holds)) = related {
        (application.contains_ours, application.holds_our_images) = (Some(contains), holds);
    }
    Ok(application)
}

/// Whether an overlay's text pins exactly these images.
fn holds((file, text): &(crate::model::RepoPath, String), images: &[crate::model::ImageMove]) -> Result<bool> {
    let entries = crate::decide::overlay::entries(file.as_str(), text)?;
    let same = |it: &crate::model::ImageMove| {
        let entry = crate::decide::overlay::find(file.as_str(), &entries, &it.repository.to_string()).ok();
        entry.is_some_and(|entry| {
            entry.new_tag.as_deref() == Some(it.tag.as_str()) && entry.digest.as_deref() == it.digest.as_ref().map(Digest::as_str)
        })
    };
    Ok(images.iter().all(same))
}

async fn release_page(live: &Live, tag: &str) -> Seen<Option<String>> {
    let found = async {
        let github = perform::github(live)?;
        let client = page::client(github, &credentials::resolve(&github.token)?)?;
        page::find(&client, github, tag).await
    };
    found.await.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_hides_no_build() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (now, day_before) = (at("2026-11-21T12:00:00Z"), at("2026-11-20T12:00:00Z"));
        assert_eq!(a_day_before(at("2026-11-21T12:00:00Z"), now), day_before);
        assert_eq!(a_day_before(at("2028-01-01T00:00:00Z"), now), day_before, "cut by a machine whose clock is ahead");
        assert_eq!(a_day_before(at("2026-11-01T12:00:00Z"), now), at("2026-10-31T12:00:00Z"), "resumed weeks later");
    }
}
