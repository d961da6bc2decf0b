//! How to get out: certificates, proxies, the ssh program, time limits; and the http clients that are shared by all stores.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::{Certificate, NoProxy, Proxy};

use crate::error::{Error, Result};
use crate::model::Secret;

/// How long anything may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Without a sign of life: until an answer begins, and between two pieces of it.
    pub idle: Duration,
    /// One operation in all, and the wait for another process that is filling the same cache.
    pub total: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(10), idle: Duration::from_secs(60), total: Duration::from_secs(600) }
    }
}

/// The program that speaks ssh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SshProgram {
    /// A program, by name or path (`GIT_SSH`).
    Program(String),
    /// A line for the shell, to which the arguments are added (`GIT_SSH_COMMAND`).
    Shell(String),
}

/// How to get out, as git would: read once, from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The only certificate authorities to trust; the system's where absent.
    pub ca_file: Option<PathBuf>,
    /// The proxy for `https://`. Secret, because it may hold a password.
    pub https_proxy: Option<Secret>,
    /// The proxy for `http://`.
    pub http_proxy: Option<Secret>,
    /// The hosts that need no proxy, as `NO_PROXY` lists them.
    pub no_proxy: Option<String>,
    /// The ssh program.
    pub ssh: SshProgram,
    /// Time limits.
    pub limits: Limits,
}

impl Network {
    /// What this process's environment says.
    pub fn from_environment() -> Self {
        Self::read(&crate::io::credentials::environment)
    }

    /// What the variables say that this function finds.
    pub fn read(find: &dyn Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&str]| names.iter().find_map(|it| find(it).filter(|value| !value.is_empty()));
        let ssh = match (first(&["GIT_SSH_COMMAND"]), first(&["GIT_SSH"])) {
            (Some(line), _) => SshProgram::Shell(line),
            (None, Some(program)) => SshProgram::Program(program),
            (None, None) => SshProgram::Program("ssh".to_owned()),
        };
        Self {
            ca_file: first(&["GIT_SSL_CAINFO", "SSL_CERT_FILE"]).map(PathBuf::from),
            https_proxy: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]).map(Secret::new),
            http_proxy: first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]).map(Secret::new),
            no_proxy: first(&["no_proxy", "NO_PROXY"]),
            ssh,
            limits: Limits::default(),
        }
    }

    /// The client for this network. One for the whole process, so that connections are kept between operations.
    pub(super) fn client(&self) -> Result<Client> {
        static CLIENTS: Mutex<Vec<(Network, Client)>> = Mutex::new(Vec::new());
        let mut clients = CLIENTS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = clients.iter().find(|(network, _)| network == self) {
            return Ok(client.clone());
        }
        let client = self.build()?;
        clients.push((self.clone(), client.clone()));
        Ok(client)
    }

    fn build(&self) -> Result<Client> {
        // Whoever installs the provider first wins; they are all the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Client::builder()
            .user_agent(concat!("git/2 (tomoda-release/", env!("CARGO_PKG_VERSION"), ")"))
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.idle)
            .tcp_nodelay(true)
            // Servers drop silent connections after a while; the fewer are met at that moment the better.
            .pool_idle_timeout(Duration::from_secs(30))
            // Redirects are followed by hand, because a redirected POST must not become a GET and a token must not travel.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        for proxy in self.proxies()? {
            builder = builder.proxy(proxy);
        }
        if let Some(path) = &self.ca_file {
            let cannot = || Error::config(format!("The certificate file {} cannot be used.", path.display()));
            let hint = "It comes from GIT_SSL_CAINFO or SSL_CERT_FILE and has to hold PEM certificates.";
            let pem = std::fs::read(path).map_err(|why| cannot().because(why).hint(hint))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|why| cannot().because(why).hint(hint))?;
            if certificates.is_empty() {
                return Err(cannot().hint(hint));
            }
            builder = builder.tls_certs_only(certificates);
        }
        builder.build().map_err(|why| Error::config("The http client for git cannot be set up.").because(why))
    }

    fn proxies(&self) -> Result<Vec<Proxy>> {
        let exempt = || self.no_proxy.as_deref().and_then(NoProxy::from_string);
        let named = |name: &str| Error::config(format!("The proxy address in {name} cannot be used."));
        let mut proxies = Vec::new();
        if let Some(address) = &self.https_proxy {
            proxies.push(Proxy::https(with_scheme(address.expose())).map_err(|_| named("HTTPS_PROXY"))?.no_proxy(exempt()));
        }
        if let Some(address) = &self.http_proxy {
            proxies.push(Proxy::http(with_scheme(address.expose())).map_err(|_| named("HTTP_PROXY"))?.no_proxy(exempt()));
        }
        Ok(proxies)
    }
}

/// `proxy:3128` means `http://proxy:3128`, as everywhere.
fn with_scheme(address: &str) -> String {
    if address.contains("://") { address.to_owned() } else { format!("http://{address}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_read_as_git_reads_it() {
        let vars = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let plain = Network::read(&vars(&[]));
        assert_eq!(plain.ssh, SshProgram::Program("ssh".into()));
        assert_eq!((&plain.ca_file, &plain.https_proxy), (&None, &None));
        let full = Network::read(&vars(&[
            ("GIT_SSL_CAINFO", "/a"),
            ("SSL_CERT_FILE", "/b"),
            ("GIT_SSH_COMMAND", "ssh -i k"),
            ("GIT_SSH", "plink"),
            ("ALL_PROXY", "http://p"),
            ("HTTPS_PROXY", ""),
        ]));
        assert_eq!(full.ca_file, Some("/a".into()));
        assert_eq!(full.ssh, SshProgram::Shell("ssh -i k".into()));
        assert_eq!(full.https_proxy.unwrap().expose(), "http://p");
    }

    #[test]
    fn a_proxy_password_is_not_printed() {
        let network = Network::read(&|name| (name == "HTTPS_PROXY").then(|| "http://u:hunter2@p:1".to_owned()));
        assert!(!format!("{network:?}").contains("hunter2"));
    }
}
