//! STUB

use crate::error::{Error, Result};
use crate::report::Out;

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) fn run(_args: Args, _out: &Out) -> Result<()> {
    Err(Error::bug("not here yet"))
}
