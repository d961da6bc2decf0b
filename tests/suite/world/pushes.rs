//! Git over HTTP with the real git program, and what a push sets off.

use std::path::Path;

use tomoda_release::rehearsal::stage::{Effect, Fault};
use tomoda_release::rehearsal::{World, dev_tag};

use crate::support::world::{git, git_command, instant, until};

const DEV: &str = "asia-east1-docker.pkg.dev/development-485000/tomoda-dev-repo";
const PROD: &str = "asia-east1-docker.pkg.dev/development-485000/tomoda-prod-repo";

fn checkout(world: &World, repository: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["clone", "--quiet", &world.git.url(repository), "."]);
    dir
}

fn commit(dir: &Path, path: &str, text: &str, subject: &str) -> String {
    std::fs::write(dir.join(path), text).unwrap();
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "-m", subject]);
    git(dir, &["rev-parse", "HEAD"])
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_begins_with_the_newest_images_and_prod_with_the_last_release() {
    let world = instant().await;
    let (app, config) = (checkout(&world, "app"), checkout(&world, "config"));
    assert_eq!(git(app.path(), &["tag", "--list"]), "v0.4.1\nv0.4.2");
    assert_eq!(git(app.path(), &["cat-file", "-t", "v0.4.2"]), "tag");
    assert_eq!(git(app.path(), &["show", "v0.4.2:VERSION"]), "0.4.2");
    let overlay = |name: &str| {
        let path = config.path().join(format!("k8s/apps/tomoda/overlays/{name}/kustomization.yaml"));
        std::fs::read_to_string(path).unwrap()
    };
    for (component, folder) in [("backend", "backend"), ("frontend", "frontend")] {
        let last = git(app.path(), &["log", "-1", "--format=%H", "--", folder]);
        assert!(overlay("dev").contains(&format!("newTag: {} # {component}", dev_tag(&last))), "{}", overlay("dev"));
        assert!(world.images.resolve(&format!("{DEV}/tomoda-{component}"), &dev_tag(&last)).is_some());
        assert!(world.images.resolve(&format!("{PROD}/tomoda-{component}"), "v0.4.2").is_some());
    }
    assert_eq!(overlay("prod").matches("newTag: v0.4.2").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_builds_what_it_touches_and_a_release_tag_builds_both() {
    let world = instant().await;
    let app = checkout(&world, "app");
    let docs = commit(app.path(), "README.md", "# Tomoda\n", "docs: shorter");
    git(app.path(), &["push", "--quiet", "origin", "main"]);
    let backend = commit(app.path(), "backend/x.go", "package main\n", "feat(backend): x");
    git(app.path(), &["push", "--quiet", "origin", "main"]);
    let image = format!("{DEV}/tomoda-backend");
    let digest = until("the dev image", async || world.images.resolve(&image, &dev_tag(&backend))).await;
    assert_eq!(world.images.identity(&image, &digest), Some((dev_tag(&backend), backend.clone())));
    assert_eq!(world.images.resolve(&format!("{DEV}/tomoda-frontend"), &dev_tag(&backend)), None);
    assert_eq!(world.images.resolve(&image, &dev_tag(&docs)), None);

    git(app.path(), &["tag", "-a", "-m", "v0.5.0", "v0.5.0"]);
    git(app.path(), &["tag", "v0.5.0-rc.1"]);
    git(app.path(), &["push", "--quiet", "origin", "v0.5.0", "v0.5.0-rc.1"]);
    for component in ["backend", "frontend"] {
        let image = format!("{PROD}/tomoda-{component}");
        let digest = until("the prod image", async || world.images.resolve(&image, "v0.5.0")).await;
        assert_eq!(world.images.identity(&image, &digest), Some(("v0.5.0".to_owned(), backend.clone())));
        assert_eq!(world.images.resolve(&image, "v0.5.0-rc.1"), None);
    }
    assert!(world.backstage.requests.not_understood().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_of_every_size_arrive() {
    let world = instant().await;
    let config = checkout(&world, "config");
    // Larger than git's post buffer, so that the body is chunked; not compressible, so that it stays large.
    let mut state = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(33 + u8::try_from(state >> 58).unwrap())
    })
    .take(6 << 20)
    .collect();
    let tip = commit(config.path(), "noise", &noise, "chore: noise");
    git(config.path(), &["push", "--quiet", "origin", "main"]);
    let again = checkout(&world, "config");
    assert_eq!(git(again.path(), &["rev-parse", "HEAD"]), tip);
    assert_eq!(std::fs::read_to_string(again.path().join("noise")).unwrap(), noise);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_credentials_and_none_are_welcome_and_a_lost_race_is_refused() {
    let world = instant().await;
    let (one, two) = (checkout(&world, "config"), checkout(&world, "config"));
    commit(one.path(), "one", "1", "chore: one");
    commit(two.path(), "two", "2", "chore: two");
    let url = world.git.url("config").replace("http://", "http://x-access-token:secret@");
    git(one.path(), &["push", "--quiet", &url, "main"]);
    let lost = git_command(two.path(), &["push", "origin", "main"]).output().unwrap();
    assert!(!lost.status.success() && String::from_utf8_lossy(&lost.stderr).contains("rejected"), "{lost:?}");
    git(two.path(), &["fetch", "--quiet", "--depth=1", "--filter=blob:none", "origin", "main"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_protected_branch_refuses_as_github_does() {
    let world = instant().await;
    let config = checkout(&world, "config");
    world.git.protect("config", "main").unwrap();
    commit(config.path(), "one", "1", "chore: one");
    let refused = git_command(config.path(), &["push", "origin", "main"]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("GH006") && said.contains("remote rejected"), "{said}");
    git(config.path(), &["push", "--quiet", "origin", "HEAD:other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_whose_answer_is_lost_happened() {
    let world = instant().await;
    let app = checkout(&world, "app");
    let tip = commit(app.path(), "backend/x.go", "package main\n", "feat(backend): x");
    world.backstage.faults.order(Fault::once("git", "POST", "*/git-receive-pack", Effect::ResetAfter));
    let push = git_command(app.path(), &["push", "origin", "main"]).output().unwrap();
    assert!(!push.status.success(), "{push:?}");
    assert!(git(app.path(), &["ls-remote", "origin", "main"]).starts_with(&tip));
    until("the dev image", async || world.images.resolve(&format!("{DEV}/tomoda-backend"), &dev_tag(&tip))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pushes_at_once_are_each_noticed_once() {
    let world = instant().await;
    let checkouts: Vec<_> = (0..6).map(|_| checkout(&world, "app")).collect();
    std::thread::scope(|scope| {
        for (number, dir) in checkouts.iter().enumerate() {
            scope.spawn(move || {
                let tag = format!("v1.0.{number}");
                git(dir.path(), &["tag", &tag]);
                git(dir.path(), &["push", "--quiet", "origin", &tag]);
            });
        }
    });
    let created = async || {
        let events = world.backstage.events.since(0);
        let count = |what: &str| events.iter().filter(|it| it.what.contains("release-trigger") && it.what.contains(what)).count();
        (count("SUCCESS") >= 12 + 4).then(|| count("QUEUED"))
    };
    // Four of them are the past's: two releases of two components.
    assert_eq!(until("all builds", created).await, 12 + 4);
}
