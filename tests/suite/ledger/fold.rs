//! The transition table: legal walks never fail, everything else does, and every sentence says what is wrong.

use proptest::prelude::*;
use tomoda_release::model::*;

use super::stage::*;

/// What a run of `dev` may do next, by the rules as a person would tell them.
fn legal(state: &State) -> Vec<Event> {
    let environment = EnvName::parse("dev").unwrap();
    let run = run_id("dev", 1);
    let Some(open) = state.open.get(&environment) else {
        let opened = |first| Event::Opened { run: run.clone(), plan: plan("dev", 1), first };
        return vec![opened(None), opened(Some(overlay_write("dev", 1)))];
    };
    let mut next =
        vec![Event::Failed { run: run.clone(), why: "it broke".into() }, Event::Superseded { run: run.clone(), by: "a later one".into() }];
    let refused = open.done.iter().any(|it| matches!(it.outcome, Outcome::Refused { .. }));
    if open.intended.is_some() {
        next.push(Event::Did { run: run.clone(), outcome: landed(1) });
        next.push(Event::Did { run: run.clone(), outcome: Outcome::Refused { why: "protected".into() } });
    } else if !refused {
        if open.done.is_empty() && open.passed.is_empty() {
            next.push(Event::Intended { run: run.clone(), step: overlay_write("dev", 1) });
        }
        if open.done.is_empty() {
            next.push(Event::Built { run: run.clone(), builds: vec![built(1)] });
        }
        if let Some(gate) = open.plan.gates.get(open.passed.len()) {
            next.push(Event::Passed { run: run.clone(), position: open.passed.len(), gate: gate.clone(), evidence: Evidence::default() });
        } else {
            next.push(Event::Completed { run, proved: proved("dev", 1) });
        }
    }
    next
}

fn built(number: u32) -> Built {
    Built {
        component: ComponentName::parse("backend").unwrap(),
        id: "b-1".into(),
        log_url: "https://builds.example/b-1".into(),
        commit: None,
        digest: digest(number),
    }
}

/// Every event there is, about this run and others.
fn everything() -> Vec<Event> {
    let mut all = vec![Event::Genesis];
    for (environment, number) in [("dev", 1), ("dev", 2), ("prod", 1)] {
        let run = run_id(environment, number);
        let passed = |position, gate: &str| Event::Passed { run: run.clone(), position, gate: gate.into(), evidence: Evidence::default() };
        all.extend([
            Event::Opened { run: run.clone(), plan: plan("dev", 1), first: None },
            Event::Opened { run: run.clone(), plan: plan("dev", 1), first: Some(overlay_write("dev", 1)) },
            Event::Intended { run: run.clone(), step: overlay_write("dev", 1) },
            Event::Intended { run: run.clone(), step: overlay_write("prod", 1) },
            Event::Intended { run: run.clone(), step: cut_tag(&run) },
            Event::Did { run: run.clone(), outcome: landed(1) },
            Event::Did { run: run.clone(), outcome: Outcome::Refused { why: "protected".into() } },
            Event::Built { run: run.clone(), builds: vec![] },
            Event::Built { run: run.clone(), builds: vec![built(1)] },
            Event::Built { run: run.clone(), builds: vec![built(2)] },
            passed(0, "rollout"),
            passed(0, "soak 60s"),
            passed(1, "soak 60s"),
            passed(2, "more"),
            Event::Completed { run: run.clone(), proved: proved("dev", 1) },
            Event::Completed { run: run.clone(), proved: proved("dev", 2) },
            Event::Failed { run: run.clone(), why: "it broke".into() },
            Event::Superseded { run: run.clone(), by: "a later one".into() },
        ]);
    }
    all
}

fn cut_tag(run: &RunId) -> Step {
    let version = Version::parse("1.2.3").unwrap();
    Step::CutTag(TagCut {
        run: run.clone(),
        name: "v1.2.3".into(),
        version,
        commit: commit_id(1),
        release: None,
        message: "m".into(),
        time: 0,
    })
}

/// An opening by another id, while nothing is open, is as legal as ours, but then the walk is another one.
fn opens(event: &Event) -> bool {
    matches!(event, Event::Opened { .. })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn legal_walks_never_fail_and_nothing_else_ever_passes(choices in prop::collection::vec(any::<prop::sample::Index>(), 1..24)) {
        let mut state = State::default();
        for choice in choices {
            let legal = legal(&state);
            for event in everything().iter().filter(|it| !(legal.contains(it) || state.open.is_empty() && opens(it))) {
                if *event == Event::Genesis && state == State::default() {
                    continue;
                }
                let after = state.clone().after(event, at(0), "a");
                prop_assert!(after.is_err(), "{event:?} was let through in {state:#?}");
                let sentence = after.unwrap_err();
                prop_assert!(sentence.ends_with('.') && sentence.len() > 20, "{sentence}");
            }
            for event in &legal {
                let next = state.clone().after(event, at(0), "a");
                prop_assert!(next.is_ok(), "{event:?}: {next:?}");
            }
            state = state.after(choice.get(&legal), at(0), "a").unwrap();
            prop_assert!(state.open.len() <= 1);
        }
    }
}

fn after(events: &[Event]) -> Result<State, String> {
    events.iter().try_fold(State::default(), |state, event| state.after(event, at(7), "github:alice"))
}

#[test]
fn a_run_leaves_what_it_proved() {
    let state = after(&story("dev", 1).concat()).unwrap();
    assert!(state.open.is_empty());
    assert_eq!(state.proved[&EnvName::parse("dev").unwrap()], proved("dev", 1));
}

#[test]
fn a_failed_run_leaves_what_was_proved_before() {
    let mut events = story("dev", 1).concat();
    events.extend(story("dev", 2)[0].clone());
    events.push(Event::Failed { run: run_id("dev", 2), why: "it broke".into() });
    let state = after(&events).unwrap();
    assert!(state.open.is_empty());
    assert_eq!(state.proved[&EnvName::parse("dev").unwrap()].run, run_id("dev", 1));
}

#[test]
fn an_open_run_says_who_and_when_and_what_is_not_known_yet() {
    let state = after(&story("dev", 1)[0]).unwrap();
    let run = &state.open[&EnvName::parse("dev").unwrap()];
    assert_eq!((run.by.as_str(), run.opened, run.intended.as_ref()), ("github:alice", at(7), Some(&overlay_write("dev", 1))));
}

#[test]
fn environments_do_not_stand_in_each_others_way() {
    let mut events = story("dev", 1)[0].clone();
    events.extend(story("prod", 1)[0].clone());
    assert_eq!(after(&events).unwrap().open.len(), 2);
}

#[test]
fn builds_make_the_plan_exact_and_may_not_contradict_it() {
    let mut unbuilt = plan("dev", 1);
    unbuilt.moves[0].digest = None;
    let opened = Event::Opened { run: run_id("dev", 1), plan: unbuilt, first: None };
    let build = |number| Event::Built { run: run_id("dev", 1), builds: vec![built(number)] };
    let state = after(&[opened.clone(), build(3)]).unwrap();
    assert_eq!(state.open.values().next().unwrap().plan.moves[0].digest, Some(digest(3)));
    let why = after(&[opened, build(3), build(4)]).unwrap_err();
    assert!(why.contains("the plan says"), "{why}");
}

#[test]
fn a_refused_page_is_no_reason_to_fail() {
    let mut planned = plan("dev", 1);
    planned.gates.clear();
    planned.tag = Some(PlannedTag {
        name: "v1.2.3".into(),
        version: Version::parse("1.2.3").unwrap(),
        previous: None,
        level: None,
        commit: commit_id(1),
        release: None,
        exists: true,
        brief: Brief::default(),
    });
    let run = run_id("dev", 1);
    let page = Step::PublishPage(PageWrite { run: run.clone(), tag: "v1.2.3".into(), body: String::new() });
    let refused = Event::Did { run: run.clone(), outcome: Outcome::Refused { why: "no".into() } };
    let opened = |first| Event::Opened { run: run.clone(), plan: planned.clone(), first: Some(first) };
    let completed = Event::Completed { run: run.clone(), proved: proved("dev", 1) };
    assert!(after(&[opened(page), refused.clone(), completed.clone()]).is_ok());
    let why = after(&[opened(cut_tag(&run)), refused, completed]).unwrap_err();
    assert!(why.contains("cut-tag was refused"), "{why}");
}

#[test]
fn the_branch_moves_only_to_the_planned_release_commit() {
    let mut planned = plan("dev", 1);
    let release = ReleaseCommit { onto: commit_id(1), files: Vec::new(), replaces: None };
    planned.tag = Some(PlannedTag {
        name: "v1.2.3".into(),
        version: Version::parse("1.2.3").unwrap(),
        previous: None,
        level: None,
        commit: commit_id(2),
        release: Some(release),
        exists: false,
        brief: Brief::default(),
    });
    let run = run_id("dev", 1);
    let told = |commit, onto, planned: &Plan| {
        let advance = BranchAdvance { run: run.clone(), tag: "v1.2.3".into(), commit: commit_id(commit), onto: commit_id(onto) };
        after(&[Event::Opened { run: run.clone(), plan: planned.clone(), first: Some(Step::AdvanceBranch(advance)) }])
    };
    assert!(told(2, 1, &planned).is_ok());
    for (commit, onto) in [(3, 1), (2, 3)] {
        assert!(told(commit, onto, &planned).unwrap_err().contains("not the planned release commit"));
    }
    planned.tag.as_mut().unwrap().release = None;
    assert!(told(2, 1, &planned).is_err(), "no release commit was planned");
}
