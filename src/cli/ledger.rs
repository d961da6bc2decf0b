//! `ledger`: what was recorded, and whether it can be believed.

use jiff::Timestamp;

use super::Global;
use super::open::Where;
use crate::error::{Error, Result};
use crate::record::{Attack, Head, Report};
use crate::report::{Out, ledger};

/// Arguments.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    #[command(flatten)]
    place: Where,
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Tell what happened, newest first.
    Log {
        /// At most this many records.
        #[arg(long, short = 'n', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
        /// Nothing from before this: a time such as 2026-01-31T12:00:00Z, or a date.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        since: Option<Timestamp>,
    },
    /// Show one record whole, with the verdict on its signature.
    Show {
        /// The record's number, or the beginning of its payload's hash or of its commit.
        #[arg(value_name = "SEQ|HASH")]
        record: String,
    },
    /// Verify every record from the first to the last.
    Verify {
        /// A record that has to be in the ledger: its number and its payload's SHA-256.
        #[arg(long, value_name = "SEQ:HASH", value_parser = Head::parse)]
        expect_head: Option<Head>,
    },
}

pub(super) fn run(args: Args, global: &Global, out: &Out) -> Result<()> {
    let place = args.place.ledger(global)?;
    match args.command {
        Command::Log { limit, since } => {
            ledger::log(&place.newest(limit as usize, since)?, out);
            Ok(())
        }
        Command::Show { record } => {
            let entry = place.find(&record)?.ok_or_else(|| {
                Error::usage(format!("The ledger has no record “{record}”.")).hint("`tomoda-release ledger log` lists them.")
            })?;
            ledger::show(&entry, out);
            match entry.findings.first() {
                None => Ok(()),
                Some(_) => Err(Error::ledger("This record cannot be believed.").hint("Run `tomoda-release ledger verify`.")),
            }
        }
        Command::Verify { expect_head } => {
            let report = place.verify(expect_head)?;
            ledger::verified(&report, out);
            match report.ok() {
                true => Ok(()),
                false => Err(Error::ledger(format!("The ledger did not pass: {}.", ledger::count(report.findings.len(), "finding")))
                    .hint(remedy(&report))),
            }
        }
    }
}

/// A time, or a date for its midnight UTC.
fn moment(text: &str) -> Result<Timestamp, String> {
    let day = |text: &str| text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|it| it.timestamp());
    text.parse().ok().or_else(|| day(text)).ok_or_else(|| format!("“{text}” is not a time such as 2026-01-31T12:00:00Z or 2026-01-31."))
}

/// What to do about a ledger that did not pass.
fn remedy(report: &Report) -> &'static str {
    if report.findings.iter().all(|it| it.kind == Attack::Missing) {
        "The first bump or promote begins a ledger. If there was one, find out who removed the branch; a clone of the repository may have it."
    } else {
        "Find out who wrote these commits, and put the branch back to its last commit that passes; a clone of it may have more."
    }
}
