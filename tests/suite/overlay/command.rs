//! The command `set-image`, as a process on real files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use super::{Case, Expected, arguments, folders};

const PLAIN: &str = "images:\n- name: app\n  newTag: v1 # t\n";

fn set_image(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tomoda-release"))
        .arg("set-image")
        .args(args)
        .env_clear()
        .env("HOME", folder)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn folder_with(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
    folder
}

fn read(folder: &Path) -> String {
    fs::read_to_string(folder.join("kustomization.yaml")).unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn every_case_of_arguments_comes_out_of_the_command_too() {
    for folder in folders() {
        let Ok(args) = fs::read_to_string(folder.join("args")) else { continue };
        let case = Case::read(&folder);
        let work = folder_with(&case.before);
        let mut words = vec!["kustomization.yaml"];
        words.extend(arguments(&args));
        let out = set_image(work.path(), &words);
        let wanted = match &case.expected {
            Expected::After(after) => (0, after.as_str()),
            Expected::Error(lines) => {
                (lines[0].strip_prefix("exit ").expect("error.txt begins with exit N").parse().unwrap(), case.before.as_str())
            }
        };
        assert_eq!((out.status.code().unwrap(), read(work.path()).as_str()), wanted, "{}: {}", case.id, said(&out.stderr));
        assert_eq!(fs::read_dir(work.path()).unwrap().count(), 1, "{}: something was left behind", case.id);
    }
}

#[test]
fn what_changed_is_printed_and_nothing_else() {
    let work = folder_with("images:\n- name: app\n  newTag: v1\n  digest: sha256:old\n");
    let out = set_image(work.path(), &[".", "app:v2"]);
    assert_eq!(
        said(&out.stdout),
        "app newTag v1 → v2 ./kustomization.yaml:3\napp digest sha256:old → (removed: it belongs to the old tag) ./kustomization.yaml:4\n"
    );
    let out = set_image(work.path(), &[".", "app:v2"]);
    assert_eq!((said(&out.stdout).as_str(), out.status.code()), ("Nothing to change.\n", Some(0)));
}

#[test]
fn programs_get_json() {
    let work = folder_with(PLAIN);
    let out = set_image(work.path(), &["kustomization.yaml", "app:v2", "--output", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&out.stdout).unwrap();
    let change = serde_json::json!({"image": "app", "field": "newTag", "line": 3, "old": "v1", "new": "v2"});
    assert_eq!(json, serde_json::json!({"file": "kustomization.yaml", "changes": [change]}));
    let out = set_image(work.path(), &["kustomization.yaml", "app:v2", "-o", "json"]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&out.stdout).unwrap()["changes"], serde_json::json!([]));
}

#[test]
fn mode_is_kept_and_an_idle_run_does_not_touch_the_file() {
    for mode in [0o755, 0o600, 0o644] {
        let work = folder_with(PLAIN);
        let file = work.path().join("kustomization.yaml");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        assert!(set_image(work.path(), &[".", "app:v2"]).status.success());
        let after = fs::metadata(&file).unwrap();
        assert_eq!(after.permissions().mode() & 0o777, mode);
        assert!(set_image(work.path(), &[".", "app:v2"]).status.success());
        let idle = fs::metadata(&file).unwrap();
        assert_eq!((idle.ino(), idle.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    }
}

#[test]
fn writers_of_one_file_take_turns() {
    let entry = |n: usize| format!("- name: app{n}\n  newTag: v1\n");
    let work = folder_with(&format!("images:\n{}", (0..8).map(entry).collect::<String>()));
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|n| {
                (
                    n,
                    scope.spawn({
                        let work = &work;
                        move || set_image(work.path(), &[".", &format!("app{n}:v2")])
                    }),
                )
            })
            .collect();
        for (n, it) in all {
            let out = it.join().unwrap();
            assert!(out.status.success(), "{n}: {}", said(&out.stderr));
        }
    });
    assert_eq!(read(work.path()).matches("newTag: v2").count(), 8, "{}", read(work.path()));
}

#[test]
fn a_file_of_two_names_has_one_content_afterwards() {
    let work = folder_with(PLAIN);
    let other = work.path().join("other.yaml");
    fs::hard_link(work.path().join("kustomization.yaml"), &other).unwrap();
    assert!(set_image(work.path(), &[".", "app:v22"]).status.success());
    assert!(set_image(work.path(), &[".", "app:v3"]).status.success());
    assert_eq!(read(work.path()), PLAIN.replace("v1", "v3"));
    assert_eq!(fs::read_to_string(other).unwrap(), PLAIN.replace("v1", "v3"));
}

#[test]
fn a_link_is_followed_but_not_out_of_the_repository() {
    let outside = folder_with(PLAIN);
    let repository = tempfile::tempdir().unwrap();
    fs::create_dir_all(repository.path().join(".git")).unwrap();
    fs::create_dir_all(repository.path().join("overlay")).unwrap();
    fs::write(repository.path().join("real.yaml"), PLAIN).unwrap();
    let link = repository.path().join("overlay/kustomization.yaml");
    symlink("../real.yaml", &link).unwrap();
    assert!(set_image(repository.path(), &["overlay", "app:v2"]).status.success());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(repository.path().join("real.yaml")).unwrap(), PLAIN.replace("v1", "v2"));

    fs::remove_file(&link).unwrap();
    symlink(outside.path().join("kustomization.yaml"), &link).unwrap();
    let out = set_image(repository.path(), &["overlay", "app:v2"]);
    assert_eq!(out.status.code(), Some(3), "{}", said(&out.stderr));
    assert_eq!(read(outside.path()), PLAIN);
}

#[test]
fn a_folder_has_one_kustomization_under_any_of_its_names() {
    for name in ["kustomization.yaml", "kustomization.yml", "Kustomization"] {
        let work = tempfile::tempdir().unwrap();
        fs::write(work.path().join(name), PLAIN).unwrap();
        assert!(set_image(work.path(), &[".", "app:v2"]).status.success());
        assert_eq!(fs::read_to_string(work.path().join(name)).unwrap(), PLAIN.replace("v1", "v2"));
    }
    let work = folder_with(PLAIN);
    fs::write(work.path().join("kustomization.yml"), PLAIN).unwrap();
    let out = set_image(work.path(), &[".", "app:v2"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(said(&out.stderr).contains("kustomization.yaml, ./kustomization.yml"), "{}", said(&out.stderr));
    assert_eq!(read(work.path()), PLAIN);
}

#[test]
fn files_that_are_not_read_are_refused_untouched() {
    let refused = |bytes: &[u8], why: &str| {
        let work = tempfile::tempdir().unwrap();
        let file = work.path().join("kustomization.yaml");
        fs::write(&file, bytes).unwrap();
        let out = set_image(work.path(), &[".", "app:v2"]);
        assert_eq!(out.status.code(), Some(2), "{why}");
        assert!(said(&out.stderr).contains(why), "{}", said(&out.stderr));
        assert_eq!(fs::read(&file).unwrap(), bytes);
    };
    refused(b"images:\n- name: app\n  newTag: \xff\n", "kustomization.yaml:3 is not UTF-8");
    refused(format!("{PLAIN}# {}\n", "x".repeat(2_000_000)).as_bytes(), "larger than");
    refused(b"images:\n- name: app\n  newTag: v1\n---\na: b\n", "several YAML documents");

    let work = tempfile::tempdir().unwrap();
    for (args, why) in [(["missing.yaml", "app:v2"], "missing.yaml cannot be read"), ([".", "app:v2"], "has no kustomization")] {
        let out = set_image(work.path(), &args);
        assert_eq!(out.status.code(), Some(2));
        assert!(said(&out.stderr).contains(why), "{}", said(&out.stderr));
    }
    let work = folder_with(PLAIN);
    fs::set_permissions(work.path().join("kustomization.yaml"), fs::Permissions::from_mode(0o444)).unwrap();
    let out = set_image(work.path(), &[".", "app:v2"]);
    assert!(said(&out.stderr).contains("is read-only"), "{}", said(&out.stderr));
}

#[test]
fn all_problems_are_told_at_once_and_nothing_is_written() {
    let work = folder_with(PLAIN);
    let out = set_image(work.path(), &[".", "app:v2", "nothing", "other:v1", "another:v1", "app@sha256:12"]);
    let said = said(&out.stderr);
    assert_eq!(out.status.code(), Some(2));
    for it in ["4 problems", "“nothing”", "no images entry for other", "no images entry for another", "“app@sha256:12”"] {
        assert!(said.contains(it), "{it}: {said}");
    }
    assert_eq!(read(work.path()), PLAIN);
}

#[test]
fn only_the_named_overlay_is_edited() {
    let work = tempfile::tempdir().unwrap();
    for it in ["base", "dev", "prod"] {
        fs::create_dir(work.path().join(it)).unwrap();
        fs::write(work.path().join(it).join("kustomization.yaml"), PLAIN).unwrap();
    }
    assert!(set_image(work.path(), &["dev", "app:v2"]).status.success());
    assert_eq!([read(&work.path().join("base")), read(&work.path().join("prod"))], [PLAIN, PLAIN]);
}
