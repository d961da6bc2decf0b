//! The soak: every gate before it stayed ready for a while.
//!
//! Only time between two looks that both saw everything ready counts. A lapse starts the time anew; not knowing stops the
//! clock without turning it back.

use std::time::Duration;

use jiff::Timestamp;

use super::patience::elapsed;
use super::wording::spoken;
use crate::model::{Evidence, Verdict};

/// The longest time between two looks that counts: what happened in a longer one, nobody saw.
const LONGEST_LOOK_AWAY: Duration = Duration::from_secs(120);

/// What a soak has behind it.
#[derive(Clone, Debug, Default)]
pub(super) struct Soaked {
    /// The time that counts.
    time: Duration,
    /// When everything was ready first: the soak's own deadline runs from here.
    first: Option<Timestamp>,
    /// The last look, if it saw everything ready.
    last: Option<Timestamp>,
}

impl Soaked {
    /// How far it is, in tenths: a sentence that changes at every look would be told at every look.
    fn shown(&self, period: Duration) -> String {
        let step = (period / 10).as_secs().max(1);
        spoken(Duration::from_secs(self.time.as_secs() / step * step))
    }

    /// Judges by the verdicts of the gates before it.
    pub(super) fn judge(&mut self, period: Duration, within: Duration, before: &[Verdict], now: Timestamp) -> Verdict {
        let lapse = before.iter().find(|it| !matches!(it, Verdict::Ready(_) | Verdict::Unknown { .. }));
        let unseen = before.iter().any(|it| matches!(it, Verdict::Unknown { .. }));
        if lapse.is_some() {
            (self.time, self.last) = (Duration::ZERO, None);
        } else if unseen {
            self.last = None;
        } else {
            self.time += self.last.map_or(Duration::ZERO, |last| elapsed(last, now).min(LONGEST_LOOK_AWAY));
            self.last = Some(now);
            self.first.get_or_insert(now);
        }
        let why = match (lapse.is_some(), unseen) {
            (true, _) if self.first.is_some() => format!("A gate before it lapsed: its {} start anew.", spoken(period)),
            (true, _) => "It begins when the gates before it are ready.".to_owned(),
            (false, true) => format!("It is at {} of {}; the gates before it cannot be seen.", self.shown(period), spoken(period)),
            (false, false) if self.time >= period => return Verdict::Ready(Evidence::default().fact("ready for", spoken(period))),
            (false, false) => format!("It is at {} of {}.", self.shown(period), spoken(period)),
        };
        match self.first {
            Some(first) if elapsed(first, now) > within => {
                Verdict::Failed { why: format!("It was not over within {}. {why}", spoken(within)) }
            }
            _ => Verdict::Waiting { why, ask: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn ready() -> Verdict {
        Verdict::Ready(Evidence::default())
    }

    fn waiting() -> Verdict {
        Verdict::Waiting { why: "…".to_owned(), ask: None }
    }

    fn unknown() -> Verdict {
        Verdict::Unknown { why: "…".to_owned() }
    }

    /// The second at which the soak is over, looking every ten seconds; `before` tells what the gates say at each.
    fn over(before: impl Fn(i64) -> Verdict) -> Option<i64> {
        let mut soak = Soaked::default();
        (0..60)
            .map(|it| it * 10)
            .find(|&now| matches!(soak.judge(PERIOD, Duration::from_secs(180), &[ready(), before(now)], at(now)), Verdict::Ready(_)))
    }

    #[test]
    fn it_is_over_after_its_time() {
        assert_eq!(over(|_| ready()), Some(60));
    }

    #[test]
    fn a_lapse_starts_the_time_anew() {
        assert_eq!(over(|now| if now == 50 { waiting() } else { ready() }), Some(120));
    }

    #[test]
    fn not_knowing_stops_the_clock() {
        assert_eq!(over(|now| if (30..=50).contains(&now) { unknown() } else { ready() }), Some(100));
    }

    #[test]
    fn it_does_not_wait_for_ever() {
        let mut soak = Soaked::default();
        let judged = |soak: &mut Soaked, now, it| soak.judge(PERIOD, Duration::from_secs(180), &[it], at(now));
        assert!(matches!(judged(&mut soak, 0, waiting()), Verdict::Waiting { .. }));
        assert!(matches!(judged(&mut soak, 1000, waiting()), Verdict::Waiting { .. }), "its time has not begun");
        judged(&mut soak, 1001, ready());
        assert!(matches!(judged(&mut soak, 1200, waiting()), Verdict::Failed { .. }));
    }

    #[test]
    fn a_long_look_away_does_not_count_whole() {
        let mut soak = Soaked::default();
        let period = Duration::from_secs(3600);
        soak.judge(period, period * 3, &[ready()], at(0));
        assert!(matches!(soak.judge(period, period * 3, &[ready()], at(3600)), Verdict::Waiting { .. }));
    }
}
