//! The world: all servers, joined by causality, in one folder that goes away with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{LineEnding, PrivateKey};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::argocd::Cluster;
use super::cloud_build::{CloudBuild, Surroundings};
use super::cluster::{ApplicationSpec, ClusterConfig};
use super::git::{self, GitServer, Push};
use super::github::GitHub;
use super::options::{Options, Pace};
use super::registry::{Images, Registry};
use super::stage::{Backstage, Chance, Server};
use super::{app, history, pipeline};
use crate::error::{Error, Result};
use crate::io::clock;

/// A running world.
#[derive(Debug)]
pub struct World {
    /// Its chance began here.
    pub seed: u64,
    /// Every request, every fault, every event.
    pub backstage: Backstage,
    /// Both repositories.
    pub git: GitServer,
    /// What the registry holds.
    pub images: Images,
    /// The registry.
    pub registry: Registry,
    /// Cloud Build.
    pub cloud_build: Arc<CloudBuild>,
    /// Kubernetes and Argo CD.
    pub cluster: Arc<Cluster>,
    /// GitHub.
    pub github: GitHub,
    app: Server,
    errands: JoinHandle<()>,
    environment: BTreeMap<String, String>,
    folder: TempDir,
}

impl World {
    /// Brings everything up. When this returns, all addresses answer.
    pub async fn start(options: Options) -> Result<Self> {
        let seed = match options.seed {
            Some(seed) => seed,
            None => u64::from_le_bytes(random()?),
        };
        let (backstage, chance) = (Backstage::default(), Chance::new(seed));
        let folder = tempfile::Builder::new().prefix("tomoda-rehearsal-").tempdir().map_err(|why| no_folder(&why))?;
        let repository = |name: &str| folder.path().join(format!("{name}.git"));
        let past = history::write_app(&repository(git::APP))?;
        history::write_config(&repository(git::CONFIG), &past)?;

        let (pushes, pushed) = mpsc::unbounded_channel();
        let git = GitServer::start(folder.path(), pushes, &backstage).await?;
        let images = shelves();
        let registry = Registry::start(images.clone(), &chance, &backstage).await?;
        let around = Surroundings {
            repository: repository(git::APP),
            source_url: git.url(git::APP),
            images: images.clone(),
            chance: chance.clone(),
            timing: options.pace.build,
            backstage: backstage.clone(),
        };
        let cloud_build = Arc::new(CloudBuild::start(around, &past).await?);
        let cluster = Arc::new(Cluster::start(cluster_config(&git, &images, &options.pace, &backstage)).await?);
        let github = GitHub::start(repository(git::APP), &backstage).await?;
        let app = app::start(cluster.clone(), images.clone(), &backstage).await?;
        let errands = tokio::spawn(run_errands(pushed, cloud_build.clone(), cluster.clone()));
        let mut world = Self {
            seed,
            backstage,
            git,
            images,
            registry,
            cloud_build,
            cluster,
            github,
            app,
            errands,
            environment: BTreeMap::new(),
            folder,
        };
        world.write_files()?;
        Ok(world)
    }

    /// The pipeline file.
    pub fn pipeline(&self) -> PathBuf {
        self.folder.path().join("pipeline.yaml")
    }

    /// The kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// The folder that everything on disk is in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What has to stand in the environment of a command that is to see this world.
    pub fn environment(&self) -> &BTreeMap<String, String> {
        &self.environment
    }

    /// The address of the app, without `/dev/health` and `/prod/health`.
    pub fn app_url(&self) -> &str {
        self.app.url()
    }

    /// The world for programs: where everything is, and the environment that makes commands see it.
    pub fn described(&self) -> Value {
        json!({
            "pipeline": self.pipeline(),
            "env": self.environment,
            "kubeconfig": self.kubeconfig(),
            "urls": {
                "app": self.git.url(git::APP),
                "config": self.git.url(git::CONFIG),
                "registry": self.registry.url(),
                "cloudBuild": self.cloud_build.url(),
                "argocd": self.cluster.argocd_url(),
                "kubernetes": self.cluster.url(),
                "github": self.github.url(),
                "health": self.app.url(),
            },
            "seed": self.seed,
        })
    }

    /// Ends everything and removes the folder.
    pub async fn stop(self) -> Result<()> {
        let Self { git, registry, cloud_build, cluster, github, app, errands, folder, .. } = self;
        errands.abort();
        drop((git, registry, cloud_build, cluster, github, app));
        let path = folder.keep();
        // A push in the middle of something may still write; it ends within moments, its server is gone.
        for _ in 0..40 {
            match std::fs::remove_dir_all(&path) {
                Err(why) if why.kind() != std::io::ErrorKind::NotFound => clock::wait(Duration::from_millis(50)).await,
                _ => return Ok(()),
            }
        }
        Err(Error::remote(format!("The rehearsal's folder {} cannot be removed.", path.display())).hint("Remove it by hand."))
    }

    fn write_files(&mut self) -> Result<()> {
        let key = ledger_key()?;
        let public = key.public_key().to_openssh().map_err(|why| Error::bug("The new key cannot be written.").because(why))?;
        let public: Vec<&str> = public.split(' ').take(2).collect();
        let text = pipeline::pipeline(&pipeline::Addresses {
            app_repo: &self.git.url(git::APP),
            config_repo: &self.git.url(git::CONFIG),
            registry: self.registry.url(),
            github: self.github.url(),
            app: self.app.url(),
            ledger_key: &public.join(" "),
        });
        let secret = key.to_openssh(LineEnding::LF).map_err(|why| Error::bug("The new key cannot be written.").because(why))?;
        let folder = self.folder.path();
        let (token, gcloud) = (folder.join("access-token"), folder.join("gcloud"));
        let files = [(self.pipeline(), text), (self.kubeconfig(), self.cluster.kubeconfig()), (token.clone(), "rehearsal-token".into())];
        let written = files.iter().try_for_each(|(path, text)| std::fs::write(path, text));
        written.and_then(|()| std::fs::create_dir_all(&gcloud)).map_err(|why| no_folder(&why))?;
        let shown = |path: &Path| path.display().to_string();
        let pairs = [
            ("TOMODA_RELEASE_PIPELINE", shown(&self.pipeline())),
            ("TOMODA_LEDGER_KEY", secret.to_string()),
            ("KUBECONFIG", shown(&self.kubeconfig())),
            ("GITHUB_TOKEN", "rehearsal-token".to_owned()),
            ("CLOUDSDK_API_ENDPOINT_OVERRIDES_CLOUDBUILD", format!("{}/", self.cloud_build.url())),
            ("CLOUDSDK_AUTH_ACCESS_TOKEN_FILE", shown(&token)),
            ("CLOUDSDK_CONFIG", shown(&gcloud)),
            ("CLOUDSDK_CORE_PROJECT", "development-485000".to_owned()),
            ("CLOUDSDK_CORE_DISABLE_PROMPTS", "1".to_owned()),
            ("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1".to_owned()),
            ("NO_PROXY", "127.0.0.1,localhost".to_owned()),
            ("no_proxy", "127.0.0.1,localhost".to_owned()),
        ];
        self.environment = pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(())
    }
}

/// Carries news from one part of the world to the next. Argo CD is told that git moved; whether it looks is its own affair.
async fn run_errands(mut pushes: mpsc::UnboundedReceiver<Push>, cloud_build: Arc<CloudBuild>, cluster: Arc<Cluster>) {
    while let Some(push) = pushes.recv().await {
        if push.repository == git::APP {
            cloud_build.pushed(push);
        } else {
            cluster.git_moved();
        }
    }
}

/// Tomoda's two registry repositories. Tags of releases cannot be moved.
fn shelves() -> Images {
    let images = Images::default();
    images.create_repository("development-485000/tomoda-dev-repo", false);
    images.create_repository("development-485000/tomoda-prod-repo", true);
    images
}

fn cluster_config(git: &GitServer, images: &Images, pace: &Pace, backstage: &Backstage) -> ClusterConfig {
    let application = |name: &str, overlay: &str, namespace: &str| ApplicationSpec {
        name: name.to_owned(),
        namespace: "argocd".to_owned(),
        path: format!("k8s/apps/tomoda/overlays/{overlay}"),
        dest_namespace: namespace.to_owned(),
        branch: "main".to_owned(),
        repo_url: git.url(git::CONFIG),
    };
    ClusterConfig {
        config_repo_dir: git.dir(git::CONFIG),
        applications: vec![application("tomoda", "dev", "tomoda"), application("prod-tomoda", "prod", "prod")],
        registry: images.clone(),
        timing: pace.cluster,
        backstage: backstage.clone(),
    }
}

/// A key for the ledger. It is not made from the seed: a seed is printed.
fn ledger_key() -> Result<PrivateKey> {
    let pair = Ed25519Keypair::from_seed(&random()?);
    PrivateKey::new(KeypairData::from(pair), "rehearsal").map_err(|why| Error::bug("A new key cannot be made.").because(why))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|why| Error::remote("This computer has no random numbers.").because(std::io::Error::from(why)))?;
    Ok(bytes)
}

fn no_folder(why: &std::io::Error) -> Error {
    let message = format!("The rehearsal cannot write to its folder below {}: {why}.", std::env::temp_dir().display());
    Error::remote(message).hint("Free some space, or point TMPDIR elsewhere.")
}
