//! The Argo CD gate: a comparison made after we asked says that our commit is live, and healthy.
//!
//! `operationState` alone decides nothing: it may be absent, of another revision, or tell of an old failure for good.
//! What decides is the comparison: at our commit, or at a later one that still holds our images.

use std::time::Duration;

use jiff::Timestamp;

use super::Expected;
use super::handshake::{Activity, Handshake};
use super::misdirected::misdirected;
use super::patience::elapsed;
use super::wording::{passing, quoted, spoken};
use crate::model::{ApplicationName, ApplicationSeen, CommitId, ConditionSeen, Evidence, OperationSeen, Seen, Verdict};

/// After how long it is told where to look for what an Application waits for.
const LASTING: Duration = Duration::from_secs(60);

/// After how long a request counts as unanswered.
const UNANSWERED: Duration = Duration::from_secs(30);

/// How many resources are named at most.
const NAMED: usize = 3;

/// Judges one Application.
pub(super) fn judge(
    name: &ApplicationName,
    namespace: &str,
    expected: &Expected<'_>,
    seen: Option<&Seen<ApplicationSeen>>,
    handshake: &mut Handshake,
    now: Timestamp,
) -> Verdict {
    let app = match seen.map(Seen::as_result) {
        None => return unknown(format!("The Application {namespace}/{name} was not looked at.")),
        Some(Err(why)) => return unknown(&why.why),
        Some(Ok(app)) => app,
    };
    handshake.observe(app, now);
    let look = Look { name, app, expected, handshake, now, standing: Standing::of(app, expected.commit) };
    let verdict = look.objection().unwrap_or_else(|| Verdict::Ready(look.evidence()));
    match verdict {
        Verdict::Ready(evidence) => {
            handshake.was_ready(app);
            Verdict::Ready(evidence)
        }
        Verdict::Waiting { why, .. } => Verdict::Waiting { why, ask: handshake.request(name, namespace, app, now) },
        verdict => verdict,
    }
}

/// How the revision that Argo CD compared with relates to our commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is our commit, or a later one that still holds our images.
    Holds,
    /// It is a later commit that holds other images.
    Replaced,
    /// It does not contain our commit.
    Older,
    /// It is not a commit: nothing could be compared.
    NotCompared,
    /// It is a commit of which we do not know what it holds.
    Unclear,
}

impl Standing {
    fn of(app: &ApplicationSeen, ours: &CommitId) -> Self {
        let Some(revision) = app.revision.as_deref() else { return Self::NotCompared };
        match (app.contains_ours, app.holds_our_images) {
            _ if revision == ours.as_str() => Self::Holds,
            _ if CommitId::parse(revision).is_err() => Self::NotCompared,
            (Some(true), Some(true)) => Self::Holds,
            (Some(true), Some(false)) => Self::Replaced,
            (Some(false), _) => Self::Older,
            (None, _) | (Some(true), None) => Self::Unclear,
        }
    }
}

/// One look at one Application, with everything that is needed to judge it.
struct Look<'a> {
    name: &'a ApplicationName,
    app: &'a ApplicationSeen,
    expected: &'a Expected<'a>,
    handshake: &'a Handshake,
    now: Timestamp,
    standing: Standing,
}

impl Look<'_> {
    /// The first thing that stands against "ready", in the order in which a person should hear of it.
    fn objection(&self) -> Option<Verdict> {
        self.is_misdirected()
            .or_else(|| self.is_replaced())
            .or_else(|| self.our_operation_failed())
            .or_else(|| self.is_not_compared_since_our_push())
            .or_else(|| self.app.errors().find_map(|it| self.error_condition(it)))
            .or_else(|| self.is_blocked())
            .or_else(|| self.compares_with_something_else())
            .or_else(|| self.is_not_synced())
            .or_else(|| self.is_not_healthy())
            .or_else(|| self.is_not_settled())
            .or_else(|| self.runs_something_else())
    }

    fn is_misdirected(&self) -> Option<Verdict> {
        let images = self.expected.images.iter().map(|it| &it.repository);
        misdirected(self.name, self.app, self.expected.overlay, images).map(failed)
    }

    fn is_replaced(&self) -> Option<Verdict> {
        (self.standing == Standing::Replaced)
            .then(|| Verdict::Superseded { by: format!("commit {}, which holds other images", short(self.revision())) })
    }

    /// An operation at our revision that ended badly, or whose last try did. What was applied after it makes it history.
    fn our_operation_failed(&self) -> Option<Verdict> {
        let it = self.app.operation.as_ref().filter(|it| self.is_ours(it.revision.as_deref()))?;
        let history = self.standing == Standing::Holds && it.revision.as_deref() != Some(self.revision());
        match it.phase.as_str() {
            _ if history => None,
            "Failed" | "Error" => Some(failed(format!(
                "Argo CD could not apply {}: {} It does not try this commit again by itself.",
                self.expected.commit.short(),
                quoted(&it.message)
            ))),
            "Running" if it.finished_at.is_some() && it.retries > 0 => {
                let why = format!("Argo CD could not apply {}: {} {}", self.expected.commit.short(), quoted(&it.message), tries(it));
                Some(if passing(&it.message) { waiting(why) } else { failed(why) })
            }
            _ => None,
        }
    }

    /// A comparison at our commit has seen our push; any other has if it was made after we asked.
    fn is_not_compared_since_our_push(&self) -> Option<Verdict> {
        if self.standing == Standing::Holds || self.handshake.answered() {
            return None;
        }
        let errors: String = self.app.errors().map(|it| format!(" From before: {}", told(it))).collect();
        Some(waiting(format!("Argo CD has not looked at {} since our push; {}{errors}", self.name, self.asked())))
    }

    /// How the request for a comparison stands.
    fn asked(&self) -> String {
        if self.app.skipped {
            return "it is told to leave it alone (the annotation argocd.argoproj.io/skip-reconcile), so it never will.".to_owned();
        }
        let late = |since: &Timestamp| elapsed(*since, self.now) >= UNANSWERED;
        let foreign = self.handshake.in_the_way_since();
        match (self.handshake.refused(), self.handshake.unanswered_since()) {
            (Some(why), _) => format!("a refresh cannot be asked for ({why}), so it looks when it looks, every few minutes."),
            (None, Some(since)) if late(&since) => {
                format!("a refresh was asked for more than {} ago and is not answered. Does its controller run?", rounded(since, self.now))
            }
            (None, Some(_)) => "a refresh is asked for.".to_owned(),
            (None, None) => match foreign.filter(late) {
                Some(since) => {
                    format!(
                        "a refresh of somebody else's is not answered for more than {}. Does its controller run?",
                        rounded(since, self.now)
                    )
                }
                None if foreign.is_some() => "somebody else's refresh is under way, ours comes after it.".to_owned(),
                None => "asking for a refresh.".to_owned(),
            },
        }
    }

    fn error_condition(&self, it: &ConditionSeen) -> Option<Verdict> {
        let ours = self.expected.commit;
        match it.kind.as_str() {
            "ComparisonError" if passing(&it.message) || !self.handshake.answered() => {
                Some(waiting(format!("Argo CD cannot compare {}: {}", self.name, told(it))))
            }
            "ComparisonError" => Some(match self.expected.tip.filter(|tip| *tip != ours) {
                // Waiting and not blocked: the tip may be the repair already, so it is asked again now and then.
                Some(tip) => {
                    waiting(format!("What came after {} does not build (the branch is at {} now): {}", ours.short(), tip.short(), told(it)))
                }
                None => failed(format!("{} does not build: {}", ours.short(), told(it))),
            }),
            "SyncError"
                if it.message.contains(ours.as_str()) || (self.standing == Standing::Holds && it.message.contains(self.revision())) =>
            {
                Some(failed(format!("Argo CD gave up on {}: {}", ours.short(), told(it))))
            }
            "InvalidSpecError" => {
                Some(Verdict::Blocked { why: format!("Argo CD does not accept the Application {} itself: {}", self.name, told(it)) })
            }
            _ => Some(waiting(format!("Argo CD reports an error of {}: {}", self.name, told(it)))),
        }
    }

    /// An operation of another revision can still undo what is live.
    fn is_blocked(&self) -> Option<Verdict> {
        let running = self.app.operation.as_ref();
        let revision = self.app.requested_revision.as_deref().or(running.and_then(|it| it.revision.as_deref()));
        if Activity::of(self.app) != Activity::Busy || self.is_ours(revision) {
            return None;
        }
        let phase = running.map_or("asked for", |it| it.phase.as_str());
        let why =
            format!("Argo CD is busy with an operation at {} ({phase}), which can still undo ours.", revision.map_or("no revision", short));
        let state = match running {
            // Between two tries the message is that of the last one; during one it is what the try waits for.
            Some(it) if it.retries > 0 && it.finished_at.is_some() => format!(" It failed: {} {}", quoted(&it.message), tries(it)),
            Some(it) if it.retries > 0 => format!("{} It failed before. {}", awaited(it), tries(it)),
            Some(it) => awaited(it),
            None => String::new(),
        };
        let end = format!(" Until it ends nothing newer is applied; `argocd app terminate-op {}` ends it.", self.name);
        Some(Verdict::Blocked { why: if state.is_empty() { why } else { format!("{why}{state}{end}") } })
    }

    fn compares_with_something_else(&self) -> Option<Verdict> {
        let (ours, revision) = (self.expected.commit.short(), short(self.revision()));
        match self.standing {
            Standing::Holds | Standing::Replaced => None,
            Standing::Older => Some(waiting(format!(
                "Argo CD compares {} with {revision}{}, which does not contain {ours}.",
                self.name,
                self.app.source.as_ref().map(|(_, branch, _)| format!(" of {branch}")).unwrap_or_default()
            ))),
            Standing::NotCompared => Some(waiting(format!("Argo CD has not compared {} with any commit yet.", self.name))),
            Standing::Unclear => {
                Some(unknown(format!("Argo CD compares {} with {revision}; what that commit holds is not known.", self.name)))
            }
        }
    }

    fn is_not_synced(&self) -> Option<Verdict> {
        let sync = self.app.sync.as_deref().unwrap_or("not compared");
        if sync == "Synced" {
            return None;
        }
        Some(waiting(format!("{} is {sync} at {}.{}", self.name, short(self.revision()), self.why_not_synced())))
    }

    /// What stands between an Application and being Synced, as far as it can be known.
    fn why_not_synced(&self) -> String {
        let name = self.name;
        let activity = Activity::of(self.app);
        let applied =
            matches!(&activity, Activity::Ended(it) if it.phase == "Succeeded" && it.revision.as_deref() == Some(self.revision()));
        match activity {
            Activity::Busy => format!(" It is being applied.{}", self.app.operation.as_ref().map(awaited).unwrap_or_default()),
            _ if !self.app.automated => format!(" Its sync is not automated: `argocd app sync {name}` applies it."),
            _ if !self.handshake.is_fresh(self.app) => String::new(),
            _ if applied && !self.app.heals => format!(
                " It was applied and is no longer so: {}. Argo CD does not put that right by itself (`selfHeal` is off); `argocd app sync {name}` does.",
                self.out_of_sync()
            ),
            _ if applied => format!(" It was applied and still differs: {}. `argocd app diff {name}` shows in what.", self.out_of_sync()),
            _ => " No operation is under way; if it stays so, look for a closed sync window.".to_owned(),
        }
    }

    /// The resources that are not as git has them: a few, and how many more.
    fn out_of_sync(&self) -> String {
        let all = &self.app.out_of_sync;
        let more = all.len().saturating_sub(NAMED);
        let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        match (all.is_empty(), more) {
            (true, _) => "it does not say what".to_owned(),
            (false, 0) => named,
            (false, more) => format!("{named} and {more} more"),
        }
    }

    fn is_not_healthy(&self) -> Option<Verdict> {
        let health = self.app.health.as_deref().unwrap_or("without health");
        let detail = self.app.health_message.as_deref().map(|it| format!(" {}", quoted(it))).unwrap_or_default();
        match health {
            "Healthy" => None,
            "Degraded" if self.degraded_after_our_operation() => {
                Some(failed(format!("{} is Degraded at {}.{detail}", self.name, short(self.revision()))))
            }
            "Suspended" => Some(waiting(format!("{} is Suspended: somebody or a rollout paused it.{detail}", self.name))),
            // Which of its resources it is, the Application itself seldom says.
            health if self.app.health_since.is_some_and(|since| elapsed(since, self.now) > LASTING) => {
                Some(waiting(format!("{0} is Synced and {health}.{detail} `argocd app get {0}` shows what it waits for.", self.name)))
            }
            health => Some(waiting(format!("{} is Synced and {health}.{detail}", self.name))),
        }
    }

    /// Whether what we did made it Degraded: it became so after our operation ended, or a comparison made after that still says so.
    fn degraded_after_our_operation(&self) -> bool {
        let since_our_end = match Activity::of(self.app) {
            Activity::Ended(it) => {
                self.is_ours(it.revision.as_deref()) && it.finished_at.is_some() && self.app.health_since > it.finished_at
            }
            Activity::Busy | Activity::Idle => false,
        };
        since_our_end || self.handshake.is_fresh(self.app)
    }

    fn is_not_settled(&self) -> Option<Verdict> {
        if Activity::of(self.app) == Activity::Busy {
            return Some(waiting(format!("{} is Synced and Healthy, and an operation is under way.", self.name)));
        }
        (!self.handshake.is_fresh(self.app)).then(|| {
            let asked = self.asked();
            waiting(format!("{} is Synced and Healthy, but Argo CD may have looked before its last operation ended; {asked}", self.name))
        })
    }

    /// Being Synced says that nothing differs which Argo CD was told to compare. Once it is also Healthy, the pods of our
    /// Deployments have our image, whatever other pods of it there may be.
    fn runs_something_else(&self) -> Option<Verdict> {
        let run = self.expected.images.iter().filter(|it| !it.workloads.is_empty());
        run.map(|image| (image, image.among(&self.app.images))).find_map(|(image, runs)| {
            let (other, _) = runs.first().filter(|_| !runs.iter().any(|(_, seen)| image.is(seen)))?;
            Some(waiting(format!(
                "{} is Synced and Healthy, and yet its pods run {other}, not {}. Is it told to ignore the image (`ignoreDifferences`)?",
                self.name,
                image.short()
            )))
        })
    }

    fn evidence(&self) -> Evidence {
        let evidence = Evidence::default()
            .fact("application", self.name.as_str())
            .fact("revision", self.revision())
            .fact("sync", self.app.sync.clone().unwrap_or_default())
            .fact("health", self.app.health.clone().unwrap_or_default());
        if self.revision() == self.expected.commit.as_str() { evidence } else { evidence.fact("contains", self.expected.commit.as_str()) }
    }

    fn revision(&self) -> &str {
        self.app.revision.as_deref().unwrap_or_default()
    }

    /// Whether this is the revision of an operation that makes our images live.
    fn is_ours(&self, revision: Option<&str>) -> bool {
        revision.is_some_and(|it| it == self.expected.commit.as_str() || (self.standing == Standing::Holds && it == self.revision()))
    }
}

/// How long ago, in steps: a sentence that changes at every look would be told at every look.
fn rounded(since: Timestamp, now: Timestamp) -> String {
    let step = if elapsed(since, now) < Duration::from_secs(60) { UNANSWERED } else { Duration::from_secs(60) };
    spoken(Duration::from_secs(elapsed(since, now).as_secs() / step.as_secs() * step.as_secs()))
}

fn told(it: &ConditionSeen) -> String {
    format!("{}: {}", it.kind, quoted(&it.message))
}

/// What a running operation says that it waits for: a hook, or the health of a wave. What else it says is of a step gone by.
fn awaited(it: &OperationSeen) -> String {
    let waits = it.finished_at.is_none() && it.message.starts_with("waiting for ");
    if waits { format!(" It is {}", quoted(&it.message)) } else { String::new() }
}

/// How often an operation was tried and how often it may be.
fn tries(it: &OperationSeen) -> String {
    match it.retry_limit {
        Some(limit) if limit < 0 => format!("Argo CD tries again without end ({} so far).", it.retries),
        Some(limit) => format!("Argo CD tries again, {limit} times in all ({} so far).", it.retries),
        None => format!("Argo CD tries again ({} so far).", it.retries),
    }
}

/// A revision as people write it: a commit's first seven digits, anything else whole.
fn short(revision: &str) -> &str {
    if CommitId::parse(revision).is_ok() { &revision[..7] } else { revision }
}

fn waiting(why: String) -> Verdict {
    Verdict::Waiting { why, ask: None }
}

fn failed(why: String) -> Verdict {
    Verdict::Failed { why }
}

fn unknown(why: impl Into<String>) -> Verdict {
    Verdict::Unknown { why: why.into() }
}
