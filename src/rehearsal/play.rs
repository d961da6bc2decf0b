//! What a person does in a rehearsal: push a change, run the commands, stop.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use super::stage::Event;
use super::{World, dev_tag, git};
use crate::error::{Error, Result};
use crate::io::{files, process};

/// A change of the app, as its author would make it.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The commit message's subject.
    pub subject: &'a str,
    /// The files it writes.
    pub files: &'a [(&'a str, &'a str)],
}

/// Commits changes and pushes them to the app's `main`, over the wire, with the git program. Returns the new tip.
pub async fn push(world: &World, changes: &[Change<'_>]) -> Result<String> {
    let folder = tempfile::Builder::new().prefix("checkout-").tempdir_in(world.folder());
    let folder = folder.map_err(|why| Error::remote("The rehearsal cannot write to its folder.").because(why))?;
    let dir = folder.path();
    run_git(dir, &["clone", "--quiet", &world.git.url(git::APP), "."]).await?;
    for change in changes {
        for (path, text) in change.files {
            files::write(&dir.join(path), text)?;
        }
        run_git(dir, &["add", "--all"]).await?;
        run_git(dir, &["commit", "--quiet", "--message", change.subject]).await?;
    }
    run_git(dir, &["push", "--quiet", "origin", "HEAD:main"]).await?;
    run_git(dir, &["rev-parse", "HEAD"]).await
}

/// Waits until the dev image of a component built from this commit is in the registry; says what happens meanwhile.
pub async fn dev_image(world: &World, component: &str, commit: &str, seen: &mut usize, say: impl Fn(&Event)) {
    let name = format!("development-485000/tomoda-dev-repo/tomoda-{component}");
    loop {
        for event in world.backstage.events.since(*seen) {
            *seen += 1;
            say(&event);
        }
        if world.images.resolve(&name, &dev_tag(commit)).is_some() {
            return;
        }
        world.backstage.events.more_than(*seen).await;
    }
}

/// What a person's commands have in their environment: the world's, and a cache that goes away with it.
fn environment(world: &World) -> BTreeMap<String, String> {
    let mut environment = world.environment().clone();
    environment.insert("XDG_CACHE_HOME".to_owned(), world.folder().join("cache").display().to_string());
    environment
}

/// Runs one command of this same program in the world, with this terminal.
pub async fn command(world: &World, arguments: &[&str]) -> Result<ExitStatus> {
    let program = std::env::current_exe().map_err(|why| Error::bug("This program cannot find itself.").because(why))?;
    let mut command = process::command(program);
    command.args(arguments).envs(environment(world)).stdin(Stdio::null());
    command.status().await.map_err(|why| Error::bug("This program cannot run itself.").because(why))
}

/// The tip of a branch of one of the repositories, and the subjects of the commits after another one, newest first.
pub fn commits_since(world: &World, repository: &str, branch: &str, since: Option<&str>) -> Vec<(String, String)> {
    let read = || {
        let repository = git2::Repository::open_bare(world.git.dir(repository))?;
        let mut walk = repository.revwalk()?;
        walk.push_ref(&format!("refs/heads/{branch}"))?;
        if let Some(since) = since {
            walk.hide(git2::Oid::from_str(since)?)?;
        }
        let mut found = Vec::new();
        for id in walk {
            let commit = repository.find_commit(id?)?;
            found.push((commit.id().to_string(), commit.summary().ok().flatten().unwrap_or_default().to_owned()));
        }
        Ok::<_, git2::Error>(found)
    };
    read().unwrap_or_default()
}

/// Runs git with nothing of this machine's configuration.
async fn run_git(dir: &Path, arguments: &[&str]) -> Result<String> {
    let mut command = process::command("git");
    let author = [("NAME", "Mei Lin"), ("EMAIL", "mei@tomoda.life")];
    for (key, value) in author {
        command.env(format!("GIT_AUTHOR_{key}"), value).env(format!("GIT_COMMITTER_{key}"), value);
    }
    command
        .args(arguments)
        .current_dir(dir)
        .env("HOME", dir)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("NO_PROXY", "127.0.0.1")
        .env("no_proxy", "127.0.0.1")
        .stdin(Stdio::null());
    for inherited in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(inherited);
    }
    let output = command.output().await.map_err(|why| Error::usage("The rehearsal needs the git program.").because(why))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::remote(format!("git {} failed: {}", arguments.join(" "), said.trim())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The release tags that came into being in this rehearsal, each with its commit.
pub fn tags(world: &World) -> Vec<String> {
    let read = || {
        let repository = git2::Repository::open_bare(world.git.dir(git::APP))?;
        let mut found = Vec::new();
        for name in repository.tag_names(None)?.iter().flatten().flatten().filter(|it| !["v0.4.1", "v0.4.2"].contains(it)) {
            let commit = repository.revparse_single(&format!("refs/tags/{name}^{{commit}}"))?.id().to_string();
            found.push(format!("{name} at {}", &commit[..7]));
        }
        Ok::<_, git2::Error>(found)
    };
    read().unwrap_or_default()
}

/// Writes the environment as a script for a shell.
pub fn write_environment(world: &World) -> Result<PathBuf> {
    let path = world.folder().join("env.sh");
    let line = |(name, value): (&String, &String)| format!("export {name}='{}'\n", value.replace('\'', "'\\''"));
    let script: String = environment(world).iter().map(line).collect();
    files::write(&path, &script)?;
    Ok(path)
}
