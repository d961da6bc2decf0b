//! The ledger: good ones pass, every attack is named, writers converge.

mod attacks;
mod command;
mod fold;
mod format;
mod stage;
mod stranger;
mod writers;
