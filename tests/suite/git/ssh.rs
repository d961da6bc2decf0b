//! ssh: with a stand-in that shows what it was told, and with a real sshd where installed.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tomoda_release::error::Kind;
use tomoda_release::io::git::{Expect, Limits, Network, Pushed, SshProgram};

use super::{main_ref, offline, store_with, write};
use crate::support::real::{Running, free_port, programs};
use crate::support::repo::Bare;

/// A program in the place of ssh: keeps its arguments, then does this.
fn stand_in(folder: &Path, script: &str) -> Network {
    let program = folder.join("ssh stand-in");
    let text = format!("#!/bin/sh\nfor it; do printf '%s\\n' \"$it\" >> '{}'; last=$it; done\n{script}\n", folder.join("argv").display());
    std::fs::write(&program, text).unwrap();
    Command::new("chmod").arg("+x").arg(&program).status().unwrap();
    let limits = Limits { connect: Duration::from_secs(3), idle: Duration::from_secs(20), total: Duration::from_secs(60) };
    Network { ssh: SshProgram::Program(program.display().to_string()), limits, ..offline() }
}

#[test]
fn fetch_and_push_through_a_program() {
    let bare = Bare::with(&[("a", "one\n")]);
    let folder = tempfile::tempdir().unwrap();
    let network = stand_in(folder.path(), "exec sh -c \"$last\"");
    for url in [format!("bot@host.example:{}", bare.path().display()), format!("ssh://bot@host.example:2222{}", bare.path().display())] {
        let cache = tempfile::tempdir().unwrap();
        let store = store_with(&url, Some("hunter2"), cache.path(), network.clone());
        let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
        let next = write(&store, &tip, "a", &format!("{url}\n"));
        assert_eq!(store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);
        assert_eq!(store.push(next.object(), &main_ref(), &Expect::Absent).unwrap(), Pushed::Landed);
        assert_eq!(store.list("refs/heads/").unwrap().len(), 1);
        assert!(store.fetch(&main_ref(), false).unwrap().is_some());
    }
    let told = std::fs::read_to_string(folder.path().join("argv")).unwrap();
    let upload = format!("-o\nBatchMode=yes\n-o\nConnectTimeout=3\nbot@host.example\ngit-upload-pack '{}'\n", bare.path().display());
    assert!(told.starts_with(&upload), "{told}");
    assert!(told.contains("-p\n2222\nbot@host.example\ngit-receive-pack '"), "{told}");
    assert!(!told.contains("hunter2"));
}

#[test]
fn a_command_line_of_the_environment_is_given_to_the_shell() {
    let bare = Bare::with(&[("a", "one\n")]);
    let folder = tempfile::tempdir().unwrap();
    stand_in(folder.path(), "exec sh -c \"$last\"");
    let line = format!("'{}' -i key", folder.path().join("ssh stand-in").display());
    let network = Network { ssh: SshProgram::Shell(line), ..offline() };
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&format!("host:{}", bare.path().display()), None, cache.path(), network);
    assert_eq!(store.list("refs/heads/").unwrap().len(), 1);
    let told = std::fs::read_to_string(folder.path().join("argv")).unwrap();
    assert!(told.starts_with("-i\nkey\n-o\nBatchMode=yes\n"), "{told}");
}

#[test]
fn what_ssh_says_becomes_the_error() {
    for (script, kind, wanted) in [
        ("echo 'Host key verification failed.' >&2; exit 255", Kind::RemoteFinal, "host key"),
        ("echo 'bot@host: Permission denied (publickey).' >&2; exit 255", Kind::RemoteFinal, "Permission denied (publickey)"),
        ("echo 'ssh: connect to host x port 22: Connection refused' >&2; exit 255", Kind::Unreachable, "Connection refused"),
        ("exit 1", Kind::Remote, "ended before git was done"),
        ("echo 'ERROR: Repository not found.' >&2; exit 1", Kind::RemoteFinal, "no repository"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let store = store_with("bot@host:x", None, folder.path(), stand_in(folder.path(), script));
        let error = store.fetch(&main_ref(), true).unwrap_err();
        assert_eq!(error.kind(), kind, "{script}: {error:?}");
        assert!(error.to_string().contains(wanted), "{script}: {error}");
    }
}

#[test]
fn a_push_without_permission_is_a_refusal() {
    let bare = Bare::with(&[("a", "one\n")]);
    let folder = tempfile::tempdir().unwrap();
    let script =
        "case $last in git-receive*) echo 'ERROR: Permission to x.git denied to deploy key' >&2; exit 1;; esac; exec sh -c \"$last\"";
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&format!("host:{}", bare.path().display()), None, cache.path(), stand_in(folder.path(), script));
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let next = write(&store, &tip, "a", "two\n");
    let pushed = store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap();
    assert!(matches!(&pushed, Pushed::Refused(words) if words.contains("denied to deploy key")), "{pushed:?}");
}

#[test]
fn a_push_that_loses_its_connection_is_looked_for() {
    let bare = Bare::with(&[("a", "one\n")]);
    let folder = tempfile::tempdir().unwrap();
    // The pack arrives and git does its work; the answer never comes back.
    let script = format!(
        "case $last in git-receive*) mkfifo '{0}/p'; (sh -c \"$last\" < '{0}/p' | head -c 60) & cat > '{0}/p'; wait; exit 255;; esac; exec sh -c \"$last\"",
        folder.path().display()
    );
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&format!("host:{}", bare.path().display()), None, cache.path(), stand_in(folder.path(), &script));
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let next = write(&store, &tip, "a", "two\n");
    let pushed = store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone()));
    let stands = bare.tip("refs/heads/main").unwrap() == next.as_str();
    match pushed {
        Ok(Pushed::Landed) => assert!(stands),
        Err(error) => assert_eq!(error.kind(), Kind::Remote),
        other => panic!("{other:?}"),
    }
}

/// Who waits for silence need not wait long.
fn impatient(network: Network) -> Network {
    Network { limits: Limits { idle: Duration::from_millis(800), ..network.limits }, ..network }
}

#[test]
fn a_hanging_program_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let network = impatient(stand_in(folder.path(), "echo $$ > \"$0.pid\"; exec sleep 600"));
    let store = store_with("host:x", None, folder.path(), network);
    let began = Instant::now();
    let error = store.list("refs/").unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    assert_eq!(error.kind(), Kind::Remote);
    assert!(error.to_string().contains("did not answer within"), "{error}");
    let pid = std::fs::read_to_string(folder.path().join("ssh stand-in.pid")).unwrap();
    assert!(!Path::new(&format!("/proc/{}/stat", pid.trim())).exists(), "the program still runs");
}

#[test]
fn a_grandchild_that_keeps_the_pipe_does_not_hold_us() {
    let folder = tempfile::tempdir().unwrap();
    let network = impatient(stand_in(folder.path(), "sleep 20 & exit 0"));
    let store = store_with("host:x", None, folder.path(), network);
    let began = Instant::now();
    assert_eq!(store.list("refs/").unwrap_err().kind(), Kind::Remote);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[test]
fn an_absent_program_is_a_wrong_setting() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network { ssh: SshProgram::Program("/nonexistent/ssh".into()), ..offline() };
    let error = store_with("host:x", None, folder.path(), network).list("refs/").unwrap_err();
    assert_eq!(error.kind(), Kind::Config, "{error:?}");
}

struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    _server: Running,
}

impl Sshd {
    fn start() -> Option<Self> {
        let [sshd, keygen, _ssh] = programs(["sshd", "ssh-keygen", "ssh"])?;
        let folder = tempfile::tempdir().unwrap();
        for key in ["host", "user", "stranger"] {
            let file = folder.path().join(key);
            let made = Command::new(&keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(file).status().unwrap();
            assert!(made.success());
        }
        let at = folder.path().display();
        let port = free_port();
        std::fs::copy(folder.path().join("user.pub"), folder.path().join("authorized_keys")).unwrap();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized_keys\nStrictModes no\n\
             UsePAM no\nPasswordAuthentication no\nPidFile none\nPermitRootLogin yes\n"
        );
        std::fs::write(folder.path().join("sshd_config"), config).unwrap();
        let host = std::fs::read_to_string(folder.path().join("host.pub")).unwrap();
        std::fs::write(folder.path().join("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        // sshd insists on it when it runs as root.
        let _ = std::fs::create_dir_all("/run/sshd");
        let log = folder.path().join("log");
        let mut command = Command::new(sshd);
        command.args(["-D", "-e", "-f"]).arg(folder.path().join("sshd_config"));
        let server = Running::start(&mut command, &log).until_port("sshd", port);
        Some(Self { folder, port, _server: server })
    }

    fn network(&self, key: &str, known_hosts: &str) -> Network {
        let at = self.folder.path().display();
        let line =
            format!("ssh -F none -i {at}/{key} -o IdentitiesOnly=yes -o IdentityAgent=none -o UserKnownHostsFile={at}/{known_hosts}");
        Network { ssh: SshProgram::Shell(line), ..offline() }
    }

    fn url(&self, bare: &Bare) -> String {
        let user = std::env::var("USER").unwrap_or_else(|_| "root".into());
        format!("ssh://{user}@127.0.0.1:{}{}", self.port, bare.path().display())
    }
}

#[test]
fn a_real_sshd() {
    let Some(sshd) = Sshd::start() else { return };
    let bare = Bare::with(&[("a", "one\n")]);
    let cache = tempfile::tempdir().unwrap();
    let store = store_with(&sshd.url(&bare), None, cache.path(), sshd.network("user", "known_hosts"));
    let tip = store.fetch(&main_ref(), true).unwrap().unwrap();
    let next = write(&store, &tip, "a", "two\n");
    assert_eq!(store.push(next.object(), &main_ref(), &Expect::At(tip.object().clone())).unwrap(), Pushed::Landed);
    assert_eq!(bare.git(&["show", "main:a"]), "two");

    let denied = store_with(&sshd.url(&bare), None, cache.path(), sshd.network("stranger", "known_hosts"));
    let error = denied.list("refs/").unwrap_err();
    assert!(error.kind() == Kind::RemoteFinal && error.to_string().contains("Permission denied"), "{error:?}");
    let pushed = denied.push(next.object(), &main_ref(), &Expect::Absent).unwrap();
    assert!(matches!(&pushed, Pushed::Refused(words) if words.contains("Permission denied")), "{pushed:?}");

    let key = std::fs::read_to_string(sshd.folder.path().join("stranger.pub")).unwrap();
    std::fs::write(sshd.folder.path().join("wrong_hosts"), format!("[127.0.0.1]:{} {key}", sshd.port)).unwrap();
    for known_hosts in ["wrong_hosts", "no_hosts"] {
        let store = store_with(&sshd.url(&bare), None, cache.path(), sshd.network("user", known_hosts));
        let error = store.list("refs/").unwrap_err();
        assert!(error.kind() == Kind::RemoteFinal && error.to_string().contains("host key"), "{known_hosts}: {error:?}");
    }
}
