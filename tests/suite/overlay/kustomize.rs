//! What kustomize makes of the edited files: the same manifests with another image, and nothing else.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::{Case, Expected, folders};

const DEPLOYMENT: &str =
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  replicas: 1\n  template:\n    spec:\n      containers:\n";

/// The manifests of a folder, or why there are none.
fn build(folder: &Path) -> Result<String, String> {
    let out = Command::new("kubectl").arg("kustomize").arg(folder).output().map_err(|error| error.to_string())?;
    if out.status.success() {
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&out.stderr).into_owned())
    }
}

fn kubectl() -> bool {
    let present = Command::new("kubectl").args(["version", "--client"]).output().is_ok_and(|it| it.status.success());
    assert!(present || std::env::var_os("TOMODA_REAL").is_none(), "TOMODA_REAL=1 needs kubectl");
    if !present {
        println!("skipped: kubectl is not installed");
    }
    present
}

/// A kustomization alone with one Deployment that uses each image; its other references are taken out.
fn stage(text: &str, images: &[String]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let containers: String = images.iter().enumerate().map(|(n, it)| format!("      - {{name: c{n}, image: \"{it}:was\"}}\n")).collect();
    fs::write(folder.path().join("deployment.yaml"), format!("{DEPLOYMENT}{containers}")).unwrap();
    let listed = format!("apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages: {}\n", images_of(text));
    fs::write(folder.path().join("kustomization.yaml"), format!("{listed}resources: [deployment.yaml]\n")).unwrap();
    folder
}

/// `images` as JSON, in the types that a reader of YAML 1.1 sees: what is plain there stays a number here.
fn images_of(text: &str) -> String {
    let root: serde_yaml::Value = serde_yaml::from_str(text.trim_start_matches('\u{feff}')).unwrap();
    serde_json::to_string(&root["images"]).unwrap()
}

/// The file itself, with nothing but what the Deployment needs added around it.
fn stage_file(text: &str, images: &[String]) -> Option<tempfile::TempDir> {
    let other = ["resources", "patches", "configMapGenerator", "namePrefix", "commonAnnotations", "kind:", "x-", "{"];
    if other.iter().any(|it| text.trim_start_matches('\u{feff}').lines().any(|line| line.trim_start().starts_with(it)))
        || text.contains("...")
    {
        return None;
    }
    let folder = stage("images: []", images);
    fs::write(folder.path().join("base.yaml"), fs::read_to_string(folder.path().join("deployment.yaml")).unwrap()).unwrap();
    let list = if text.contains("\r\n") { "resources: [base.yaml]\r\n" } else { "resources: [base.yaml]\n" };
    let end = if text.ends_with('\n') { "" } else { "\n" };
    fs::write(folder.path().join("kustomization.yaml"), format!("{text}{end}{list}")).unwrap();
    Some(folder)
}

#[test]
fn kustomize_sees_another_image_and_nothing_else() {
    if !kubectl() {
        return;
    }
    let mut seen = 0;
    for folder in folders() {
        let case = Case::read(&folder);
        let (Expected::After(after), Ok(done)) = (&case.expected, case.run()) else { continue };
        let names: Vec<String> = tomoda_release::decide::overlay::entries("k", after).unwrap().into_iter().map(|it| it.name).collect();
        if done.changes.is_empty() || names.iter().any(|it| it.contains(' ')) {
            continue;
        }
        let Some(new) = stage_file(after, &names) else { continue };
        let new = build(new.path()).unwrap_or_else(|why| panic!("{}: kustomize refuses the edited file: {why}", case.id));
        seen += 1;
        let Some(Ok(old)) = stage_file(&case.before, &names).map(|it| build(it.path())) else { continue };
        let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
        assert_eq!(old.len(), new.len(), "{}", case.id);
        for (old, new) in old.iter().zip(&new) {
            assert!(old == new || (old.contains("image: ") && new.contains("image: ")), "{}: {old} became {new}", case.id);
        }
        for change in done.changes.iter().filter(|it| it.field == "newTag" || it.field == "digest") {
            let Some(value) = &change.new else { continue };
            let sign = if change.field == "newTag" { ":" } else { "@" };
            let shown = new.iter().any(|it| it.contains(&format!("{sign}{value}")));
            assert!(shown || value == "~" || value == "null", "{}: {change:?} in {new:?}", case.id);
        }
    }
    assert!(seen > 40, "only {seen} cases were built");
}
