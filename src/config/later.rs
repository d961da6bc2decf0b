//! What the design has and this version does not do. A setting that is accepted and ignored would be worse than none:
//! somebody would rely on it. So each of these is refused, with the sentence that says what it would have done.

/// `(shape, key or word, what it is for)`.
const LATER: &[(&str, &str, &str)] = &[
    ("File", "hooks", "programs called at named moments of a release"),
    ("File", "notify", "messages to a chat about a release"),
    ("Landing", "pullRequest", "landing a change through a pull request"),
    ("Environment", "approvals", "a person's approval before a plan is carried out"),
    ("Environment", "windows", "times at which nothing moves"),
    ("Build", "copy", "copying the proved image instead of building it again"),
    ("Gate", "alerts", "a gate on Alertmanager"),
    ("Gate", "prometheus", "a gate on a Prometheus query"),
    ("Gate", "sentry", "a gate on Sentry"),
    ("Newest", "numerical", "the order of numbers in tags"),
    ("Newest", "alphabetical", "the alphabetical order of tags"),
    ("Newest", "digest", "following a tag that moves"),
    ("OnFailure", "rollback", "going back by itself when a gate fails"),
];

/// What a key or word of a shape is for, when it belongs to a later version.
pub(super) fn reason(shape: &str, word: &str) -> Option<&'static str> {
    LATER.iter().find(|it| it.0 == shape && it.1 == word).map(|it| it.2)
}

/// The sentence that refuses it, and what to do.
pub(super) fn refusal(word: &str, reason: &str) -> (String, String) {
    (format!("`{word}` ({reason}) is not built yet"), "take it out: this version refuses what it would otherwise ignore".to_owned())
}
