//! Opening what a command works on: which repository, which branch, whose keys, and where the cache is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Global;
use crate::error::{Error, Result};
use crate::io::git::{Remote, Store, local};
use crate::io::{cache, credentials, files};
use crate::live;
use crate::model::{BranchName, RepoUrl, Secret};
use crate::record::Ledger;

/// Where a ledger is, for those who have no pipeline file: an auditor with a clone and a list of keys.
#[derive(clap::Args, Debug, Clone)]
pub(super) struct Where {
    /// The repository that holds the ledger; instead of --pipeline.
    #[arg(long, value_name = "URL", global = true)]
    repo: Option<String>,
    /// The ledger's branch, with --repo [default: release-ledger].
    #[arg(long, value_name = "BRANCH", global = true)]
    branch: Option<String>,
    /// A key whose records are believed: “[NAME] ssh-ed25519 AAAA…”. May be given several times.
    #[arg(long, value_name = "KEY", global = true)]
    trusted: Vec<String>,
    /// A file of such keys, one a line: an allowed-signers file.
    #[arg(long, value_name = "FILE", global = true)]
    trusted_file: Option<PathBuf>,
    /// Where caches and remembered heads are kept.
    #[arg(long, env = "TOMODA_RELEASE_CACHE", value_name = "DIR", global = true)]
    cache_dir: Option<PathBuf>,
}

impl Where {
    /// The ledger, for reading.
    pub(super) fn ledger(&self, global: &Global) -> Result<Ledger> {
        let cache = self.cache_dir.clone().map_or_else(cache::dir, Ok)?;
        let Some(repo) = &self.repo else { return self.of_pipeline(global, &cache) };
        let remote = Remote { url: address(repo)?, token: credentials::environment("TOMODA_GIT_TOKEN").map(Secret::new) };
        let store = Arc::new(Store::open(remote.clone(), &cache)?);
        let branch = BranchName::parse(self.branch.as_deref().unwrap_or("release-ledger")).map_err(Error::usage)?;
        Ok(Ledger::of_stranger(store, branch, &self.keys()?)?.remembering(&cache, &remote))
    }

    fn of_pipeline(&self, global: &Global, cache: &Path) -> Result<Ledger> {
        if self.given() {
            return Err(Error::usage("--branch, --trusted and --trusted-file need --repo.")
                .hint("With a pipeline, its ledger section says all three."));
        }
        let pipeline = super::journey::pipeline(global).map_err(|why| match why.hint_text() {
            None => why.hint("Without a pipeline file, give --repo URL and --trusted KEY."),
            Some(_) => why,
        })?;
        let remote = live::remote(&pipeline.config.repo, pipeline.config.token.as_ref())?;
        let store = Arc::new(Store::open(remote.clone(), cache)?);
        Ok(Ledger::new(store, &pipeline.ledger, None, &pipeline.name)?.remembering(cache, &remote))
    }

    /// Whether anything is said that only makes sense beside --repo.
    fn given(&self) -> bool {
        self.branch.is_some() || !self.trusted.is_empty() || self.trusted_file.is_some()
    }

    /// The keys on the command line and in the file.
    fn keys(&self) -> Result<Vec<(String, String)>> {
        let mut lines = self.trusted.clone();
        if let Some(file) = &self.trusted_file {
            let text = files::read_text(file, 1 << 20)?;
            lines.extend(text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#')).map(str::to_owned));
        }
        if lines.is_empty() {
            return Err(Error::usage("No key is trusted, so no record can be believed.")
                .hint("Give --trusted “ssh-ed25519 AAAA…” or --trusted-file FILE."));
        }
        Ok(lines.iter().map(|it| signer(it)).collect())
    }
}

/// A repository's address; a folder of this computer may be given as a path.
fn address(text: &str) -> Result<RepoUrl> {
    let text = local::address(text).unwrap_or_else(|| text.to_owned());
    RepoUrl::parse(&text).map_err(Error::usage)
}

/// A line of an allowed-signers file. The name may be missing: then the key's comment is the name.
fn signer(line: &str) -> (String, String) {
    match line.split_once(char::is_whitespace) {
        Some((name, key)) if !name.starts_with("ssh-") => (name.to_owned(), key.trim().to_owned()),
        _ => (line.split_whitespace().nth(2).unwrap_or("trusted").to_owned(), line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_come_with_a_name_in_front_or_behind() {
        let pair = |name: &str, key: &str| (name.to_owned(), key.to_owned());
        assert_eq!(signer("bot ssh-ed25519 AAAA x"), pair("bot", "ssh-ed25519 AAAA x"));
        assert_eq!(signer("ssh-ed25519 AAAA bot"), pair("bot", "ssh-ed25519 AAAA bot"));
        assert_eq!(signer("ssh-ed25519 AAAA"), pair("trusted", "ssh-ed25519 AAAA"));
    }
}
