//! What kustomize makes of the edited files: the same manifests with another image, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use tomoda_release::decide::overlay::{Change, Edited, entries};

use super::{Case, Expected, folders};

const DEPLOYMENT: &str =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n";

/// Cases that kustomize cannot build from these parts: other files, other kinds, directives, not block style.
const NOT_BUILT: [&str; 8] = ["resources", "patches", "configMapGenerator", "namePrefix", "kind:", "%YAML", "{", "..."];

fn has_kubectl() -> bool {
    let present = Command::new("kubectl").args(["version", "--client"]).output().is_ok_and(|it| it.status.success());
    assert!(present || std::env::var_os("TOMODA_REAL").is_none(), "TOMODA_REAL=1 needs kubectl");
    if !present {
        println!("skipped: kubectl is not installed");
    }
    present
}

/// One Deployment that uses each image, under this kustomization, in a folder of its own.
fn stage(folder: &Path, id: &str, text: &str, images: &[String]) {
    let container = |(n, it): (usize, &String)| format!("      - {{name: c{n}, image: \"{it}:was\"}}\n");
    let containers: String = images.iter().enumerate().map(container).collect();
    let (between, end) = (if text.ends_with('\n') { "" } else { "\n" }, if text.contains("\r\n") { "\r\n" } else { "\n" });
    fs::create_dir(folder).unwrap();
    write(
        folder,
        "deployment.yaml",
        &format!("{}{containers}", DEPLOYMENT.replace("{name: d}", &format!("{{name: {}}}", id.to_lowercase()))),
    );
    write(folder, "kustomization.yaml", &format!("{text}{between}resources: [deployment.yaml]{end}"));
}

/// All the staged folders in one run: the manifests, one a case, in the order of their names.
fn build(root: &Path, ids: &[&str]) -> Vec<String> {
    write(root, "kustomization.yaml", &format!("resources: [{}]\n", ids.join(", ")));
    let out = Command::new("kubectl").arg("kustomize").arg(root).output().unwrap();
    assert!(out.status.success(), "kustomize refuses an edited file: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap().split("---\n").map(str::to_owned).collect()
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::write(folder.join(name), text).unwrap();
}

/// Whether the case is one that kustomize is asked about.
fn is_built(case: &Case) -> bool {
    let starts = |line: &str| NOT_BUILT.iter().any(|it| line.trim_start_matches('\u{feff}').trim_start().starts_with(it));
    matches!(case.expected, Expected::After(_)) && !case.before.lines().any(starts)
}

#[test]
fn kustomize_sees_another_image_and_nothing_else() {
    if !has_kubectl() {
        return;
    }
    let (before, after) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let cases: Vec<Case> = folders().iter().map(|it| Case::read(it)).filter(is_built).collect();
    let cases: Vec<(Case, Edited)> = cases.into_iter().map(|it| (it.run().unwrap(), it)).map(|(done, it)| (it, done)).collect();
    let cases: Vec<&(Case, Edited)> = cases.iter().filter(|(_, done)| !done.changes.is_empty()).collect();
    for (case, done) in &cases {
        let names: Vec<String> = entries("k", &done.text).unwrap().into_iter().map(|it| it.name).collect();
        stage(&after.path().join(&case.id), &case.id, &done.text, &names);
        stage(&before.path().join(&case.id), &case.id, &case.before, &names);
    }
    let ids: Vec<&str> = cases.iter().map(|(case, _)| case.id.as_str()).collect();
    let new = build(after.path(), &ids);
    for ((case, done), new) in cases.iter().zip(&new) {
        assert!(new.contains(&format!("name: {}\n", case.id.to_lowercase())), "{}: {new}", case.id);
        done.changes.iter().for_each(|it| assert!(shows(new, it), "{}: {it:?} in\n{new}", case.id));
    }
    // A number in the place of a tag is built only after the edit; a line break in it makes other lines.
    let ids: Vec<&str> = ids.into_iter().filter(|it| !["BYT-04-present", "SPN-06", "SPN-07"].contains(it)).collect();
    let old = build(before.path(), &ids);
    let new = new.iter().zip(&cases).filter(|(_, (case, _))| ids.contains(&case.id.as_str())).map(|(new, _)| new);
    for ((old, new), id) in old.iter().zip(new).zip(&ids) {
        assert_eq!(old.lines().count(), new.lines().count(), "{id}");
        for (old, new) in old.lines().zip(new.lines()) {
            let images = old.contains("image: ") && new.contains("image: ");
            assert!(old == new || images, "{id}: {old} became {new}");
        }
    }
    assert!(ids.len() > 40, "only {} cases were built", ids.len());
}

/// Whether the manifests say what the change says.
fn shows(manifests: &str, change: &Change) -> bool {
    let Some(new) = &change.new else { return true };
    let sign = match change.field {
        "name" => return true,
        "newName" => "image: ",
        "newTag" => ":",
        _ => "@",
    };
    manifests.contains(&format!("{sign}{new}")) || manifests.contains(&format!("image: '{new}"))
}
