//! STUB

use super::Global;
use crate::error::{Error, Result};
use crate::report::Out;

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) fn run(_args: Args, _global: &Global, _out: &Out) -> Result<()> {
    Err(Error::bug("not here yet"))
}
