//! Bare repositories to talk to, made with the real `git`, and a clean environment for it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// `git` with an environment of our own: no settings of the person who runs the tests.
pub(crate) fn git_command(dir: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(dir).env_clear();
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    command.env("HOME", dir).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@example.com");
        command.env(format!("GIT_{who}_DATE"), "1700000000 +0000");
    }
    command
}

/// Runs git and returns what it printed; fails the test where git fails.
pub(crate) fn git(dir: &Path, args: &[&str]) -> String {
    let output = git_command(dir).args(args).output().expect("git is installed");
    succeeded(args, &output);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Runs git with this on standard input.
pub(crate) fn git_with(dir: &Path, args: &[&str], input: &[u8]) -> String {
    let mut child =
        git_command(dir).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("git is installed");
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    succeeded(args, &output);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

fn succeeded(args: &[&str], output: &Output) {
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A bare repository in a folder of its own: `<root>/repo.git`.
pub(crate) struct Bare {
    root: TempDir,
}

impl Bare {
    /// An empty one that takes pushes over http.
    pub(crate) fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        git(root.path(), &["init", "-q", "--bare", "-b", "main", "repo.git"]);
        let bare = Self { root };
        bare.git(&["config", "http.receivepack", "true"]);
        bare
    }

    /// One with a commit on `main` that holds these files.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let bare = Self::empty();
        bare.commit("main", "first", files);
        bare
    }

    /// The folder that a server exports.
    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// The repository itself.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().join("repo.git")
    }

    /// Its `file://` address.
    pub(crate) fn file_url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Runs git inside it.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        git(&self.path(), args)
    }

    /// What a ref points to, if it exists.
    pub(crate) fn tip(&self, name: &str) -> Option<String> {
        let found = self.git(&["for-each-ref", "--format=%(objectname)", name]);
        (!found.is_empty()).then_some(found)
    }

    /// Adds a commit to a branch, keeping its other files; returns its id.
    pub(crate) fn commit(&self, branch: &str, message: &str, files: &[(&str, &str)]) -> String {
        let mut input = String::new();
        input.push_str(&format!("commit refs/heads/{branch}\ncommitter Ann <ann@example.com> 1700000000 +0000\n"));
        input.push_str(&format!("data {}\n{message}\n", message.len()));
        if self.tip(&format!("refs/heads/{branch}")).is_some() {
            input.push_str(&format!("from refs/heads/{branch}^0\n"));
        }
        for (path, text) in files {
            input.push_str(&format!("M 100644 inline {path}\ndata {}\n{text}\n", text.len()));
        }
        self.import(input.as_bytes());
        self.tip(&format!("refs/heads/{branch}")).unwrap()
    }

    /// Feeds `git fast-import`.
    pub(crate) fn import(&self, stream: &[u8]) {
        git_with(&self.path(), &["fast-import", "--quiet", "--force"], stream);
    }

    /// Installs a hook, a shell script without its first line.
    pub(crate) fn hook(&self, name: &str, script: &str) {
        let path = self.path().join("hooks").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}
