//! `app.versionFiles`: the tag stands at a commit that writes the version on top of what dev proved.

use tomoda_release::rehearsal::git;
use tomoda_release::rehearsal::play::{self, Change};
use tomoda_release::rehearsal::stage::Effect;

use super::kills::{APP, killed_at};
use super::scene::{Before, Scene};
use crate::support::world::git as run_git;

/// A world in which a release writes these files, and dev runs a new change.
async fn proved(version_files: &str) -> (Scene, Before) {
    let scene = Scene::new().await;
    scene.edit_pipeline(|it| it.replacen("  branch: main\n", &format!("  branch: main\n  versionFiles: {version_files}\n"), 1));
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    let before = scene.now(&before.commit);
    (scene, before)
}

/// What git says in the app's repository.
fn app(scene: &Scene, arguments: &[&str]) -> String {
    run_git(&scene.world.git.dir(git::APP), arguments)
}

/// The tag stands on what dev proved, changes the version and nothing else, and its builds are of it.
async fn is_cut(scene: &Scene, before: &Before) -> String {
    let commit = app(scene, &["rev-parse", "v0.5.0^{commit}"]);
    assert_eq!(app(scene, &["rev-parse", "v0.5.0^"]), before.commit);
    assert_eq!(app(scene, &["diff", "--name-only", "v0.5.0^", "v0.5.0"]), "VERSION");
    assert_eq!(app(scene, &["show", "v0.5.0:VERSION"]), "0.5.0");
    assert_eq!(app(scene, &["log", "-1", "--format=%s", "v0.5.0"]), "chore(release): v0.5.0");
    assert_eq!(scene.builds("v0.5.0").await, ["backend-release-trigger", "frontend-release-trigger"]);
    scene.ledger_is_whole().await;
    assert!(scene.state().open.is_empty());
    commit
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_written_on_top_of_what_dev_proved() {
    let (scene, before) = proved("[VERSION]").await;
    let planned = scene.run(&["plan"]).await.expect(0).json();
    assert_eq!(
        (&planned["tag"]["release"]["onto"], &planned["tag"]["release"]["files"][0]),
        (&before.commit.clone().into(), &"VERSION".into())
    );
    assert_eq!(scene.run(&["plan"]).await.expect(0).json()["hash"], planned["hash"], "the plan is the same wherever it is made");
    scene.promote().await.expect(0);
    let commit = is_cut(&scene, &before).await;
    assert_eq!(planned["tag"]["commit"], commit);
    assert_eq!(app(&scene, &["rev-parse", "main"]), commit, "the branch went forward");
    // It is released now, and the next release counts from there.
    let again = scene.promote().await.expect(0);
    assert_eq!(again.json()["outcome"], "nothing");
    scene.change(&["backend"]).await;
    scene.bump().await.expect(0);
    scene.promote().await.expect(0);
    assert_eq!(app(&scene, &["show", "v0.5.1:VERSION"]), "0.5.1");
    assert_eq!(app(&scene, &["rev-parse", "main"]), app(&scene, &["rev-parse", "v0.5.1^{commit}"]));
    scene.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_moved_on_is_left_alone() {
    let (scene, before) = proved("[VERSION]").await;
    let docs = Change { subject: "docs: not in the images", files: &[("README.md", "more\n")] };
    let tip = play::push(&scene.world, &[docs]).await.unwrap();
    let promoted = scene.promote().await.expect(0);
    assert!(promoted.err.contains("stays behind the tag v0.5.0"), "{promoted:?}");
    is_cut(&scene, &before).await;
    assert_eq!(app(&scene, &["rev-parse", "main"]), tip);
    scene.promote().await.expect(0);
    // The tag beside the branch counts: the next release comes after it.
    scene.change(&["backend", "frontend"]).await;
    scene.bump().await.expect(0);
    let next = scene.promote().await.expect(0).json();
    assert_eq!(app(&scene, &["show", "v0.5.1:VERSION"]), "0.5.1", "{next}");
    scene.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_written_stops_before_anything_is_begun() {
    let (scene, before) = proved("[VERSION, README.md, nowhere/VERSION]").await;
    let records = scene.steps();
    scene.promote().await.says(3, &["README.md", "does not say 0.4.2", "nowhere/VERSION does not exist", "app.versionFiles"]);
    assert_eq!((scene.tags(&before), scene.steps()), (vec![], records));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_around_the_tag_and_the_branch_it_goes_on_elsewhere() {
    for (nth, effect) in [(1, Effect::SilentBefore), (1, Effect::SilentAfter), (2, Effect::SilentBefore), (2, Effect::SilentAfter)] {
        let (scene, before) = proved("[VERSION]").await;
        let ended = killed_at(&scene, &["promote", "--yes"], APP, nth, &effect).await;
        assert!(ended.is_none(), "there is no push {nth} to the app repository: {ended:?}");
        scene.promote().await.expect(0);
        let commit = is_cut(&scene, &before).await;
        assert_eq!(app(&scene, &["rev-parse", "main"]), commit, "{nth} {effect:?}");
    }
}
