//! The plain ways, over every transport that needs no installation.

use tomoda_release::io::git::{Expect, Pushed};
use tomoda_release::model::RefName;

use super::{main_ref, object, path, store, write};
use crate::support::git_server::GitServer;
use crate::support::repo::Bare;

fn over_both(test: impl Fn(&Bare, &str)) {
    let bare = Bare::with(&[("a/x.yaml", "one\n"), ("b.txt", "two\n")]);
    test(&bare, &bare.file_url());
    let bare = Bare::with(&[("a/x.yaml", "one\n"), ("b.txt", "two\n")]);
    let server = GitServer::start(bare.root());
    test(&bare, &server.url());
}

#[test]
fn fetch_read_commit_push() {
    over_both(|bare, url| {
        let cache = tempfile::tempdir().unwrap();
        let store = store(url, cache.path());
        let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
        assert_eq!(tip.as_str(), bare.tip("refs/heads/main").unwrap());
        let file = store.read(&tip, &path("a/x.yaml")).unwrap().unwrap();
        assert_eq!((file.bytes.as_slice(), file.mode), (&b"one\n"[..], 0o100_644));
        assert_eq!(store.list_dir(&tip, &path("a")).unwrap().unwrap(), ["x.yaml"]);
        let next = write(&store, &tip, "a/x.yaml", "changed\n");
        let pushed = store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap();
        assert_eq!(pushed, Pushed::Landed);
        assert_eq!(bare.git(&["show", "main:a/x.yaml"]), "changed");
        assert_eq!(bare.git(&["show", "main:b.txt"]), "two");
        assert_eq!(store.cached(&main_ref()), Some(next));
        bare.git(&["fsck", "--strict"]);
    });
}

#[test]
fn a_ref_that_is_not_there_is_none_and_stays_none() {
    over_both(|bare, url| {
        let cache = tempfile::tempdir().unwrap();
        let store = store(url, cache.path());
        let gone = RefName::parse("refs/heads/gone").unwrap();
        assert_eq!(store.fetch(&gone, true).unwrap(), None);
        bare.git(&["branch", "gone", "main"]);
        assert!(store.fetch(&gone, true).unwrap().is_some());
        bare.git(&["branch", "-D", "gone"]);
        assert_eq!(store.fetch(&gone, true).unwrap(), None);
        assert_eq!(store.cached(&gone), None);
    });
}

#[test]
fn a_lost_race_names_the_winner() {
    over_both(|bare, url| {
        let cache = tempfile::tempdir().unwrap();
        let store = store(url, cache.path());
        let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
        let winner = bare.commit("main", "first", &[("b.txt", "three\n")]);
        let next = write(&store, &tip, "a/x.yaml", "changed\n");
        let pushed = store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap();
        assert_eq!(pushed, Pushed::Lost(Some(object(&winner))));
        assert_eq!(bare.tip("refs/heads/main").unwrap(), winner);
    });
}

#[test]
fn a_push_from_a_shallow_cache_needs_no_history() {
    over_both(|bare, url| {
        for round in 0..5 {
            bare.commit("main", "more", &[("b.txt", &format!("round {round}\n"))]);
        }
        let cache = tempfile::tempdir().unwrap();
        let store = store(url, cache.path());
        let mut tip = store.fetch(&main_ref(), true).unwrap().unwrap();
        for round in 0..3 {
            let next = write(&store, &tip, "a/x.yaml", &format!("{round}\n"));
            let pushed = store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone()));
            assert_eq!(pushed.unwrap(), Pushed::Landed);
            tip = next;
        }
        assert_eq!(bare.git(&["rev-list", "--count", "main"]), "9");
        bare.git(&["fsck", "--strict"]);
    });
}
