//! One test binary. A file that is not listed here does not exist; `tidy.rs` says so.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "tests live outside the edge rule"
)]

mod binary;
mod builds;
mod cli;
mod cluster;
mod config;
mod gates;
mod git;
mod ledger;
mod overlay;
mod registry;
mod resume;
mod selection;
mod story;
mod support;
mod tidy;
mod traces;
mod version;
mod world;
