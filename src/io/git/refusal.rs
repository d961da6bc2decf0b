//! What a server means by the words with which it did not move a ref.

use super::http_answer::clipped;

/// What a refusal means for the one who pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Somebody else moved the ref first.
    Lost,
    /// A rule or a person says no; trying again does not help. The words, with what to do about them.
    Refused(String),
    /// The server had a fault; the ref may be anywhere.
    Unclear(String),
}

/// Words of git's own that say that a ref was not where we thought.
const LOST: &[&str] = &[
    "failed to update ref",
    "cannot lock ref",
    "failed to lock",
    "unable to lock",
    "fetch first",
    "non-fast-forward",
    "non-fastforward",
    "needs force",
    "stale info",
    "reference already exists",
    "already exists",
    "reference does not exist",
    "incorrect old value",
    "atomic push fail",
    "expected old",
    "reference conflict",
];
/// Words of rules: of git's hooks and settings, of GitHub, GitLab, Gerrit, Bitbucket.
const RULES: &[&str] = &[
    "hook declined",
    "protected",
    "gh006",
    "gh013",
    "rule violations",
    "not allowed",
    "prohibited",
    "permission",
    "denied",
    "forbidden",
    "unauthorized",
    "declined",
    "funny refname",
    "currently checked out",
    "hidden ref",
    "shallow update",
];
const FAULTS: &[&str] = &[
    "internal server error",
    "unpacker error",
    "unpack failed",
    "timed out",
    "timeout",
    "temporarily",
    "no space",
    "missing necessary objects",
];
/// Words of rules that a pull request satisfies.
const WANTS_PULL_REQUEST: &[&str] = &["gh006", "gh013", "protected", "pull request", "merge request"];
/// What to do about them.
const HINT: &str = "The branch is protected: set `landing: pullRequest`, or let this token pass the rule.";

/// What it means that a ref was answered with `status`, after the server had said `beside` on its side channel.
pub(super) fn meaning(status: &str, beside: &str) -> Meaning {
    let status_lower = status.to_lowercase();
    let all = format!("{status_lower}\n{}", beside.to_lowercase());
    let says = |text: &str, words: &[&str]| words.iter().any(|it| text.contains(it));
    if says(&status_lower, RULES) {
        Meaning::Refused(in_words(status, beside, &all))
    } else if says(&status_lower, LOST) {
        Meaning::Lost
    } else if says(&status_lower, FAULTS) {
        Meaning::Unclear(in_words(status, beside, ""))
    } else if says(&all, RULES) {
        Meaning::Refused(in_words(status, beside, &all))
    } else if says(&all, LOST) {
        Meaning::Lost
    } else {
        Meaning::Refused(in_words(status, beside, &all))
    }
}

/// The server's words on one line, and the hint where one helps.
pub(super) fn in_words(status: &str, beside: &str, judged: &str) -> String {
    let mut lines: Vec<_> = beside.split(['\n', '\r']).map(str::trim).filter(|it| !it.is_empty()).collect();
    if !status.is_empty() && !lines.iter().any(|it| it.contains(status)) {
        lines.push(status);
    }
    let words = clipped(&lines.join(" / "), 1000);
    if WANTS_PULL_REQUEST.iter().any(|it| judged.contains(it)) { format!("{words}. {HINT}") } else { words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_race_is_told_by_the_status() {
        for (status, beside) in [
            ("failed to update ref", "error: cannot lock ref 'refs/heads/main': is at 1111 but expected 2222"),
            ("failed to update ref", ""),
            ("fetch first", ""),
            ("non-fast-forward", ""),
            ("stale info", ""),
            ("reference already exists", ""),
            ("incorrect old value provided", ""),
            ("cannot lock ref 'refs/heads/main': is at 1 but expected 2", ""),
        ] {
            assert_eq!(meaning(status, beside), Meaning::Lost, "{status}");
        }
    }

    #[test]
    fn a_rule_is_final_and_a_protected_branch_points_to_pull_requests() {
        for (status, beside, hinted) in [
            ("protected branch hook declined", "error: GH006: Protected branch update failed for refs/heads/main.", true),
            ("push declined due to repository rule violations", "error: GH013: Repository rule violations found", true),
            ("pre-receive hook declined", "GitLab: You are not allowed to push code to protected branches on this project.", true),
            ("pre-receive hook declined", "commit message lacks a ticket", false),
            ("hook declined", "", false),
            ("deletion prohibited", "", false),
            ("branch is currently checked out", "", false),
            ("something new", "", false),
        ] {
            let Meaning::Refused(words) = meaning(status, beside) else { panic!("{status} is final") };
            assert_eq!(words.contains("landing: pullRequest"), hinted, "{words}");
            assert!(words.contains(beside.trim()) && words.contains(status), "{words}");
        }
    }

    #[test]
    fn a_hook_that_speaks_of_locks_is_still_a_hook() {
        assert!(matches!(meaning("pre-receive hook declined", "cannot lock ref of the deploy freeze"), Meaning::Refused(_)));
    }

    #[test]
    fn a_fault_is_neither() {
        for status in ["unpacker error", "internal server error", "missing necessary objects"] {
            assert!(matches!(meaning(status, ""), Meaning::Unclear(_)), "{status}");
        }
    }

    #[test]
    fn control_characters_of_the_server_go_no_further() {
        let Meaning::Refused(words) = meaning("hook declined", "\u{1b}[31mno\u{7}\nnever") else { panic!() };
        assert!(!words.chars().any(char::is_control), "{words:?}");
    }
}
