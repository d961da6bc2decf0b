//! What tests share.

pub(crate) mod git_server;
pub(crate) mod repo;
