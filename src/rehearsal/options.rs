//! How a world is made: its chance and its pace.

use std::time::Duration;

use super::cloud_build::BuildTiming;
use super::cluster::ClusterTiming;

/// What can be chosen about a world.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its chance begins; `None` takes any seed and tells it.
    pub seed: Option<u64>,
    /// How long things take.
    pub pace: Pace,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: None, pace: Pace::watchable() }
    }
}

/// How long the parts of the world take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Builds.
    pub build: BuildTiming,
    /// Comparisons, syncs, rollouts.
    pub cluster: ClusterTiming,
}

impl Pace {
    /// Slow enough to follow, quick enough to stay.
    pub fn watchable() -> Self {
        let build = BuildTiming {
            webhook: Duration::from_millis(150),
            approve: Duration::from_millis(200),
            queue: Duration::from_millis(150),
            work: Duration::from_millis(900),
            manual_approval: false,
        };
        let cluster =
            ClusterTiming { compare: Duration::from_millis(150), sync: Duration::from_millis(300), rollout: Duration::from_millis(700) };
        Self { build, cluster }
    }

    /// Everything answers at once.
    pub fn instant() -> Self {
        let none = Duration::ZERO;
        let build = BuildTiming { webhook: none, approve: none, queue: none, work: none, manual_approval: false };
        Self { build, cluster: ClusterTiming { compare: none, sync: none, rollout: none } }
    }
}
