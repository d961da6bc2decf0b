//! The rehearsal's kustomize against the real one, on overlays like those of real teams.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tomoda_release::rehearsal::argocd::{Simulation, Timing};
use tomoda_release::rehearsal::kube::{Clock, Key};

use crate::support::cluster::{Repo, application, files_below, has, setup};

/// What the rehearsal applies for an overlay, without what Argo CD adds; or the error it shows.
fn ours(folder: &Path, overlay: &str) -> Result<BTreeMap<String, Value>, String> {
    let repo = Repo::new();
    repo.push_folder(folder);
    let start: jiff::Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
    let mut setup = setup(&repo, Timing::default(), Clock::standing_at(start));
    let mut spec = application();
    spec.path = overlay.to_owned();
    setup.applications = vec![spec];
    let mut simulation = Simulation::new(setup, start);
    simulation.run_until(start + Duration::from_secs(60));
    let application = simulation.store().get(&Key::new("argoproj.io", "Application", "argocd", "tomoda")).unwrap();
    if let Some(message) = application["status"]["conditions"][0]["message"].as_str() {
        return Err(message.to_owned());
    }
    let last = |it: &Value| -> Option<Value> {
        let text = it["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].as_str()?;
        serde_json::from_str(text).ok()
    };
    Ok(simulation.store().all().values().filter_map(|it| last(it)).map(|it| (name(&it), without_tracking(it))).collect())
}

fn without_tracking(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().unwrap();
    let annotations = metadata["annotations"].as_object_mut().unwrap();
    annotations.remove("argocd.argoproj.io/tracking-id");
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
    object
}

fn name(object: &Value) -> String {
    format!("{} {}/{}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"])
}

fn real(folder: &Path, overlay: &str) -> Result<BTreeMap<String, Value>, String> {
    use serde::Deserialize as _;
    let output = std::process::Command::new("kubectl").arg("kustomize").arg(folder.join(overlay)).output().unwrap();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = serde_yaml::Deserializer::from_str(&text).map(|it| Value::deserialize(it).unwrap());
    Ok(documents.map(|it| (name(&it), it)).collect())
}

fn fixtures() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/rehearsal/fixtures/devops")
}

#[test]
fn tomodas_overlays_are_rendered_as_kustomize_renders_them() {
    if !has("kubectl") {
        return;
    }
    let folder = fixtures();
    for overlay in ["k8s/apps/tomoda/overlays/dev", "k8s/apps/tomoda/overlays/prod"] {
        let (ours, real) = (ours(&folder, overlay).unwrap(), real(&folder, overlay).unwrap());
        assert!(real.len() > 10, "{overlay}: {:?}", real.keys());
        assert_eq!(ours.keys().collect::<Vec<_>>(), real.keys().collect::<Vec<_>>(), "{overlay}");
        for (name, object) in &real {
            assert_eq!(&ours[name], object, "{overlay}: {name}");
        }
    }
}

const WORKLOADS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      initContainers: [{ name: init, image: 'registry:5000/init' }]
      containers:
        - { name: web, image: 'web:1', env: [{ name: A, value: '1' }, { name: B, value: '2' }], args: [a, b] }
        - { name: side, image: 'web-side@sha256:aaaa' }
      topologySpreadConstraints:
        - { maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule, labelSelector: { matchLabels: { app: web } } }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { ports: [{ port: 80 }] }
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: { name: web }
spec: { minAvailable: 1, selector: { matchLabels: { app: web } } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: web }
rules: []
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: nightly }
spec:
  schedule: '0 0 * * *'
  jobTemplate: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: n, image: 'web:1' }] } } } }
";

/// Each is the body of an overlay's kustomization on top of the workloads above.
const OVERLAYS: &[&str] = &[
    "namespace: prod",
    "commonLabels: { team: a }",
    "labels:\n  - pairs: { team: a }",
    "labels:\n  - pairs: { team: a }\n    includeTemplates: true",
    "labels:\n  - pairs: { team: a }\n    includeSelectors: true",
    "commonAnnotations: { note: x }",
    "images:\n  - { name: web, newTag: v2 }\n  - { name: 'registry:5000/init', newName: other/init, digest: 'sha256:bbbb' }",
    "images:\n  - { name: web, newName: h/p/web, newTag: v2, digest: 'sha256:cccc' }\n  - { name: web-side, newTag: '1.0' }",
    "images:\n  - { name: web, newName: mid }\n  - { name: mid, newTag: end }",
    "replicas:\n  - { name: web, count: 5 }",
    "patches:\n  - target: { kind: Deployment, name: 'w.*' }\n    patch: |-\n      - { op: replace, path: /spec/template/spec/containers/0/env/1/value, value: '9' }\n      - { op: add, path: /metadata/annotations, value: { 'a/b': c } }\n      - { op: remove, path: /metadata/labels/app }",
    "patches:\n  - patch: |-\n      apiVersion: apps/v1\n      kind: Deployment\n      metadata: { name: web }\n      spec:\n        replicas: 4\n        template: { spec: { containers: [{ name: web, args: [c], env: [{ name: B, value: '3' }, { name: A, $patch: delete }] }] } }",
    "patches:\n  - target: { kind: PodDisruptionBudget }\n    patch: |-\n      $patch: delete\n      apiVersion: policy/v1\n      kind: PodDisruptionBudget\n      metadata: { name: web }",
    "patches:\n  - target: { labelSelector: app=web }\n    path: patch.yaml",
    "namespace: prod\ncommonLabels: { env: prod }\nimages:\n  - { name: web, newTag: v3 }\npatches:\n  - target: { kind: Service }\n    patch: '[{ \"op\": \"add\", \"path\": \"/spec/type\", \"value\": \"NodePort\" }]'",
];

/// Each is a kustomization that kustomize refuses.
const BROKEN: &[&str] = &[
    "resources: [missing.yaml]",
    "resourcez: []",
    "resources: [../../base]\npatches:\n  - target: { kind: Deployment }\n    patch: '[{ \"op\": \"remove\", \"path\": \"/spec/nope\" }]'",
    "resources: [../../base]\npatches:\n  - target: { kind: Service }\n    patch: '[{ op: add, path: /spec/type, value: NodePort }]'",
    "resources: [../../base, ../../base]",
    "resources: [broken.yaml]",
    "resources: [",
];

fn on_disk(kustomization: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (path, text) in [
        ("base/kustomization.yaml", "resources: [workloads.yaml]\nimages:\n  - { name: web-side, newName: web-side-2 }\n"),
        ("base/workloads.yaml", WORKLOADS),
        ("overlays/x/kustomization.yaml", kustomization),
        ("overlays/x/patch.yaml", "- { op: add, path: /metadata/labels/patched, value: 'yes' }\n"),
        ("overlays/x/broken.yaml", "kind: [\n"),
    ] {
        std::fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    folder
}

#[test]
fn overlays_like_those_of_other_teams_are_rendered_as_kustomize_renders_them() {
    if !has("kubectl") {
        return;
    }
    for overlay in OVERLAYS {
        let folder = on_disk(&format!("resources: [../../base]\n{overlay}\n"));
        let (mut ours, mut real) = (ours(folder.path(), "overlays/x").unwrap(), real(folder.path(), "overlays/x").unwrap());
        // Argo CD puts what has no namespace into the application's.
        for object in ours.values_mut().chain(real.values_mut()) {
            object["metadata"].as_object_mut().unwrap().remove("namespace");
        }
        let both: Vec<(Value, Value)> = ours.into_values().zip(real.into_values()).collect();
        for (ours, real) in both {
            assert_eq!(ours, real, "{overlay}");
        }
    }
}

#[test]
fn what_kustomize_refuses_is_a_comparison_error() {
    for overlay in BROKEN {
        let folder = on_disk(&format!("{overlay}\n"));
        let said = ours(folder.path(), "overlays/x").unwrap_err();
        let beginning = "Failed to load target state: failed to generate manifest for source 1 of 1: rpc error: code = Unknown desc = `kustomize build <path to cached source>/overlays/x` failed exit status 1: Error: ";
        assert!(said.starts_with(beginning), "{overlay}: {said}");
        if has("kubectl") {
            real(folder.path(), "overlays/x").unwrap_err();
        }
    }
    let generator = on_disk("resources: [../../base]\nconfigMapGenerator: [{ name: a, literals: [b=c] }]\n");
    assert!(ours(generator.path(), "overlays/x").unwrap_err().ends_with("the rehearsal's own kustomize does not do “configMapGenerator”"));
    assert_eq!(files_below(generator.path()).len(), 5);
    assert!(json!(ours(generator.path(), "overlays/nowhere").unwrap_err()).to_string().contains("app path does not exist"));
}
