//! `next-version`: the cases of `tests/cases/version`, on lists of messages and on histories made by git itself.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use proptest::prelude::*;
use serde_json::{Value, json};
use tomoda_release::decide::bump::{Class, Commit, PlannedVersion, next_version, plan_version};
use tomoda_release::decide::equivalence;
use tomoda_release::io::git::history;
use tomoda_release::model::{AppSeen, BranchName, CommitId, ComponentName, ObjectId, TagTemplate, Version};

/// A repository made by the `git` program, in a world of its own.
pub(super) struct Repo {
    dir: tempfile::TempDir,
    clock: std::cell::Cell<u64>,
}

impl Repo {
    pub(super) fn new() -> Self {
        let repo = Self { dir: tempfile::tempdir().unwrap(), clock: std::cell::Cell::new(1_700_000_000) };
        repo.git(&["init", "--quiet", "--initial-branch=main"]);
        repo
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn git(&self, args: &[&str]) -> String {
        self.clock.set(self.clock.get() + 1);
        let date = format!("{} +0000", self.clock.get());
        let home = self.path().join(".git/no-home");
        let output = Command::new("git")
            .current_dir(self.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .envs([("GIT_AUTHOR_NAME", "A"), ("GIT_AUTHOR_EMAIL", "a@x"), ("GIT_COMMITTER_NAME", "A"), ("GIT_COMMITTER_EMAIL", "a@x")])
            .envs([("GIT_AUTHOR_DATE", &date), ("GIT_COMMITTER_DATE", &date)])
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(super) fn commit(&self, message: &str) -> String {
        self.add_commit(message);
        self.git(&["rev-parse", "HEAD"])
    }

    fn add_commit(&self, message: &str) {
        let name = format!("file-{}", self.clock.get());
        std::fs::write(self.path().join(&name), message).unwrap();
        self.git(&["add", &name]);
        self.git(&["commit", "--quiet", "--cleanup=verbatim", "-m", message]);
    }

    /// One step of `histories.json`.
    fn step(&self, step: &str) {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        match verb {
            "commit" => self.add_commit(rest),
            "tag" => drop(self.git(&["tag", "-a", "-m", rest, rest])),
            "light" => drop(self.git(&["tag", rest])),
            "tree-tag" => drop(self.git(&["tag", rest, "HEAD^{tree}"])),
            "alias" => {
                let (new, old) = rest.split_once(' ').unwrap();
                let object = self.git(&["rev-parse", &format!("refs/tags/{old}")]);
                self.git(&["update-ref", &format!("refs/tags/{new}"), &object]);
            }
            "branch" => drop(self.git(&["checkout", "--quiet", "-b", rest])),
            "checkout" => drop(self.git(&["checkout", "--quiet", rest])),
            "merge" => drop(self.git(&["merge", "--quiet", "--no-ff", "-m", &format!("Merge branch '{rest}'"), rest])),
            "revert-merge" => drop(self.git(&["revert", "--no-edit", "-m", "1", "HEAD"])),
            "revert" => drop(self.git(&["revert", "--no-edit", "HEAD"])),
            other => panic!("unknown step {other}"),
        }
    }
}

/// Runs the binary with nothing of this process's environment.
pub(super) fn tool(args: &[&str], input: &str) -> Output {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tomoda-release"))
        .env_clear()
        .env("HOME", home.path())
        .current_dir(home.path())
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The program may refuse its arguments and leave before it reads.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    child.wait_with_output().unwrap()
}

pub(super) fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(file);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
}

pub(super) fn stdout_json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(&output.stderr)))
}

/// A refusal prints no result: nothing, or for programs one document that says what is wrong.
pub(super) fn only_an_error(output: &Output) -> bool {
    output.stdout.is_empty() || stdout_json(output).as_object().is_some_and(|it| it.keys().eq(["error"]))
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

fn classes(result: &Value) -> Vec<&str> {
    result["commits"].as_array().unwrap().iter().map(|it| it["class"].as_str().unwrap()).collect()
}

#[test]
fn every_list_of_messages_makes_its_version() {
    let mut problems = Vec::new();
    for case in cases("version/messages.json") {
        let messages: Vec<Value> =
            case["commits"].as_array().unwrap().iter().map(|it| json!({ "sha": it[0], "msg": it[1], "merge": it[2] })).collect();
        let previous = case["previous"].as_str().unwrap();
        let output = tool(&["next-version", "--messages", "-", "--previous", previous, "--output", "json"], &json!(messages).to_string());
        let result = stdout_json(&output);
        let as_expected = result["next"] == case["next"]
            && result["previous"] == case["previous"]
            && classes(&result).len() == messages.len()
            && case.get("classes").is_none_or(|it| texts(it) == classes(&result))
            && case.get("warned").is_none_or(|it| it == !texts(&result["warnings"]).is_empty());
        if !as_expected {
            problems.push(format!("{}: wanted {case}, got {result:#}", case["id"]));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn every_history_makes_its_version_or_is_refused() {
    let mut problems = Vec::new();
    for case in cases("version/histories.json") {
        let repo = Repo::new();
        texts(&case["steps"]).into_iter().for_each(|it| repo.step(it));
        let mut args = vec!["next-version", "--output", "json", "--repo", repo.path().to_str().unwrap()];
        args.extend(texts(&case["args"]));
        let output = tool(&args, "");
        let said = String::from_utf8_lossy(&output.stderr);
        if let Some(problem) = history_problem(&case, &output, &said) {
            problems.push(format!("{}: {problem}\n{said}{}", case["id"], String::from_utf8_lossy(&output.stdout)));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

fn history_problem(case: &Value, output: &Output, said: &str) -> Option<String> {
    let code = output.status.code();
    if let Some(why) = case["refused"].as_str() {
        let fine = code == Some(3) && said.contains(why) && only_an_error(output);
        return (!fine).then(|| format!("wanted a refusal that says “{why}”, exit code 3; got {code:?}"));
    }
    let result = if code == Some(0) { stdout_json(output) } else { return Some(format!("exit code {code:?}")) };
    let already = case["already"].as_str();
    let warned = |it: &str| texts(&result["warnings"]).iter().any(|warning| warning.contains(it));
    let fine = result["alreadyTagged"] == already.is_some()
        && already.is_none_or(|it| result["tag"] == it && result["next"] == it)
        && case.get("previous").is_none_or(|it| *it == result["previous"])
        && case.get("next").is_none_or(|it| *it == result["next"] && *it == result["tag"])
        && case["commits"].as_u64().is_none_or(|it| it as usize == classes(&result).len())
        && case.get("classes").is_none_or(|it| texts(it) == classes(&result))
        && case["warns"].as_str().is_none_or(warned);
    (!fine).then(|| format!("wanted {case}"))
}

#[test]
fn a_shallow_clone_is_refused_and_nothing_is_guessed() {
    let repo = Repo::new();
    repo.commit("chore: begin");
    repo.git(&["tag", "-a", "-m", "x", "v1.0.0"]);
    repo.commit("fix: a");
    let clone: PathBuf = repo.path().join("clone");
    repo.git(&["clone", "--quiet", "--depth=1", &format!("file://{}", repo.path().display()), clone.to_str().unwrap()]);
    let output = tool(&["next-version", "--repo", clone.to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("git fetch --unshallow --tags"));
}

#[test]
fn what_is_wrong_with_the_input_is_said() {
    let elsewhere = tempfile::tempdir().unwrap();
    let empty = Repo::new();
    let (one, longer) = (Repo::new(), Repo::new());
    one.commit("fix: a");
    std::fs::remove_dir_all(longer.path().join(".git")).unwrap();
    longer.git(&["init", "--quiet", "--object-format=sha256"]);
    let [elsewhere, empty, one, longer] = [elsewhere.path(), empty.path(), one.path(), longer.path()].map(|it| it.to_str().unwrap());
    let mixed = r#"[{"sha":"abc"},{"sha":"abc","msg":null}]"#;
    let short = r#"[{"sha":"abc","msg":"fix: a"},{"sha":"def","msg":"fix: b"}]"#;
    for (args, input, says) in [
        (vec!["--repo", elsewhere], "", "not in a git repository"),
        (vec!["--repo", empty], "", "has no commits"),
        (vec!["--repo", empty, "--branch", "no such"], "", "not a branch name"),
        (vec!["--messages", "-", "--previous", "v1.2"], "[]", "--previous “v1.2” is not a version such as v1.2.3"),
        (vec!["--messages", "-", "--previous", "v1.2.3"], "{", "not a JSON list"),
        (vec!["--messages", "-", "--previous", "v1.2.3"], short, "commit 2: “def” is not a full git object id"),
        (vec!["--messages", "-", "--previous", "v1.2.3"], mixed, "commit 1: missing field `msg`"),
        (vec!["--messages", "-", "--previous", "v1.2.3"], mixed, "commit 2: invalid type: null"),
        (vec!["--messages", "-", "--previous", "v1", "--initial", "x"], "{", "3 problems"),
        (vec!["--repo", one, "--commit", "abc"], "", "names no commit of this repository: an abbreviated id"),
        (vec!["--repo", longer], "", "cannot be opened"),
        (vec!["--messages", "-", "--repo", "."], "[]", "cannot be used with"),
        (vec!["--messages", "/nonexistent"], "", "/nonexistent cannot be read"),
        (vec!["--tag-template", "v"], "", "{version} exactly once"),
    ] {
        let output = tool(&[&["next-version"], &args[..]].concat(), input);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(says), "{args:?}: {:?} {said}", output.status);
    }
}

#[test]
fn text_tells_version_level_and_every_commit() {
    let messages = json!([
        { "sha": "a".repeat(40), "msg": "feat: a", "merge": false },
        { "sha": "b".repeat(40), "msg": "fix: b\n\nBREAKING CHANGE: c", "merge": false },
    ]);
    let output = tool(&["next-version", "--messages", "-", "--previous", "v0.3.1"], &messages.to_string());
    insta::assert_snapshot!(String::from_utf8(output.stdout).unwrap(), @r"
    v0.4.0  minor, after v0.3.1
      aaaaaaa  minor     feat: a
      bbbbbbb  major     fix: b
                         └ BREAKING CHANGE: c
    warning: A breaking change below 1.0.0 raises the minor number. 1.0.0 is a decision, not a count.
    ");
}

#[test]
fn a_commit_cannot_paint_or_hide_a_line_of_what_is_told() {
    let messages = json!([{ "sha": "a".repeat(40), "msg": "fix: a\u{1b}[2K\rfeat!: b\u{202e}", "merge": false }]);
    let output = tool(&["next-version", "--messages", "-", "--previous", "v1.0.0"], &messages.to_string());
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("fix: a\u{fffd}[2K\u{fffd}feat!: b\u{fffd}"), "{told:?}");
}

proptest! {
    /// Each revert of the one before turns the feature off and on again.
    #[test]
    fn an_even_number_of_reverts_leaves_the_feature(reverts in 0usize..12) {
        let ids: Vec<CommitId> = (0..=reverts).map(|it| CommitId::parse(&format!("{it:040x}")).unwrap()).collect();
        let messages: Vec<String> = (0..=reverts).map(|it| match it {
            0 => "feat: a".to_owned(),
            it => format!("Revert \"x\"\n\nThis reverts commit {}.", ids[it - 1]),
        }).collect();
        let commits: Vec<Commit<'_>> =
            ids.iter().zip(&messages).map(|(id, message)| Commit { id, message, parents: &[], merge: false }).collect();
        let next = next_version(Some(Version::parse("1.2.3").unwrap()), None, &commits).unwrap();
        let stands = reverts % 2 == 0;
        prop_assert_eq!(next.next.to_string(), if stands { "1.3.0" } else { "1.2.4" });
        prop_assert_eq!(next.commits[0].class == Class::Minor, stands);
    }

    /// Nothing that people write makes it panic, drop a commit, or go back.
    #[test]
    fn any_message_counts_for_something(messages in proptest::collection::vec(".{0,60}(\n\n?.{0,60}){0,3}", 1..6)) {
        let ids: Vec<CommitId> = (0..messages.len()).map(|it| CommitId::parse(&format!("{it:040x}")).unwrap()).collect();
        let commits: Vec<Commit<'_>> =
            ids.iter().zip(&messages).map(|(id, message)| Commit { id, message, parents: &[], merge: false }).collect();
        let before = Version::parse("1.2.3").unwrap();
        let next = next_version(Some(before), None, &commits).unwrap();
        prop_assert!(next.next > before && next.commits.len() == messages.len());
    }
}

/// An app repository with two components, and what a look brings of it.
struct AppRepo {
    repo: Repo,
}

impl AppRepo {
    fn new() -> Self {
        let it = Self { repo: Repo::new() };
        it.change("chore: begin", &["backend/main", "frontend/page", "docs/readme"]);
        it
    }

    fn change(&self, message: &str, files: &[&str]) -> CommitId {
        for file in files {
            let path = self.repo.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, format!("{message} {}", self.repo.clock.get())).unwrap();
            self.repo.git(&["add", file]);
        }
        self.repo.git(&["commit", "--quiet", "-m", message]);
        CommitId::parse(&self.repo.git(&["rev-parse", "HEAD"])).unwrap()
    }

    /// The sources of each component at its image's commit and at the release commit, as git tells them.
    fn look(&self, images: &[(ComponentName, CommitId)], release: &CommitId) -> AppSeen {
        let repo = history::open(self.repo.path()).unwrap();
        let main = BranchName::parse("main").unwrap();
        let tip = history::branch_tip(&repo, &main).unwrap();
        let mut app = history::app(&repo, Some(main), &tip, &TagTemplate::default()).unwrap();
        for (component, built) in images {
            for at in [built, release] {
                let spec = format!("{at}:{component}");
                let found = self.repo.git(&["rev-parse", "--revs-only", "--quiet", &spec]);
                app.sources.insert((component.clone(), at.clone()), vec![ObjectId::parse(&found).ok()]);
            }
            let touching = self.repo.git(&["rev-list", &format!("{built}..{release}"), "--", component.as_str()]);
            app.unproved.insert(component.clone(), touching.lines().map(|it| CommitId::parse(it).unwrap()).collect());
        }
        app
    }
}

#[test]
fn a_release_commit_counts_as_the_commit_it_stands_on() {
    for on_branch in [false, true] {
        let app = AppRepo::new();
        app.repo.git(&["tag", "v1.0.0"]);
        let proved = app.change("feat: proved", &["backend/main"]);
        if !on_branch {
            app.repo.git(&["checkout", "--quiet", "--detach"]);
        }
        let release = app.change("chore(release): v1.1.0", &["VERSION"]);
        app.repo.git(&["tag", "v1.1.0"]);
        app.repo.git(&["checkout", "--quiet", "main"]);
        let later = app.change("fix: later", &["backend/main"]);
        let mut seen = app.look(&[], &later);
        let plan = |seen: &AppSeen, at: &CommitId| plan_version(seen, &TagTemplate::default(), None, at);
        assert!(plan(&seen, &proved).is_err() || !on_branch, "without knowing what it is, it is a later release");
        seen.tags.iter_mut().find(|it| it.commit == release).unwrap().onto = Some(proved.clone());
        for at in [&proved, &release].into_iter().take(1 + usize::from(on_branch)) {
            let PlannedVersion::AlreadyTagged { tag, .. } = plan(&seen, at).unwrap() else { panic!("it is released") };
            assert_eq!((tag.name.as_str(), &tag.commit), ("v1.1.0", &release));
        }
        let PlannedVersion::Cut { tag, next } = plan(&seen, &later).unwrap() else { panic!("it is not released") };
        let subjects: Vec<_> = next.commits.iter().map(|it| it.subject.as_str()).collect();
        assert_eq!((tag.as_str(), subjects), ("v1.1.1", vec!["fix: later"]));
    }
}

fn images(backend: &CommitId, frontend: &CommitId) -> Vec<(ComponentName, CommitId)> {
    let name = |it| ComponentName::parse(it).unwrap();
    vec![(name("backend"), backend.clone()), (name("frontend"), frontend.clone())]
}

#[test]
fn components_built_from_different_commits_make_one_release() {
    let app = AppRepo::new();
    let backend = app.change("feat: api", &["backend/main"]);
    let frontend = app.change("feat: page", &["frontend/page"]);
    app.change("docs: later", &["docs/readme"]);
    let images = images(&backend, &frontend);
    let seen = app.look(&images, &frontend);
    assert_eq!(equivalence::release_commit(&seen, &images).unwrap(), frontend);
    equivalence::prove(&seen, &images, &frontend).unwrap();
}

#[test]
fn a_change_that_dev_never_ran_is_named() {
    let app = AppRepo::new();
    let backend = app.change("feat: api", &["backend/main"]);
    let unseen = app.change("fix: never in dev", &["backend/main"]);
    let frontend = app.change("feat: page", &["frontend/page"]);
    let images = images(&backend, &frontend);
    let seen = app.look(&images, &frontend);
    let error = equivalence::prove(&seen, &images, &frontend).unwrap_err().to_string();
    assert!(error.contains("backend") && error.contains(&format!("{} fix: never in dev", unseen.short())), "{error}");
    assert!(!error.contains("frontend at"), "{error}");
}

#[test]
fn a_change_that_was_taken_back_is_no_difference() {
    let app = AppRepo::new();
    let backend = app.change("feat: api", &["backend/main"]);
    app.change("fix: wrong", &["backend/main"]);
    app.repo.git(&["revert", "--no-edit", "HEAD"]);
    let frontend = app.change("feat: page", &["frontend/page"]);
    let images = images(&backend, &frontend);
    equivalence::prove(&app.look(&images, &frontend), &images, &frontend).unwrap();
}

#[test]
fn what_is_not_on_the_branch_or_not_read_is_refused() {
    let app = AppRepo::new();
    let frontend = app.change("feat: page", &["frontend/page"]);
    app.repo.git(&["checkout", "--quiet", "-b", "side"]);
    let backend = app.change("feat: api", &["backend/main"]);
    app.repo.git(&["checkout", "--quiet", "main"]);
    let pair = images(&backend, &frontend);
    let seen = app.look(&pair, &frontend);
    let said = |error: tomoda_release::error::Error| error.to_string();
    assert!(said(equivalence::release_commit(&seen, &pair).unwrap_err()).contains("Not on the branch main: backend was built from"));
    let unread = AppSeen { sources: Default::default(), ..seen };
    let pair = images(&unread.history[1].id.clone(), &frontend);
    assert!(said(equivalence::prove(&unread, &pair, &frontend).unwrap_err()).contains("could not be read"));
}

#[test]
fn lines_that_were_never_merged_into_an_image_are_not_comparable() {
    let app = AppRepo::new();
    app.repo.git(&["checkout", "--quiet", "-b", "side"]);
    let backend = app.change("feat: api", &["backend/main"]);
    app.repo.git(&["checkout", "--quiet", "main"]);
    let frontend = app.change("feat: page", &["frontend/page"]);
    app.repo.git(&["merge", "--quiet", "--no-ff", "-m", "Merge branch 'side'", "side"]);
    let merge = CommitId::parse(&app.repo.git(&["rev-parse", "HEAD"])).unwrap();
    let pair = images(&backend, &frontend);
    let seen = app.look(&pair, &merge);
    let error = equivalence::release_commit(&seen, &pair).unwrap_err().to_string();
    assert!(error.contains("No image in dev was built from a commit that contains all others"), "{error}");
    assert_eq!(equivalence::release_commit(&seen, &images(&merge, &frontend)).unwrap(), merge);
}

#[test]
fn paths_that_exist_nowhere_prove_nothing() {
    let app = AppRepo::new();
    let old = app.change("feat: page", &["frontend/page"]);
    let new = app.change("feat: page again", &["frontend/page"]);
    let image = vec![(ComponentName::parse("backned").unwrap(), old)];
    let error = equivalence::prove(&app.look(&image, &new), &image, &new).unwrap_err().to_string();
    assert!(error.contains("None of the paths of backned exists"), "{error}");
}
