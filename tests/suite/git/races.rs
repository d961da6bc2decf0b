//! Many at once: on one ref, on one cache.

use std::sync::Barrier;
use std::thread;

use tomoda_release::io::git::{Expect, FileChange, NewCommit, Pushed, Store};
use tomoda_release::model::{CommitId, RefName};

use super::{bot, main_ref, object, path, store, write};
use crate::support::git_server::GitServer;
use crate::support::repo::Bare;

const RACERS: usize = 8;

/// A commit that nobody else makes.
fn lone(store: &Store, nonce: &str) -> CommitId {
    let files = [FileChange { path: path("lease.json"), bytes: nonce.into() }];
    store.commit(&NewCommit { parent: None, files: &files, alone: true, by: &bot(), message: nonce }).unwrap()
}

/// Lets everybody push at the same moment; the hook makes sure that all have seen the same announcement.
fn race(url: &str, push: impl Fn(&Store, usize) -> Pushed + Sync) -> Vec<Pushed> {
    let start = Barrier::new(RACERS);
    let caches: Vec<_> = (0..RACERS).map(|_| tempfile::tempdir().unwrap()).collect();
    thread::scope(|scope| {
        let racers: Vec<_> = caches
            .iter()
            .enumerate()
            .map(|(number, cache)| {
                let (start, push) = (&start, &push);
                scope.spawn(move || {
                    let store = store(url, cache.path());
                    start.wait();
                    push(&store, number)
                })
            })
            .collect();
        racers.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

fn landed(outcomes: &[Pushed]) -> usize {
    for outcome in outcomes {
        assert!(!matches!(outcome, Pushed::Refused(_)), "{outcome:?}");
    }
    outcomes.iter().filter(|it| **it == Pushed::Landed).count()
}

fn over_both(test: impl Fn(&Bare, &str)) {
    let bare = Bare::with(&[("a", "one\n")]);
    bare.hook("pre-receive", "sleep 0.4");
    test(&bare, &bare.file_url());
    let bare = Bare::with(&[("a", "one\n")]);
    bare.hook("pre-receive", "sleep 0.4");
    let server = GitServer::start(bare.root());
    test(&bare, &server.url());
}

#[test]
fn one_of_many_creates_a_ref() {
    over_both(|bare, url| {
        let lease = RefName::parse("refs/tomoda/lease").unwrap();
        let outcomes = race(url, |store, number| {
            let mine = lone(store, &format!("racer {number}"));
            store.push(mine.object(), &lease, &Expect::Absent).unwrap()
        });
        assert_eq!(landed(&outcomes), 1, "{outcomes:?}");
        let winner = bare.tip("refs/tomoda/lease").unwrap();
        for outcome in outcomes {
            assert!(matches!(&outcome, Pushed::Landed) || outcome == Pushed::Lost(Some(object(&winner))), "{outcome:?}");
        }
    });
}

#[test]
fn one_of_many_moves_a_branch() {
    over_both(|bare, url| {
        let outcomes = race(url, |store, number| {
            let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
            let next = write(store, &tip, "a", &format!("{number}\n"));
            store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap()
        });
        // Those who fetched after a winner had landed may win the next round; each landed push is one commit.
        let count: usize = bare.git(&["rev-list", "--count", "main"]).parse().unwrap();
        assert_eq!(landed(&outcomes), count - 1, "{outcomes:?}");
        bare.git(&["fsck", "--strict"]);
    });
}

#[test]
fn one_of_many_takes_over_a_lease() {
    over_both(|bare, url| {
        let lease = RefName::parse("refs/tomoda/lease").unwrap();
        let cache = tempfile::tempdir().unwrap();
        let owner = store(url, cache.path());
        let old = lone(&owner, "old owner");
        assert_eq!(owner.push(old.object(), &lease, &Expect::Absent).unwrap(), Pushed::Landed);
        let outcomes = race(url, |store, number| {
            let mine = lone(store, &format!("racer {number}"));
            store.swap(mine.object(), &lease, &Expect::At(old.object().clone())).unwrap()
        });
        assert_eq!(landed(&outcomes), 1, "{outcomes:?}");
        assert_ne!(bare.tip("refs/tomoda/lease").unwrap(), old.as_str());
    });
}

#[test]
fn the_same_tag_from_many_lands_for_all() {
    over_both(|bare, url| {
        let tag = RefName::tag("v1.0.0").unwrap();
        let outcomes = race(url, |store, _| {
            let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
            let made = store.tag("v1.0.0", &tip, &bot(), "Release 1.0.0\n").unwrap();
            store.push(&made, &tag, &Expect::Absent).unwrap()
        });
        assert_eq!(landed(&outcomes), RACERS, "{outcomes:?}");
        assert_eq!(bare.git(&["cat-file", "-t", "v1.0.0"]), "tag");
    });
}

#[test]
fn many_share_one_cache() {
    let bare = Bare::with(&[("a", "one\n")]);
    let server = GitServer::start(bare.root());
    let cache = tempfile::tempdir().unwrap();
    let start = Barrier::new(RACERS);
    thread::scope(|scope| {
        for number in 0..RACERS {
            let (bare, start, cache, url) = (&bare, &start, &cache, server.url());
            scope.spawn(move || {
                start.wait();
                let store = store(&url, cache.path());
                for round in 0..4 {
                    bare.git(&["branch", "-f", &format!("b{number}"), "main"]);
                    let name = RefName::parse(&format!("refs/heads/b{}", (number + round) % RACERS)).unwrap();
                    let shallow = (number + round) % 2 == 0;
                    if let Some(tip) = store.fetch(&name, shallow).unwrap() {
                        assert_eq!(store.read(&tip, &path("a")).unwrap().unwrap().bytes, b"one\n");
                    }
                    assert!(store.fetch(&main_ref(), shallow).unwrap().is_some());
                }
            });
        }
    });
}

#[test]
fn one_store_is_shared_by_many_threads() {
    let bare = Bare::with(&[("a", "one\n")]);
    let server = GitServer::start(bare.root());
    let cache = tempfile::tempdir().unwrap();
    let store = store(&server.url(), cache.path());
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let racers: Vec<_> = (0..RACERS)
            .map(|number| {
                let (store, tip) = (&store, &tip);
                scope.spawn(move || {
                    let next = write(store, tip, "a", &format!("{number}\n"));
                    store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap()
                })
            })
            .collect();
        racers.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(landed(&outcomes), 1, "{outcomes:?}");
}
