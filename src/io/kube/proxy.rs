//! The way to the API server through a proxy, where the kubeconfig or the environment names one.
//!
//! kube's own way asks `NO_PROXY` about the proxy instead of the server, and stops at an entry that it cannot read.

use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt as _;
use kube::{Client, Config};
use tower::ServiceBuilder;

/// A client that takes the right way. Without a proxy that is kube's own.
pub(super) fn client(mut config: Config, named: Option<&str>) -> kube::Result<Client> {
    config.proxy_url = None;
    let matcher = match named {
        Some(address) => Matcher::builder().all(address.to_owned()).build(),
        None => Matcher::from_env(),
    };
    let Some(proxy) = matcher.intercept(&config.cluster_url) else { return Client::try_from(config) };
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_connect_timeout(config.connect_timeout);
    let mut tunnel = Tunnel::new(proxy.uri().clone(), http);
    if let Some(credentials) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(credentials.clone());
    }
    let https = config.rustls_https_connector_with_connector(tunnel)?;
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .map_err(tower::BoxError::from)
        .service(client);
    Ok(Client::new(service, config.default_namespace))
}
