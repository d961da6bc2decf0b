//! The real `kubectl` on the rehearsal's Kubernetes API.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use tomoda_release::rehearsal::argocd::{Cluster, Timing};
use tomoda_release::rehearsal::kube::Clock;

use crate::support::cluster::{Repo, digest_of, has, kubectl, overlay, overlay_file, repo_at, setup};

/// Quick enough to wait for.
pub(super) fn brisk() -> Timing {
    let ms = Duration::from_millis;
    Timing {
        compare: ms(30),
        recompare: ms(10),
        sync: ms(30),
        after_operation: ms(20),
        live_cache: ms(30),
        pod_ready: ms(100),
        ..Timing::default()
    }
}

struct Ctl {
    repo: Repo,
    cluster: Cluster,
    config: PathBuf,
    _home: TempDir,
}

impl Ctl {
    async fn start() -> Self {
        Self::start_with(brisk()).await
    }

    async fn start_with(timing: Timing) -> Self {
        let repo = repo_at("dev-0000001");
        let cluster = Cluster::raise(setup(&repo, timing, Clock::Wall)).await.unwrap();
        let home = TempDir::new().unwrap();
        let config = home.path().join("config");
        std::fs::write(&config, cluster.kubeconfig()).unwrap();
        Self { repo, cluster, config, _home: home }
    }

    fn output(&self, arguments: &[&str]) -> std::process::Output {
        kubectl(&self.config, arguments)
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(arguments)).unwrap()
    }

    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success(), "kubectl {arguments:?} should have been refused");
        String::from_utf8_lossy(&output.stderr).into_owned()
    }

    fn wait_for(&self, what: &str, is: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is(self) {
            assert!(Instant::now() < deadline, "{what} did not come: {:?}", self.cluster.truth("tomoda"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_reads_what_runs() {
    if !has("kubectl") {
        return;
    }
    let ctl = Ctl::start().await;
    let table = ctl.ok(&["get", "applications,deployments,replicasets,pods", "-A"]);
    assert!(table.contains("SYNC STATUS") && table.contains("UP-TO-DATE"), "columns of its own:\n{table}");
    assert!(table.contains("Synced") && table.contains("2/2") && table.contains("Running"), "{table}");
    let deployment = ctl.json(&["get", "deployment", "tomoda-api", "-n", "tomoda", "-o", "json"]);
    assert_eq!(deployment["status"]["availableReplicas"], 2);
    let image = "registry.example/tomoda/backend:dev-0000001";
    let pods = ctl.json(&["get", "pods", "-n", "tomoda", "-l", "app=a", "-o", "json"]);
    let id = format!("registry.example/tomoda/backend@{}", digest_of(image));
    assert_eq!(pods["items"].as_array().unwrap().len(), 2);
    assert_eq!(pods["items"][0]["status"]["containerStatuses"][0]["imageID"], id.as_str());
    assert_eq!(ctl.json(&["get", "pods", "-n", "tomoda", "-l", "app=b", "-o", "json"])["items"], serde_json::json!([]));
    assert!(ctl.ok(&["get", "ns"]).contains("argocd"));
    assert!(ctl.ok(&["get", "events", "-A"]).is_empty());
    assert!(ctl.ok(&["version"]).contains("v1.34.1"));
    assert!(ctl.ok(&["api-resources"]).contains("applications"));
    let missing = ctl.refused(&["get", "deployment", "nope", "-n", "tomoda"]);
    assert!(missing.contains("Error from server (NotFound): deployments.apps \"nope\" not found"), "{missing}");
    let running = ctl.cluster.running("tomoda", "tomoda-api").unwrap();
    assert_eq!((running.image.as_str(), running.digest, running.available), (image, digest_of(image), true));
    assert_eq!(ctl.cluster.running("tomoda", "nope"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_asks_for_a_look_and_follows_the_rollout() {
    if !has("kubectl") {
        return;
    }
    // Slow enough for a `kubectl` to be started in the middle.
    let ctl = Ctl::start_with(Timing { pod_ready: Duration::from_secs(3), ..brisk() }).await;
    let head = ctl.repo.push(&[(&overlay_file(), &overlay("dev-0000002", &["deployment.yaml"]))]);
    ctl.ok(&["annotate", "application", "tomoda", "-n", "argocd", "argocd.argoproj.io/refresh=normal"]);
    ctl.wait_for("the new tag", |it| it.cluster.truth("tomoda").unwrap().applied.as_ref() == Some(&head));
    let followed = ctl.ok(&["rollout", "status", "deployment/tomoda-api", "-n", "tomoda", "--timeout=30s"]);
    assert!(followed.contains("deployment \"tomoda-api\" successfully rolled out"), "{followed}");
    assert!(followed.contains("Waiting for deployment"), "it was seen on the way:\n{followed}");
    ctl.wait_for("Healthy", |it| {
        let application = it.json(&["get", "application", "tomoda", "-n", "argocd", "-o", "json"]);
        application["status"]["health"]["status"] == "Healthy" && application["status"]["sync"]["revision"] == head.as_str()
    });
    let application = ctl.json(&["get", "application", "tomoda", "-n", "argocd", "-o", "json"]);
    assert!(application["metadata"]["annotations"].get("argocd.argoproj.io/refresh").is_none());
    assert!(ctl.ok(&["rollout", "history", "deployment/tomoda-api", "-n", "tomoda"]).contains('2'));
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_scales_and_is_healed() {
    if !has("kubectl") {
        return;
    }
    let ctl = Ctl::start().await;
    ctl.ok(&["scale", "deployment/tomoda-api", "-n", "tomoda", "--replicas=4"]);
    ctl.wait_for("self-healing", |it| {
        let application = it.json(&["get", "application", "tomoda", "-n", "argocd", "-o", "json"]);
        application["status"]["operationState"]["operation"]["sync"]["autoHealAttemptsCount"] == 1
            && it.json(&["get", "deploy", "tomoda-api", "-n", "tomoda", "-o", "json"])["spec"]["replicas"] == 2
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_is_refused_as_a_real_server_refuses() {
    if !has("kubectl") {
        return;
    }
    let ctl = Ctl::start().await;
    let patch = |kind: &str, form: &str, body: &str| ctl.refused(&["patch", kind, "-n", "tomoda", "--type", form, "-p", body]);
    let immutable = patch("deployment/tomoda-api", "merge", r#"{"spec":{"selector":{"matchLabels":{"app":"b"}}}}"#);
    assert!(immutable.contains("field is immutable"), "{immutable}");
    let failed = patch("deployment/tomoda-api", "json", r#"[{"op":"test","path":"/spec/replicas","value":9}]"#);
    assert!(failed.contains("the server rejected our request due to an error in our request"), "{failed}");
    let strategic = ctl.refused(&["patch", "application/tomoda", "-n", "argocd", "--type", "strategic", "-p", "{}"]);
    assert!(strategic.contains("application/merge-patch+json") || strategic.contains("strategic"), "{strategic}");
    let conflict = ctl.refused(&[
        "patch",
        "application/tomoda",
        "-n",
        "argocd",
        "--type",
        "merge",
        "-p",
        r#"{"metadata":{"resourceVersion":"1","labels":{"a":"b"}}}"#,
    ]);
    assert!(conflict.contains("(Conflict)") && conflict.contains("the object has been modified"), "{conflict}");
    let dry = ctl.refused(&["annotate", "application/tomoda", "-n", "argocd", "a=b", "--dry-run=server"]);
    assert!(dry.contains("the rehearsal does not do this"), "{dry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_watches() {
    use std::io::{BufRead as _, BufReader};
    if !has("kubectl") {
        return;
    }
    let ctl = Ctl::start().await;
    let mut watcher = watch(&ctl.config, &["get", "applications", "-n", "argocd", "-w"]);
    let lines = BufReader::new(watcher.stdout.take().unwrap()).lines();
    let (tell, heard) = std::sync::mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(tell.send(line))));
    let next = || heard.recv_timeout(Duration::from_secs(30)).expect("the watch says something");
    assert!(next().contains("SYNC STATUS"));
    assert!(next().contains("Synced"));
    ctl.repo.push(&[(&overlay_file(), &overlay("dev-0000002", &["deployment.yaml"]))]);
    ctl.ok(&["annotate", "application", "tomoda", "-n", "argocd", "argocd.argoproj.io/refresh=normal"]);
    let mut said = String::new();
    while !said.contains("OutOfSync") || !said.contains("Progressing") {
        said.push_str(&next());
    }
    watcher.kill().unwrap();
    watcher.wait().unwrap();
}

fn watch(config: &Path, arguments: &[&str]) -> std::process::Child {
    std::process::Command::new("kubectl")
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", config.parent().unwrap())
        .env("KUBECONFIG", config)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}
