//! The kinds of objects that are served, and how they are called.

/// One kind of object.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The version served.
    pub version: &'static str,
    /// As it stands in an object.
    pub kind: &'static str,
    /// As it stands in a path.
    pub plural: &'static str,
    /// What `kubectl get` also accepts.
    pub short: &'static [&'static str],
    /// Whether it lives in a namespace.
    pub namespaced: bool,
    /// Whether clients may patch it here.
    pub patched: bool,
}

const fn served(group: &'static str, version: &'static str, kind: &'static str, plural: &'static str) -> Kind {
    Kind { group, version, kind, plural, short: &[], namespaced: true, patched: false }
}

/// Everything the API serves.
pub const KINDS: &[Kind] = &[
    Kind { namespaced: false, short: &["ns"], ..served("", "v1", "Namespace", "namespaces") },
    Kind { short: &["po"], ..served("", "v1", "Pod", "pods") },
    Kind { short: &["ev"], ..served("", "v1", "Event", "events") },
    Kind { short: &["svc"], ..served("", "v1", "Service", "services") },
    Kind { short: &["cm"], ..served("", "v1", "ConfigMap", "configmaps") },
    Kind { short: &["deploy"], patched: true, ..served("apps", "v1", "Deployment", "deployments") },
    Kind { short: &["rs"], ..served("apps", "v1", "ReplicaSet", "replicasets") },
    Kind { short: &["app", "apps"], patched: true, ..served("argoproj.io", "v1alpha1", "Application", "applications") },
    Kind { short: &["ing"], ..served("networking.k8s.io", "v1", "Ingress", "ingresses") },
    Kind { short: &["netpol"], ..served("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies") },
    Kind { short: &["hpa"], ..served("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers") },
    Kind { short: &["pdb"], ..served("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets") },
    Kind { short: &["es"], ..served("external-secrets.io", "v1beta1", "ExternalSecret", "externalsecrets") },
];

/// Kinds without a namespace that overlays commonly bring along.
const CLUSTER_WIDE: &[&str] = &[
    "Namespace",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "PersistentVolume",
    "StorageClass",
    "PriorityClass",
    "IngressClass",
    "ClusterIssuer",
    "ClusterSecretStore",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
];

impl Kind {
    /// The kind behind a path.
    pub fn at(group: &str, version: &str, plural: &str) -> Option<&'static Self> {
        KINDS.iter().find(|it| it.group == group && it.version == version && it.plural == plural)
    }

    /// Whether anything of this group and version is served.
    pub fn serves(group: &str, version: &str) -> bool {
        KINDS.iter().any(|it| it.group == group && it.version == version)
    }

    /// `deployments.apps`, `pods`: how messages name it.
    pub fn qualified(&self) -> String {
        qualify(self.plural, self.group)
    }

    /// `apps/v1`, `v1`: how objects name their version.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }
}

/// A name with its group, unless that is the core's.
pub fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// Whether objects of this kind live outside namespaces.
pub fn is_cluster_wide(kind: &str) -> bool {
    CLUSTER_WIDE.contains(&kind)
}
