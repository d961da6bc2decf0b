//! The cache: damaged, shared between depths, left behind by a rewritten remote.

use std::fs;
use std::path::{Path, PathBuf};

use tomoda_release::error::Kind;
use tomoda_release::io::git::{Expect, Pushed};
use tomoda_release::model::{BranchName, RefName};

use super::{main_ref, path, store, write};
use crate::support::git_server::{Fault, GitServer, On};
use crate::support::repo::{Bare, git, git_with};

/// The one cache below a folder.
fn home(root: &Path) -> PathBuf {
    fs::read_dir(root).unwrap().next().unwrap().unwrap().path()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn spoil(file: &Path, bytes: &[u8]) {
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

/// Ways to break a repository, by its folder.
fn damages() -> Vec<(&'static str, fn(&Path))> {
    vec![
        ("no HEAD", |it| fs::remove_file(it.join("HEAD")).unwrap()),
        ("no objects", |it| fs::remove_dir_all(it.join("objects")).unwrap()),
        ("empty objects", |it| {
            fs::remove_dir_all(it.join("objects")).unwrap();
            fs::create_dir_all(it.join("objects/pack")).unwrap();
        }),
        ("config of nonsense", |it| fs::write(it.join("config"), "[[[").unwrap()),
        ("no config", |it| fs::remove_file(it.join("config")).unwrap()),
        ("empty refs", |it| {
            for file in files(&it.join("refs")) {
                spoil(&file, b"");
            }
        }),
        ("refs of nonsense", |it| {
            for file in files(&it.join("refs")) {
                spoil(&file, b"zzzz\n");
            }
        }),
        ("refs to nowhere", |it| {
            for file in files(&it.join("refs")) {
                spoil(&file, format!("{}\n", "ab".repeat(20)).as_bytes());
            }
        }),
        ("empty packs", |it| {
            for file in files(&it.join("objects/pack")) {
                spoil(&file, b"");
            }
        }),
        ("cut packs", |it| {
            for file in files(&it.join("objects/pack")) {
                let bytes = fs::read(&file).unwrap();
                spoil(&file, &bytes[..bytes.len() / 2]);
            }
        }),
        ("shallow file of nonsense", |it| fs::write(it.join("shallow"), "zzzz\n").unwrap()),
        ("a file instead", |it| {
            fs::remove_dir_all(it).unwrap();
            fs::write(it, "what").unwrap();
        }),
    ]
}

#[test]
fn a_damaged_cache_is_made_anew_and_never_worse_than_one_retry() {
    for shallow in [true, false] {
        for (name, damage) in damages() {
            let bare = Bare::with(&[("a", "one\n")]);
            let cache = tempfile::tempdir().unwrap();
            let first = store(&bare.file_url(), cache.path());
            first.fetch(&main_ref(), shallow).unwrap().unwrap();
            drop(first);
            damage(&home(cache.path()).join(if shallow { "tips.git" } else { "full.git" }));
            let store = store(&bare.file_url(), cache.path());
            let use_it = || -> tomoda_release::error::Result<()> {
                let tip = store.fetch(&main_ref(), shallow)?.unwrap();
                assert_eq!(store.read(&tip, &path("a"))?.unwrap().bytes, b"one\n");
                let next = write(&store, &tip, "a", "two\n");
                assert_eq!(store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone()))?, Pushed::Landed);
                Ok(())
            };
            if let Err(error) = use_it() {
                assert_eq!(error.kind(), Kind::Remote, "{name}: {error:?}");
                use_it().unwrap_or_else(|why| panic!("{name}, shallow {shallow}: {why:?}, after {error:?}"));
            }
            let rest: Vec<_> = fs::read_dir(home(cache.path())).unwrap().map(|it| it.unwrap().file_name()).collect();
            assert!(!rest.iter().any(|it| it.to_string_lossy().starts_with("discarded")), "{rest:?}");
        }
    }
}

#[test]
fn a_changed_byte_in_an_object_is_noticed() {
    let bare = Bare::with(&[("a", "one\n")]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let next = write(&store, &tip, "a", "two, but longer\n");
    let blob = store.object_at(&next, &path("a")).unwrap().unwrap();
    let file = home(cache.path()).join("tips.git/objects").join(&blob.as_str()[..2]).join(&blob.as_str()[2..]);
    // A valid object of another content in its place.
    let other = super::write(&store, &tip, "a", "evil\n");
    let other = store.object_at(&other, &path("a")).unwrap().unwrap();
    let evil = fs::read(home(cache.path()).join("tips.git/objects").join(&other.as_str()[..2]).join(&other.as_str()[2..])).unwrap();
    spoil(&file, &evil);
    let again = super::store(&bare.file_url(), cache.path());
    assert!(again.read(&next, &path("a")).is_err());
}

#[test]
fn shallow_and_full_stand_beside_each_other() {
    let bare = Bare::with(&[("a", "one\n")]);
    for round in 0..4 {
        bare.commit("main", "more", &[("a", &format!("{round}\n"))]);
    }
    bare.git(&["tag", "-a", "-m", "x", "v1.0.0", "main~2"]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let tag = RefName::tag("v1.0.0").unwrap();
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    assert_eq!(store.history(&tip, &[], 10).unwrap_err().kind(), Kind::Bug);
    assert_eq!(store.fetch(&main_ref(), false).unwrap().unwrap(), tip);
    let tagged = store.fetch(&tag, true).unwrap().unwrap();
    assert_eq!(tagged.as_str(), bare.git(&["rev-parse", "v1.0.0^{commit}"]));
    // The shallow fetch of a commit in the middle does not cut the history.
    assert_eq!(store.history(&tip, &[], 10).unwrap().len(), 5);
    assert!(store.is_ancestor(&tagged, &tip).unwrap());
    assert!(!store.is_ancestor(&tip, &tagged).unwrap());
    let news = bare.commit("main", "news", &[("a", "news\n")]);
    assert_eq!(store.fetch(&main_ref(), true).unwrap().unwrap().as_str(), news);
    assert_eq!(store.cached(&main_ref()).unwrap().as_str(), news);
    assert_eq!(store.history(&tip, &[], 10).unwrap().len(), 5);
    let full = store.fetch(&main_ref(), false).unwrap().unwrap();
    assert_eq!(store.history(&full, &[tip.clone()], 10).unwrap().len(), 1);
    assert_eq!(store.history(&full, &[], 2).unwrap().len(), 2);
}

#[test]
fn a_rewritten_branch_is_followed() {
    for shallow in [true, false] {
        let bare = Bare::with(&[("a", "one\n")]);
        let cache = tempfile::tempdir().unwrap();
        let store = store(&bare.file_url(), cache.path());
        let old = store.fetch(&main_ref(), shallow).unwrap().unwrap();
        let other = bare.commit("other", "another history", &[("a", "rewritten\n")]);
        bare.git(&["update-ref", "refs/heads/main", &other]);
        let new = store.fetch(&main_ref(), shallow).unwrap().unwrap();
        assert_eq!(new.as_str(), other);
        assert_eq!(store.cached(&main_ref()), Some(new.clone()));
        assert_eq!(store.read(&new, &path("a")).unwrap().unwrap().bytes, b"rewritten\n");
        if !shallow {
            assert!(!store.is_ancestor(&old, &new).unwrap());
        }
    }
}

#[test]
fn an_empty_repository_has_nothing_and_takes_a_first_commit() {
    let bare = Bare::empty();
    let server = GitServer::start(bare.root());
    for url in [bare.file_url(), server.url()] {
        let cache = tempfile::tempdir().unwrap();
        let store = store(&url, cache.path());
        assert_eq!(store.list("refs/").unwrap(), []);
        assert_eq!(store.fetch(&main_ref(), true).unwrap(), None);
        assert_eq!(store.fetch(&main_ref(), false).unwrap(), None);
        assert_eq!(store.cached(&main_ref()), None);
        let root = tomoda_release::io::git::NewCommit { parent: None, files: &[], alone: true, by: &super::bot(), message: "begin\n" };
        let root = store.commit(&root).unwrap();
        assert_eq!(store.push(root.object(), &main_ref(), &Expect::Absent).unwrap(), Pushed::Landed);
        bare.git(&["update-ref", "-d", "refs/heads/main"]);
    }
}

#[test]
fn a_branch_may_become_a_folder_of_branches() {
    let bare = Bare::with(&[("a", "one\n")]);
    bare.git(&["branch", "x", "main"]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let (plain, nested) = (RefName::parse("refs/heads/x").unwrap(), RefName::parse("refs/heads/x/y").unwrap());
    assert!(store.fetch(&plain, true).unwrap().is_some());
    bare.git(&["branch", "-D", "x"]);
    bare.git(&["branch", "x/y", "main"]);
    assert!(store.fetch(&nested, true).unwrap().is_some());
    assert_eq!(store.fetch(&plain, true).unwrap(), None);
}

#[test]
fn what_was_forgotten_is_fetched_anew() {
    let bare = Bare::with(&[("a", "one\n")]);
    let server = GitServer::start(bare.root());
    let cache = tempfile::tempdir().unwrap();
    let store = store(&server.url(), cache.path());
    store.fetch(&main_ref(), true).unwrap();
    store.forget(&BranchName::parse("main").unwrap()).unwrap();
    assert_eq!(store.cached(&main_ref()), None);
    server.requests();
    assert!(store.fetch(&main_ref(), true).unwrap().is_some());
    assert!(server.requests().len() > 1);
}

#[test]
fn a_cache_that_has_piled_up_too_much_begins_anew() {
    let bare = Bare::with(&[("a", "one\n")]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let packs = home(cache.path()).join("tips.git/objects/pack");
    for number in 0..101 {
        fs::write(packs.join(format!("pack-{number}.pack")), "").unwrap();
    }
    assert_eq!(store.fetch(&main_ref(), true).unwrap(), Some(tip.clone()));
    assert!(fs::read_dir(&packs).unwrap().count() < 10);
    assert_eq!(store.read(&tip, &path("a")).unwrap().unwrap().bytes, b"one\n");
}

#[test]
fn what_git_says_at_the_end_of_a_conversation_is_understood() {
    let bare = Bare::with(&[("a", "one\n")]);
    let server = GitServer::start(bare.root());
    let cache = tempfile::tempdir().unwrap();
    let store = store(&server.url(), cache.path());
    let packet = |text: &str| format!("{:04x}{text}", text.len() + 4);
    for (said, kind) in [("ERR access denied or repository not exported: /x", Kind::RemoteFinal), ("ERR try again", Kind::Remote)] {
        let body: &'static str = Box::leak(format!("{}0000{}", packet("# service=git-upload-pack\n"), packet(said)).into_boxed_str());
        server.fault(On::FetchRefs, Fault::Answer(200, vec![("Content-Type", "application/x-git-upload-pack-advertisement".into())], body));
        let error = store.list("refs/").unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().contains(&said[4..]), "{error}");
    }
}

#[test]
fn a_repository_with_longer_object_ids_is_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "--bare", "--object-format=sha256", "-b", "main", "repo.git"]);
    let bare = folder.path().join("repo.git");
    let tree = git_with(&bare, &["mktree"], b"");
    let commit = git(&bare, &["commit-tree", "-m", "x", &tree]);
    git(&bare, &["update-ref", "refs/heads/main", &commit]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&format!("file://{}", bare.display()), cache.path());
    let error = store.fetch(&main_ref(), true).unwrap_err();
    assert_eq!(error.kind(), Kind::RemoteFinal, "{error:?}");
}

#[test]
fn two_addresses_never_share_a_cache() {
    let (one, two) = (Bare::with(&[("a", "one\n")]), Bare::with(&[("a", "two\n")]));
    let cache = tempfile::tempdir().unwrap();
    let (first, second) = (store(&one.file_url(), cache.path()), store(&two.file_url(), cache.path()));
    first.fetch(&main_ref(), true).unwrap();
    assert_eq!(second.cached(&main_ref()), None);
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 2);
}

#[test]
fn a_tag_of_a_file_is_no_commit() {
    let bare = Bare::with(&[("a", "one\n")]);
    bare.git(&["tag", "-a", "-m", "x", "blob", "main:a"]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let error = store.fetch(&RefName::tag("blob").unwrap(), true).unwrap_err();
    assert_eq!(error.kind(), Kind::RemoteFinal, "{error:?}");
}

#[test]
fn a_cache_that_cannot_be_made_is_a_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let remote = tomoda_release::io::git::Remote { url: tomoda_release::model::RepoUrl::parse("file:///x").unwrap(), token: None };
    let error = tomoda_release::io::git::Store::open(remote, &file).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
}

#[test]
fn a_missing_repository_is_final() {
    let bare = Bare::empty();
    let server = GitServer::start(bare.root());
    for url in [format!("file://{}/nothing.git", bare.root().display()), format!("{}/nothing.git", server.origin())] {
        let cache = tempfile::tempdir().unwrap();
        let error = store(&url, cache.path()).list("refs/").unwrap_err();
        assert_eq!(error.kind(), Kind::RemoteFinal, "{error:?}");
        assert!(error.to_string().contains("There is no repository"), "{error}");
    }
}
