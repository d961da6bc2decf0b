//! The whole world as local servers.
