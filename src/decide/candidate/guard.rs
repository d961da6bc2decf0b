//! From ranked tags to a choice: never older than what the overlay says, never unripe, never guessed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::filter::{Filtered, filter};
use super::{Choice, Facts, Order, Ranked, Relation, Selection, Unranked, list};
use crate::model::{Pin, Policy};

/// How far a registry's clock may be ahead of ours before it is worth a word.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// Filters, ranks, compares with the overlay.
pub(super) fn select<O: Order>(order: &O, policy: &Policy, facts: &Facts<'_>) -> Selection {
    let Filtered { images, mut losers, mut problem } = filter(policy, facts.listing);
    let passed = images.len();
    let mut ranked = Vec::new();
    for image in images {
        match order.rank(image) {
            Ok(rank) => ranked.push(Ranked { image, rank }),
            Err(Unranked::NotMeant(why)) => losers.push((image.tag.as_str().to_owned(), why)),
            Err(Unranked::Missing(why)) => {
                losers.push((image.tag.as_str().to_owned(), why.clone()));
                problem.get_or_insert(why);
            }
        }
    }
    let desk = Desk { order, policy, facts, ranked };
    let (choice, favourite) = match problem {
        Some(reason) => (Choice::Error { reason }, None),
        None if desk.ranked.is_empty() => (desk.nothing_to_choose(passed, &losers), None),
        None => desk.choose(),
    };
    desk.explain_losers(&choice, favourite.as_ref(), &mut losers);
    losers.sort();
    let warnings = desk.warnings(favourite.as_ref());
    Selection { choice, losers, warnings }
}

/// Everything a choice looks at, with the tags that have a rank.
struct Desk<'a, O: Order> {
    order: &'a O,
    policy: &'a Policy,
    facts: &'a Facts<'a>,
    ranked: Vec<Ranked<'a, O::Rank>>,
}

type Chosen<'a, R> = (Choice, Option<Ranked<'a, R>>);

impl<'a, O: Order> Desk<'a, O> {
    /// Chooses among the ripe tags, and waits where an unripe one would be chosen.
    fn choose(&self) -> Chosen<'a, O::Rank> {
        if self.policy.min_age.is_zero() {
            return self.choose_among(&self.ranked);
        }
        if let Some(it) = self.ranked.iter().find(|it| it.image.uploaded.is_none()) {
            let reason = format!("The registry does not say when {} was uploaded, so its age cannot be told.", it.image.tag);
            return (Choice::Error { reason }, None);
        }
        let ripe: Vec<_> = self.ranked.iter().filter(|it| self.ripe_at(it) <= self.facts.now).cloned().collect();
        let chosen = if ripe.is_empty() { None } else { Some(self.choose_among(&ripe)) };
        match chosen {
            Some(chosen) if matches!(chosen.0, Choice::Candidate { .. } | Choice::Error { .. }) => chosen,
            waiting => match self.choose_among(&self.ranked) {
                (Choice::Candidate { tag, .. }, Some(it)) => {
                    (Choice::Hold { reason: format!("{tag} is newer, but too young; it matures at {}.", self.ripe_at(&it)) }, Some(it))
                }
                all => waiting.unwrap_or(all),
            },
        }
    }

    /// When a tag is old enough. An upload time in the future counts as now: an age is never negative.
    fn ripe_at(&self, it: &Ranked<'_, O::Rank>) -> Timestamp {
        let uploaded = it.image.uploaded.unwrap_or(Timestamp::MAX).min(self.facts.now);
        uploaded.saturating_add(signed(self.policy.min_age)).unwrap_or(Timestamp::MAX)
    }

    fn choose_among(&self, ranked: &[Ranked<'a, O::Rank>]) -> Chosen<'a, O::Rank> {
        let Some(pin) = self.facts.current.filter(|it| it.tag.is_some() || it.digest.is_some()) else {
            return self.newest(ranked, |it, order| format!("{} is the newest: {}.", it.image.tag, order.describe(&it.rank)));
        };
        let tag = pin.tag.as_deref().unwrap_or("");
        let current = match &pin.tag {
            Some(tag) => self.order.rank_current(tag),
            None => Err("the overlay has a digest and no tag.".to_owned()),
        };
        match current {
            Ok(rank) => self.compare(ranked, pin, tag, &rank),
            Err(why) => self.adopt(ranked, tag, &why),
        }
    }

    /// What is newer than the overlay's tag, or why nothing is.
    fn compare(&self, ranked: &[Ranked<'a, O::Rank>], pin: &Pin, current: &str, rank: &O::Rank) -> Chosen<'a, O::Rank> {
        let relation = self.order.relations(rank);
        let newer: Vec<_> = ranked.iter().filter(|it| relation(&it.rank) == Relation::Newer).cloned().collect();
        if !newer.is_empty() {
            return self.newest(&newer, |it, order| {
                format!("{} is newer than {current}: {} after {}.", it.image.tag, order.describe(&it.rank), order.describe(rank))
            });
        }
        let best = match self.order.newest(ranked) {
            Ok(best) => best,
            Err(reason) => return (Choice::Hold { reason: format!("Nothing is newer than {current}. {reason}") }, None),
        };
        let (tag, what) = (&best.image.tag, self.order.describe(&best.rank));
        let hold = |reason: String| Choice::Hold { reason };
        let choice = match relation(&best.rank) {
            _ if tag.as_str() == current => return (self.unchanged(&best, pin), Some(best)),
            Relation::Same => hold(format!("{tag} is the same as {current} ({what}): not newer.")),
            Relation::Unrelated => hold(format!(
                "{tag} ({what}) and {current} ({}) are on different lines of the history: neither is newer.",
                self.order.describe(rank)
            )),
            _ => hold(format!("{tag} ({what}) is older than {current} ({}), which the overlay has.", self.order.describe(rank))),
        };
        (choice, Some(best))
    }

    /// The overlay has the newest tag. Its digest may have changed behind it.
    fn unchanged(&self, best: &Ranked<'_, O::Rank>, pin: &Pin) -> Choice {
        let tag = &best.image.tag;
        match (&best.image.digest, &pin.digest) {
            (Some(now), Some(then)) if now.as_str() != then && self.policy.allow_retag => {
                self.candidate(best, format!("{tag} was pushed again and is {} now.", now.short()))
            }
            (Some(now), Some(then)) if now.as_str() != then => Choice::Error {
                reason: format!(
                    "The tag {tag} was pushed again: the overlay has {}, the registry {}. A tag that moves is not followed unless allowRetag says so.",
                    then.get(..19).unwrap_or(then),
                    now.short()
                ),
            },
            _ => Choice::Nothing { reason: format!("{tag} is the newest already ({}).", self.order.describe(&best.rank)) },
        }
    }

    /// The overlay's tag has no place in this order.
    fn adopt(&self, ranked: &[Ranked<'a, O::Rank>], current: &str, why: &str) -> Chosen<'a, O::Rank> {
        let why = why.trim_end_matches('.');
        if self.policy.adopt {
            let reason = |it: &Ranked<'_, O::Rank>, order: &O| {
                format!(
                    "{} is the newest ({}); {current} could not be ranked and is adopted: {why}.",
                    it.image.tag,
                    order.describe(&it.rank)
                )
            };
            return self.newest(ranked, reason);
        }
        match self.order.newest(ranked) {
            Err(reason) => (Choice::Error { reason }, None),
            Ok(best) => {
                let reason = format!(
                    "It cannot be told whether {} is newer than what the overlay has (“{current}”): {why}. Set `adopt: true` in its tag rules once, or write a tag that fits, to go on from there.",
                    best.image.tag
                );
                (Choice::Hold { reason }, Some(best))
            }
        }
    }

    fn newest(&self, ranked: &[Ranked<'a, O::Rank>], reason: impl Fn(&Ranked<'a, O::Rank>, &O) -> String) -> Chosen<'a, O::Rank> {
        match self.order.newest(ranked) {
            Ok(best) => (self.candidate(&best, reason(&best, self.order)), Some(best)),
            Err(reason) => (Choice::Error { reason }, None),
        }
    }

    fn candidate(&self, it: &Ranked<'_, O::Rank>, reason: String) -> Choice {
        Choice::Candidate { tag: it.image.tag.clone(), digest: it.image.digest.clone(), commit: self.order.commit(&it.rank), reason }
    }

    /// No tag has a rank. A listing that is empty although something runs is a fault somewhere, not news.
    fn nothing_to_choose(&self, passed: usize, losers: &[(String, String)]) -> Choice {
        let listed = self.facts.listing.tags.len();
        let current = self.facts.current.and_then(|it| it.tag.as_deref());
        match (listed, current) {
            (0, Some(current)) => Choice::Hold { reason: format!("The registry lists no tags at all, although {current} came from it.") },
            (0, None) => Choice::Nothing { reason: "The registry lists no tags.".to_owned() },
            _ if passed == 0 => Choice::Nothing {
                reason: format!("{listed} listed, 0 match, for example {}.", list(losers.iter().take(3).map(|it| it.0.as_str()))),
            },
            _ => Choice::Nothing {
                reason: format!("{listed} listed, {passed} match, none of them can be chosen: {}", losers.last().map_or("", |it| &it.1)),
            },
        }
    }

    /// Says of each ranked tag that was not chosen why the favourite was.
    fn explain_losers(&self, choice: &Choice, favourite: Option<&Ranked<'_, O::Rank>>, losers: &mut Vec<(String, String)>) {
        let chosen = |it: &Ranked<'_, O::Rank>| matches!(choice, Choice::Candidate { tag, .. } if *tag == it.image.tag);
        let relation = favourite.map(|it| (it, self.order.relations(&it.rank)));
        for it in self.ranked.iter().filter(|it| !chosen(it)) {
            let what = self.order.describe(&it.rank);
            let why = match &relation {
                Some((best, _)) if best.image.tag == it.image.tag => choice.reason().to_owned(),
                Some((best, relation)) => {
                    let winner = &best.image.tag;
                    match relation(&it.rank) {
                        Relation::Older => format!("It is older than {winner}: {what}."),
                        Relation::Same => format!("It ranks the same as {winner}: {what}."),
                        Relation::Unrelated => format!("It is on another line of the history than {winner}: {what}."),
                        Relation::Newer if self.ripe_at(it) > self.facts.now => {
                            format!("It is too young: {what}; it matures at {}.", self.ripe_at(it))
                        }
                        Relation::Newer => format!("It is not newer than what the overlay has: {what}."),
                    }
                }
                None => format!("Nothing was chosen; {what}."),
            };
            losers.push((it.image.tag.as_str().to_owned(), why));
        }
    }

    fn warnings(&self, favourite: Option<&Ranked<'_, O::Rank>>) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(current) = self.facts.current.and_then(|it| it.tag.as_deref())
            && !self.facts.listing.tags.is_empty()
            && !self.facts.listing.tags.iter().any(|it| it.tag.as_str() == current)
        {
            warnings.push(format!("The registry does not list {current}, which the overlay has: it could not be pulled again."));
        }
        if let Some(it) = favourite
            && let Some(uploaded) = it.image.uploaded
            && uploaded.duration_since(self.facts.now) > CLOCK_SKEW
        {
            warnings.push(format!("{} was uploaded at {uploaded}, which is in the future: some clock is wrong.", it.image.tag));
        }
        warnings
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}
