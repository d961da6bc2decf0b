//! What a bump would do: the newest candidate of each component, and which images stay.

use sha2::{Digest as _, Sha256};

use super::candidate::{self, Choice, Facts};
use super::pins::{Pinned, pins};
use super::settle::known;
use super::{AppWants, Decision, Wants};
use crate::error::{Error, Result};
use crate::model::{
    CommitId, Digest, Environment, Follow, HistoryCommit, ImageMove, Listing, Newest, OverlayWrite, Pin, Pipeline, Plan, PlannedTag,
    Proved, RunId, RunKind, Sighting, Source, Step, Tag,
};

/// Decides whether and how an environment that follows tags is to move.
pub(super) fn plan(pipeline: &Pipeline, environment: &Environment, wait_for: Option<&Tag>, seen: &Sighting) -> Result<Decision> {
    let Source::Follow(follows) = &environment.source else {
        return Err(Error::usage(format!("{} is released, it does not follow tags.", environment.name))
            .hint(format!("Use `promote {}` to move it.", environment.name)));
    };
    refuse_hold(environment, seen)?;
    let wants = wants(environment, follows);
    let Some(overlay) = seen.overlays.get(&environment.name) else { return Ok(Decision::Look(wants)) };
    let overlay = known(overlay, "the overlay")?;
    let pinned = pins(environment, overlay)?;
    if let Some(tag) = wait_for.filter(|tag| !is_there(tag, follows, &pinned, seen)) {
        return Ok(Decision::Wait {
            what: format!("tag {tag}"),
            why: "The registry does not list it yet.".to_owned(),
            wants,
            within: std::time::Duration::from_secs(30 * 60),
            otherwise: format!("The tag {tag} did not appear."),
        });
    }
    let history = match &seen.app {
        Some(app) => known(app, "the app repository")?.history.as_slice(),
        None => &[],
    };
    let found = follows.iter().zip(&pinned).map(|(follow, pinned)| look_at(follow, pinned, history, seen)).collect::<Result<Vec<_>>>()?;
    conclude(pipeline, environment, found, wants, seen)
}

/// A hold is a person's word.
pub(super) fn refuse_hold(environment: &Environment, seen: &Sighting) -> Result<()> {
    match seen.state.holds.get(&environment.name) {
        None => Ok(()),
        Some(hold) => Err(Error::refused(format!("{} is on hold since {}, by {}: {}", environment.name, hold.since, hold.by, hold.why))),
    }
}

fn wants(environment: &Environment, follows: &[Follow]) -> Wants {
    let by_commit = |it: &Follow| it.policy.newest == Newest::Commit || it.policy.pattern.as_ref().is_some_and(|it| it.has_group("commit"));
    let mut listings: Vec<_> = follows.iter().map(|it| it.image.clone()).collect();
    listings.dedup();
    Wants {
        overlays: vec![(environment.name.clone(), None)],
        listings,
        app: follows.iter().any(by_commit).then(|| AppWants { history: true, ..AppWants::default() }),
        ..Wants::default()
    }
}

fn is_there(tag: &Tag, follows: &[Follow], pinned: &[Pinned<'_>], seen: &Sighting) -> bool {
    let listed =
        |it: &Follow| seen.listings.get(&it.image).and_then(|it| it.known()).is_some_and(|it| it.tags.iter().any(|it| it.tag == *tag));
    follows.iter().any(listed) || pinned.iter().any(|it| it.pin.tag.as_deref() == Some(tag.as_str()))
}

/// What was found out about one component.
enum Found {
    /// It moves, or stays where it is and is verified with the others.
    Image {
        moves: Box<ImageMove>,
        /// Why it stays although something newer may be there.
        held: Option<String>,
        /// What a person should know about it besides.
        warnings: Vec<String>,
    },
    /// Nothing can be said about the image it has; why.
    Unverifiable(String),
    /// The policy cannot answer; why.
    Error(String),
}

fn look_at(follow: &Follow, pinned: &Pinned<'_>, history: &[HistoryCommit], seen: &Sighting) -> Result<Found> {
    let Some(listing) = seen.listings.get(&follow.image) else { return Err(Error::bug(format!("{} was not listed.", follow.image))) };
    let listing = known(listing, &format!("the tags of {}", follow.image))?;
    let current = (pinned.pin != Pin::default()).then_some(&pinned.pin);
    let facts = Facts { listing, history: Some(history), current, now: seen.at };
    let selection = candidate::choose(&follow.policy, &facts);
    let warnings: Vec<_> = selection.warnings.iter().map(|it| format!("{}: {it}", follow.component)).collect();
    let image = |tag: Tag, digest: Option<Digest>, commit: Option<CommitId>, held: Option<String>| {
        let commit = commit.or_else(|| candidate::commit_of(&follow.policy, tag.as_str(), history));
        let digest = digest.or_else(|| listed_digest(listing, &tag)).or_else(|| asked_digest(seen, follow, &tag));
        let (component, repository) = (pinned.component.clone(), pinned.repository.clone());
        let moves = Box::new(ImageMove { component, repository, from: pinned.pin.clone(), tag, digest, commit });
        Found::Image { moves, held, warnings }
    };
    Ok(match selection.choice {
        Choice::Candidate { tag, digest, commit, .. } => image(tag, digest, commit, None),
        Choice::Error { reason } => Found::Error(format!("{}: {reason}", follow.component)),
        choice @ (Choice::Nothing { .. } | Choice::Hold { .. }) => match stays(&pinned.pin, listing) {
            Some((tag, digest)) => {
                let held =
                    matches!(choice, Choice::Hold { .. }).then(|| format!("{} stays at {tag}: {}", follow.component, choice.reason()));
                image(tag, digest, None, held)
            }
            None => Found::Unverifiable(format!("{}: {}", follow.component, choice.reason())),
        },
    })
}

/// The image that is pinned now, if it can be named exactly: a pinned digest is kept, a bare tag gets the digest that the
/// registry has for it.
fn stays(pin: &Pin, listing: &Listing) -> Option<(Tag, Option<Digest>)> {
    let tag = Tag::parse(pin.tag.as_deref()?).ok()?;
    match &pin.digest {
        Some(digest) => Some((tag, Some(Digest::parse(digest).ok()?))),
        None => listing.tags.iter().any(|it| it.tag == tag).then_some((tag, None)),
    }
}

fn listed_digest(listing: &Listing, tag: &Tag) -> Option<Digest> {
    listing.tags.iter().find(|it| it.tag == *tag)?.digest.clone()
}

fn asked_digest(seen: &Sighting, follow: &Follow, tag: &Tag) -> Option<Digest> {
    seen.digests.get(&(follow.image.clone(), tag.clone()))?.known()?.clone()
}

fn conclude(pipeline: &Pipeline, environment: &Environment, found: Vec<Found>, wants: Wants, seen: &Sighting) -> Result<Decision> {
    let (mut moves, mut held, mut warnings, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for it in found {
        match it {
            Found::Image { moves: it, held: why, warnings: more } => {
                moves.push(*it);
                held.extend(why);
                warnings.extend(more);
            }
            Found::Unverifiable(why) => warnings.push(why),
            Found::Error(why) => errors.push(why),
        }
    }
    if !errors.is_empty() {
        return Err(Error::refused(format!("{} does not move: {}", environment.name, errors.join(" "))));
    }
    let unresolved: Vec<_> = moves.iter().filter(|it| it.digest.is_none()).map(|it| (it.repository.clone(), it.tag.clone())).collect();
    match unresolved.first() {
        Some((repository, tag)) if seen.digests.contains_key(&(repository.clone(), tag.clone())) => {
            return Err(Error::remote(format!("The digest of {repository}:{tag} could not be found out; nothing is written without it.")));
        }
        Some(_) => return Ok(Decision::Look(Wants { digests: unresolved, ..wants })),
        None => {}
    }
    if moves.is_empty() {
        return Ok(Decision::Nothing(format!("{} has nothing to move to. {}", environment.name, warnings.join(" "))));
    }
    if !moves.iter().any(ImageMove::changes) && seen.state.proved.get(&environment.name).is_some_and(|it| same(it, &moves)) {
        let what = if held.is_empty() { "runs the newest and has proved it" } else { "stays at what it has proved" };
        let rest: String = held.iter().chain(&warnings).map(|it| format!(" {it}")).collect();
        return Ok(Decision::Nothing(format!("{} {what}: {}.{rest}", environment.name, list(&moves))));
    }
    held.extend(warnings);
    Ok(open(pipeline, environment, moves, held, seen))
}

/// Whether these are exactly the images that were proved.
pub(super) fn same(proved: &Proved, moves: &[ImageMove]) -> bool {
    proved.images.len() == moves.len()
        && moves.iter().all(|it| {
            proved
                .images
                .iter()
                .any(|that| that.component == it.component && that.tag == it.tag && Some(&that.digest) == it.digest.as_ref())
        })
}

/// The images as one line.
pub(super) fn list(moves: &[ImageMove]) -> String {
    moves.iter().map(|it| format!("{} {}", it.component, it.tag)).collect::<Vec<_>>().join(", ")
}

fn open(pipeline: &Pipeline, environment: &Environment, moves: Vec<ImageMove>, warnings: Vec<String>, seen: &Sighting) -> Decision {
    let gates = environment.gates.iter().map(crate::model::GateSpec::title).collect();
    let plan = Plan { kind: RunKind::Bump, environment: environment.name.clone(), moves, tag: None, gates, warnings };
    let run = run_id(pipeline, &plan, seen.seq);
    let changing: Vec<_> = plan.moves.iter().filter(|it| it.changes()).cloned().collect();
    let first = (!changing.is_empty()).then(|| {
        let (environment, overlay) = (environment.name.clone(), environment.overlay.clone());
        Step::WriteOverlay(OverlayWrite { run: run.clone(), environment, overlay, moves: changing, version: None })
    });
    Decision::Open { run, plan, first }
}

/// The run's id: what it does, and the place in the ledger at which it begins. Deterministic, so that a retry of the same
/// opening is the same run.
pub(super) fn run_id(pipeline: &Pipeline, plan: &Plan, seq: Option<u64>) -> RunId {
    let hash = Sha256::digest(format!("{}\n{}\n{seq:?}", pipeline.name, plan_hash(plan)));
    let hex: String = hash.iter().take(5).map(|it| format!("{it:02x}")).collect();
    let text = format!("{}-{}-{}-{hex}", plan.environment, plan.kind, seq.map_or(0, |it| it + 1));
    RunId::parse(&text).expect("names, numbers and hex digits make a run id")
}

/// The SHA-256 of a plan's every intent, in hex: what an approval is bound to.
pub fn plan_hash(plan: &Plan) -> String {
    let mut hash = Sha256::new();
    let mut line = |text: String| hash.update(format!("{}:{text}\n", text.len()));
    line(format!("{} {}", plan.kind, plan.environment));
    for it in &plan.moves {
        let digest = it.digest.as_ref().map_or("", |it| it.as_str());
        let commit = it.commit.as_ref().map_or("", |it| it.as_str());
        line(format!("{} {} {:?} {:?} -> {} {digest} {commit}", it.component, it.repository, it.from.tag, it.from.digest, it.tag));
    }
    if let Some(PlannedTag { name, commit, exists, .. }) = &plan.tag {
        line(format!("{name} {commit} {exists}"));
    }
    plan.gates.iter().for_each(|it| line(it.clone()));
    hash.finalize().iter().map(|it| format!("{it:02x}")).collect()
}
