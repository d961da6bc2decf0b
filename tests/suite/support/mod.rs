//! What tests share.

pub(crate) mod cluster;
pub(crate) mod git_server;
pub(crate) mod proxy;
pub(crate) mod repo;
pub(crate) mod sim;
pub(crate) mod tls;
pub(crate) mod world;
