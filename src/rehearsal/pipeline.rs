//! The pipeline file of the world: Tomoda's, with the addresses of this computer.

/// What the file names.
pub(super) struct Addresses<'a> {
    pub(super) app_repo: &'a str,
    pub(super) config_repo: &'a str,
    pub(super) registry: &'a str,
    pub(super) github: &'a str,
    pub(super) app: &'a str,
    /// The public key that signs the ledger, as OpenSSH writes it, without a comment.
    pub(super) ledger_key: &'a str,
}

/// Writes the file.
pub(super) fn pipeline(at: &Addresses<'_>) -> String {
    let Addresses { app_repo, config_repo, registry, github, app, ledger_key } = at;
    let images = "asia-east1-docker.pkg.dev/development-485000";
    format!(
        r#"# Tomoda's pipeline in a rehearsal: image names are the real ones, addresses are this computer's.
apiVersion: tomoda-release/v1
name: tomoda

app:
  repo: {app_repo}
  branch: main
  tag: "v{{version}}"
  initial: 0.1.0
  github: {{ repo: tomoda-labs/tomoda, api: "{github}", token: env:GITHUB_TOKEN }}

config:
  repo: {config_repo}
  branch: main
  landing: push

ledger:
  branch: release-ledger
  sign: {{ sshKey: env:TOMODA_LEDGER_KEY }}
  trusted: ["release-bot {ledger_key}"]
  lease: 2s

registries:
  - {{ host: asia-east1-docker.pkg.dev, endpoint: "{registry}" }}

components:
  backend: {{ paths: [backend/**, cloudbuild-backend.yaml], workloads: [tomoda-api, tomoda-async] }}
  frontend: {{ paths: [frontend/**, cloudbuild-frontend.yaml], workloads: [frontend] }}

environments:
  - name: dev
    overlay: k8s/apps/tomoda/overlays/dev
    namespace: tomoda
    follow:
      backend:
        image: {images}/tomoda-dev-repo/tomoda-backend
        tags: {{ pattern: '^dev-(?P<commit>[0-9a-f]{{7,40}})$', newest: commit }}
      frontend:
        image: {images}/tomoda-dev-repo/tomoda-frontend
        tags: {{ pattern: '^dev-(?P<commit>[0-9a-f]{{7,40}})$', newest: commit }}
    gates:
      - argocd: {{ application: tomoda }}
      - rollout: {{}}
      - http: {{ url: "{app}/dev/health", json: {{ /version: "{{tag}}" }} }}
      - soak: 1s

  - name: prod
    overlay: k8s/apps/tomoda/overlays/prod
    namespace: prod
    release:
      from: dev
      images:
        backend: {images}/tomoda-prod-repo/tomoda-backend
        frontend: {images}/tomoda-prod-repo/tomoda-frontend
      build:
        cloudBuild:
          project: development-485000
          location: asia-east1
          triggers: {{ backend: backend-release-trigger, frontend: frontend-release-trigger }}
    gates:
      - argocd: {{ application: prod-tomoda }}
      - rollout: {{}}
      - http: {{ url: "{app}/prod/health", json: {{ /version: "{{tag}}" }} }}
      - soak: 1s
"#
    )
}
