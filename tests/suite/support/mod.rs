//! What tests share.

pub(crate) mod git_server;
pub(crate) mod proxy;
pub(crate) mod real;
pub(crate) mod repo;
pub(crate) mod sim;
pub(crate) mod tls;
