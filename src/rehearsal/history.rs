//! The past of the world: how its two repositories came to be what they are when a rehearsal begins.
//!
//! All times are fixed, so that every world begins with the same commits.

use std::collections::BTreeMap;
use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, RepositoryInitOptions, Signature, Time};

use super::fixtures::{self, DEV_OVERLAY, PROD_OVERLAY};
use crate::error::{Error, Result};

/// 2026-01-05T09:00:00Z, a Monday: the first commit.
const FIRST: i64 = 1_767_603_600;
/// A commit every five hours.
const PAUSE: i64 = 5 * 3600;

/// One commit of the past.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Its id.
    pub id: String,
    /// When it was made, in seconds since the epoch.
    pub time: i64,
    /// The components whose image a push of it builds.
    pub builds: &'static [&'static str],
    /// The release tag on it.
    pub tag: Option<&'static str>,
}

/// Files to write: path and content.
type Files = BTreeMap<&'static str, String>;

struct Chapter {
    subject: &'static str,
    files: &'static [fixtures::File],
    builds: &'static [&'static str],
    tag: Option<&'static str>,
}

const BOTH: &[&str] = &["backend", "frontend"];

/// The commits of the app, oldest first. The last two released versions are among them; what follows is not released yet.
const APP: &[Chapter] = &[
    Chapter { subject: "feat: serve the api and the web app", files: fixtures::APP, builds: BOTH, tag: Some("v0.4.1") },
    Chapter {
        subject: "fix(backend): keep the session of a client that reconnects (#412)",
        files: &[(
            "backend/session.go",
            "package main\n\n// A session outlives its connection by this many seconds.\nconst sessionGrace = 30\n",
        )],
        builds: &["backend"],
        tag: None,
    },
    Chapter { subject: "chore(release): v0.4.2", files: &[("VERSION", "0.4.2\n")], builds: &[], tag: Some("v0.4.2") },
    Chapter {
        subject: "feat(backend): find places near a point (#418)",
        files: &[("backend/places.go", "package main\n\n// Places within this many metres are near.\nconst nearby = 500\n")],
        builds: &["backend"],
        tag: None,
    },
    Chapter {
        subject: "docs: how to run Tomoda on a laptop (#420)",
        files: &[("README.md", "# Tomoda\n\n`task dev` starts the backend and the web app.\n")],
        builds: &[],
        tag: None,
    },
    Chapter {
        subject: "fix(frontend): show the map in dark mode (#421)",
        files: &[("frontend/theme.css", "@media (prefers-color-scheme: dark) { #map { filter: invert(1); } }\n")],
        builds: &["frontend"],
        tag: None,
    },
    Chapter {
        subject: "refactor(backend): one name for the radius of a search (#423)",
        files: &[("backend/places.go", "package main\n\n// Places within this many metres are near.\nconst searchRadius = 500\n")],
        builds: &["backend"],
        tag: None,
    },
];

/// Writes the app's repository.
pub(super) fn write_app(dir: &Path) -> Result<Vec<Commit>> {
    told(dir, || {
        let repository = create(dir)?;
        let mut commits: Vec<Commit> = Vec::new();
        for (number, chapter) in (0..).zip(APP) {
            let time = FIRST + number * PAUSE;
            let mut files: Files = chapter.files.iter().map(|(path, text)| (*path, (*text).to_owned())).collect();
            if number == 0 {
                files.insert("VERSION", "0.4.1\n".to_owned());
            }
            let id = commit(&repository, &files, chapter.subject, time)?;
            if let Some(tag) = chapter.tag {
                let target = repository.find_object(id, None)?;
                repository.tag(tag, &target, &person(time + 60)?, &format!("Tomoda {tag}\n"), false)?;
            }
            commits.push(Commit { id: id.to_string(), time, builds: chapter.builds, tag: chapter.tag });
        }
        Ok(commits)
    })
}

/// Writes the config repository: dev runs the newest images of the app, prod the last release.
pub(super) fn write_config(dir: &Path, app: &[Commit]) -> Result<()> {
    let newest = |component: &str| {
        let built = app.iter().rev().find(|it| it.builds.contains(&component));
        built.map_or_else(String::new, |it| dev_tag(&it.id))
    };
    let dev = |backend: &str, frontend: &str| {
        let text = fixture(DEV_OVERLAY);
        let text = text.replace("dev-0000000 # backend", &format!("{backend} # backend"));
        text.replace("dev-0000000 # frontend", &format!("{frontend} # frontend"))
    };
    let first = app.first().map_or_else(String::new, |it| dev_tag(&it.id));
    told(dir, || {
        let repository = create(dir)?;
        let mut files: Files = fixtures::CONFIG.iter().map(|(path, text)| (*path, (*text).to_owned())).collect();
        files.insert(DEV_OVERLAY, dev(&first, &first));
        files.insert(PROD_OVERLAY, fixture(PROD_OVERLAY).replace("v0.4.2", "v0.4.1"));
        commit(&repository, &files, "feat: tomoda in dev and prod", FIRST + 1800)?;
        let prod = Files::from([(PROD_OVERLAY, fixture(PROD_OVERLAY).to_owned())]);
        commit(&repository, &prod, "release: tomoda v0.4.2 to prod", FIRST + 2 * PAUSE + 1800)?;
        let newest = Files::from([(DEV_OVERLAY, dev(&newest("backend"), &newest("frontend")))]);
        commit(&repository, &newest, "build: automatic update of tomoda", FIRST + 7 * PAUSE)?;
        Ok(())
    })
}

/// The tag of a dev image built from this commit.
pub fn dev_tag(commit: &str) -> String {
    format!("dev-{}", short(commit))
}

/// The first seven characters of a commit's id: Cloud Build's `SHORT_SHA`.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

fn fixture(path: &str) -> &'static str {
    fixtures::CONFIG.iter().find(|(it, _)| *it == path).map_or("", |(_, text)| text)
}

fn told<T>(dir: &Path, write: impl FnOnce() -> Result<T, git2::Error>) -> Result<T> {
    write().map_err(|why| Error::bug(format!("The rehearsal cannot write its repository {}.", dir.display())).because(why))
}

/// A bare repository that a hosting service could have made. Nothing is packed behind the back of a test.
fn create(dir: &Path) -> Result<Repository, git2::Error> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).initial_head("main").external_template(false);
    let repository = Repository::init_opts(dir, &options)?;
    let mut config = repository.config()?;
    for key in ["http.receivepack", "uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant", "receive.advertiseAtomic"] {
        config.set_bool(key, true)?;
    }
    config.set_bool("receive.autogc", false)?;
    config.set_i32("gc.auto", 0)?;
    Ok(repository)
}

/// Puts files on top of `main`.
fn commit(repository: &Repository, files: &Files, subject: &str, time: i64) -> Result<Oid, git2::Error> {
    let parent = repository.find_reference("refs/heads/main").ok().map(|it| it.peel_to_commit()).transpose()?;
    let base = match &parent {
        Some(parent) => parent.tree()?,
        None => repository.find_tree(repository.treebuilder(None)?.write()?)?,
    };
    let mut update = TreeUpdateBuilder::new();
    for (path, text) in files {
        update.upsert(*path, repository.blob(text.as_bytes())?, FileMode::Blob);
    }
    let tree = repository.find_tree(update.create_updated(repository, &base)?)?;
    let by = person(time)?;
    let parents: Vec<_> = parent.iter().collect();
    repository.commit(Some("refs/heads/main"), &by, &by, &format!("{subject}\n"), &tree, &parents)
}

fn person(time: i64) -> Result<Signature<'static>, git2::Error> {
    Signature::new("Mei Lin", "mei@tomoda.life", &Time::new(time, 0))
}
