//! Cloud Build, judged by Google's own clients.

use google_cloud_auth::credentials::anonymous;
use google_cloud_build_v1::client::CloudBuild;
use google_cloud_build_v1::model::{ApprovalResult, Build, approval_result::Decision, build::Status};
use google_cloud_lro::Poller;
use serde_json::{Value, json};
use std::process::Command;
use tomoda_release::rehearsal::cloud_build::Ending;
use tomoda_release::rehearsal::play::{self, Change};
use tomoda_release::rehearsal::{Pace, World, cloud_build, dev_tag};

use crate::support::world::{clean, has, instant, until, world};

const PARENT: &str = "projects/development-485000/locations/asia-east1";
const CHANGE: Change<'static> = Change { subject: "feat(backend): x", files: &[("backend/x.go", "package main\n")] };

async fn client(world: &World) -> CloudBuild {
    let credentials = anonymous::Builder::new().build();
    CloudBuild::builder().with_endpoint(world.cloud_build.url()).with_credentials(credentials).build().await.unwrap()
}

async fn list(client: &CloudBuild, filter: &str) -> Vec<Build> {
    client.list_builds().set_parent(PARENT).set_filter(filter).send().await.unwrap().builds
}

#[tokio::test(flavor = "multi_thread")]
async fn googles_rust_client_follows_a_build_to_its_image() {
    let world = instant().await;
    let client = client(&world).await;
    let commit = play::push(&world, &[CHANGE]).await.unwrap();
    let triggers = client.list_build_triggers().set_parent(PARENT).send().await.unwrap().triggers;
    let trigger = triggers.iter().find(|it| it.name == "backend-push-trigger").unwrap();
    let filter = format!("trigger_id=\"{}\" AND create_time>=\"2026-02-01T00:00:00Z\"", trigger.id);
    let done = until("the build", async || list(&client, &filter).await.pop().filter(|it| it.status == Status::Success)).await;
    assert_eq!(done.substitutions["COMMIT_SHA"], commit);
    assert_eq!(done.substitutions["TAG_NAME"], dev_tag(&commit));
    assert_eq!(done.build_trigger_id, trigger.id);
    let image = &done.results.as_ref().unwrap().images[0];
    let (name, tag) = image.name.rsplit_once(':').unwrap();
    assert_eq!(world.images.resolve(name, tag).as_ref(), Some(&image.digest));
    assert!(done.create_time <= done.start_time && done.start_time <= done.finish_time && done.finish_time.is_some());
    assert!(done.log_url.starts_with("https://"));

    let again = client.get_build().set_name(format!("{PARENT}/builds/{}", done.id)).send().await.unwrap();
    assert_eq!((again.id, again.status), (done.id, done.status));
    let asked = world.backstage.requests.not_understood();
    assert!(asked.is_empty(), "{asked:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_belong_to_their_filter_and_old_paths_see_nothing() {
    let world = instant().await;
    let client = client(&world).await;
    let first = client.list_builds().set_parent(PARENT).set_page_size(3).send().await.unwrap();
    assert_eq!(first.builds.len(), 3);
    let next = client.list_builds().set_parent(PARENT).set_page_size(100).set_page_token(&first.next_page_token);
    assert_eq!(next.send().await.unwrap().builds.len(), 7);
    let created: Vec<_> = list(&client, "").await.iter().map(|it| it.create_time).collect();
    assert!(created.is_sorted_by(|one, two| one >= two));
    let other = client.list_builds().set_parent(PARENT).set_filter("status=\"SUCCESS\"").set_page_token(&first.next_page_token);
    assert_eq!(other.send().await.unwrap_err().http_status_code(), Some(400));
    assert!(client.list_builds().set_project_id("development-485000").send().await.unwrap().builds.is_empty());
    let foreign = client.list_builds().set_parent("projects/other/locations/asia-east1").send().await.unwrap_err();
    assert_eq!(foreign.http_status_code(), Some(403));
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_the_service_refuses_are_refused_in_its_words() {
    let world = instant().await;
    for filter in ["substitutions.TAG_NAME=\"v0.4.2\"", "build_trigger_id=\"x\"", "status<=2"] {
        let error = client(&world).await.list_builds().set_parent(PARENT).set_filter(filter).send().await.unwrap_err();
        assert_eq!(error.http_status_code(), Some(400), "{filter}");
        assert_eq!(error.status().unwrap().code.name(), "INVALID_ARGUMENT", "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_waits_for_approval_waits_for_a_person() {
    let mut pace = Pace::instant();
    pace.build.manual_approval = true;
    let world = world(pace).await;
    let client = client(&world).await;
    let commit = play::push(&world, &[CHANGE]).await.unwrap();
    let waiting = until("the build", async || list(&client, "status=\"PENDING\"").await.pop()).await;
    assert!(waiting.approval.is_some() && waiting.start_time.is_none());
    let name = format!("{PARENT}/builds/{}", waiting.id);
    let yes = ApprovalResult::new().set_decision(Decision::Approved).set_comment("go");
    client.approve_build().set_name(&name).set_approval_result(yes.clone()).send().await.unwrap();
    let image = "development-485000/tomoda-dev-repo/tomoda-backend";
    until("the image", async || world.images.resolve(image, &dev_tag(&commit))).await;
    assert!(client.approve_build().set_name(&name).set_approval_result(yes).send().await.is_err(), "approved twice");
    assert_eq!(client.get_build().set_name(&name).send().await.unwrap().approval.unwrap().result.unwrap().comment, "go");
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_end_as_they_are_told() {
    let world = instant().await;
    let client = client(&world).await;
    world.cloud_build.next_build_ends("backend-push-trigger", Ending::With(cloud_build::Status::Failure));
    let commit = play::push(&world, &[CHANGE]).await.unwrap();
    let failed = until("the failure", async || list(&client, "status=\"FAILURE\"").await.pop()).await;
    assert!(failed.failure_info.is_some() && failed.results.is_none());
    let image = "development-485000/tomoda-dev-repo/tomoda-backend";
    assert_eq!(world.images.resolve(image, &dev_tag(&commit)), None);
    let again = client.retry_build().set_name(format!("{PARENT}/builds/{}", failed.id)).poller().until_done().await.unwrap();
    assert_eq!((again.status, &again.substitutions["COMMIT_SHA"]), (Status::Success, &commit));
    assert_eq!(world.images.resolve(image, &dev_tag(&commit)), Some(again.results.unwrap().images[0].digest.clone()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_run_by_hand_builds_and_a_second_release_build_cannot_push() {
    let world = instant().await;
    let client = client(&world).await;
    // By hand: Google's Rust client sends the body of the old path on the new one (1.15).
    let run = async |trigger: &str, source: Value| {
        let url = format!("{}/v1/{PARENT}/triggers/{trigger}:run", world.cloud_build.url());
        let response = reqwest::Client::new().post(url).json(&json!({"source": source})).send().await.unwrap();
        let operation: Value = response.json().await.unwrap();
        let id = operation["metadata"]["build"]["id"].as_str().unwrap().to_owned();
        let ended = async || {
            let build = client.get_build().set_name(format!("{PARENT}/builds/{id}")).send().await.unwrap();
            build.finish_time.is_some().then_some(build)
        };
        until("the build", ended).await
    };
    let refused = run("backend-release-trigger", json!({"tagName": "v0.4.2"})).await;
    assert_eq!(refused.status, Status::Failure);
    assert!(refused.status_detail.contains("cannot update tag v0.4.2"), "{refused:?}");
    assert_eq!(run("frontend-push-trigger", json!({"branchName": "main"})).await.status, Status::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn gcloud_lists_and_describes() {
    if !has("gcloud") {
        return;
    }
    let world = instant().await;
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    let gcloud = |arguments: &[&str]| -> Value {
        let mut command = Command::new("gcloud");
        clean(&mut command, home.path());
        command.envs(world.environment()).args(["builds"]).args(arguments);
        command.args(["--region", "asia-east1", "--project", "development-485000", "--format", "json"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let all = gcloud(&["list"]);
    assert_eq!(all.as_array().unwrap().len(), 10);
    let id = all[0]["id"].as_str().unwrap();
    let one = gcloud(&["describe", id]);
    assert_eq!((&one["id"], &one["status"]), (&all[0]["id"], &Value::from("SUCCESS")));
    assert!(one["results"]["images"][0]["digest"].as_str().unwrap().starts_with("sha256:"));
    let tagged = gcloud(&["list", "--filter", "substitutions.TAG_NAME=\"v0.4.2\" AND status=SUCCESS"]);
    assert_eq!(tagged.as_array().unwrap().len(), 2);
    assert_eq!(gcloud(&["list", "--ongoing"]), Value::Array(Vec::new()));
    let asked = world.backstage.requests.not_understood();
    assert!(asked.is_empty(), "{asked:#?}");
}
