//! Which cluster: kubeconfig files as kubectl reads them, or the service account of the pod this runs in.
//!
//! kube's own reading differs where it hurts: a missing file among several is an error there, an empty `current-context`
//! hides the next one, and a file that cannot be used makes it turn to another cluster.

use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

use crate::error::{Error, Result};

/// A cluster, and the proxy that its kubeconfig names.
pub(super) struct Named {
    pub(super) config: Config,
    pub(super) proxy: Option<String>,
}

/// The cluster that `KUBECONFIG`, `~/.kube/config` or the pod's service account names, in this order.
pub(super) async fn infer() -> Result<Named> {
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let named: Vec<PathBuf> = std::env::split_paths(&listed).filter(|it| !it.as_os_str().is_empty()).collect();
    let usual = || std::env::home_dir().map(|it| it.join(".kube/config"));
    let candidates = if named.is_empty() { usual().into_iter().collect() } else { named.clone() };
    // Only what is surely absent is left out: a file that may not be read has to be heard of.
    let present: Vec<PathBuf> = candidates.into_iter().filter(|it| it.try_exists().unwrap_or(true)).collect();
    match (present.is_empty(), named.is_empty()) {
        (false, _) => from_files(&present).await,
        (true, true) => of_this_pod(),
        (true, false) => Err(Error::config(format!("KUBECONFIG names {}, which does not exist.", shown(&named)))
            .hint("Point it to a file that kubectl accepts, or unset it to use ~/.kube/config or the pod's service account.")),
    }
}

/// The current context of some kubeconfig files; what an earlier one says counts.
pub(super) async fn from_files(paths: &[PathBuf]) -> Result<Named> {
    let mut merged = Kubeconfig::default();
    for path in paths {
        let next = read(path)?;
        merged = merged.merge(next).map_err(|why| unusable(&shown(paths), why))?;
    }
    if merged.contexts.is_empty() && merged.clusters.is_empty() {
        return of_this_pod();
    }
    if merged.current_context.is_none() {
        let names: Vec<&str> = merged.contexts.iter().map(|it| it.name.as_str()).collect();
        return Err(Error::config(format!("The kubeconfig {} has no current context.", shown(paths)))
            .hint(format!("`kubectl config use-context NAME` chooses one of: {}.", names.join(", "))));
    }
    let proxy = proxy(&merged);
    trim_tokens(&mut merged);
    let config = Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default()).await;
    Ok(Named { config: config.map_err(|why| unusable(&shown(paths), why))?, proxy })
}

/// The `proxy-url` of the current context's cluster.
fn proxy(file: &Kubeconfig) -> Option<String> {
    let context = file.contexts.iter().find(|it| Some(&it.name) == file.current_context.as_ref())?.context.as_ref()?;
    let cluster = file.clusters.iter().find(|it| it.name == context.cluster)?.cluster.as_ref()?;
    cluster.proxy_url.clone().filter(|it| !it.is_empty())
}

fn read(path: &Path) -> Result<Kubeconfig> {
    let mut file = Kubeconfig::read_from(path).map_err(|why| unusable(&path.display().to_string(), why))?;
    file.current_context = file.current_context.filter(|it| !it.is_empty());
    Ok(file)
}

/// A token file that a person wrote ends with a newline, which no header can hold. Such a file is read here, once; one that
/// a machine keeps fresh has none, and is left to be read again and again.
fn trim_tokens(file: &mut Kubeconfig) {
    for user in file.auth_infos.iter_mut().filter_map(|it| it.auth_info.as_mut()) {
        let (Some(path), true) = (&user.token_file, user.token.is_none()) else { continue };
        // Whether it has to be there is said by whoever uses it.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        if text.trim() != text {
            user.token = Some(text.trim().to_owned().into());
        }
    }
}

/// The service account of the pod.
fn of_this_pod() -> Result<Named> {
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_none() {
        return Err(Error::config("No Kubernetes cluster is configured: there is no kubeconfig, and this is not a pod.")
            .hint("Set KUBECONFIG to a file that kubectl accepts, or run inside the cluster with a service account."));
    }
    let config = Config::incluster().map_err(|why| {
        Error::config("The service account of this pod cannot be used.")
            .because(why)
            .hint("Does the pod have `automountServiceAccountToken: true`? Or set KUBECONFIG.")
    })?;
    Ok(Named { config, proxy: None })
}

fn unusable(which: &str, why: KubeconfigError) -> Error {
    let error = Error::config(format!("The kubeconfig {which} cannot be used."));
    match why {
        // Its message quotes the lines around the mistake, and those hold tokens.
        KubeconfigError::Parse(why) => match why.location() {
            Some(at) => Error::config(format!("The kubeconfig {which} is not a kubeconfig: line {}, column {}.", at.line(), at.column())),
            None => error,
        },
        why => error.because(why),
    }
    .hint("`kubectl config view` shows what is in it.")
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|it| it.display().to_string()).collect::<Vec<_>>().join(", ")
}
