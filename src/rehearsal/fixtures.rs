//! Tomoda's two repositories as files: what the world begins with.

/// A file: its path in the repository and its content.
pub(super) type File = (&'static str, &'static str);

macro_rules! files {
    ($root:literal: $($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("fixtures/", $root, "/", $path)))),+]
    };
}

/// The app: two components that build separately, released together.
pub(super) const APP: &[File] = files!["app":
    "VERSION",
    "backend/Dockerfile",
    "backend/main.go",
    "cloudbuild-backend.yaml",
    "cloudbuild-frontend.yaml",
    "frontend/Dockerfile",
    "frontend/index.html",
];

/// What runs where.
pub(super) const CONFIG: &[File] = files!["devops":
    "k8s/apps/tomoda/base/backend-api-deployment.yaml",
    "k8s/apps/tomoda/base/backend-async-deployment.yaml",
    "k8s/apps/tomoda/base/frontend-deployment.yaml",
    "k8s/apps/tomoda/base/ingress.yaml",
    "k8s/apps/tomoda/base/kustomization.yaml",
    "k8s/apps/tomoda/base/network-policy.yaml",
    "k8s/apps/tomoda/overlays/dev/backend-config.yaml",
    "k8s/apps/tomoda/overlays/dev/external-secret.yaml",
    "k8s/apps/tomoda/overlays/dev/hpa-api.yaml",
    "k8s/apps/tomoda/overlays/dev/hpa-async.yaml",
    "k8s/apps/tomoda/overlays/dev/kustomization.yaml",
    "k8s/apps/tomoda/overlays/prod/backend-config.yaml",
    "k8s/apps/tomoda/overlays/prod/external-secret.yaml",
    "k8s/apps/tomoda/overlays/prod/hpa-api.yaml",
    "k8s/apps/tomoda/overlays/prod/hpa-async.yaml",
    "k8s/apps/tomoda/overlays/prod/kustomization.yaml",
    "k8s/apps/tomoda/overlays/prod/pdb.yaml",
    "k8s/envs/dev/tomoda.yaml",
    "k8s/envs/prod/tomoda.yaml",
];

/// The dev overlay's kustomization.
pub(super) const DEV_OVERLAY: &str = "k8s/apps/tomoda/overlays/dev/kustomization.yaml";
/// The prod overlay's kustomization.
pub(super) const PROD_OVERLAY: &str = "k8s/apps/tomoda/overlays/prod/kustomization.yaml";
