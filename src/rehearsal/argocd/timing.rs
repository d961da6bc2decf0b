//! How long the parts of a cluster take, and how much chance has a say in it.

use std::time::Duration;

use crate::rehearsal::cluster::ClusterTiming;
use crate::rehearsal::stage::Chance;

const fn ms(it: u64) -> Duration {
    Duration::from_millis(it)
}

const fn s(it: u64) -> Duration {
    Duration::from_secs(it)
}

/// How long the parts of a cluster take. The default is what a real one was seen to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timing {
    /// A comparison that has to render a commit for the first time.
    pub compare: Duration,
    /// A comparison of manifests that are already rendered.
    pub recompare: Duration,
    /// Between two writes of one controller, and from a request to its pick-up.
    pub write: Duration,
    /// From the start of an operation to its changes in the cluster.
    pub sync: Duration,
    /// From an operation's end to the comparison that follows it.
    pub after_operation: Duration,
    /// How often Argo CD takes in what changed in the cluster. Until then it compares with what was.
    pub live_cache: Duration,
    /// One step of the Deployment and ReplicaSet controllers.
    pub controller: Duration,
    /// From a pod's creation to its readiness.
    pub pod_ready: Duration,
    /// How long until an image that could not be pulled is tried again.
    pub pull_again: Duration,
    /// Replaces `progressDeadlineSeconds`.
    pub progress_deadline: Option<Duration>,
    /// The pause after the first failure, before doubling: attempt N waits this times 2^N.
    pub retry: Duration,
    /// The longest such pause.
    pub retry_longest: Duration,
    /// The pause between two self-healing operations for one commit, before it triples.
    pub self_heal: Duration,
    /// How long a comparison is good for when nobody asks.
    pub resync: Duration,
    /// How long the repository server remembers what a branch points to, unless somebody asks for a refresh.
    pub git_cache: Duration,
    /// Whether a webhook tells Argo CD of every push.
    pub webhook: bool,
    /// Chance stretches and shortens everything, so that the loops meet in every order.
    pub race: Option<u64>,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            compare: ms(240),
            recompare: ms(40),
            write: ms(10),
            sync: ms(100),
            after_operation: ms(60),
            live_cache: ms(100),
            controller: ms(10),
            pod_ready: ms(20),
            pull_again: s(10),
            progress_deadline: None,
            retry: s(5),
            retry_longest: s(180),
            self_heal: s(2),
            resync: s(120),
            git_cache: s(180),
            webhook: false,
            race: None,
        }
    }
}

impl Timing {
    /// The same, with the loops in an order that this seed decides.
    pub fn race(seed: u64) -> Self {
        Self { race: Some(seed), ..Self::default() }
    }

    /// A duration as it turns out this time.
    pub(super) fn draw(&self, usual: Duration, chance: &Chance) -> Duration {
        if self.race.is_none() {
            return usual;
        }
        // A quarter to three times as long as usual; one in sixteen is held up.
        let (number, hold) = (chance.number() % 1000, chance.number().is_multiple_of(16));
        let factor = 0.25 + f64::from(u32::try_from(number).unwrap_or(0)) * 0.00275;
        usual.mul_f64(if hold { factor * 10.0 } else { factor })
    }

    /// The pause before this attempt.
    pub(super) fn retry_pause(&self, attempt: u64) -> Duration {
        let doubled = 2_u32.saturating_pow(u32::try_from(attempt).unwrap_or(u32::MAX));
        self.retry.saturating_mul(doubled).min(self.retry_longest)
    }

    /// The pause after this many self-healing operations in a row.
    pub(super) fn heal_pause(&self, attempts: u64) -> Duration {
        match u32::try_from(attempts).unwrap_or(u32::MAX) {
            0 => Duration::ZERO,
            it => self.self_heal.saturating_mul(3_u32.saturating_pow(it - 1)).min(s(300)),
        }
    }
}

impl From<ClusterTiming> for Timing {
    fn from(it: ClusterTiming) -> Self {
        let usual = Self::default();
        // A rolling update of few replicas starts two pods, one after the other.
        let chosen =
            Self { compare: it.compare, recompare: it.compare.min(usual.recompare), sync: it.sync, pod_ready: it.rollout / 3, ..usual };
        if it.compare.is_zero() {
            return Self { write: ms(1), after_operation: ms(5), live_cache: ms(10), controller: ms(1), ..chosen };
        }
        chosen
    }
}
