//! The rehearsal's servers, judged by programs that nobody here wrote and by the published contracts.

mod builds;
mod faults;
mod forge;
mod pushes;
mod registry;

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::support::world::{Rehearsal, clean, has, instant, until};

#[test]
fn prints_where_everything_is_and_ends_without_a_trace() {
    let mut rehearsal = Rehearsal::start(&["--instant", "--seed", "7"]);
    let described = rehearsal.described.clone();
    for url in ["app", "config", "registry", "cloudBuild", "argocd", "github"] {
        assert!(described["urls"][url].as_str().unwrap().starts_with("http://127.0.0.1:"), "{url}: {described}");
    }
    for file in [&described["pipeline"], &described["kubeconfig"], &described["env"]["TOMODA_RELEASE_PIPELINE"]] {
        assert!(std::fs::metadata(file.as_str().unwrap()).unwrap().len() > 100, "{file}");
    }
    assert!(described["env"]["TOMODA_LEDGER_KEY"].as_str().unwrap().starts_with("-----BEGIN OPENSSH PRIVATE KEY-----"));
    assert_eq!(rehearsal.stop().code(), Some(0));
    let left: Vec<_> = std::fs::read_dir(rehearsal.home.path().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_wrong_fault_is_a_usage_error_before_anything_starts() {
    let output = Command::new(env!("CARGO_BIN_EXE_tomoda-release")).args(["rehearse", "--fault", "git POST"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("hint:"), "{output:?}");
}

#[test]
fn plays_the_whole_journey_with_the_real_commands() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_tomoda-release"));
    clean(&mut command, home.path());
    let output = command.args(["rehearse", "--instant"]).output().unwrap();
    let (told, noted) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{told}\n{noted}");
    for part in ["$ tomoda-release bump dev", "$ tomoda-release promote --yes", "$ tomoda-release ledger verify", "app     v0.5.0 at "] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let images = told.lines().filter(|it| it.ends_with("is SUCCESS and pushed its image")).count();
    assert_eq!(images, 2, "the builds of this push, not those of the world's past: {told}");
    assert!(!noted.contains("did not understand"), "{noted}");
    assert_eq!(std::fs::read_dir(home.path().join("tmp")).unwrap().count(), 0);
}

#[test]
fn programs_of_a_second_terminal_see_the_world() {
    let rehearsal = Rehearsal::start(&["--instant"]);
    let mut clone = rehearsal.command("git");
    clone.args(["clone", "--quiet", rehearsal.url("config"), "devops"]).current_dir(rehearsal.home.path());
    assert!(clone.status().unwrap().success());
    if has("kubectl") {
        let mut kubectl = rehearsal.command("kubectl");
        let output = kubectl.args(["get", "applications,deployments", "--all-namespaces", "--output", "name"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        for name in ["application.argoproj.io/tomoda", "application.argoproj.io/prod-tomoda", "deployment.apps/tomoda-api"] {
            assert!(said.lines().any(|it| it == name), "{name}: {output:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pipeline_file_says_where_everything_is() {
    let world = instant().await;
    let pipeline = tomoda_release::config::load(&world.pipeline()).unwrap();
    assert_eq!(pipeline.name.as_str(), "tomoda");
    assert_eq!(pipeline.registries[0].endpoint.as_deref(), Some(world.registry.url()));
    assert_eq!(pipeline.app.github.unwrap().api, world.github.url());
    let key = std::fs::read_to_string(world.pipeline()).unwrap();
    let private = ssh_key::PrivateKey::from_openssh(&world.environment()["TOMODA_LEDGER_KEY"]).unwrap();
    let public = private.public_key().to_openssh().unwrap();
    assert!(key.contains(&format!("release-bot {}", public.rsplit_once(' ').unwrap().0)), "{public}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_says_what_the_cluster_runs() {
    let world = instant().await;
    for (name, version) in [("dev", None), ("prod", Some("v0.4.2"))] {
        let url = format!("{}/{name}/health", world.app_url());
        let healthy = async || reqwest::get(&url).await.unwrap().error_for_status().ok();
        let said: Value = until("a healthy app", healthy).await.json().await.unwrap();
        let (told, commit) = (said["version"].as_str().unwrap(), said["commit"].as_str().unwrap());
        assert_eq!(told, version.map_or_else(|| tomoda_release::rehearsal::dev_tag(commit), str::to_owned));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_worlds_do_not_know_of_each_other() {
    let mut worlds = Vec::new();
    for _ in 0..8 {
        worlds.push(instant().await);
    }
    let urls: BTreeSet<String> = worlds.iter().map(|it| it.git.url("app")).collect();
    let folders: BTreeSet<_> = worlds.iter().map(|it| it.folder().to_owned()).collect();
    assert_eq!((urls.len(), folders.len()), (8, 8));
    for world in worlds {
        let folder = world.folder().to_owned();
        world.stop().await.unwrap();
        assert!(!folder.exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_world_begins_with_the_same_history() {
    let (one, two) = (instant().await, instant().await);
    for repository in ["app", "config"] {
        let refs = |world: &tomoda_release::rehearsal::World| tomoda_release::rehearsal::git::refs_of(&world.git.dir(repository)).unwrap();
        assert_eq!(refs(&one), refs(&two));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_refused_loudly_and_remembered() {
    let world = instant().await;
    let client = reqwest::Client::new();
    let urls = [
        format!("{}/nothing/here", world.github.url()),
        format!("{}/v1/projects/development-485000/locations/asia-east1/builds?pageSiez=1", world.cloud_build.url()),
        format!("{}/v2/?what=1", world.registry.url()),
        format!("{}?service=git-archive", world.git.url("app") + "/info/refs"),
        format!("{}/staging/health", world.app_url()),
    ];
    for url in &urls {
        let response = client.get(url).header("User-Agent", "test").header("Authorization", "Bearer x").send().await.unwrap();
        assert_eq!(response.status(), 501, "{url}");
        let body: Value = response.json().await.unwrap();
        assert!(body["error"]["message"].as_str().unwrap().contains("does not understand"), "{body}");
    }
    assert_eq!(world.backstage.requests.not_understood().len(), urls.len());
    assert!(world.backstage.requests.all().iter().all(|it| it.authorization.as_deref() == Some("Bearer ***")));
}
