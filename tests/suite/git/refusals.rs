//! Servers that say no, in their own words.

use tomoda_release::error::Kind;
use tomoda_release::io::git::{Expect, Pushed};
use tomoda_release::model::RefName;

use super::{bot, main_ref, store, write};
use crate::support::git_server::GitServer;
use crate::support::repo::Bare;

fn over_both(test: impl Fn(&Bare, &str)) {
    let bare = Bare::with(&[("a", "one\n")]);
    test(&bare, &bare.file_url());
    let bare = Bare::with(&[("a", "one\n")]);
    let server = GitServer::start(bare.root());
    test(&bare, &server.url());
}

#[test]
fn hooks_that_protect_a_branch_point_to_pull_requests() {
    let gh006 = "remote: error: GH006: Protected branch update failed for refs/heads/main.";
    let gh013 = "remote: error: GH013: Repository rule violations found for refs/heads/main.";
    over_both(|bare, url| {
        for (said, hinted) in [(gh006, true), (gh013, true), ("no ticket in the message", false)] {
            bare.hook("pre-receive", &format!("echo '{said}' >&2; exit 1"));
            let cache = tempfile::tempdir().unwrap();
            let store = store(url, cache.path());
            let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
            let next = write(&store, &tip, "a", "two\n");
            let Pushed::Refused(words) = store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap() else {
                panic!("{said}")
            };
            assert!(words.contains(said) && words.contains("pre-receive hook declined"), "{words}");
            assert_eq!(words.contains("landing: pullRequest"), hinted, "{words}");
            assert_eq!(bare.tip("refs/heads/main").unwrap(), tip.as_str());
        }
    });
}

#[test]
fn an_update_hook_that_refuses_is_a_refusal() {
    over_both(|bare, url| {
        bare.hook("update", "echo frozen >&2; exit 1");
        let cache = tempfile::tempdir().unwrap();
        let store = store(url, cache.path());
        let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
        let next = write(&store, &tip, "a", "two\n");
        let pushed = store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap();
        assert!(matches!(&pushed, Pushed::Refused(words) if words.contains("frozen") && words.contains("hook declined")), "{pushed:?}");
    });
}

#[test]
fn a_hook_that_moves_the_ref_first_is_a_lost_race() {
    over_both(|bare, url| {
        let cache = tempfile::tempdir().unwrap();
        let store = store(url, cache.path());
        let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
        let winner = bare.commit("other", "first", &[("a", "winner\n")]);
        // Inside a hook git keeps new objects apart and forbids moving refs; a person beside it is not bound by that.
        bare.hook("pre-receive", &format!("unset GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY; git update-ref refs/heads/main {winner}"));
        let next = write(&store, &tip, "a", "two\n");
        let pushed = store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap();
        assert!(matches!(&pushed, Pushed::Lost(Some(it)) if it.as_str() == winner), "{pushed:?}");
    });
}

#[test]
fn history_is_never_rewound() {
    over_both(|bare, url| {
        let first = bare.tip("refs/heads/main").unwrap();
        let second = bare.commit("main", "second", &[("a", "two\n")]);
        let cache = tempfile::tempdir().unwrap();
        let store = store(url, cache.path());
        store.fetch(&main_ref(), false).unwrap().unwrap();
        let pushed = store.push(&super::object(&first), &main_ref(), &Expect::At(super::object(&second))).unwrap();
        assert!(matches!(pushed, Pushed::Refused(_)), "{pushed:?}");
        assert_eq!(bare.tip("refs/heads/main").unwrap(), second);
        // Neither is a branch replaced by a history of its own.
        let root = tomoda_release::io::git::NewCommit { parent: None, files: &[], alone: true, by: &bot(), message: "mine\n" };
        let root = store.commit(&root).unwrap();
        let pushed = store.push(root.object(), &main_ref(), &Expect::Absent).unwrap();
        assert_eq!(pushed, Pushed::Lost(Some(super::object(&second))));
    });
}

#[test]
fn an_existing_tag_is_lost_and_stays() {
    over_both(|bare, url| {
        bare.git(&["tag", "-a", "-m", "theirs", "v1.0.0", "main"]);
        let theirs = bare.tip("refs/tags/v1.0.0").unwrap();
        let cache = tempfile::tempdir().unwrap();
        let store = store(url, cache.path());
        let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
        let tag = store.tag("v1.0.0", &tip, &bot(), "ours\n").unwrap();
        let name = RefName::tag("v1.0.0").unwrap();
        assert_eq!(store.push(&tag, &name, &Expect::Absent).unwrap(), Pushed::Lost(Some(super::object(&theirs))));
        assert_eq!(bare.tip("refs/tags/v1.0.0").unwrap(), theirs);
        let found = store.list("refs/tags/").unwrap();
        assert_eq!((found[0].object.as_str(), found[0].peeled.as_ref().map(|it| it.as_str())), (theirs.as_str(), Some(tip.as_str())));
    });
}

#[test]
fn branches_and_tags_are_neither_replaced_nor_deleted() {
    let bare = Bare::with(&[("a", "one\n")]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    for name in ["refs/heads/main", "refs/tags/v1"] {
        let name = RefName::parse(name).unwrap();
        assert_eq!(store.swap(tip.object(), &name, &Expect::At(tip.object().clone())).unwrap_err().kind(), Kind::Bug);
        assert_eq!(store.delete(&name, tip.object()).unwrap_err().kind(), Kind::Bug);
    }
    assert!(bare.tip("refs/heads/main").is_some());
}

#[test]
fn a_lease_is_released_by_its_owner_only() {
    over_both(|bare, url| {
        let lease = RefName::parse("refs/tomoda/lease").unwrap();
        let cache = tempfile::tempdir().unwrap();
        let store = store(url, cache.path());
        let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
        let other = write(&store, &tip, "a", "two\n");
        assert_eq!(store.push(tip.object(), &lease, &Expect::Absent).unwrap(), Pushed::Landed);
        assert_eq!(store.delete(&lease, other.object()).unwrap(), Pushed::Lost(Some(tip.object().clone())));
        assert!(bare.tip("refs/tomoda/lease").is_some());
        assert_eq!(store.delete(&lease, tip.object()).unwrap(), Pushed::Landed);
        assert!(bare.tip("refs/tomoda/lease").is_none());
        assert_eq!(store.delete(&lease, tip.object()).unwrap(), Pushed::Lost(None));
    });
}

#[test]
fn a_server_that_takes_no_pushes_says_so() {
    let bare = Bare::with(&[("a", "one\n")]);
    bare.git(&["config", "http.receivepack", "false"]);
    let server = GitServer::start(bare.root());
    let cache = tempfile::tempdir().unwrap();
    let store = store(&server.url(), cache.path());
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let next = write(&store, &tip, "a", "two\n");
    let pushed = store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap();
    assert!(matches!(&pushed, Pushed::Refused(words) if words.contains("403")), "{pushed:?}");
}
