//! What tests share.

pub(crate) mod cluster;
pub(crate) mod world;
