//! Somebody else was faster, something says no, somebody says stop: the right exit code, the reason, and a way on.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tomoda_release::rehearsal::cloud_build::{Ending, Status};
use tomoda_release::rehearsal::play;
use tomoda_release::rehearsal::stage::Fault;

use super::scene::{Before, Machine, Scene};
use crate::support::world::{git, git_command, until};

const DEV: &str = "k8s/apps/tomoda/overlays/dev/kustomization.yaml";
const PROD: &str = "k8s/apps/tomoda/overlays/prod/kustomization.yaml";

/// A checkout of one of the repositories.
fn checkout(scene: &Scene, repository: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["clone", "--quiet", &scene.world.git.url(repository), "."]);
    dir
}

/// Somebody edits prod's overlay.
fn edit_prod(scene: &Scene, edit: impl Fn(&str) -> String) -> String {
    edit_overlay(scene, PROD, edit)
}

fn edit_overlay(scene: &Scene, overlay: &str, edit: impl Fn(&str) -> String) -> String {
    let dir = checkout(scene, "config");
    let file: PathBuf = dir.path().join(overlay);
    let text = std::fs::read_to_string(&file).unwrap();
    let edited = edit(&text);
    assert_ne!(text, edited);
    std::fs::write(&file, &edited).unwrap();
    git(dir.path(), &["commit", "--quiet", "--all", "-m", "fix: by hand"]);
    git(dir.path(), &["push", "--quiet", "origin", "HEAD:main"]);
    edited
}

fn prod(scene: &Scene) -> String {
    let dir = checkout(scene, "config");
    std::fs::read_to_string(dir.path().join(PROD)).unwrap()
}

/// A promotion that waits for a build which stays in the queue.
async fn waiting_for_builds(scene: &Scene) -> (Before, Machine) {
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    let before = scene.now(&before.commit);
    scene.world.cloud_build.next_build_ends("backend-release-trigger", Ending::Never);
    let promoting = scene.start(&["promote", "--yes"]);
    until("the tag", async || scene.tags(&before).pop()).await;
    (before, promoting)
}

/// Does something to the newest build of v0.5.0 of a trigger.
async fn build_verb(scene: &Scene, trigger: &str, verb: &str) {
    let url = format!("{}/v1/projects/development-485000/locations/asia-east1/builds", scene.world.cloud_build.url());
    let client = reqwest::Client::new();
    let find = async || {
        let said: Value = client.get(&url).query(&[("pageSize", "100")]).bearer_auth("x").send().await.unwrap().json().await.unwrap();
        let builds = said["builds"].as_array().unwrap().iter();
        let is_ours = |it: &&Value| it["substitutions"]["TRIGGER_NAME"] == trigger && it["substitutions"]["TAG_NAME"] == "v0.5.0";
        builds.filter(is_ours).find_map(|it| it["id"].as_str().map(str::to_owned))
    };
    let id = until("a build", find).await;
    let done = client.post(format!("{url}/{id}:{verb}")).bearer_auth("x").json(&json!({})).send().await.unwrap();
    assert!(done.status().is_success(), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_push_meanwhile_stays() {
    let scene = Scene::new().await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    let promoting = scene.promote();
    tokio::pin!(promoting);
    let dir = checkout(&scene, "config");
    let mut pushed = 0;
    let ended = loop {
        tokio::select! {
            ended = &mut promoting => break ended,
            () = tokio::time::sleep(Duration::from_millis(30)), if pushed < 8 => {
                std::fs::write(dir.path().join("notes.txt"), format!("{pushed}\n")).unwrap();
                git(dir.path(), &["add", "--all"]);
                git(dir.path(), &["commit", "--quiet", "-m", "docs: a note"]);
                let push = || git_command(dir.path(), &["push", "--quiet", "origin", "HEAD:main"]).status().unwrap().success();
                while !push() {
                    git(dir.path(), &["pull", "--quiet", "--rebase", "origin", "main"]);
                }
                pushed += 1;
            }
        }
    };
    ended.expect(0);
    let commits = scene.commits(&before);
    let count = |start: &str| commits.iter().filter(|it| it.starts_with(start)).count();
    assert_eq!((count("docs: a note"), count("prod: "), count("dev: ")), (pushed, 1, 1), "{commits:?}");
    assert!(pushed > 1);
    scene.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_value_is_not_overwritten() {
    let scene = Scene::new().await;
    let (before, promoting) = waiting_for_builds(&scene).await;
    let edited = edit_prod(&scene, |it| it.replacen("newTag: v0.4.2", "newTag: v9.9.9", 1));
    build_verb(&scene, "backend-release-trigger", "cancel").await;
    let stopped = promoting.ended().await;
    stopped.says(3, &["backend", "CANCELLED", "promote"]);
    build_verb(&scene, "backend-release-trigger", "retry").await;
    scene.promote().await.says(3, &[PROD, "v9.9.9", "v0.4.2", "Somebody else changed it"]);
    assert_eq!(prod(&scene), edited);
    assert_eq!(scene.commits(&before), ["fix: by hand"]);
    assert!(scene.state().open.is_empty() && scene.leases().is_empty());
    scene.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_is_gone_is_not_invented() {
    let scene = Scene::new().await;
    let (before, promoting) = waiting_for_builds(&scene).await;
    let edited = edit_prod(&scene, |it| {
        let start = it.find("  - name: ").unwrap();
        let end = start + 1 + it[start + 1..].find("  - name: ").unwrap();
        format!("{}{}", &it[..start], &it[end..])
    });
    build_verb(&scene, "backend-release-trigger", "cancel").await;
    promoting.ended().await.expect(3);
    build_verb(&scene, "backend-release-trigger", "retry").await;
    scene.promote().await.says(2, &[PROD, "tomoda-"]);
    assert_eq!(prod(&scene), edited);
    assert_eq!(scene.commits(&before), ["fix: by hand"]);
    assert!(scene.leases().is_empty());
}

/// A rewritten branch does not know the commit that dev runs: what stays there is not called the newest.
#[tokio::test(flavor = "multi_thread")]
async fn what_stays_although_something_newer_may_be_there_says_why() {
    let scene = Scene::new().await;
    scene.begin().await;
    scene.bump().await.expect(0);
    let dir = checkout(&scene, "app");
    std::fs::write(dir.path().join("backend/amended.go"), "package main\n").unwrap();
    git(dir.path(), &["add", "--all"]);
    git(dir.path(), &["commit", "--quiet", "--amend", "-m", "fix: amended"]);
    git(dir.path(), &["push", "--quiet", "--force", "origin", "HEAD:main"]);
    let tip = git(dir.path(), &["rev-parse", "HEAD"]);
    play::dev_image(&scene.world, "backend", &tip, &mut 0, |_| {}).await;
    let said = scene.bump().await.expect(0).json();
    let why = said["reason"].as_str().unwrap();
    assert_eq!(said["outcome"], "nothing");
    for word in ["dev stays at what it has proved", "backend stays at", &tip[..7], "adopt: true"] {
        assert!(why.contains(word), "{word:?} is missing in: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_branch_is_a_final_no() {
    let scene = Scene::new().await;
    let before = scene.begin().await;
    scene.world.git.protect("config", "main").unwrap();
    scene.bump().await.says(3, &["GH006", "pull request"]);
    assert_eq!(scene.commits(&before), [""; 0]);
    assert!(scene.leases().is_empty());
    scene.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_exists_elsewhere_is_never_moved() {
    let scene = Scene::new().await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    scene.world.backstage.faults.order(Fault::parse("git POST /app.git/git-receive-pack silent=before").unwrap());
    let mut promoting = scene.start(&["promote", "--yes"]);
    until("the push", async || scene.world.backstage.events.since(0).into_iter().find(|it| it.who == "fault")).await;
    promoting.kill().await;
    let dir = checkout(&scene, "app");
    git(dir.path(), &["tag", "-a", "-m", "mine", "v0.5.0", "HEAD~1"]);
    git(dir.path(), &["push", "--quiet", "origin", "v0.5.0"]);
    let elsewhere = git(dir.path(), &["rev-parse", "--short=7", "HEAD~1"]);
    scene.promote().await.says(3, &["v0.5.0", &elsewhere, &before.commit[..7], "never moved"]);
    assert_eq!(scene.tags(&before), [format!("v0.5.0 at {elsewhere}")]);
    scene.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_build_stops_the_release_and_its_retry_lets_it_go_on() {
    let scene = Scene::new().await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    scene.world.cloud_build.next_build_ends("frontend-release-trigger", Ending::With(Status::Failure));
    scene.promote().await.says(3, &["frontend", "FAILURE", "https://", "retry"]);
    scene.promote().await.says(3, &["frontend", "FAILURE"]);
    assert_eq!(scene.commits(&before).len(), 1);
    build_verb(&scene, "frontend-release-trigger", "retry").await;
    scene.promote().await.expect(0);
    assert_eq!((scene.tags(&before).len(), scene.commits(&before).len()), (1, 2));
    assert!(scene.state().open.is_empty());
    scene.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_never_appears_names_the_trigger() {
    let scene = Scene::new().await;
    scene.edit_pipeline(|it| {
        it.replace("backend: backend-release-trigger", "backend: backend-push-trigger")
            .replace("location: asia-east1\n", "location: asia-east1\n          appearsWithin: 2s\n")
    });
    scene.begin().await;
    scene.bump().await.expect(0);
    scene.promote().await.says(4, &["backend-push-trigger", "No build of backend", "v0.5.0"]);
    assert!(scene.leases().is_empty());
    scene.edit_pipeline(|it| it.replace("backend: backend-push-trigger", "backend: backend-release-trigger"));
    scene.promote().await.expect(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_outage_of_everything_is_waited_out() {
    let scene = Scene::new().await;
    let before = scene.begin().await;
    for (command, nth) in [(&["bump", "dev"][..], 9), (&["promote", "--yes"], 25)] {
        let outage = format!("git * * nth={nth} times=4 status=503");
        scene.world.backstage.faults.order(Fault::parse(&outage).unwrap());
        scene.world.backstage.faults.order(Fault::parse("kubernetes * * nth=2 times=3 reset=before").unwrap());
        scene.world.backstage.faults.order(Fault::parse("cloudbuild * * nth=1 times=2 status=503").unwrap());
        scene.run(command).await.expect(0);
        scene.world.backstage.faults.clear();
    }
    scene.is_released(&before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_by_a_signal_it_gives_the_lease_back_and_resumes_at_once() {
    let scene = Scene::slow("60s", "2s").await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    let promoting = scene.start(&["promote", "--yes"]);
    until("the overlay", async || scene.commits(&before).into_iter().find(|it| it.starts_with("prod: "))).await;
    assert_eq!(scene.leases().len(), 1);
    promoting.terminate();
    promoting.ended().await.says(4, &["Stopped by a signal", "resumes"]);
    assert_eq!(scene.leases(), [""; 0]);
    let begun = Instant::now();
    scene.promote().await.expect(0);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    scene.is_released(&before).await;
}

/// A Cloud Build step and a workflow say just `promote`.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_nobody_is_asked() {
    let scene = Scene::new().await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    scene.run(&["promote"]).await.expect(0);
    scene.is_released(&before).await;
    assert_eq!(scene.run(&["promote", "--no-input"]).await.expect(0).json()["outcome"], "nothing");
}

/// Something hangs, and who asked politely has no more patience.
#[tokio::test(flavor = "multi_thread")]
async fn asked_twice_it_stops_at_once() {
    let scene = Scene::new().await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    scene.world.backstage.faults.order(Fault::parse("git POST /app.git/git-receive-pack silent=before").unwrap());
    let promoting = scene.start(&["promote", "--yes"]);
    until("the push", async || scene.world.backstage.events.since(0).into_iter().find(|it| it.who == "fault")).await;
    promoting.terminate();
    until("the first signal", async || promoting.said().contains("Ask once more").then_some(())).await;
    promoting.terminate();
    let ended = promoting.ended().await.expect(4);
    assert_eq!(ended.json()["error"]["exitCode"], 4);
    ended.says(4, &["Stopped at once", "resumes"]);
    scene.promote().await.expect(0);
    scene.is_released(&before).await;
}

/// Who waits for a dead driver's lease can be stopped, too.
#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_lease_can_be_stopped() {
    let scene = Scene::slow("60s", "2s").await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    let mut first = scene.start(&["promote", "--yes"]);
    until("the tag", async || scene.tags(&before).pop()).await;
    first.kill().await;
    let waiting = scene.start(&["promote", "--yes"]);
    until("the wait", async || waiting.said().contains("the lease: held by").then_some(())).await;
    let begun = Instant::now();
    waiting.terminate();
    waiting.ended().await.expect(4);
    // The lease would have lasted for a minute.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlay_without_tags_hides_nothing_and_is_moved() {
    let scene = Scene::new().await;
    scene.begin().await;
    edit_overlay(&scene, DEV, |it| it.lines().filter(|it| !it.contains("newTag:")).map(|it| format!("{it}\n")).collect());
    let status = scene.run(&["status"]).await.expect(0).json();
    let dev = &status["environments"][0];
    assert!(dev["applications"][0]["health"].is_string(), "{dev}");
    assert!(dev["components"][0]["workloads"][0]["images"].is_array(), "{dev}");
    scene.run(&["verify", "dev"]).await.says(2, &[DEV, "the entry of backend", "has no `newTag`", "Write `newTag` into it"]);
    scene.bump().await.expect(0);
    scene.run(&["verify", "dev"]).await.expect(0);
}

/// A lease is a courtesy: when somebody removes it, nobody else drives, and the driver goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_removed_by_hand_is_taken_again() {
    let scene = Scene::slow("1s", "3s").await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    let promoting = scene.start(&["promote", "--yes"]);
    until("the overlay", async || scene.commits(&before).into_iter().find(|it| it.starts_with("prod: "))).await;
    let [lease] = &scene.leases()[..] else { panic!("one lease was to be held") };
    git(&scene.world.git.dir("config"), &["update-ref", "-d", lease]);
    until("the lease", async || scene.leases().pop()).await;
    promoting.ended().await.expect(0);
    scene.is_released(&before).await;
    assert_eq!(scene.leases(), [""; 0]);
}

/// Frozen for longer than its lease, it finds its work done by another, and says so.
#[tokio::test(flavor = "multi_thread")]
async fn who_wakes_after_another_finished_sees_that_it_is_done() {
    let scene = Scene::slow("1s", "2s").await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    let frozen = scene.start(&["promote", "--yes"]);
    until("the overlay", async || scene.commits(&before).into_iter().find(|it| it.starts_with("prod: "))).await;
    frozen.signal("STOP");
    scene.promote().await.expect(0);
    frozen.signal("CONT");
    assert_eq!(frozen.ended().await.expect(0).json()["outcome"], "nothing");
    scene.is_released(&before).await;
    assert_eq!(scene.leases(), [""; 0]);
}

/// What the plan warned of is told again when a gate fails because of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_pin_by_hand_that_cannot_work_is_named_when_its_gate_fails() {
    let scene = Scene::new().await;
    scene.edit_pipeline(|it| it.replace("json: { /version: \"{tag}\" } }", "json: { /version: \"{tag}\" }, within: 1s }"));
    scene.begin().await;
    scene.bump().await.expect(0);
    edit_overlay(&scene, DEV, |it| it.replacen("newTag: dev-", "newTag: by-hand-", 1));
    scene.bump().await.says(3, &["not by-hand-", "The plan warned: backend stays at by-hand-", "adopt: true", "does not list by-hand-"]);
}
