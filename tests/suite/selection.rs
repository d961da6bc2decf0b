//! `explain` and the choice behind it: the cases of `tests/cases/selection`, and the policy `commit` on real and made-up histories.

use proptest::prelude::*;
use serde_json::{Value, json};
use tomoda_release::decide::candidate::{Choice, Facts, Selection, choose};
use tomoda_release::model::{
    CommitId, HistoryCommit, Listing, Newest, ParsedVersion, Pin, Policy, Range, Tag, TagPattern, TaggedImage, Version, VersionForm,
};

use super::version::{Repo, cases, only_an_error, stdout_json, tool};

fn lenient(text: &str) -> ParsedVersion {
    ParsedVersion::parse(text, VersionForm::Lenient).unwrap_or_else(|why| panic!("{why}"))
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

#[test]
fn every_range_accepts_and_rejects_what_its_row_says() {
    let mut problems = Vec::new();
    for case in cases("selection/ranges.json") {
        let text = case["range"].as_str().unwrap();
        // The empty text is an error of its own; leaving the range out means every release.
        let range = if text == "(empty)" { Range::any() } else { Range::parse(text).unwrap_or_else(|why| panic!("{why}")) };
        for (column, wanted) in [("accepts", true), ("rejects", false)] {
            let wrong = strings(&case[column]).into_iter().filter(|it| range.matches(&lenient(it)) != wanted);
            problems.extend(wrong.map(|it| format!("{text} {column} {it}")));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn versions_and_ranges_are_read_or_refused_as_the_rows_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/selection/versions.json");
    let rows: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut problems = Vec::new();
    let mut check = |row: &str, wanted: bool, accepts: &dyn Fn(&str) -> bool| {
        problems.extend(strings(&rows[row]).into_iter().filter(|it| accepts(it) != wanted).map(|it| format!("{row}: {it:?}")));
    };
    check("lenient_accepts", true, &|it| ParsedVersion::parse(it, VersionForm::Lenient).is_ok());
    check("rejects", false, &|it| ParsedVersion::parse(it, VersionForm::Lenient).is_ok());
    check("three_parts_rejects", false, &|it| ParsedVersion::parse(it, VersionForm::ThreeParts).is_ok());
    check("strict_rejects", false, &|it| Version::parse(it).is_ok());
    check("ranges_valid", true, &|it| Range::parse(it).is_ok());
    check("ranges_invalid", false, &|it| Range::parse(it).is_ok());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let rising: Vec<_> = strings(&rows["rising"]).into_iter().map(lenient).collect();
    assert!(rising.windows(2).all(|it| it[0] <= it[1]));
}

fn explain(args: &[&str], tags: &str) -> std::process::Output {
    tool(&[&["explain", "--tags", "-", "--output", "json"], args].concat(), tags)
}

#[test]
fn every_list_of_tags_gives_its_choice() {
    let mut problems = Vec::new();
    for case in cases("selection/semver.json").into_iter().chain(cases("selection/uploaded.json")) {
        let output = explain(&strings(&case["args"]), &case["tags"].to_string());
        let result = stdout_json(&output);
        let code = if case["outcome"] == "error" { 3 } else { 0 };
        let warned = |it: &str| strings(&result["warnings"]).iter().any(|warning| warning.contains(it));
        let mut names: Vec<_> = case["tags"].as_array().unwrap().iter().map(|it| it.get("tag").unwrap_or(it)).collect();
        names.sort_by_key(|it| it.to_string());
        names.dedup();
        let accounted = result["others"].as_array().unwrap().len() + usize::from(!result["tag"].is_null());
        let fine = result["outcome"] == case["outcome"]
            && result["tag"] == *case.get("tag").unwrap_or(&Value::Null)
            && case["says"].as_str().is_none_or(|it| result["reason"].as_str().unwrap().contains(it))
            && case["warns"].as_str().is_none_or(warned)
            && accounted == names.len()
            && output.status.code() == Some(code);
        if !fine {
            problems.push(format!("{}: wanted {case}, got {:?} {result:#}", case["id"], output.status));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn what_cannot_be_asked_is_refused_by_name() {
    for case in cases("selection/refused.json") {
        let output = explain(&strings(&case["args"]), "1.0.0\n");
        let said = String::from_utf8_lossy(&output.stderr);
        let fine = output.status.code() == Some(2) && said.contains(case["says"].as_str().unwrap()) && only_an_error(&output);
        assert!(fine, "{case}: {:?}\n{said}", output.status);
    }
}

#[test]
fn a_list_is_read_in_every_form_and_its_mistakes_come_together() {
    let digest = format!("sha256:{}", "a".repeat(64));
    for list in [
        format!("# comment\r\n1.0.0 2025-01-01T00:00:00Z\r\n\r\n1.1.0 2025-01-02T00:00:00+02:00 {digest}\r\n.bad\r\n"),
        format!("\u{feff}1.0.0\n1.1.0 {digest}\n.bad"),
        json!({ "name": "app", "tags": ["1.0.0", { "tag": "1.1.0", "digest": digest }, ".bad"] }).to_string(),
        json!(["1.0.0", { "tag": "1.1.0", "digest": digest }, ".bad"]).to_string(),
    ] {
        let result = stdout_json(&explain(&["--newest", "semver"], &list));
        assert_eq!((&result["tag"], &result["digest"]), (&json!("1.1.0"), &json!(digest)), "{list}");
        assert!(result["others"].to_string().contains("No registry can hold this"), "{result}");
    }
    assert_eq!(stdout_json(&explain(&["--newest", "semver"], r#"{"name":"app","tags":null}"#))["outcome"], "none");
    for broken in [r#"{"name":"app"}"#, "[\"a\"", r#"[{"tga":"a"}]"#, "[1]"] {
        assert_eq!(explain(&["--newest", "semver"], broken).status.code(), Some(2), "{broken}");
    }
    let output = explain(&["--newest", "semvar"], "a yesterday\nb 2025-01-01T00:00:00Z sha256:1\nc 2025-01-01T00:00:00Z x y\n");
    let said = String::from_utf8_lossy(&output.stderr);
    let unknown = explain(&["--newest", "semver"], r#"[{"tag":"1.0.0","size":1},{"name":"1.0.0"}]"#);
    let unknown = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(unknown.contains("item 1: there is no “size”") && unknown.contains("item 2: there is no “name”"), "{unknown}");
    for part in ["line 1: “yesterday”", "line 2: “sha256:1”", "line 3: “x”", "Did you mean semver?"] {
        assert!(said.contains(part), "{part} is missing in {said}");
    }
}

#[test]
fn a_pre_release_is_told_whether_its_kind_or_its_number_is_the_reason() {
    let why = |range: &str| {
        let result = stdout_json(&explain(&["--newest", "semver", "--range", range], "2.1.0-rc.1\n1.0.0\n"));
        let others = result["others"].as_array().unwrap().clone();
        others.into_iter().find(|it| it["tag"] == "2.1.0-rc.1").unwrap()["reason"].as_str().unwrap().to_owned()
    };
    assert_eq!(why(">=1"), "2.1.0-rc.1 is a pre-release, which >=1 does not let in.");
    assert_eq!(why(">=1-0, <2"), "2.1.0-rc.1 is outside of >=1-0, <2.");
    assert_eq!(why("1.x || 1.0.0-0"), "2.1.0-rc.1 is outside of 1.x || 1.0.0-0.");
}

/// Commits are letters; a line is `commit: parents`, children first.
fn history(lines: &[(&str, &[&str])]) -> Vec<HistoryCommit> {
    let id = |it: &&str| CommitId::parse(&format!("{it}{}", "0".repeat(40 - it.len()))).unwrap();
    let commit =
        |(it, parents): &(&str, &[&str])| HistoryCommit { id: id(it), parents: parents.iter().map(id).collect(), message: String::new() };
    lines.iter().map(commit).collect()
}

/// Tags are `dev-<sha>`, with an upload time in minutes.
fn by_commit(history: &[HistoryCommit], tags: &[(&str, i64)], current: Option<&str>) -> Selection {
    let policy = Policy {
        pattern: Some(TagPattern::parse("dev-(?P<commit>[0-9a-f]+)(-[0-9]+)?").unwrap()),
        extract: None,
        newest: Newest::Commit,
        min_age: std::time::Duration::ZERO,
        adopt: false,
        allow_retag: false,
    };
    let image = |(sha, minute): &(&str, i64)| TaggedImage {
        tag: Tag::parse(&format!("dev-{sha}")).unwrap(),
        digest: None,
        uploaded: Some(jiff::Timestamp::from_second(minute * 60).unwrap()),
    };
    let listing = Listing { tags: tags.iter().map(image).collect(), requests: 1 };
    let current = current.map(|it| Pin { tag: Some(format!("dev-{it}")), digest: None });
    choose(&policy, &Facts { listing: &listing, history: Some(history), current: current.as_ref(), now: jiff::Timestamp::MAX })
}

fn outcome(selection: &Selection) -> String {
    match &selection.choice {
        Choice::Candidate { tag, .. } => tag.to_string(),
        other => other.word().to_owned(),
    }
}

#[test]
fn the_order_is_that_of_the_branch_and_not_of_the_clock() {
    // aaaa1 ← bbbb2 ← dddd4 (merge of cccc3, a side line from aaaa1) ← eeee5
    let branch =
        history(&[("eeee5", &["dddd4"]), ("dddd4", &["bbbb2", "cccc3"]), ("cccc3", &["aaaa1"]), ("bbbb2", &["aaaa1"]), ("aaaa1", &[])]);
    for (name, tags, current, wanted) in [
        ("newer", &[("aaaa1", 1), ("bbbb2", 2)][..], Some("aaaa1"), "dev-bbbb2"),
        ("a rebuilt old commit", &[("aaaa1", 9), ("bbbb2", 2)], Some("bbbb2"), "none"),
        ("only a rebuilt old commit", &[("aaaa1", 9)], Some("bbbb2"), "hold"),
        ("nothing now", &[("aaaa1", 9), ("bbbb2", 2)], None, "dev-bbbb2"),
        ("a side line beside the branch", &[("bbbb2", 1), ("cccc3", 9)], Some("aaaa1"), "dev-bbbb2"),
        ("unrelated to the present", &[("cccc3", 9)], Some("bbbb2"), "hold"),
        ("present on a side line", &[("bbbb2", 9), ("cccc3", 1)], Some("cccc3"), "hold"),
        ("the merge is newer than both", &[("bbbb2", 8), ("cccc3", 9), ("dddd4", 1)], Some("cccc3"), "dev-dddd4"),
        ("two builds of one commit", &[("eeee5-1", 1), ("eeee5-2", 2)], Some("dddd4"), "dev-eeee5-2"),
        ("two builds at one time", &[("eeee5-1", 1), ("eeee5-2", 1)], Some("dddd4"), "dev-eeee5-2"),
        ("another build of the present", &[("eeee5-2", 2)], Some("eeee5-1"), "hold"),
        ("not on the branch", &[("ffff6", 9), ("bbbb2", 1)], Some("aaaa1"), "dev-bbbb2"),
        ("present not on the branch", &[("bbbb2", 1)], Some("ffff6"), "hold"),
        ("nothing on the branch", &[("ffff6", 9)], Some("aaaa1"), "none"),
    ] {
        let selection = by_commit(&branch, tags, current);
        assert_eq!(outcome(&selection), wanted, "{name}: {selection:#?}");
    }
}

#[test]
fn an_ambiguous_commit_is_not_chosen_and_says_so() {
    let branch = history(&[("abcd1", &["abcd2"]), ("abcd2", &["eeee5"]), ("eeee5", &["aaaa1"]), ("aaaa1", &[])]);
    let selection = by_commit(&branch, &[("abcd", 9), ("eeee", 1), ("ab", 9)], Some("aaaa1"));
    assert_eq!(outcome(&selection), "dev-eeee");
    let why = |tag: &str| selection.losers.iter().find(|it| it.0 == tag).map(|it| it.1.as_str()).unwrap();
    assert!(why("dev-abcd").contains("ambiguous"), "{selection:#?}");
    assert!(why("dev-ab").contains("at least 4"), "{selection:#?}");
    let held = by_commit(&branch, &[("eeee", 1)], Some("abcd"));
    assert!(outcome(&held) == "hold" && held.choice.reason().contains("ambiguous"), "{held:#?}");
}

#[test]
fn commits_of_a_real_clone_are_explained() {
    let repo = Repo::new();
    let first = repo.commit("feat: a");
    repo.git(&["checkout", "--quiet", "-b", "side"]);
    let side = repo.commit("feat: b");
    repo.git(&["checkout", "--quiet", "main"]);
    let second = repo.commit("fix: c");
    let pattern = "dev-(?P<commit>[0-9a-f]{7,40})";
    let tags =
        format!("dev-{} 2025-01-09T00:00:00Z\ndev-{} 2025-01-01T00:00:00Z\ndev-{}\nlatest\n", &first[..7], &second[..7], &side[..12]);
    let current = format!("dev-{}", &first[..7]);
    let args = ["--newest", "commit", "--pattern", pattern, "--repo", repo.path().to_str().unwrap(), "--current", &current];
    let result = stdout_json(&explain(&args, &tags));
    assert_eq!((&result["tag"], &result["commit"]), (&json!(format!("dev-{}", &second[..7])), &json!(second)), "{result:#}");
    assert!(result["others"].to_string().contains("is not on the app branch"), "{result:#}");
    let elsewhere = stdout_json(&explain(&[&args[..], &["--branch", "side"]].concat(), &tags));
    assert_eq!(elsewhere["commit"], json!(side));
}

#[test]
fn ten_thousand_tags_on_fifty_thousand_commits_take_no_time() {
    let id =
        |it: usize| CommitId::parse(&format!("{:040x}", (it as u128).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))).unwrap();
    let branch: Vec<HistoryCommit> = (0..50_000)
        .rev()
        .map(|it| HistoryCommit { id: id(it), parents: (0..it).rev().take(1).map(id).collect(), message: String::new() })
        .collect();
    let ids: Vec<String> = (0..50_000).step_by(5).map(|it| id(it).to_string()).collect();
    let tags: Vec<(&str, i64)> = ids.iter().enumerate().map(|(at, it)| (it.as_str(), 10_000 - at as i64)).collect();
    let begun = std::time::Instant::now();
    let selection = by_commit(&branch, &tags, Some(id(25_000).as_str()));
    assert_eq!(outcome(&selection), format!("dev-{}", id(49_995)));
    assert_eq!(selection.losers.len(), 9_999);
    // Generous: what grows with the square takes minutes.
    assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
}

fn some_version() -> impl Strategy<Value = String> {
    (0u64..4, 0u64..4, 0u64..4, proptest::option::of("(alpha|beta|rc)\\.[1-9]"))
        .prop_map(|(a, b, c, pre)| format!("{a}.{b}.{c}{}", pre.map_or(String::new(), |it| format!("-{it}"))))
}

proptest! {
    /// Comparators mean what precedence says, wherever the pre-release rule lets a version in at all.
    #[test]
    fn whole_versions_compare_by_precedence(a in some_version(), b in some_version()) {
        let (left, right) = (lenient(&a), lenient(&b));
        let holds = |op: &str| Range::parse(&format!("{op}{b}")).unwrap().matches(&left);
        let admitted = !left.is_pre() || right.is_pre();
        prop_assert_eq!(holds("<"), admitted && left < right);
        prop_assert_eq!(holds("<="), admitted && left <= right);
        prop_assert_eq!(holds(">"), admitted && left > right);
        prop_assert_eq!(holds(">="), admitted && left >= right);
        prop_assert_eq!(holds("="), admitted && left == right);
        prop_assert_eq!(holds("!="), admitted && left != right);
    }

    /// “Or” is either side; “and” in one group is both, for releases.
    #[test]
    fn groups_combine(a in some_version(), b in some_version(), v in some_version()) {
        let version = lenient(&v);
        let one = |text: String| Range::parse(&text).unwrap().matches(&version);
        prop_assert_eq!(one(format!(">={a} || <{b}")), one(format!(">={a}")) || one(format!("<{b}")));
        if !version.is_pre() {
            for join in [" ", ", ", ",", " , "] {
                prop_assert_eq!(one(format!(">={a}{join}<{b}")), one(format!(">={a}")) && one(format!("<{b}")));
            }
            prop_assert_eq!(one(format!("{a} - {b}")), one(format!(">={a} <={b}")));
        }
    }

    /// What `~` lets in, `^` lets in from 1.0.0 on; both let in the version itself.
    #[test]
    fn tilde_is_narrower_than_caret(a in some_version(), v in some_version()) {
        let (version, base) = (lenient(&v), lenient(&a));
        let one = |op: &str| Range::parse(&format!("{op}{a}")).unwrap();
        prop_assert!(one("~").matches(&base) && one("^").matches(&base) && one("").matches(&base));
        if base.numbers[0] > 0 && one("~").matches(&version) {
            prop_assert!(one("^").matches(&version));
        }
    }

    /// No text makes the reader panic, and what it accepts it gives back as written.
    #[test]
    fn any_text_is_a_range_or_an_error(text in "[0-9xX*.v<>=!~^|, a-]{0,24}") {
        if let Ok(range) = Range::parse(&text) {
            prop_assert_eq!(range.as_str(), text.as_str());
        }
    }
}
