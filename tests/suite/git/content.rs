//! Commits and tags made without a work tree, and histories read back.

use tomoda_release::error::Kind;
use tomoda_release::io::git::{Expect, FileChange, NewCommit, Pushed};
use tomoda_release::model::{CommitId, RefName};

use super::{bot, main_ref, path, store, write};
use crate::support::repo::Bare;

fn odd_tree() -> Bare {
    let bare = Bare::empty();
    bare.import(
        b"commit refs/heads/main\ncommitter Ann <a@b> 1700000000 +0000\ndata 2\nc\n\
          M 100755 inline run.sh\ndata 2\nx\n\
          M 100644 inline real/file\ndata 2\nx\n\
          M 120000 inline link\ndata 9\nreal/file\n\
          M 120000 inline linked\ndata 4\nreal\n\
          M 160000 1111111111111111111111111111111111111111 module\n",
    );
    bare
}

#[test]
fn modes_are_kept_and_links_are_not_followed() {
    let bare = odd_tree();
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let next = write(&store, &tip, "run.sh", "changed\n");
    let next = write(&store, &next, "new/deep/file", "new\n");
    assert_eq!(store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);
    let modes = bare.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", "main"]);
    for line in ["100755 run.sh", "100644 new/deep/file", "120000 link", "120000 linked", "160000 module", "100644 real/file"] {
        assert!(modes.lines().any(|it| it == line), "{modes}");
    }
    assert_eq!(store.read(&tip, &path("link")).unwrap().unwrap().mode, 0o120_000);
    assert_eq!(store.read(&tip, &path("module")).unwrap(), None);
    assert_eq!(store.read(&tip, &path("real")).unwrap(), None);
    assert_eq!(store.read(&tip, &path("real/file/more")).unwrap(), None);
    assert_eq!(store.list_dir(&tip, &path("run.sh")).unwrap(), None);
    assert_eq!(store.object_at(&tip, &path("nothing")).unwrap(), None);
    for (file, why) in [
        ("link", "symbolic link"),
        ("linked/file", "symbolic link"),
        ("module", "submodule"),
        ("real", "folder"),
        ("real/file/more", "not a folder"),
        ("module/x", "not a folder"),
    ] {
        let files = [FileChange { path: path(file), bytes: b"x".to_vec() }];
        let by = bot();
        let error = store.commit(&NewCommit { parent: Some(&tip), files: &files, alone: false, by: &by, message: "x" }).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        assert!(error.to_string().contains(why), "{file}: {error}");
    }
}

#[test]
fn a_commit_alone_holds_its_files_and_nothing_else() {
    let bare = Bare::with(&[("a", "one\n"), ("b", "two\n")]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let files = [FileChange { path: path("record.json"), bytes: b"{}".to_vec() }];
    let by = bot();
    let make =
        || store.commit(&NewCommit { parent: Some(&tip), files: &files, alone: true, by: &by, message: "record\n\nBody: x\n" }).unwrap();
    let made = make();
    assert_eq!(made, make(), "the same input is the same commit");
    assert_eq!(store.push(made.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);
    assert_eq!(bare.git(&["ls-tree", "-r", "--name-only", "main"]), "record.json");
    assert_eq!(bare.git(&["log", "-1", "--format=%an <%ae> %at %s|%b", "main"]), "Bot <bot@example.com> 1700000001 record|Body: x");
}

#[test]
fn a_file_is_not_written_twice_and_an_author_has_a_name() {
    let bare = Bare::with(&[("a", "one\n")]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let one = FileChange { path: path("a"), bytes: b"x".to_vec() };
    let by = bot();
    let twice = [one.clone(), one];
    assert_eq!(store.commit(&NewCommit { parent: None, files: &twice, alone: true, by: &by, message: "x" }).unwrap_err().kind(), Kind::Bug);
    let mut nobody = bot();
    nobody.name = "  ".into();
    let error = store.commit(&NewCommit { parent: None, files: &[], alone: true, by: &nobody, message: "x" }).unwrap_err();
    assert_eq!(error.kind(), Kind::Config);
    let stranger = CommitId::parse(&"12".repeat(20)).unwrap();
    let error = store.read(&stranger, &path("a")).unwrap_err();
    assert!(error.hint_text().unwrap().contains("Fetch"), "{error:?}");
    assert_eq!(store.push(stranger.object(), &main_ref(), &Expect::Absent).unwrap_err().kind(), Kind::Remote);
    let long = CommitId::parse(&"12".repeat(32)).unwrap();
    assert_eq!(store.read(&long, &path("a")).unwrap_err().kind(), Kind::RemoteFinal);
}

#[test]
fn a_tag_is_deterministic_and_annotated() {
    let bare = Bare::with(&[("a", "one\n")]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let make = |message: &str| store.tag("v1.2.3", &tip, &bot(), message).unwrap();
    assert_eq!(make("Release\n\nLedger-Seq: 7\n"), make("Release\n\nLedger-Seq: 7\n"));
    assert_ne!(make("Release\n"), make("Other\n"));
    let tag = make("Release\n\nLedger-Seq: 7\n");
    let name = RefName::tag("v1.2.3").unwrap();
    assert_eq!(store.push(&tag, &name, &Expect::Absent).unwrap(), Pushed::Landed);
    let text = bare.git(&["cat-file", "-p", "v1.2.3"]);
    assert!(text.contains("tag v1.2.3\ntagger Bot <bot@example.com> 1700000001 +0000") && text.ends_with("Ledger-Seq: 7"), "{text}");
    assert_eq!(store.fetch(&name, true).unwrap().unwrap(), tip);
    bare.git(&["fsck", "--strict"]);
}

#[test]
fn histories_say_which_commits_touched_what() {
    let bare = Bare::with(&[("backend/x", "1\n"), ("frontend/x", "1\n")]);
    let first = bare.tip("refs/heads/main").unwrap();
    let back = bare.commit("main", "back", &[("backend/x", "2\n")]);
    let front = bare.commit("main", "front", &[("frontend/x", "2\n")]);
    let same = bare.commit("main", "same again", &[("frontend/x", "2\n")]);
    let file = bare.commit("main", "file", &[("cloudbuild.yaml", "x\n")]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let tip = store.fetch(&main_ref(), false).unwrap().unwrap();
    let id = |text: &str| CommitId::parse(text).unwrap();
    let touching = |paths: &[&str]| {
        let paths: Vec<_> = paths.iter().map(|it| path(it)).collect();
        store.commits_touching(&id(&first), &tip, &paths).unwrap()
    };
    assert_eq!(touching(&["backend"]), [id(&back)]);
    assert_eq!(touching(&["frontend", "cloudbuild.yaml"]), [id(&file), id(&front)]);
    assert_eq!(touching(&["nothing"]), []);
    let log = store.history(&tip, &[id(&front)], 10).unwrap();
    assert_eq!(log.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), [&*file, &*same]);
    assert_eq!(log[0].parents, [id(&same)]);
    assert_eq!(log[0].message.trim_end(), "file");
    let whole = store.history(&tip, &[], usize::MAX).unwrap();
    assert_eq!(whole.last().unwrap().id.as_str(), first);
    assert!(store.is_ancestor(&id(&first), &tip).unwrap() && store.is_ancestor(&tip, &tip).unwrap());
}

#[test]
fn a_commit_is_compared_but_for_some_files() {
    let bare = Bare::with(&[("VERSION", "1\n"), ("web/VERSION", "1\n"), ("web/app.js", "x\n"), ("alone/VERSION", "1\n")]);
    let cache = tempfile::tempdir().unwrap();
    let store = store(&bare.file_url(), cache.path());
    let tip = store.fetch(&main_ref(), false).unwrap().unwrap();
    let versions = ["VERSION", "web/VERSION", "alone/VERSION", "gone/VERSION"].map(path);
    let one = write(&store, &tip, "VERSION", "2\n");
    let two = write(&store, &one, "web/VERSION", "2\n");
    let more = write(&store, &two, "web/app.js", "y\n");
    assert_eq!(store.parent_but_for(&one, &versions).unwrap(), Some(tip.clone()));
    assert_eq!(store.parent_but_for(&two, &versions).unwrap(), Some(one.clone()));
    assert_eq!(store.parent_but_for(&two, &versions[..1]).unwrap(), None, "another file");
    assert_eq!(store.parent_but_for(&more, &versions).unwrap(), None, "another file");
    assert_eq!(store.parent_but_for(&tip, &versions).unwrap(), None, "no parent");
    let same = write(&store, &more, "web/app.js", "y\n");
    assert_eq!(store.parent_but_for(&same, &versions).unwrap(), None, "no difference");
    let web = |commit: &CommitId| store.object_without(commit, &path("web"), &versions).unwrap();
    assert!(web(&tip).is_some() && web(&tip) == web(&two) && web(&two) != web(&more));
    assert_ne!(store.object_at(&tip, &path("web")).unwrap(), store.object_at(&two, &path("web")).unwrap());
    assert_eq!(store.object_without(&tip, &path("alone"), &versions).unwrap(), None, "nothing else is in it");
    assert_eq!(store.object_without(&tip, &path("VERSION"), &versions).unwrap(), None);
    assert_eq!(store.object_without(&tip, &path("web"), &[path("web")]).unwrap(), store.object_at(&tip, &path("web")).unwrap());
}
