//! Patience: a gate that is not ready in time is a gate that says no.

use std::time::Duration;

use jiff::Timestamp;

use super::wording::spoken;
use crate::model::Verdict;

/// However late a driver comes (after a crash, say), it looks for at least this long before it gives up.
const GRACE: Duration = Duration::from_secs(120);

/// Where a gate's time runs from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Start {
    /// When our commit was pushed.
    pub(super) pushed: Timestamp,
    /// When this driver judged its first look.
    pub(super) began: Timestamp,
}

/// Turns a wait that took too long into a no. The time runs from the push; a gate that was ready and lapsed gets its time anew,
/// because a lapse is the soak's business and not a missed deadline.
pub(super) fn within(limit: Duration, start: Start, ready_at: Option<Timestamp>, verdict: Verdict, now: Timestamp) -> Verdict {
    let (Verdict::Waiting { why, .. } | Verdict::Blocked { why } | Verdict::Unknown { why }) = &verdict else {
        return verdict;
    };
    // What the future pushed was pushed by a clock that is ahead of ours: nobody waits for ours to get there.
    let late = elapsed(ready_at.unwrap_or(start.pushed.min(start.began)), now) > limit;
    if late && elapsed(start.began, now) >= limit.min(GRACE) {
        Verdict::Failed { why: format!("It was not ready within {}. {why}", spoken(limit)) }
    } else {
        verdict
    }
}

/// The time between two moments; nothing when the clock went backwards.
pub(super) fn elapsed(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn waiting() -> Verdict {
        Verdict::Waiting { why: "The pods start.".to_owned(), ask: None }
    }

    fn judged(began: i64, ready_at: Option<i64>, now: i64) -> Verdict {
        let start = Start { pushed: at(0), began: at(began) };
        within(Duration::from_secs(600), start, ready_at.map(at), waiting(), at(now))
    }

    #[test]
    fn waiting_too_long_is_a_no_that_says_what_was_waited_for() {
        assert_eq!(judged(0, None, 600), waiting());
        assert_eq!(judged(0, None, 601), Verdict::Failed { why: "It was not ready within 10 min. The pods start.".to_owned() });
    }

    #[test]
    fn a_driver_that_comes_late_still_looks_for_a_while() {
        assert_eq!(judged(5000, None, 5000), waiting());
        assert!(matches!(judged(5000, None, 5120), Verdict::Failed { .. }));
    }

    #[test]
    fn a_push_by_a_clock_that_is_ahead_does_not_stretch_the_wait() {
        assert_eq!(judged(-7200, None, -7200 + 600), waiting());
        assert!(matches!(judged(-7200, None, -7200 + 601), Verdict::Failed { .. }));
    }

    #[test]
    fn a_lapse_is_not_a_missed_deadline() {
        assert_eq!(judged(0, Some(900), 1000), waiting());
        assert!(matches!(judged(0, Some(900), 1501), Verdict::Failed { .. }));
    }

    #[test]
    fn a_clock_that_goes_backwards_takes_no_time() {
        assert_eq!(elapsed(at(5), at(1)), Duration::ZERO);
    }
}
