//! Many at once: drivers of one environment, and writers of one config repository.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::join_all;
use tomoda_release::act::{self, Provenance};
use tomoda_release::decide::overlay::{self, Edit, Field};
use tomoda_release::io::git::{Person, Remote, Store};
use tomoda_release::model::{
    BranchName, ComponentName, EnvName, ImageMove, OverlayWrite, Performed, Pin, RepoPath, RepoUrl, Repository, RunId, Tag,
};
use tomoda_release::observe;

use super::scene::Scene;
use crate::support::world::git;

const WRITERS: usize = 50;
const PIPELINES: usize = 8;
const FOLDER: &str = "k8s/crowd";

#[tokio::test(flavor = "multi_thread")]
async fn of_eight_drivers_one_drives_and_the_others_say_who() {
    let scene = Scene::slow("3s", "4s").await;
    let before = scene.begin().await;
    scene.bump().await.expect(0);
    let ended = join_all((0..8).map(|_| scene.promote())).await;
    let (drove, others): (Vec<_>, Vec<_>) = ended.into_iter().partition(|it| it.code == Some(0));
    assert_eq!(drove.len(), 1, "{others:#?}");
    assert_eq!(drove[0].json()["outcome"], "completed");
    for it in others {
        it.says(6, &["prod is being driven by", "takes over"]);
    }
    scene.is_released(&before).await;
    assert_eq!(scene.leases(), [""; 0]);
}

/// A kustomization with an entry for every writer.
fn crowded() -> String {
    let entries = (0..WRITERS).map(|it| format!("  # of writer {it}\n  - name: registry.example/image-{it}\n    newTag: v1.0.0\n"));
    format!("resources: []\nimages:\n{}", entries.collect::<String>())
}

/// Commits a file to the config repository.
fn write(url: &str, path: &str, text: &str) {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["clone", "--quiet", "--depth=1", url, "."]);
    let file = dir.path().join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
    git(dir.path(), &["add", "--all"]);
    git(dir.path(), &["commit", "--quiet", "-m", "chore: a file"]);
    git(dir.path(), &["push", "--quiet", "origin", "HEAD:main"]);
}

fn read(url: &str, path: &str) -> (String, usize) {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["clone", "--quiet", url, "."]);
    let commits = git(dir.path(), &["rev-list", "--count", "HEAD"]).parse().unwrap();
    (std::fs::read_to_string(dir.path().join(path)).unwrap(), commits)
}

/// Moves one image, by the way of the loop: look, edit, commit onto exactly that; overtaken, look again. How often it was.
fn move_one(url: &str, cache: &Path, number: usize) -> usize {
    let store = Store::open(Remote { url: RepoUrl::parse(url).unwrap(), token: None }, cache).unwrap();
    let (branch, folder) = (BranchName::parse("main").unwrap(), RepoPath::parse(FOLDER).unwrap());
    let image = format!("registry.example/image-{number}");
    let moved = ImageMove {
        component: ComponentName::parse("one").unwrap(),
        repository: Repository::parse(&image).unwrap(),
        from: Pin::default(),
        tag: Tag::parse("v2.0.0").unwrap(),
        digest: None,
        commit: None,
    };
    let run = RunId::parse(&format!("crowd-{number}")).unwrap();
    let (environment, overlay) = (EnvName::parse("crowd").unwrap(), folder.clone());
    let step = OverlayWrite { run: run.clone(), environment, overlay, moves: vec![moved], version: None };
    let by = Person { name: "Writer".into(), email: "writer@example.com".into(), time: 1_800_000_000 };
    for overtaken in 0.. {
        let seen = observe::overlay::look(&store, &branch, &folder, None).unwrap();
        let edit = Edit { image: image.clone(), new_tag: Field::Set("v2.0.0".into()), ..Edit::default() };
        let text = overlay::edit(seen.file.as_str(), &seen.text, &[edit]).unwrap().text;
        let provenance = Provenance { run: &run, seq: 1, payload: "00" };
        match act::overlay::commit(&store, &branch, (&seen.tip, &seen.file, &text), &step, &by, &provenance).unwrap() {
            Performed::Settled(_) => return overtaken,
            Performed::Overtaken => {
                std::thread::sleep(std::time::Duration::from_millis(20 * (1 + (number as u64 + overtaken as u64) % 25)))
            }
        }
    }
    unreachable!("it is tried until it lands")
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_writers_of_one_overlay_lose_nothing() {
    let scene = Scene::new().await;
    let url: Arc<str> = scene.world.git.url("config").into();
    let path = format!("{FOLDER}/kustomization.yaml");
    write(&url, &path, &crowded());
    let (text, commits) = read(&url, &path);
    let cache = tempfile::tempdir().unwrap();
    let overtaken: usize = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|number| {
                    let (url, cache) = (url.clone(), cache.path().join(number.to_string()));
                    scope.spawn(move || move_one(&url, &cache, number))
                })
                .collect();
            writers.into_iter().map(|it| it.join().unwrap()).sum()
        })
    });
    println!("{WRITERS} writers were overtaken {overtaken} times");
    let (after, commits_after) = read(&url, &path);
    assert_eq!(after, text.replace("v1.0.0", "v2.0.0"));
    assert_eq!(commits_after, commits + WRITERS);
    assert!(overtaken > 0, "they did not meet");
}

/// Pipelines of their own, with overlays and ledgers of their own, on one config repository.
#[tokio::test(flavor = "multi_thread")]
async fn pipelines_on_one_config_repository_do_not_stop_each_other() {
    let scene = Scene::new().await;
    let url = scene.world.git.url("config");
    let pipeline = std::fs::read_to_string(scene.world.pipeline()).unwrap();
    let image = "asia-east1-docker.pkg.dev/development-485000/tomoda-dev-repo";
    let overlay =
        format!("images:\n  - name: {image}/tomoda-backend\n    newTag: none\n  - name: {image}/tomoda-frontend\n    newTag: none\n");
    let tip = scene.change(&["backend", "frontend"]).await;
    let mut files = Vec::new();
    for number in 0..PIPELINES {
        write(&url, &format!("k8s/many/{number}/kustomization.yaml"), &overlay);
        let (head, _) = pipeline.split_once("  - name: prod").unwrap();
        let (head, _) = head.split_once("    gates:").unwrap();
        let text = head
            .replace("name: tomoda\n", &format!("name: tomoda-{number}\n"))
            .replace("branch: release-ledger", &format!("branch: ledger-{number}"))
            .replace("overlay: k8s/apps/tomoda/overlays/dev", &format!("overlay: k8s/many/{number}"))
            .replace("newest: commit }", "newest: commit, adopt: true }");
        let file = scene.world.folder().join(format!("pipeline-{number}.yaml"));
        std::fs::write(&file, format!("{text}    gates: []\n")).unwrap();
        files.push(file.display().to_string());
    }
    let bumps = files.iter().map(|file| async { scene.run(&["bump", "dev", "--pipeline", file]).await.expect(0).json() });
    let ended = join_all(bumps).await;
    let commits: BTreeSet<_> = ended.iter().map(|it| it["commit"].as_str().unwrap().to_owned()).collect();
    assert_eq!(commits.len(), PIPELINES);
    for number in 0..PIPELINES {
        let (text, _) = read(&url, &format!("k8s/many/{number}/kustomization.yaml"));
        assert_eq!(text.matches(&tomoda_release::rehearsal::dev_tag(&tip)).count(), 2, "{text}");
    }
}
