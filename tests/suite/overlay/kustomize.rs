//! What kustomize makes of the edited files: the same manifests with another image, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Case, Expected, folders};
use tomoda_release::decide::overlay::entries;

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

/// The manifests of one Deployment that uses each image, under this kustomization, or why there are none.
fn build(text: &str, images: &[String]) -> Result<Vec<String>, String> {
    let folder = tempfile::tempdir().unwrap();
    let container = |(n, it): (usize, &String)| format!("      - {{name: c{n}, image: \"{it}:was\"}}\n");
    let containers: String = images.iter().enumerate().map(container).collect();
    let (between, end) = (if text.ends_with('\n') { "" } else { "\n" }, if text.contains("\r\n") { "\r\n" } else { "\n" });
    write(folder.path(), "deployment.yaml", &format!("{DEPLOYMENT}{containers}"));
    write(folder.path(), "kustomization.yaml", &format!("{text}{between}resources: [deployment.yaml]{end}"));
    let out = Command::new("kubectl").arg("kustomize").arg(folder.path()).output().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if out.status.success() { Ok(said(&out.stdout).lines().map(str::to_owned).collect()) } else { Err(said(&out.stderr)) }
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
    let mut seen = 0;
    for case in folders().iter().map(|it| Case::read(it)).filter(is_built) {
        let done = case.run().unwrap();
        if done.changes.is_empty() {
            continue;
        }
        let names: Vec<String> = entries("k", &done.text).unwrap().into_iter().map(|it| it.name).collect();
        let new = build(&done.text, &names).unwrap_or_else(|why| panic!("{}: kustomize refuses the edited file: {why}", case.id));
        seen += 1;
        for change in &done.changes {
            let sign = match change.field {
                "newTag" => ":",
                "digest" => "@",
                _ => "image: ",
            };
            let shown = |value: &String| new.iter().any(|it| it.contains(&format!("{sign}{value}")));
            // `~` and `null` are no tags to kustomize, in whatever quotes.
            let nothing = change.new.as_deref().is_some_and(|it| ["~", "null", "foo"].contains(&it));
            assert!(nothing || change.field == "name" || change.new.as_ref().is_none_or(shown), "{}: {change:?} in {new:#?}", case.id);
        }
        // What kustomize could not build before, it may build now: a number became text.
        let Ok(old) = build(&case.before, &names) else { continue };
        assert_eq!(old.len(), new.len(), "{}", case.id);
        for (old, new) in old.iter().zip(&new) {
            let images = old.contains("image: ") && new.contains("image: ");
            assert!(old == new || images, "{}: {old} became {new}", case.id);
        }
    }
    assert!(seen > 40, "only {seen} cases were built");
}
