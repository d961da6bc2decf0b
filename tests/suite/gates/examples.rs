//! The gates by example: one state each, and the word for it.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tomoda_release::model::{
    ApplicationName, ApplicationSeen, Ask, Asked, CommitId, ComponentName, ConditionSeen, Digest, GateSpec, HttpGate, HttpSeen,
    OperationSeen, RepoPath, Repository, Seen, Sighting, State, Tag, Verdict, Version, WorkloadSeen,
};
use tomoda_release::observe::workloads;
use tomoda_release::verify::{Expected, ExpectedImage, Memory, judge_all};

const MINUTE: Duration = Duration::from_secs(60);

/// What is asked for, and one look that says yes everywhere; each test changes one thing.
struct Case {
    commit: CommitId,
    tip: Option<CommitId>,
    images: Vec<ExpectedImage>,
    app: ApplicationSeen,
    workload: WorkloadSeen,
    http: HttpSeen,
    json: Vec<(String, String)>,
    memory: Memory,
}

impl Case {
    fn new() -> Self {
        let commit = commit('a');
        let digest = digest('d');
        Self {
            tip: None,
            images: vec![ExpectedImage {
                component: ComponentName::parse("web").unwrap(),
                repository: Repository::parse("registry.example/web").unwrap(),
                tag: Some(Tag::parse("v1.2.0").unwrap()),
                digest: Some(digest.clone()),
                commit: Some(self::commit('c')),
                workloads: vec!["web".to_owned()],
            }],
            app: ApplicationSeen {
                resource_version: "1".to_owned(),
                source: Some(("https://git.example/config.git".to_owned(), "main".to_owned(), "overlays/prod".to_owned())),
                sync: Some("Synced".to_owned()),
                revision: Some(commit.to_string()),
                health: Some("Healthy".to_owned()),
                automated: true,
                operation: Some(OperationSeen {
                    phase: "Succeeded".to_owned(),
                    revision: Some(commit.to_string()),
                    started_at: Some(at(9)),
                    finished_at: Some(at(10)),
                    ..OperationSeen::default()
                }),
                reconciled_at: Some(at(5)),
                ..ApplicationSeen::default()
            },
            workload: WorkloadSeen {
                generation: 3,
                observed_generation: 3,
                desired: Some(2),
                replicas: 2,
                updated: 2,
                available: 2,
                images: vec![format!("registry.example/web:v1.2.0@{digest}")],
                ..WorkloadSeen::default()
            },
            http: HttpSeen { status: 200, body: r#"{"version":"1.2.0","build":{"commit":"cccccccc","n":7}}"#.to_owned() },
            json: Vec::new(),
            memory: Memory::default(),
            commit,
        }
    }

    fn look(&mut self, now: i64) -> Vec<Verdict> {
        let application = ApplicationName::parse("web").unwrap();
        let url = "https://web.example/health".to_owned();
        let gates = [
            GateSpec::ArgoCd { application: application.clone(), namespace: "argocd".to_owned(), within: MINUTE * 10 },
            GateSpec::Rollout { within: MINUTE * 10 },
            GateSpec::Http(HttpGate { url: url.clone(), status: 200, json: self.json.clone(), component: None, within: MINUTE * 10 }),
            GateSpec::Soak { period: MINUTE },
        ];
        let mut seen = Sighting::of_ledger(at(now), State::default(), None);
        seen.applications.insert(application, Seen::Known(self.app.clone()));
        seen.workloads.insert("web".to_owned(), Seen::Known(Some(self.workload.clone())));
        seen.http.insert(url, Seen::Known(self.http.clone()));
        let overlay = RepoPath::parse("overlays/prod").unwrap();
        let version = Some(Version::parse("1.2.0").unwrap());
        let (commit, tip, images) = (&self.commit, self.tip.as_ref(), &self.images[..]);
        let expected = Expected { commit, tip, overlay: Some(&overlay), images, version, since: at(0) };
        judge_all(&gates, &expected, &seen, &mut self.memory, at(now))
    }

    /// Lets the gate ask, sets its request, and answers it with the present state.
    fn answer(&mut self, now: i64) -> Verdict {
        self.look(now);
        let version = |it: &Self| it.app.resource_version.parse::<u64>().unwrap() + 1;
        (self.app.resource_version, self.app.refresh) = (version(self).to_string(), Some("normal".to_owned()));
        self.look(now + 1);
        (self.app.resource_version, self.app.refresh) = (version(self).to_string(), None);
        self.look(now + 2).swap_remove(0)
    }

    fn rollout(&mut self) -> Verdict {
        self.look(20).swap_remove(1)
    }

    fn http(&mut self, pointer: &str, text: &str) -> Verdict {
        self.json = vec![(pointer.to_owned(), text.to_owned())];
        self.look(20).swap_remove(2)
    }
}

#[test]
fn everything_ready_soaks_and_a_lapse_starts_anew() {
    let mut case = Case::new();
    assert!(is_ready(&case.answer(20)));
    assert!(case.look(25).iter().take(3).all(is_ready));
    assert_says(&case.look(50)[3], "It is at 24 s of 1 min");
    case.workload.available = 1;
    assert_says(&case.look(70)[3], "lapsed");
    case.workload.available = 2;
    for now in [80, 110, 139] {
        assert!(!is_ready(&case.look(now)[3]));
    }
    assert!(is_ready(&case.look(140)[3]));
}

#[test]
fn an_autoscaler_at_work_stops_a_soak_and_does_not_turn_it_back() {
    let mut case = Case::new();
    assert!(is_ready(&case.answer(20)));
    case.look(52);
    let grow = |case: &mut Case, available, health: &str| {
        (case.workload.generation, case.workload.observed_generation) = (4, 4);
        (case.workload.desired, case.workload.replicas, case.workload.updated) = (Some(3), 3, 3);
        (case.workload.available, case.app.health) = (available, Some(health.to_owned()));
    };
    grow(&mut case, 2, "Progressing");
    let verdicts = case.look(60);
    assert!(!is_ready(&verdicts[0]) && !is_ready(&verdicts[1]), "{verdicts:?}");
    assert_says(&verdicts[3], "It is at 30 s of 1 min; its clock stands still");
    grow(&mut case, 3, "Healthy");
    case.look(70);
    assert!(!is_ready(&case.look(99)[3]));
    assert!(is_ready(&case.look(100)[3]), "30 s before it and 30 s after it");
    grow(&mut case, 1, "Progressing");
    assert_says(&case.look(101)[3], "lapsed");
}

#[test]
fn the_same_state_is_the_same_evidence() {
    let mut case = Case::new();
    let first = case.answer(20);
    case.app.resource_version = "99".to_owned();
    assert_eq!(case.look(40)[0], first);
}

#[test]
fn a_gate_that_waits_too_long_fails_with_what_it_waited_for() {
    let mut case = Case::new();
    case.workload.available = 0;
    case.look(20);
    let Verdict::Failed { why } = &case.look(601)[1] else { panic!() };
    assert_eq!(why, "It was not ready within 10 min. web: 0 of 2 new replicas are available.");
}

#[test]
fn a_request_that_is_not_allowed_leaves_it_to_argo_cds_own_pace() {
    let mut case = Case::new();
    let Verdict::Waiting { ask: Some(ask @ Ask::Refresh { .. }), .. } = case.look(20).swap_remove(0) else { panic!() };
    case.memory.asked(&ask, &Asked::Refused { why: "403".to_owned() });
    let Verdict::Waiting { ask: None, why } = case.look(21).swap_remove(0) else { panic!() };
    assert!(why.contains("a refresh cannot be asked for (403)"), "{why}");
    case.app.reconciled_at = Some(at(10));
    assert!(!is_ready(&case.look(22)[0]), "in the second in which the operation ended");
    case.app.reconciled_at = Some(at(11));
    assert!(is_ready(&case.look(23)[0]));
}

#[test]
fn a_look_that_is_older_than_our_request_is_no_answer() {
    let mut case = Case::new();
    let Verdict::Waiting { ask: Some(ask), .. } = case.look(20).swap_remove(0) else { panic!() };
    case.memory.asked(&ask, &Asked::Set { resource_version: "9".to_owned() });
    for stale in ["1", "9"] {
        case.app.resource_version = stale.to_owned();
        assert!(matches!(case.look(21)[0], Verdict::Waiting { ask: None, .. }), "{stale}");
    }
    case.app.resource_version = "10".to_owned();
    assert!(is_ready(&case.look(22)[0]), "versions are numbers, not texts");
}

#[test]
fn an_operation_between_two_tries_has_not_ended() {
    let mut case = Case::new();
    case.app.operation.as_mut().unwrap().phase = "Running".to_owned();
    assert_says(&case.answer(20), "an operation is under way");
    case.app.operation.as_mut().unwrap().retries = 1;
    case.app.operation.as_mut().unwrap().message = "dial tcp: connection refused".to_owned();
    assert!(matches!(case.look(30)[0], Verdict::Waiting { .. }), "a fault that passes");
    case.app.operation.as_mut().unwrap().message = "field is immutable".to_owned();
    assert!(matches!(case.look(31)[0], Verdict::Failed { .. }));
    case.app.operation.as_mut().unwrap().revision = Some(commit('b').to_string());
    assert!(matches!(&case.look(32)[0], Verdict::Blocked { why } if why.contains("bbbbbbb") && why.contains("terminate-op web")));
}

#[test]
fn an_answer_to_a_request_from_before_the_last_operation_is_no_answer() {
    let mut case = Case::new();
    assert!(is_ready(&case.answer(20)));
    let operation = case.app.operation.as_mut().unwrap();
    (operation.finished_at, operation.self_heals) = (Some(at(30)), 1);
    assert_says(&case.look(31)[0], "before its last operation ended");
    assert!(is_ready(&case.answer(32)));
}

#[test]
fn errors_of_argo_cd_are_told_apart() {
    let said = |kind: &str, message: &str, tip: Option<char>| {
        let mut case = Case::new();
        case.tip = tip.map(commit);
        (case.app.revision, case.app.sync) = (Some("main".to_owned()), Some("Unknown".to_owned()));
        case.app.conditions = vec![ConditionSeen { kind: kind.to_owned(), message: message.to_owned() }];
        assert_says(&case.look(15)[0], "From before");
        case.answer(20)
    };
    let broken = "`kustomize build` failed exit status 1";
    assert!(
        matches!(said("ComparisonError", broken, None), Verdict::Failed { why } if why.contains("does not build") && why.contains(broken))
    );
    assert!(matches!(said("ComparisonError", broken, Some('a')), Verdict::Failed { .. }), "the tip is ours");
    assert_says(&said("ComparisonError", broken, Some('b')), "What came after aaaaaaa does not build (the branch is at bbbbbbb now)");
    assert!(matches!(said("ComparisonError", "rpc error: code = Unavailable desc = error", None), Verdict::Waiting { .. }));
    assert!(matches!(said("InvalidSpecError", "destination is missing", None), Verdict::Blocked { .. }));
    assert!(matches!(said("UnknownError", "?", None), Verdict::Waiting { .. }));
    let given_up = format!("Failed last sync attempt to [{}]: denied", commit('a'));
    assert!(matches!(said("SyncError", &given_up, None), Verdict::Failed { .. }));
}

#[test]
fn a_later_commit_that_does_not_build_is_asked_about_again() {
    let mut case = Case::new();
    case.tip = Some(commit('b'));
    (case.app.revision, case.app.sync) = (Some("main".to_owned()), Some("Unknown".to_owned()));
    case.app.conditions =
        vec![ConditionSeen { kind: "ComparisonError".to_owned(), message: "`kustomize build` failed exit status 1".to_owned() }];
    case.answer(20);
    let asks = |verdict: &Verdict| matches!(verdict, Verdict::Waiting { ask: Some(_), .. });
    assert!(!asks(&case.look(40)[0]));
    case.tip = Some(commit('c'));
    assert!(asks(&case.look(53)[0]), "the repair is seen without waiting for Argo CD's own next look");
}

#[test]
fn a_controller_that_does_not_answer_is_asked_after_once_a_minute() {
    let mut case = Case::new();
    case.app.revision = Some(commit('b').to_string());
    case.app.refresh = Some("normal".to_owned());
    assert_says(&case.look(20)[0], "ours comes after it");
    let said = |case: &mut Case, now| format!("{:?}", case.look(now)[0]);
    let half = said(&mut case, 52);
    assert!(half.contains("not answered for more than 30 s. Does its controller run?"), "{half}");
    assert_eq!(half, said(&mut case, 70));
    assert!(said(&mut case, 85).contains("more than 1 min"));
}

#[test]
fn a_warning_is_not_an_error() {
    let mut case = Case::new();
    case.app.conditions = vec![ConditionSeen { kind: "OrphanedResourceWarning".to_owned(), message: "1 orphan".to_owned() }];
    assert!(is_ready(&case.answer(20)));
}

#[test]
fn the_wrong_application_is_no_proof() {
    let mut case = Case::new();
    case.app.source.as_mut().unwrap().2 = "overlays/dev".to_owned();
    assert!(matches!(case.answer(20), Verdict::Failed { why } if why.contains("follows overlays/dev, not overlays/prod")));
}

#[test]
fn an_application_that_cannot_bring_the_overlay_is_no_proof() {
    let mut case = Case::new();
    for it in ["registry.example/web=registry.example/web:v1.1.0", "registry.example/web@sha256:1", "web=registry.example/web:v1"] {
        case.app.overrides = vec!["registry.example/webber:v1".to_owned(), it.to_owned()];
        let verdict = case.answer(20);
        assert!(matches!(&verdict, Verdict::Failed { .. }), "{it}: {verdict:?}");
        assert_says(&verdict, "unset web --kustomize-image registry.example/web");
    }
    case.app.overrides.pop();
    assert!(is_ready(&case.answer(30)), "another image is not ours");
    case.app.source.as_mut().unwrap().1 = commit('b').to_string();
    assert_says(&case.answer(40), "stays at the commit bbbbbbb");
}

#[test]
fn synced_is_no_proof_while_the_pods_run_something_else() {
    let mut case = Case::new();
    case.app.images = vec!["registry.example/web:v1.1.0".to_owned(), "sidecar:1".to_owned()];
    assert_says(&case.answer(20), "its pods run registry.example/web:v1.1.0, not v1.2.0@sha256:dddddddddddd");
    case.app.images.push(format!("registry.example/web:v1.2.0@{}", digest('d')));
    assert!(is_ready(&case.answer(30)), "an old pod may still be ending");
    case.app.images = vec!["sidecar:1".to_owned()];
    assert!(is_ready(&case.answer(40)), "it does not say");
    case.app.images = vec!["registry.example/web:v1.1.0".to_owned()];
    case.images[0].workloads.clear();
    assert!(is_ready(&case.answer(50)), "pods of old jobs are no Deployment's");
}

#[test]
fn what_keeps_an_application_from_being_synced_is_told() {
    let mut case = Case::new();
    case.app.sync = Some("OutOfSync".to_owned());
    case.app.out_of_sync =
        ["Deployment web", "Service web", "Service old, which git has no longer", "Ingress web"].map(str::to_owned).to_vec();
    assert_says(
        &case.answer(20),
        "no longer so: Deployment web, Service web, Service old, which git has no longer and 1 more. Argo CD does not",
    );
    case.app.heals = true;
    assert_says(&case.answer(30), "still differs: Deployment web, ");
    case.app.operation.as_mut().unwrap().revision = Some(commit('b').to_string());
    assert_says(&case.answer(40), "closed sync window");
    case.app.automated = false;
    assert_says(&case.answer(50), "`argocd app sync web`");
    case.app.revision = Some(commit('b').to_string());
    (case.app.contains_ours, case.app.skipped, case.memory) = (Some(false), true, Memory::default());
    assert_says(&case.look(60).swap_remove(0), "skip-reconcile");
}

#[test]
fn an_operation_says_what_it_waits_for_and_does_not_call_that_a_failure() {
    let mut case = Case::new();
    case.app.sync = Some("OutOfSync".to_owned());
    let operation = case.app.operation.as_mut().unwrap();
    (operation.phase, operation.finished_at) = ("Running".to_owned(), None);
    operation.message = "waiting for completion of hook batch/Job/migrate".to_owned();
    assert_says(&case.answer(20), "It is being applied. It is waiting for completion of hook batch/Job/migrate.");
    let operation = case.app.operation.as_mut().unwrap();
    (operation.revision, operation.retries, operation.retry_limit) = (Some(commit('b').to_string()), 2, Some(5));
    assert_says(&case.answer(30), "It is waiting for completion of hook batch/Job/migrate. It failed before. Argo CD tries again, 5 times");
    case.app.operation.as_mut().unwrap().finished_at = Some(at(35));
    assert_says(&case.answer(40), "It failed: waiting for completion");
}

#[test]
fn a_later_commit_counts_while_it_holds_our_images() {
    let later = |contains, holds| {
        let mut case = Case::new();
        case.app.revision = Some(commit('b').to_string());
        (case.app.contains_ours, case.app.holds_our_images) = (contains, holds);
        case.answer(20)
    };
    assert!(is_ready(&later(Some(true), Some(true))));
    assert!(matches!(later(Some(true), Some(false)), Verdict::Superseded { .. }));
    assert!(matches!(later(Some(false), None), Verdict::Waiting { .. }));
    assert!(matches!(later(None, None), Verdict::Unknown { .. }));
    assert!(matches!(later(Some(true), None), Verdict::Unknown { .. }));
}

#[test]
fn degraded_counts_once_it_is_ours() {
    let mut case = Case::new();
    case.app.health = Some("Degraded".to_owned());
    assert!(matches!(case.look(20)[0], Verdict::Waiting { .. }), "it may be from before");
    assert!(matches!(case.answer(21), Verdict::Failed { .. }));
}

#[test]
fn a_rollout_is_ready_with_all_of_its_replicas_and_nothing_else() {
    let judged = |change: &dyn Fn(&mut WorkloadSeen)| {
        let mut case = Case::new();
        change(&mut case.workload);
        case.rollout()
    };
    assert!(is_ready(&judged(&|_| {})));
    assert!(is_ready(&judged(&|it| (it.desired, it.replicas, it.updated, it.available) = (Some(7), 7, 7, 7))), "the autoscaler's business");
    assert_says(&judged(&|it| it.generation = 4), "not taken up yet");
    assert_says(&judged(&|it| it.updated = 1), "1 of 2 replicas have the new template");
    assert_says(&judged(&|it| it.replicas = 3), "1 old replicas are still there");
    assert_says(&judged(&|it| it.available = 1), "1 of 2 new replicas are available");
    assert_says(&judged(&|it| it.paused = true), "paused");
    assert_says(&judged(&|it| (it.desired, it.replicas, it.updated, it.available) = (Some(0), 0, 0, 0)), "scaled to zero");
    assert_says(
        &judged(&|it| (it.available, it.waiting) = (0, vec!["ImagePullBackOff: no such tag".to_owned()])),
        "ImagePullBackOff: no such tag",
    );
    assert_says(&judged(&|it| it.images = vec!["registry.example/other:v1.2.0".to_owned()]), "does not run registry.example/web");
    assert_says(&judged(&|it| it.images = vec![format!("registry.example/web:v1.2.0@{}", digest('e'))]), "still has");
    assert_says(&judged(&|it| it.images = vec!["registry.example/web:v1.1.0".to_owned()]), "still has");
    assert!(is_ready(&judged(&|it| it.images = vec![format!("registry.example/web@{}", digest('d'))])), "a digest needs no tag");
}

#[test]
fn what_pods_run_decides_where_the_template_names_no_digest() {
    let judged = |running: &[char], pinned: bool| {
        let mut case = Case::new();
        if !pinned {
            case.workload.images = vec!["registry.example/web:v1.2.0".to_owned(), "registry.example/proxy:v1".to_owned()];
        }
        case.workload.running = running.iter().map(|it| format!("registry.example/web@{}", digest(*it))).collect();
        case.workload.running.push(format!("registry.example/proxy@{}", digest('f')));
        case.rollout()
    };
    assert!(is_ready(&judged(&['d', 'd'], false)) && is_ready(&judged(&[], false)));
    assert_says(&judged(&['d', 'e'], false), "a pod runs sha256:eee");
    assert!(is_ready(&judged(&['e'], true)), "one platform of an index that is pinned");
}

#[test]
fn a_missed_deadline_counts_once_it_is_sure_to_be_this_templates() {
    let missed = Some(("ProgressDeadlineExceeded".to_owned(), "has timed out progressing".to_owned()));
    let mut case = Case::new();
    (case.workload.updated, case.workload.progressing) = (0, missed.clone());
    assert!(matches!(case.look(20)[1], Verdict::Waiting { .. }), "it may be the template's before");
    assert!(matches!(case.look(31)[1], Verdict::Failed { .. }), "it stands");

    let mut case = Case::new();
    case.workload.updated = 0;
    case.look(20);
    case.workload.progressing = missed;
    assert_says(&case.look(21)[1], "has timed out progressing");
    assert!(matches!(case.look(21)[1], Verdict::Failed { .. }), "it was not there before");
}

#[test]
fn an_address_says_what_it_should_say() {
    let said = |pointer: &str, text: &str| Case::new().http(pointer, text);
    for (pointer, text) in [("/version", "{version}"), ("/build/commit", "{commit}"), ("/build/n", "7"), ("/version", "1.2.0")] {
        assert!(is_ready(&said(pointer, text)), "{pointer} {text}: {:?}", said(pointer, text));
    }
    assert_says(&said("/version", "{tag}"), "says “1.2.0” at /version, not v1.2.0");
    assert_says(&said("/missing", "x"), "says nothing at /missing");
    assert_says(&said("/build", "x"), "no single value");

    let mut case = Case::new();
    case.images[0].digest = None;
    assert!(matches!(case.http("/version", "{digest}"), Verdict::Unknown { .. }));
    let mut case = Case::new();
    case.http = HttpSeen { status: 503, body: String::new() };
    assert_says(&case.http("/version", "x"), "answers 503, not 200");
    case.http = HttpSeen { status: 200, body: "<html>Sign in</html>".to_owned() };
    assert_says(&case.http("/version", "x"), "not answer with JSON, but with “<html>Sign in</html>”");
}

#[test]
fn pods_say_why_they_do_not_run() {
    let deployment = json!({
        "metadata": { "generation": 2 },
        "spec": { "template": { "spec": { "containers": [{ "image": "web:2" }] } } },
        "status": { "conditions": [{ "type": "ReplicaFailure", "status": "True", "message": "quota exceeded" }] },
    });
    let pod = |image: &str, state: serde_json::Value| {
        json!({ "spec": { "containers": [{ "image": image }] }, "status": {
            "conditions": [{ "type": "Ready", "status": "True" }],
            "containerStatuses": [{ "imageID": format!("docker-pullable://{image}@id"), "state": state, "lastState": { "terminated": { "exitCode": 3 } } }] } })
    };
    let pods = [
        pod("web:2", json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } })),
        pod("web:2", json!({ "waiting": { "reason": "ContainerCreating" } })),
        pod("web:1", json!({ "waiting": { "reason": "ImagePullBackOff" } })),
    ];
    let seen = workloads::read(&deployment, &pods).unwrap();
    assert_eq!(seen.waiting, ["ReplicaFailure: quota exceeded", "CrashLoopBackOff, it ended with exit code 3: back-off"]);
    assert_eq!(seen.running, ["web:2@id", "web:2@id"], "pods of the template before do not count");
    assert_eq!((seen.desired, seen.updated), (None, 0));
}

fn is_ready(verdict: &Verdict) -> bool {
    matches!(verdict, Verdict::Ready(_))
}

#[track_caller]
fn assert_says(verdict: &Verdict, words: &str) {
    match verdict {
        Verdict::Waiting { why, .. } | Verdict::Failed { why } | Verdict::Blocked { why } | Verdict::Unknown { why } => {
            assert!(why.contains(words), "“{why}” does not contain “{words}”");
        }
        other => panic!("{other:?} does not say “{words}”"),
    }
}

fn commit(digit: char) -> CommitId {
    CommitId::parse(&digit.to_string().repeat(40)).unwrap()
}

fn digest(digit: char) -> Digest {
    Digest::parse(&format!("sha256:{}", digit.to_string().repeat(64))).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}
