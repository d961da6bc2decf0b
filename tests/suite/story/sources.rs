//! What is released is what dev ran: source equivalence from push to refusal.

use tomoda_release::rehearsal::cloud_build::{Ending, Status};
use tomoda_release::rehearsal::play::{self, Change};

use super::scene::Scene;

#[tokio::test(flavor = "multi_thread")]
async fn images_of_different_commits_are_released_at_the_newest() {
    let scene = Scene::new().await;
    scene.change(&["backend"]).await;
    let before = scene.begin().await;
    let frontend = scene.change(&["frontend"]).await;
    assert_ne!(before.commit, frontend);
    scene.bump().await.expect(0);
    let done = scene.promote().await.expect(0).json();
    let tags = scene.tags(&before);
    assert!(tags.len() == 1 && tags[0].ends_with(&frontend[..7]), "{tags:?}: {frontend}");
    assert_eq!(done["images"][0]["commit"], before.commit, "{done}");
    assert_eq!(done["images"][1]["commit"], frontend, "{done}");
    scene.ledger_is_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_dev_never_ran_is_not_released() {
    let scene = Scene::new().await;
    scene.begin().await;
    // The backend's change is on the branch, and its build fails: dev goes on with the frontend alone.
    scene.world.cloud_build.next_build_ends("backend-push-trigger", Ending::With(Status::Failure));
    let change = Change { subject: "feat(backend): nobody has run this", files: &[("backend/new.go", "package main\n")] };
    let skipped = play::push(&scene.world, &[change]).await.unwrap();
    scene.change(&["frontend"]).await;
    scene.bump().await.expect(0);
    let before = scene.now(&skipped);
    scene.promote().await.says(3, &["backend", "Dev never ran", &skipped[..7], "nobody has run this"]);
    assert_eq!((scene.tags(&before), scene.commits(&before)), (vec![], vec![]));
    assert!(scene.state().open.is_empty() && scene.leases().is_empty());
    // As soon as dev ran it, it is released.
    scene.change(&["backend", "frontend"]).await;
    scene.bump().await.expect(0);
    scene.promote().await.expect(0);
}
