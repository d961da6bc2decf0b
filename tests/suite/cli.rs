//! Bad input, on the real program against a rehearsal: one clear message each, the documented exit code, nothing changed.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::proxy::Proxy;
use crate::support::tls::Authority;
use crate::support::world::{Rehearsal, git};

const BINARY: &str = env!("CARGO_BIN_EXE_tomoda-release");
/// Where nobody listens: the first port is never given to anyone.
const NOWHERE: &str = "http://127.0.0.1:1";
/// What a case runs unless it says otherwise: the command that goes furthest.
const PROMOTE: &[&str] = &["promote", "--yes"];

/// A rehearsal, its pipeline's text, and a place for variants of it.
struct Stage {
    world: Rehearsal,
    pipeline: String,
    dir: tempfile::TempDir,
}

/// One wrong input: what is changed in the pipeline's text, what in the environment; the exit code, and what is said.
struct Case {
    name: &'static str,
    command: &'static [&'static str],
    edits: Vec<(String, String)>,
    env: Vec<(&'static str, String)>,
    code: i32,
    says: &'static [&'static str],
}

fn case(name: &'static str, code: i32, says: &'static [&'static str]) -> Case {
    Case { name, command: PROMOTE, edits: Vec::new(), env: Vec::new(), code, says }
}

impl Case {
    fn edit(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.edits.push((from.into(), to.into()));
        self
    }

    fn command(mut self, command: &'static [&'static str]) -> Self {
        self.command = command;
        self
    }

    fn env(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.push((name, value.into()));
        self
    }
}

impl Stage {
    /// A world in which dev is proved, so that `promote` would go all the way.
    fn proved() -> Self {
        let world = Rehearsal::start(&["--instant"]);
        let pipeline = std::fs::read_to_string(world.described["pipeline"].as_str().unwrap()).unwrap();
        let stage = Self { world, pipeline, dir: tempfile::tempdir().unwrap() };
        let output = stage.run(&["bump", "dev"], &case("", 0, &[]));
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        stage
    }

    /// Runs the program on a variant of the pipeline.
    fn run(&self, arguments: &[&str], case: &Case) -> Output {
        let mut text = self.pipeline.clone();
        for (from, to) in &case.edits {
            assert!(text.contains(from.as_str()), "{}: the pipeline does not say {from:?}", case.name);
            text = text.replacen(from.as_str(), to, 1);
        }
        let file: PathBuf = self.dir.path().join("pipeline.yaml");
        std::fs::write(&file, text).unwrap();
        let mut command = self.world.command(BINARY);
        command.env("TOMODA_RELEASE_PIPELINE", file);
        for (name, value) in &case.env {
            if value.is_empty() {
                command.env_remove(name)
            } else {
                command.env(name, value)
            };
        }
        command.args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Every ref of both repositories.
    fn refs(&self) -> String {
        let dir = self.dir.path();
        [self.world.url("app"), self.world.url("config")].map(|it| git(dir, &["ls-remote", it])).join("\n")
    }

    /// A branch of the config repository in which prod's kustomization is this.
    fn overlay(&self, branch: &str, change: impl Fn(&str) -> String) {
        let clone = self.dir.path().join(branch);
        git(self.dir.path(), &["clone", "-q", self.world.url("config"), clone.to_str().unwrap()]);
        let file = clone.join("k8s/apps/tomoda/overlays/prod/kustomization.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, change(&text)).unwrap();
        git(&clone, &["commit", "-qam", "chore: something wrong"]);
        git(&clone, &["push", "-q", "origin", &format!("HEAD:refs/heads/{branch}")]);
    }

    /// Runs a case as text and as JSON and checks everything that must hold for all of them.
    fn check(&self, case: &Case) {
        let before = self.refs();
        let begun = Instant::now();
        let output = self.run(case.command, case);
        let took = begun.elapsed();
        let said = String::from_utf8(output.stderr).unwrap();
        let name = case.name;
        assert_eq!(output.status.code(), Some(case.code), "{name}: {said}");
        for part in case.says {
            assert!(said.contains(part), "{name}: does not say {part:?}: {said}");
        }
        assert!(!said.contains(".: ") && !said.contains("::  "), "{name}: a full stop before a colon: {said}");
        assert!(!said.contains("panicked") && !said.contains("hunter2") && !said.contains("PRIVATE KEY-----\n"), "{name}: {said}");
        assert_eq!(said.matches("error: ").count().min(1), 1, "{name}: {said}");
        assert!(output.stdout.is_empty() || case.command[0] != "promote", "{name}");
        assert!(took < Duration::from_secs(10), "{name} took {took:?}");
        assert_eq!(before, self.refs(), "{name} changed something");
        let output = self.run(&[case.command, &["--output", "json"]].concat(), case);
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|why| panic!("{name}: {why}"));
        // A verdict is a document of its own: it says what is wrong, and the exit code that it is.
        let told = if document["findings"].is_array() { output.status.code().into() } else { document["error"]["exitCode"].clone() };
        assert_eq!((told, output.status.code()), (case.code.into(), Some(case.code)), "{name}: {document}");
        assert_eq!(before, self.refs(), "{name} changed something");
    }
}

/// A server that answers everything with this status.
fn always(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            std::thread::spawn(move || {
                let mut request = [0; 65_536];
                stream.set_read_timeout(Some(Duration::from_secs(2))).ok();
                if stream.read(&mut request).is_ok_and(|it| it == 0) {
                    return;
                }
                write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok();
            });
        }
    });
    format!("http://{address}")
}

/// A server whose certificate nobody vouches for.
fn untrusted() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, config) = (listener.local_addr().unwrap(), Authority::new().server());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), config) = (stream, config.clone()) else { return };
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(Duration::from_secs(2))).ok();
                rustls::ServerConnection::new(config).unwrap().complete_io(&mut stream).ok();
            });
        }
    });
    format!("https://{address}")
}

/// A private key of ssh-keygen's making.
fn key(stage: &Stage, name: &str, passphrase: &str) -> String {
    let file = stage.dir.path().join(name);
    let made = stage.world.command("ssh-keygen").args(["-q", "-t", "ed25519", "-N", passphrase, "-f"]).arg(&file).status().unwrap();
    assert!(made.success());
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn a_wrong_pipeline_or_key_is_told_and_nothing_is_changed() {
    let stage = Stage::proved();
    let other = key(&stage, "other", "");
    let locked = key(&stage, "locked", "hunter2");
    for case in [
        case("unknown key", 2, &["unknown key `branhc`", "pipeline.yaml:", "did you mean `branch`?"])
            .edit("landing: push", "landing: push\n  branhc: x"),
        case("wrong type", 2, &["a text is expected", "pipeline.yaml:"]).edit("lease: 2s", "lease: [2]"),
        case("broken YAML", 2, &["this is not YAML"]).edit("name: tomoda\n", "name: \"tomoda\n"),
        case("no key", 2, &["TOMODA_LEDGER_KEY is not set"]).env("TOMODA_LEDGER_KEY", ""),
        case("garbage key", 2, &["not an OpenSSH private key", "ssh-keygen"]).env("TOMODA_LEDGER_KEY", "hunter2"),
        case("locked key", 2, &["protected by a passphrase"]).env("TOMODA_LEDGER_KEY", locked),
        case("untrusted key", 2, &["not among the trusted ones", "ledger.trusted"]).env("TOMODA_LEDGER_KEY", other),
        case("no GitHub token", 2, &["GITHUB_TOKEN is not set"]).env("GITHUB_TOKEN", ""),
        case("no pipeline", 2, &["/nowhere.yaml"]).env("TOMODA_RELEASE_PIPELINE", "/nowhere.yaml"),
        case("unusable cache", 2, &["/proc/nope", "cache"]).env("TOMODA_RELEASE_CACHE", "/proc/nope"),
        case("no app branch", 2, &["has no branch “mian”", "app.branch"]).edit("branch: main", "branch: mian"),
        case("no config branch", 2, &["has no branch “mian”", "config.branch"]).edit("branch: main\n  landing", "branch: mian\n  landing"),
        case("no overlay", 2, &["overlays/prodd"]).edit("overlays/prod\n", "overlays/prodd\n"),
        case("no entry", 2, &["no images entry for", "other-backend"])
            .edit("tomoda-prod-repo/tomoda-backend", "tomoda-prod-repo/other-backend"),
    ] {
        stage.check(&case);
    }
}

#[test]
fn a_wrong_overlay_is_told_and_nothing_is_changed() {
    let stage = Stage::proved();
    stage.overlay("broken", |text| format!("{text}\nimages: [\n"));
    stage.overlay("twice", |text| {
        let at = text.find("  - name:").unwrap();
        let end = at + 1 + text[at + 1..].find("\n  -").or_else(|| text[at + 1..].find("\n  #")).unwrap() + 1;
        format!("{}{}{}", &text[..end], &text[at..end], &text[end..])
    });
    stage.overlay("mistyped", |text| text.replace("images:\n", "images: 7\nothers:\n"));
    let on = |branch: &str| format!("branch: {branch}\n  landing");
    for case in [
        case("broken overlay", 2, &["overlays/prod/kustomization.yaml"]).edit("branch: main\n  landing", on("broken")),
        case("two entries", 2, &["overlays/prod/kustomization.yaml"]).edit("branch: main\n  landing", on("twice")),
        case("mistyped overlay", 2, &["overlays/prod/kustomization.yaml"]).edit("branch: main\n  landing", on("mistyped")),
    ] {
        stage.check(&case);
    }
}

#[test]
fn a_system_that_is_away_or_says_no_is_named_before_anything_is_begun() {
    let stage = Stage::proved();
    let url = |name: &str| stage.world.url(name).to_owned();
    let tls = untrusted();
    let builder = "CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD";
    let cluster = |at: &str, name: &str| {
        let kubeconfig = std::fs::read_to_string(stage.world.described["kubeconfig"].as_str().unwrap()).unwrap();
        let file = stage.dir.path().join(name);
        std::fs::write(&file, kubeconfig.replace(&url("kubernetes"), at)).unwrap();
        file.display().to_string()
    };
    let empty = stage.dir.path().join("empty.git");
    git(stage.dir.path(), &["init", "-q", "--bare", empty.to_str().unwrap()]);
    let empty = format!("file://{}", empty.display());
    for case in [
        case("app refused", 4, &["127.0.0.1:1", "refused"]).edit(url("app"), format!("{NOWHERE}/x.git")),
        case("config refused", 4, &["127.0.0.1:1", "refused"]).edit(url("config"), format!("{NOWHERE}/x.git")),
        case("app untrusted", 4, &["The certificate of", "UnknownIssuer", "GIT_SSL_CAINFO"]).edit(url("app"), format!("{tls}/x.git")),
        case("config untrusted", 4, &["The certificate of", "GIT_SSL_CAINFO"]).edit(url("config"), format!("{tls}/x.git")),
        case("registry untrusted", 4, &["The certificate of", "SSL_CERT_FILE", "Nothing was begun"]).edit(url("registry"), tls.clone()),
        case("registry 401", 4, &["401", "Nothing was begun"]).edit(url("registry"), always("401 Unauthorized")),
        case("registry unknown", 4, &["nowhere.invalid", "resolved"]).edit(url("registry"), "http://nowhere.invalid"),
        case("builder untrusted", 4, &["Cloud Build", "certificate", "Nothing was begun"]).env(builder, tls.clone()),
        case("builder unknown", 4, &["Cloud Build", "resolved", "Nothing was begun"]).env(builder, "http://nowhere.invalid"),
        case("builder 401", 4, &["Cloud Build", "401", "Nothing was begun"]).env(builder, always("401 Unauthorized")),
        case("cluster untrusted", 4, &["The certificate of the Kubernetes API", "kubeconfig"])
            .env("KUBECONFIG", cluster(&tls, "untrusted")),
        case("cluster 401", 4, &["Kubernetes API", "401"]).env("KUBECONFIG", cluster(&always("401 Unauthorized"), "unauthorized")),
        case("GitHub untrusted", 4, &["GitHub", "certificate", "Nothing was begun"]).edit(url("github"), tls.clone()),
        case("GitHub 401", 4, &["GitHub does not allow", "Nothing was begun"]).edit(url("github"), always("401 Unauthorized")),
        case("GitHub refused", 4, &["GitHub", "refused", "Nothing was begun"]).edit(url("github"), NOWHERE),
        case("several", 4, &["2 systems", "  - GitHub", "127.0.0.1:1 refuses"])
            .edit(url("github"), always("403 Forbidden"))
            .edit(url("registry"), NOWHERE),
        case("plan", 4, &["127.0.0.1:1", "refused"]).command(&["plan"]).edit(url("app"), format!("{NOWHERE}/x.git")),
        case("bump", 4, &["127.0.0.1:1", "refuses"]).command(&["bump", "dev"]).edit(url("registry"), NOWHERE),
        case("status", 4, &["127.0.0.1:1", "refused"]).command(&["status"]).edit(url("config"), format!("{NOWHERE}/x.git")),
        case("verify", 4, &["Kubernetes API", "refused"]).command(&["verify", "dev"]).env("KUBECONFIG", cluster(NOWHERE, "refused")),
        case("log", 4, &["127.0.0.1:1", "refused"]).command(&["ledger", "log"]).edit(url("config"), format!("{NOWHERE}/x.git")),
        case("empty config", 2, &["has no branch “main”", "empty repository"]).command(&["bump", "dev"]).edit(url("config"), empty.clone()),
        case("no such host", 4, &["nowhere.invalid"]).edit(url("app"), "http://nowhere.invalid/x.git"),
        case("no TLS", 4, &["127.0.0.1"]).edit(url("app"), url("app").replace("http:", "https:")),
        case("app 401", 4, &["token", "401"]).edit(url("app"), format!("{}/x.git", always("401 Unauthorized"))),
        case("app 403", 4, &["refuses the permission", "403"]).edit(url("app"), format!("{}/x.git", always("403 Forbidden"))),
        case("config 403", 4, &["refuses the permission", "403"]).edit(url("config"), format!("{}/x.git", always("403 Forbidden"))),
        case("no repository", 4, &["no repository at", "404"]).edit("/app.git", "/nothing.git"),
        case("empty app", 2, &["has no branch “main”"]).edit(url("app"), empty.clone()),
        case("registry refused", 4, &["127.0.0.1:1 refuses connections", "Nothing was begun"]).edit(url("registry"), NOWHERE),
        case("registry 403", 4, &["status 403", "Nothing was begun"]).edit(url("registry"), always("403 Forbidden")),
        case("builder refused", 4, &["Cloud Build", "Nothing was begun"]).env(builder, NOWHERE),
        case("builder 403", 4, &["Cloud Build", "Nothing was begun"]).env(builder, always("403 Forbidden")),
        case("no trigger", 4, &["no Cloud Build trigger", "Nothing was begun"]).edit("backend-release-trigger", "backend-relaese-trigger"),
        case("cluster refused", 4, &["Kubernetes API", "refused"]).env("KUBECONFIG", cluster(NOWHERE, "refused")),
        case("cluster 403", 4, &["Kubernetes API", "Nothing was begun"]).env("KUBECONFIG", cluster(&always("403 Forbidden"), "forbidden")),
        case("no application", 4, &["no Application prod-tomado"]).edit("application: prod-tomoda", "application: prod-tomado"),
        case("another application", 2, &["tomoda follows k8s/apps/tomoda/overlays/dev, not", "Nothing was begun"])
            .edit("application: prod-tomoda", "application: tomoda"),
        case("GitHub 403", 4, &["GitHub does not allow", "Nothing was begun"]).edit(url("github"), always("403 Forbidden")),
    ] {
        stage.check(&case);
    }
}

#[test]
fn kubeconfigs_are_read_as_kubectl_reads_them() {
    let stage = Stage::proved();
    let good = stage.world.described["kubeconfig"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(&good).unwrap();
    let file = |name: &str, text: &str| {
        let path = stage.dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let empty = file("empty-context", "apiVersion: v1\nkind: Config\ncurrent-context: \"\"\n");
    let newline = file("token", "s3cr3t-t0k3n\n");
    let token = file("token-file", &text.replace("user: {}", &format!("user: {{ tokenFile: {newline} }}")));
    assert!(std::fs::read_to_string(&token).unwrap().contains("tokenFile"));
    for (name, value) in [
        ("a file that is not there", format!("/nowhere/config:{good}")),
        ("an empty context before the right one", format!("{empty}:{good}")),
        ("an empty entry", format!("{good}:")),
        ("a token file that ends with a newline", token),
    ] {
        let output = stage.run(&["verify", "prod"], &case(name, 0, &[]).env("KUBECONFIG", value));
        assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // A pod's service account is another cluster: a kubeconfig that cannot be used must not lead there.
    let secret = file("broken", "users: [{name: u, user: {token: s3cr3t-t0k3n}\nclusters: 7\n");
    let lost = file("lost", &text.replace("current-context: rehearsal", "current-context: elsewhere"));
    let none = file("none", &text.replace("current-context: rehearsal", ""));
    for (name, value, words) in [
        ("missing", "/nowhere/config".to_owned(), "KUBECONFIG names /nowhere/config, which does not exist"),
        ("broken", secret, "is not a kubeconfig: line "),
        ("lost", lost, "elsewhere"),
        ("none", none, "has no current context"),
    ] {
        let pod =
            case(name, 2, &[]).env("KUBECONFIG", value).env("KUBERNETES_SERVICE_HOST", "127.0.0.1").env("KUBERNETES_SERVICE_PORT", "1");
        let output = stage.run(&["verify", "prod"], &pod);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(words) && !said.contains("s3cr3t"), "{name}: {said}");
    }
}

#[test]
fn the_cluster_is_reached_through_the_proxy_unless_it_is_exempt() {
    let stage = Stage::proved();
    let text = std::fs::read_to_string(stage.world.described["kubeconfig"].as_str().unwrap()).unwrap();
    let proxy = Proxy::start(None);
    let own = stage.dir.path().join("with-proxy");
    let url = stage.world.url("kubernetes");
    std::fs::write(
        &own,
        text.replace(&format!("server: \"{url}\""), &format!("server: \"{url}\", proxy-url: \"http://{}\"", proxy.authority())),
    )
    .unwrap();
    let run = |case: Case| {
        let output = stage.run(&["verify", "prod"], &case);
        assert_eq!(output.status.code(), Some(0), "{}: {}", case.name, String::from_utf8_lossy(&output.stderr));
    };
    // 127.0.0.1 is exempt in this world; its NO_PROXY ends with a comma here, as people's do.
    run(case("exempt", 0, &[])
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .env("NO_PROXY", "127.0.0.1,"));
    assert!(proxy.seen().is_empty());
    run(case("the kubeconfig's own", 0, &[]).env("KUBECONFIG", own.display().to_string()));
    assert!(proxy.seen().iter().any(|it| it.starts_with("CONNECT 127.0.0.1:")), "{:?}", proxy.seen());
}

#[test]
fn an_environment_that_does_not_exist_is_guessed_at() {
    let stage = Stage::proved();
    for arguments in [&["promote", "--yes", "pord"][..], &["plan", "pord"], &["verify", "pord"], &["bump", "pord"]] {
        let output = stage.run(arguments, &case("", 2, &[]));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("Did you mean prod? It has: dev, prod."), "{said}");
    }
    let output = stage.run(&["plan", "--output", "json", "--no-such-flag"], &case("", 2, &[]));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &document["error"]["exitCode"]), (Some(2), &Value::from(2)));
}

/// Does something to the ledger's branch, in a clone, and pushes the outcome by force.
fn damage(stage: &Stage, name: &str, what: impl Fn(&std::path::Path)) {
    let clone = stage.dir.path().join(name);
    git(stage.dir.path(), &["clone", "-q", "-b", "release-ledger", stage.world.url("config"), clone.to_str().unwrap()]);
    what(&clone);
    git(&clone, &["push", "-q", "--force", "origin", "HEAD:refs/heads/release-ledger"]);
}

const LEDGER_COMMANDS: [&[&str]; 4] = [PROMOTE, &["bump", "dev"], &["status"], &["ledger", "verify"]];

#[test]
fn a_ledger_that_is_damaged_stops_every_command() {
    let stage = Stage::proved();
    let whole = stage.dir.path().join("whole");
    git(stage.dir.path(), &["clone", "-q", "--bare", stage.world.url("config"), whole.to_str().unwrap()]);
    let rewrite = |clone: &std::path::Path, text: &str| {
        std::fs::write(clone.join("record.json"), text).unwrap();
        git(clone, &["commit", "-q", "-a", "--amend", "-m", "ledger: nothing to see here"]);
    };
    damage(&stage, "altered", |clone| {
        let text = std::fs::read_to_string(clone.join("record.json")).unwrap();
        let middle = text.find("\"payload\"").unwrap() + 40;
        let other = if text.as_bytes()[middle] == b'A' { "B" } else { "A" };
        rewrite(clone, &format!("{}{other}{}", &text[..middle], &text[middle + 1..]));
    });
    for command in LEDGER_COMMANDS {
        stage.check(&case("altered", 5, &["ledger", "  hint: "]).command(command));
    }
    damage(&stage, "garbage", |clone| rewrite(clone, "hello"));
    for command in LEDGER_COMMANDS {
        stage.check(&case("garbage", 5, &["ledger", "  hint: "]).command(command));
    }
    git(&whole, &["push", "-q", "--force", stage.world.url("config"), "release-ledger~2:refs/heads/release-ledger"]);
    for command in &LEDGER_COMMANDS[..3] {
        stage.check(&case("truncated", 5, &["was seen here before", "  hint: "]).command(command));
    }
    stage.check(&case("truncated", 5, &["did not pass: 1 finding", "  hint: "]).command(LEDGER_COMMANDS[3]));
    git(&whole, &["push", "-q", "--force", stage.world.url("config"), ":refs/heads/release-ledger"]);
    for command in &LEDGER_COMMANDS[..3] {
        stage.check(&case("gone", 5, &["lost records", "is gone", "  hint: "]).command(command));
    }
    git(&whole, &["push", "-q", stage.world.url("config"), "release-ledger:refs/heads/release-ledger"]);
    let other = "release-bot ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFfaSioIMECOdJrN3DBY6fLW6PhNT6d2nRlgcyaeNOKR";
    let trusted = stage.pipeline.lines().find_map(|it| it.trim().strip_prefix("trusted: [\"")?.strip_suffix("\"]")).unwrap().to_owned();
    for (command, code, says) in [
        (&["bump", "dev"][..], 2, &["not among the trusted ones"][..]),
        (&["status"], 5, &["which the pipeline does not trust"]),
        (&["ledger", "verify"], 5, &["did not pass"]),
    ] {
        stage.check(&case("a stranger's key", code, says).command(command).edit(trusted.clone(), other));
    }
    stage.check(&case("another pipeline's", 5, &["tomoda", "another"]).command(&["status"]).edit("name: tomoda\n", "name: another\n"));
    assert_eq!(stage.run(&["status"], &case("", 0, &[])).status.code(), Some(0));
}

#[test]
fn a_ledger_that_never_was_does_not_pass_and_nobody_is_blamed() {
    let dir = tempfile::tempdir().unwrap();
    git(dir.path(), &["init", "-q", "--bare", "empty.git"]);
    let url = format!("file://{}", dir.path().join("empty.git").display());
    let trusted = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFfaSioIMECOdJrN3DBY6fLW6PhNT6d2nRlgcyaeNOKR";
    let mut command = std::process::Command::new(BINARY);
    crate::support::world::clean(&mut command, dir.path());
    let output = command.args(["ledger", "verify", "--repo", &url, "--trusted", trusted]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("The first bump or promote begins a ledger") && !said.contains("who wrote"), "{said}");
}

#[test]
fn a_tag_that_stands_elsewhere_is_counted_from_or_left_alone() {
    let stage = Stage::proved();
    let clone = stage.dir.path().join("app");
    git(stage.dir.path(), &["clone", "-q", stage.world.url("app"), clone.to_str().unwrap()]);
    let tip = git(&clone, &["rev-parse", "HEAD"]);
    git(&clone, &["commit", "-q", "--allow-empty", "-m", "feat: beside the branch"]);
    // A lightweight tag on the branch is a release; one beside it takes its name and nothing else; one on a file is no release.
    git(&clone, &["tag", "v0.5.0", &format!("{}~1", tip.trim())]);
    git(&clone, &["tag", "v0.5.1", "HEAD"]);
    let blob = git(&clone, &["hash-object", "-w", ".git/HEAD"]);
    git(&clone, &["tag", "v7.0.0", blob.trim()]);
    git(&clone, &["push", "-q", "origin", "v0.5.0", "v0.5.1", "v7.0.0"]);
    let before = stage.refs();
    let output = stage.run(&["plan", "--output", "json"], &case("", 0, &[]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_eq!((output.status.code(), before == stage.refs()), (Some(3), true), "{said}");
    assert!(said.contains("v0.5.1"), "{said}");
}

#[test]
fn a_command_line_that_is_wrong_is_told_whole_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("kustomization.yaml");
    let text = "images:\n  - name: a\n    newTag: v1\n";
    std::fs::write(&file, text).unwrap();
    std::fs::write(dir.path().join("tags"), "v1.0.0\n").unwrap();
    std::fs::write(dir.path().join("broken.json"), "[\n  {").unwrap();
    std::fs::create_dir(dir.path().join("none")).unwrap();
    let cases: [(&[&str], i32, &[&str]); 17] = [
        (&["set-image", ".", "a:v2", "a@sha256:short", "c=", "="], 2, &["3 problems", "a@sha256:short", "“c=”", "“=”"]),
        (&["set-image", ".", "a=new:tag@digest"], 2, &["“digest” is not a digest"]),
        (&["set-image", ".", "a=*:*@sha256:aa"], 2, &["“sha256:aa” is not a digest"]),
        (&["set-image", ".", "a:v2", "zz:v1"], 2, &["no images entry for zz", "kustomization.yaml"]),
        (&["set-image", "none", "a:v2", "a="], 2, &["2 problems", "none has no kustomization"]),
        (&["set-image", "missing", "a:v2"], 2, &["missing cannot be read"]),
        (&["set-image"], 2, &["<PATH>", "<IMAGE>"]),
        (&["next-version", "--repo", "none"], 2, &["none is not in a git repository", "--repo"]),
        (&["next-version", "--messages", "broken.json"], 2, &["broken.json", "line 2 column 3"]),
        (&["next-version", "--messages", "broken.json", "--previous", "1.x"], 2, &["line 2 column 3"]),
        (
            &["explain", "--newest", "nope", "--pattern", "(", "--order", "up", "--current", "", "--tags", "missing"],
            2,
            &["5 problems", "unclosed group", "no policy “nope”", "“up”", "--current is empty", "missing cannot be read"],
        ),
        (&["explain", "--newest", "semver", "--range", ">>1", "--tags", "tags"], 2, &["“>>1” is not a version range"]),
        (&["explain", "--newest", "semver", "--tags", "."], 2, &[". cannot be read"]),
        (&["explain", "--newest", "semver", "--tags", "tags", "--output", "yaml"], 2, &["'yaml'", "text, json"]),
        (&["plan"], 2, &["no pipeline file in pipelines", "--pipeline"]),
        (&["status", "--pipeline", "."], 2, &[". is not a file", "--pipeline"]),
        (&["ledger", "log", "-n", "0"], 2, &["'0'"]),
    ];
    for (arguments, code, says) in cases {
        for json in [false, true].into_iter().filter(|json| !json || !arguments.contains(&"yaml")) {
            let mut command = std::process::Command::new(BINARY);
            crate::support::world::clean(&mut command, dir.path());
            command.args(arguments).args(json.then_some("--output=json")).current_dir(dir.path()).stdin(Stdio::null());
            let output = command.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            let document: Value = if json { serde_json::from_slice(&output.stdout).unwrap() } else { Value::Null };
            let told = if json { document["error"]["message"].as_str().unwrap().to_owned() + &said } else { said };
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
            assert!(says.iter().all(|it| told.contains(it)) && !told.contains("panicked"), "{arguments:?}: {told}");
            assert!(json || output.stdout.is_empty(), "{arguments:?}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "{arguments:?}");
        }
    }
}
