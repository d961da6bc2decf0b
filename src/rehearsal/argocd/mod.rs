//! Argo CD and the cluster it deploys to.

use crate::error::Result;
use crate::rehearsal::cluster::{ClusterConfig, Running};
use crate::rehearsal::stage::{Door, Server};

/// The cluster: a Kubernetes API, an Argo CD, and what runs there.
#[derive(Debug)]
pub struct Cluster {
    server: Server,
}

impl Cluster {
    /// Starts it.
    pub async fn start(config: ClusterConfig) -> Result<Self> {
        let door = Door::open("kubernetes", &config.backstage).await?;
        Ok(Self { server: door.serve(axum::Router::new()) })
    }

    /// The Kubernetes API's address.
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// A kubeconfig for it.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: rehearsal, cluster: {{server: \"{0}\"}}}}]\nusers: [{{name: rehearsal, user: {{}}}}]\ncontexts: [{{name: rehearsal, context: {{cluster: rehearsal, user: rehearsal}}}}]\ncurrent-context: rehearsal\n",
            self.server.url()
        )
    }

    /// Argo CD's address.
    pub fn argocd_url(&self) -> String {
        self.server.url().to_owned()
    }

    /// What a deployment runs.
    pub fn running(&self, _namespace: &str, _deployment: &str) -> Option<Running> {
        None
    }

    /// Tells that the config repository has a new tip.
    pub fn git_moved(&self) {}
}
