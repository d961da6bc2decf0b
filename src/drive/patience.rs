//! What may go wrong in a row, and for how long, before the loop gives up.

use std::time::Duration;

use jiff::Timestamp;

use crate::error::{Error, Kind, Result};
use crate::model::News;
use crate::world::World;

/// How often in a row others may be faster.
const RACES: u32 = 12;
/// A slow machine must not use up the time with a single try.
const LEAST_TRIES: u32 = 4;
/// A person in front of a system that ails wants to know within this time.
const BEFORE_A_RUN: Duration = Duration::from_secs(30);
/// A release under way outlasts a restart of what it talks to.
const DURING_A_RUN: Duration = Duration::from_secs(120);

/// What failed or was overtaken since the last thing that went well.
#[derive(Debug, Default)]
pub(super) struct Patience {
    in_a_row: u32,
    since: Option<Timestamp>,
    said: String,
}

/// Whether a run was claimed: from then on others rely on it being driven to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    BeforeARun,
    DuringARun,
}

impl Patience {
    /// Something went well.
    pub(super) fn renew(&mut self) {
        (self.in_a_row, self.since) = (0, None);
    }

    /// Somebody else was first: waits a little.
    pub(super) async fn overtaken<W: World>(&mut self, world: &mut W) -> Result<()> {
        self.in_a_row += 1;
        if self.in_a_row > RACES {
            let error = Error::remote(format!("Others were faster {RACES} times in a row."));
            return Err(error.hint("Run the command again in a quieter moment."));
        }
        world.wait(pause(self.in_a_row)).await
    }

    /// A failure that may pass is waited out; any other is the end.
    pub(super) async fn survive<W: World>(&mut self, world: &mut W, error: Error, stage: Stage) -> Result<()> {
        self.in_a_row += 1;
        let since = *self.since.get_or_insert_with(|| world.now());
        let lasted = Duration::try_from(world.now().duration_since(since)).unwrap_or_default();
        let enough = match (error.kind(), stage) {
            // Where nobody listens the address is wrong, or waiting is for somebody who knows for how long.
            (Kind::Unreachable, Stage::BeforeARun) => return Err(error),
            (Kind::Remote, Stage::BeforeARun) => BEFORE_A_RUN,
            (Kind::Remote | Kind::Unreachable, Stage::DuringARun) => DURING_A_RUN,
            _ => return Err(error),
        };
        if lasted >= enough && self.in_a_row > LEAST_TRIES {
            return Err(error);
        }
        let why = error.chain();
        if self.said != why {
            self.said.clone_from(&why);
            world.tell(News::Waiting { what: "trying again".to_owned(), why });
        }
        world.wait(pause(self.in_a_row)).await
    }
}

/// How long to wait before trying again: doubling, up to some seconds. The world adds jitter.
fn pause(failures: u32) -> Duration {
    Duration::from_millis(50) * 2_u32.pow(failures.min(7))
}
