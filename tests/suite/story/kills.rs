//! kill -9 at every boundary and in the middle of every write, and the same command again from another machine.

use std::time::Duration;

use tomoda_release::rehearsal::stage::{Chance, Effect, Fault};

use super::scene::{Ended, Scene};

/// A kind of write, as a server sees it.
pub(super) type Write = (&'static str, &'static str, &'static str);

/// The ledger, the lease, the overlays.
const CONFIG: Write = ("git", "POST", "/config.git/git-receive-pack");
/// The tag.
pub(super) const APP: Write = ("git", "POST", "/app.git/git-receive-pack");
/// The release page.
const PAGE: Write = ("github", "POST", "*");
/// The wish that Argo CD look again.
const REFRESH: Write = ("kubernetes", "PATCH", "*");

const BUMP: &[&str] = &["bump", "dev"];
const PROMOTE: &[&str] = &["promote", "--yes"];

/// Runs a command that is killed at the moment its `nth` write of a kind hangs. How it ended, if it never came to that.
pub(super) async fn killed_at(
    scene: &Scene,
    command: &[&str],
    (server, method, path): Write,
    nth: usize,
    effect: &Effect,
) -> Option<Ended> {
    let seen = scene.world.backstage.events.since(0).len();
    let (server, method, path) = (server.to_owned(), method.to_owned(), path.to_owned());
    scene.world.backstage.faults.order(Fault { server, method, path, nth, times: 1, effect: effect.clone() });
    let mut machine = scene.start(command);
    let ended = tokio::select! {
        () = hangs(scene, seen) => {
            machine.kill().await;
            None
        }
        status = machine.child.wait() => {
            status.unwrap();
            Some(())
        }
    };
    scene.world.backstage.faults.clear();
    match ended {
        None => None,
        Some(()) => Some(machine.ended().await),
    }
}

/// Returns when a request hangs.
async fn hangs(scene: &Scene, mut seen: usize) {
    loop {
        for event in scene.world.backstage.events.since(seen) {
            seen += 1;
            if event.who == "fault" {
                return;
            }
        }
        scene.world.backstage.events.more_than(seen).await;
    }
}

/// Kills bump and promote at the first write of a kind, then at the second, until both come through.
async fn at_every(write: Write, effect: Effect) {
    let scene = Scene::new().await;
    for nth in 1.. {
        let before = scene.begin().await;
        let (mut killed, mut idle) = (false, false);
        for command in [BUMP, PROMOTE] {
            match killed_at(&scene, command, write, nth, &effect).await {
                Some(ended) => drop(ended.expect(0)),
                None => {
                    killed = true;
                    let mut ended = scene.run(command).await;
                    // A sign of life that arrives late is one to the onlooker: he leaves, and comes again.
                    if ended.code == Some(6) && matches!(effect, Effect::Delay(_)) {
                        ended = scene.run(command).await;
                    }
                    idle |= ended.expect(0).json()["outcome"] == "nothing";
                }
            }
        }
        println!("{write:?} {nth} {effect:?}: {killed}");
        scene.is_released(&before).await;
        // Who finds nothing to do leaves a dead driver's lease alone; so does a lease that arrives late.
        if !idle && !matches!(effect, Effect::Delay(_)) {
            assert_eq!(scene.leases(), [""; 0]);
        }
        if !killed {
            assert!(nth > 1, "no such write was ever made");
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_every_push_to_the_config_repository() {
    at_every(CONFIG, Effect::SilentBefore).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_every_push_to_the_config_repository() {
    at_every(CONFIG, Effect::SilentAfter).await;
}

/// The last push of the dead arrives while somebody else already carries on.
#[tokio::test(flavor = "multi_thread")]
async fn and_the_push_arrives_after_its_sender_died() {
    at_every(CONFIG, Effect::Delay(Duration::from_millis(1500))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn around_the_tag_the_page_and_the_wish_for_a_look() {
    for write in [APP, PAGE, REFRESH] {
        for effect in [Effect::SilentBefore, Effect::SilentAfter] {
            at_every(write, effect).await;
        }
    }
}

/// Nobody ever gets further than one step: whoever recovers dies too.
#[tokio::test(flavor = "multi_thread")]
async fn every_machine_dies_after_its_first_step() {
    let scene = Scene::new().await;
    let before = scene.begin().await;
    for command in [BUMP, PROMOTE] {
        let mut deaths = 0;
        while killed_after_a_step(&scene, command).await {
            deaths += 1;
            assert!(deaths < 40, "no progress");
        }
        println!("{command:?}: {deaths} deaths");
        assert!(deaths > 3);
    }
    scene.is_released(&before).await;
}

/// Kills a command as soon as a ref moved that is more than a lease. Whether there was one.
async fn killed_after_a_step(scene: &Scene, command: &[&str]) -> bool {
    let before = scene.steps();
    let mut machine = scene.start(command);
    loop {
        if let Some(status) = machine.child.try_wait().unwrap() {
            assert!(status.success(), "{:?}", machine.ended().await);
            return false;
        }
        if scene.steps() != before {
            machine.kill().await;
            return true;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_random_moments() {
    let scene = Scene::new().await;
    let chance = Chance::new(scene.world.seed);
    for _ in 0..5 {
        let before = scene.begin().await;
        for command in [BUMP, PROMOTE] {
            random_death(&scene, &chance, command).await;
        }
        scene.is_released(&before).await;
    }
}

/// Dies somewhere in its life, perhaps twice; then somebody finishes.
async fn random_death(scene: &Scene, chance: &Chance, command: &[&str]) {
    for _ in 0..=chance.number() % 2 {
        let pause = Duration::from_millis(chance.number() % 2500);
        let mut machine = scene.start(command);
        if tokio::time::timeout(pause, machine.child.wait()).await.is_err() {
            machine.kill().await;
        }
    }
    scene.run(command).await.expect(0);
}
