//! Builds of a release tag, as Cloud Build tells them.
//!
//! The server can filter by trigger and time only: a filter on substitutions is an error there, and a build of a
//! connected repository has no source to filter by. So the tag and the commit are matched here.

use google_cloud_build_v1::{client::CloudBuild as Client, model};
use google_cloud_gax::paginator::ItemPaginator as _;
use jiff::Timestamp;

use crate::error::Kind;
use crate::io::http::Cause;
use crate::model::{BuildSeen, BuildStatus, CloudBuild, CommitId, ComponentName, Digest, Seen, Unseen};

/// More builds of one trigger since the tag than anyone means to look through.
const MOST_BUILDS: usize = 500;
/// More triggers than a project has in one region.
const MOST_TRIGGERS: usize = 2_000;

/// The builds of this tag by a component's trigger, the newest first, as far as they were created since then.
pub async fn builds(
    client: &Client,
    settings: &CloudBuild,
    component: &ComponentName,
    tag: &str,
    since: Timestamp,
) -> Seen<Vec<BuildSeen>> {
    let Some((_, trigger)) = settings.triggers.iter().find(|it| it.0 == *component) else {
        return Seen::Unknown(Unseen::lasting(format!("No Cloud Build trigger is configured for component {component}.")));
    };
    match look(client, settings, trigger, tag, since).await {
        Ok(builds) => Seen::Known(builds),
        Err(why) => Seen::Unknown(why),
    }
}

async fn look(client: &Client, settings: &CloudBuild, trigger: &str, tag: &str, since: Timestamp) -> Result<Vec<BuildSeen>, Unseen> {
    // Only the parent is set: with a project id the client would ask the old address, which shows other builds.
    let parent = format!("projects/{}/locations/{}", settings.project, settings.location);
    let id = trigger_id(client, &parent, trigger).await?;
    let filter = format!("trigger_id=\"{id}\" AND create_time>=\"{since}\"");
    let mut list = client.list_builds().set_parent(&parent).set_page_size(100).set_filter(filter).by_item();
    let mut found = Vec::new();
    let mut looked_at = 0;
    while let Some(build) = list.next().await {
        let build = build.map_err(|why| said(&format!("the builds of trigger {trigger} in {parent}"), &why))?;
        looked_at += 1;
        if looked_at > MOST_BUILDS {
            let many = format!("Trigger {trigger} in {parent} has more than {MOST_BUILDS} builds since {since}; they were not all read.");
            return Err(Unseen::lasting(many));
        }
        if build.substitutions.get("TAG_NAME").is_some_and(|it| it == tag) {
            found.push(seen(&build));
        }
    }
    found.sort_by_key(|it| std::cmp::Reverse(it.created));
    Ok(found)
}

/// The id of a trigger that may be named by id or by name.
async fn trigger_id(client: &Client, parent: &str, trigger: &str) -> Result<String, Unseen> {
    let what = format!("the Cloud Build trigger {trigger} in {parent}");
    match client.get_build_trigger().set_name(format!("{parent}/triggers/{trigger}")).send().await {
        Ok(found) if !found.id.is_empty() => return Ok(found.id),
        Ok(_) => {}
        Err(why) if why.http_status_code() == Some(404) => {}
        Err(why) => return Err(said(&what, &why)),
    }
    let mut list = client.list_build_triggers().set_parent(parent).set_page_size(100).by_item();
    let mut others = Vec::new();
    while let Some(found) = list.next().await {
        let found = found.map_err(|why| said(&what, &why))?;
        if found.name == trigger {
            return Ok(found.id);
        }
        others.push(found.name);
        if others.len() > MOST_TRIGGERS {
            return Err(Unseen::lasting(format!("There are more than {MOST_TRIGGERS} triggers in {parent}; name {trigger} by its id.")));
        }
    }
    others.truncate(10);
    let there = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
    Err(Unseen::lasting(format!("There is no Cloud Build trigger {trigger} in {parent} (there: {there}).")))
}

/// A failed call as a sentence, and whether another may succeed.
fn said(what: &str, why: &google_cloud_gax::error::Error) -> Unseen {
    let cause = Cause::of(why);
    let (kind, reason) = match (why.status(), why.http_status_code()) {
        (Some(status), code) if !status.message.is_empty() => (kind(code), format!("{}: {}", status.code.name(), status.message)),
        (_, Some(code)) => (kind(Some(code)), format!("status {code}")),
        _ if why.is_timeout() => (Kind::Remote, "no answer in time".to_owned()),
        _ => (cause.kind(), cause.to_string()),
    };
    let reason: String = reason.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(400).collect();
    Unseen { kind, why: format!("Cloud Build did not show {what}: {}.", reason.trim_end_matches('.')) }
}

fn kind(status: Option<u16>) -> Kind {
    match status {
        Some(408 | 429) | None => Kind::Remote,
        Some(400..500) => Kind::RemoteFinal,
        Some(_) => Kind::Remote,
    }
}

fn seen(build: &model::Build) -> BuildSeen {
    let images = build.results.iter().flat_map(|it| &it.images);
    let commit = build.substitutions.get("COMMIT_SHA").or(build.substitutions.get("REVISION_ID"));
    BuildSeen {
        id: build.id.clone(),
        status: status(build),
        detail: detail(build),
        log_url: build.log_url.clone(),
        commit: commit.and_then(|it| CommitId::parse(it).ok()),
        created: build.create_time.and_then(|it| Timestamp::new(it.seconds(), it.nanos()).ok()),
        images: images.filter_map(|it| Some((without_tag(&it.name), Digest::parse(&it.digest).ok()?))).collect(),
    }
}

/// An image's name without its tag: `registry:5000/app:v1` is `registry:5000/app`.
fn without_tag(name: &str) -> String {
    let last = name.rfind('/').map_or(0, |it| it + 1);
    name[last..].find(':').map_or(name, |colon| &name[..last + colon]).to_owned()
}

fn status(build: &model::Build) -> BuildStatus {
    use model::build::Status;
    use model::build_approval::State;
    // What becomes of the status after a rejection is not documented: the rejection itself is clear.
    match build.approval.as_ref().map(|it| &it.state) {
        Some(State::Rejected) => return BuildStatus::Failed("REJECTED".to_owned()),
        Some(State::Cancelled) => return BuildStatus::Failed("CANCELLED".to_owned()),
        _ => {}
    }
    let name = build.status.name().map_or_else(|| build.status.to_string(), str::to_owned);
    match build.status {
        Status::Pending => BuildStatus::Pending,
        Status::Queued => BuildStatus::Queued,
        Status::Working => BuildStatus::Working,
        Status::Success => BuildStatus::Succeeded,
        Status::Failure | Status::InternalError | Status::Timeout | Status::Cancelled | Status::Expired => BuildStatus::Failed(name),
        _ => BuildStatus::Other(name),
    }
}

/// What the builder says, and what it says about a failure.
fn detail(build: &model::Build) -> Option<String> {
    let failure = build.failure_info.as_ref().map(|it| it.detail.as_str()).unwrap_or_default();
    let parts: Vec<&str> = [build.status_detail.as_str(), failure].into_iter().filter(|it| !it.is_empty()).collect();
    if parts.is_empty() { None } else { Some(parts.join(": ")) }
}
