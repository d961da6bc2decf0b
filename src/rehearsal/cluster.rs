//! The seam between the world and its Kubernetes and Argo CD: what they are given, and what they tell.
//!
//! The cluster itself is [`crate::rehearsal::argocd::Cluster`].

use std::path::PathBuf;
use std::time::Duration;

use super::registry::Images;
use super::stage::Backstage;

/// What a cluster is made from.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// The bare repository that Argo CD reads, on disk.
    pub config_repo_dir: PathBuf,
    /// The applications it reconciles.
    pub applications: Vec<ApplicationSpec>,
    /// The images it can pull: resolves a tag to what stands behind it at that moment.
    pub registry: Images,
    /// How long its parts take.
    pub timing: ClusterTiming,
    /// The request log, the faults and the events of the world it belongs to.
    pub backstage: Backstage,
}

/// One Argo CD application.
#[derive(Clone, Debug)]
pub struct ApplicationSpec {
    /// Its name.
    pub name: String,
    /// The namespace its object is in: Argo CD's own.
    pub namespace: String,
    /// The folder of the config repository that it renders.
    pub path: String,
    /// The namespace it deploys to.
    pub dest_namespace: String,
    /// The branch it follows, as `targetRevision` says it.
    pub branch: String,
    /// The config repository's address, as `repoURL` says it.
    pub repo_url: String,
}

/// How long the parts of a cluster take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterTiming {
    /// From a refresh to the comparison's answer.
    pub compare: Duration,
    /// How long one sync operation runs.
    pub sync: Duration,
    /// From a changed template to all replicas updated and available.
    pub rollout: Duration,
}

/// What a deployment really runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The image as its pods name it.
    pub image: String,
    /// The digest that was pulled: `sha256:…`.
    pub digest: String,
    /// Whether at least one replica of it is available.
    pub available: bool,
}
