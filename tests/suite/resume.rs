//! Dies wherever a process can die, then dies again while recovering; the world must end the same, and get there.
//!
//! A record is one push, so an append happened or it did not; every crash point is reachable from the world's side: before
//! a look, before a write, after a write and before its answer. The variants without protection must be seen to fail, or the
//! simulation has lost its teeth.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tomoda_release::decide::Goal;
use tomoda_release::drive::{Consent, drive};
use tomoda_release::error::{Error, Kind};
use tomoda_release::model::*;

use crate::support::sim::{BACKEND_DEV, BACKEND_PROD, Outside, Rules, Sim, commit, env};

/// More calls than a leg of the journey ever needs: a run that still dies here never gets to its end.
const MOST: usize = 400;

const SAFE: Rules = Rules { guarded: true, stale: false, lost_answers: false };

fn pipeline() -> Pipeline {
    releasing(&[])
}

/// The pipeline whose release commit writes these files.
fn releasing(version_files: &[&str]) -> Pipeline {
    let backend = ComponentName::parse("backend").unwrap();
    let gates = |application: &str| {
        vec![
            GateSpec::ArgoCd {
                application: ApplicationName::parse(application).unwrap(),
                namespace: "argocd".into(),
                within: Duration::from_secs(600),
            },
            GateSpec::Rollout { within: Duration::from_secs(600) },
        ]
    };
    let environment = |name: &str, source: Source| Environment {
        name: env(name),
        overlay: RepoPath::parse(name).unwrap(),
        namespace: name.into(),
        source,
        gates: gates(name),
        on_failure: OnFailure::Hold,
    };
    let policy = Policy {
        pattern: Some(TagPattern::parse("dev-(?P<commit>[0-9a-f]{40})").unwrap()),
        extract: None,
        newest: Newest::Commit,
        min_age: Duration::ZERO,
        // The first tag of the overlay is a placeholder that no commit made.
        adopt: true,
        allow_retag: false,
    };
    let follow = Follow { component: backend.clone(), image: Repository::parse(BACKEND_DEV).unwrap(), policy };
    let build = Build::CloudBuild(CloudBuild {
        project: "p".into(),
        location: "l".into(),
        triggers: vec![(backend.clone(), "t".into())],
        appears_within: Duration::from_secs(300),
        finishes_within: Duration::from_secs(3600),
    });
    let release = ReleaseFrom { from: env("dev"), images: vec![(backend.clone(), Repository::parse(BACKEND_PROD).unwrap())], build };
    let repo = |name: &str| RepoUrl::parse(&format!("https://git.example/{name}.git")).unwrap();
    let branch = BranchName::parse("main").unwrap();
    Pipeline {
        name: PipelineName::parse("sim").unwrap(),
        app: App {
            repo: repo("app"),
            token: None,
            branch: branch.clone(),
            tag: TagTemplate::default(),
            initial: None,
            version_files: version_files.iter().map(|it| RepoPath::parse(it).unwrap()).collect(),
            github: Some(GitHub {
                api: "https://forge.example".into(),
                owner: "o".into(),
                repo: "r".into(),
                token: SecretRef::parse("env:X").unwrap(),
            }),
        },
        config: ConfigRepo {
            repo: repo("config"),
            token: None,
            branch: branch.clone(),
            landing: Landing::Push,
            author: ("a".into(), "a@x".into()),
        },
        ledger: LedgerSettings { branch, sign: None, trusted: Vec::new(), lease: Duration::from_secs(15) },
        components: vec![Component {
            name: backend,
            paths: vec![PathPattern::parse("backend/**").unwrap()],
            workloads: vec!["api".into()],
        }],
        environments: vec![environment("dev", Source::Follow(vec![follow])), environment("prod", Source::Release(release))],
        registries: Vec::new(),
    }
}

/// The journey: bump dev, then promote prod.
fn legs() -> [Goal; 2] {
    [Goal::Bump { environment: env("dev"), wait_for: None }, Goal::Promote { environment: env("prod") }]
}

/// The whole journey in one process.
async fn journey(pipeline: &Pipeline, sim: &mut Sim) -> Result<(), Error> {
    for goal in legs() {
        drive(sim, pipeline, &goal, &Consent::Given).await?;
    }
    Ok(())
}

/// One leg of it in one process, which dies when the fuse has burned down.
fn run_leg(pipeline: &Pipeline, outside: &Rc<RefCell<Outside>>, goal: &Goal, rules: Rules, fuse: usize) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut sim = Sim::new(outside.clone(), rules, fuse);
    runtime.block_on(async { drive(&mut sim, pipeline, goal, &Consent::Given).await.map(|_| ()) })
}

fn run(pipeline: &Pipeline, outside: &Rc<RefCell<Outside>>, rules: Rules, fuse: usize) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(journey(pipeline, &mut Sim::new(outside.clone(), rules, fuse)))
}

fn copy(outside: &Rc<RefCell<Outside>>) -> Rc<RefCell<Outside>> {
    Rc::new(RefCell::new(outside.borrow().clone()))
}

/// How many crash pairs were tried, and which of them ended differently from a calm run. Each leg of the journey is crashed
/// by itself: between them nothing is open, so a crash of one cannot meet a crash of the other.
fn crash_everywhere(rules: Rules) -> (usize, Vec<String>) {
    crash_from(&pipeline(), Outside::new(), rules)
}

fn crash_from(pipeline: &Pipeline, start: Outside, rules: Rules) -> (usize, Vec<String>) {
    let mut start = Rc::new(RefCell::new(start));
    let (mut pairs, mut wrong) = (0, Vec::new());
    for leg in legs() {
        let calm = copy(&start);
        run_leg(pipeline, &calm, &leg, SAFE, usize::MAX).expect("the calm run succeeds");
        for first in 0..MOST {
            let outside = copy(&start);
            if run_leg(pipeline, &outside, &leg, rules, first).is_ok() {
                break;
            }
            for second in 0..MOST {
                let outside = copy(&outside);
                let survived = run_leg(pipeline, &outside, &leg, rules, second).is_ok();
                let last = if survived { Ok(()) } else { run_leg(pipeline, &outside, &leg, rules, usize::MAX) };
                pairs += 1;
                if last.is_err() || outside.borrow().end() != calm.borrow().end() {
                    wrong.push(format!("{leg:?}: died after {first} and {second}: {last:?}, {:?}", outside.borrow().end()));
                }
                if survived {
                    break;
                }
            }
        }
        calm.borrow_mut().settle();
        start = calm;
    }
    assert!(pairs < 4 * MOST, "it never gets to its end");
    assert!(pairs > 600, "only {pairs} pairs: the fuse is not wired");
    println!("{rules:?}: {pairs} crash pairs, {} wrong", wrong.len());
    (pairs, wrong)
}

#[test]
fn a_calm_run_goes_from_tag_to_production() {
    let outside = Rc::new(RefCell::new(Outside::new()));
    run(&pipeline(), &outside, SAFE, usize::MAX).unwrap();
    let out = outside.borrow();
    assert_eq!(out.tags.last().unwrap().name, "v0.5.0", "feat since v0.4.2");
    assert_eq!(out.tags.last().unwrap().commit, commit(3), "cut at what dev proved, not at the tip");
    assert_eq!((out.commits.len(), out.pages.len(), out.builds), (3, 1, 1), "one commit for each overlay, one page, one build set");
    assert_eq!(out.state.proved[&env("prod")].version, Version::parse("0.5.0").ok());
}

#[test]
fn guarded_writes_and_fresh_looks_heal_every_crash() {
    assert_eq!(crash_everywhere(SAFE).1, Vec::<String>::new());
}

#[test]
fn looking_first_heals_naive_writes() {
    assert_eq!(crash_everywhere(Rules { guarded: false, ..SAFE }).1, Vec::<String>::new());
}

#[test]
fn guarded_writes_heal_stale_looks() {
    assert_eq!(crash_everywhere(Rules { stale: true, ..SAFE }).1, Vec::<String>::new());
}

#[test]
fn lost_answers_are_looked_for_and_never_repeated_blindly() {
    assert_eq!(crash_everywhere(Rules { lost_answers: true, ..SAFE }).1, Vec::<String>::new());
}

#[test]
fn without_either_protection_it_writes_twice() {
    let (_, wrong) = crash_everywhere(Rules { guarded: false, stale: true, ..SAFE });
    assert!(!wrong.is_empty(), "the simulation has lost its teeth");
}

/// The world in which nothing was pushed since the commit that dev runs.
fn quiet_branch() -> Outside {
    let mut outside = Outside::new();
    outside.branch.pop();
    outside.settle();
    outside
}

#[test]
fn a_release_commit_stands_on_what_dev_proved() {
    for (start, branch) in [(quiet_branch(), [1, 2, 3, 0x7e1]), (Outside::new(), [1, 2, 3, 4])] {
        let outside = Rc::new(RefCell::new(start));
        run(&releasing(&["VERSION"]), &outside, SAFE, usize::MAX).unwrap();
        let out = outside.borrow();
        let tag = out.tags.last().unwrap();
        assert_eq!((&tag.commit, &tag.onto), (&commit(0x7e1), &Some(commit(3))));
        assert_eq!(out.branch.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), branch.map(commit), "the branch moves only forward");
        assert_eq!((out.builds, out.pages.len(), out.state.open.len()), (1, 1, 0), "a branch that moved on stops nothing");
        drop(out);
        let records = outside.borrow().records.len();
        let again = run_leg(&releasing(&["VERSION"]), &outside, &legs()[1], SAFE, usize::MAX);
        assert!(again.is_ok() && outside.borrow().records.len() == records, "what is released is released: {again:?}");
    }
}

#[test]
fn a_release_commit_survives_every_crash() {
    for start in [quiet_branch(), Outside::new()] {
        for rules in [SAFE, Rules { stale: true, ..SAFE }, Rules { lost_answers: true, ..SAFE }, Rules { guarded: false, ..SAFE }] {
            assert_eq!(crash_from(&releasing(&["VERSION"]), start.clone(), rules).1, Vec::<String>::new(), "{rules:?}");
        }
    }
}

/// Two drivers without a lease between them: the ledger alone keeps order.
#[test]
fn two_drivers_do_the_work_of_one() {
    let pipeline = pipeline();
    let calm = Rc::new(RefCell::new(Outside::new()));
    run(&pipeline, &calm, SAFE, usize::MAX).unwrap();
    for head_start in 0..60 {
        let outside = Rc::new(RefCell::new(Outside::new()));
        run(&pipeline, &outside, SAFE, head_start).ok();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (one, two) = runtime.block_on(async {
            let (mut a, mut b) = (Sim::new(outside.clone(), SAFE, usize::MAX), Sim::new(outside.clone(), SAFE, usize::MAX));
            tokio::join!(journey(&pipeline, &mut a), journey(&pipeline, &mut b))
        });
        for it in [&one, &two] {
            // One of them may find the environment moving under its feet and say so; none may do harm.
            assert!(it.as_ref().is_ok_and(|()| true) || it.as_ref().is_err_and(|it| it.kind() == Kind::Refused), "{it:?}");
        }
        run(&pipeline, &outside, SAFE, usize::MAX).unwrap();
        assert_eq!(outside.borrow().end(), calm.borrow().end(), "head start {head_start}");
    }
}
