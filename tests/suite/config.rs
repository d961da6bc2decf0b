//! Pipeline files: what loads, and every problem of what does not, in one run.
//!
//! `tests/cases/config/good/*.yaml` load. Each folder of `tests/cases/config/bad` holds a `pipeline.yaml` and what is said
//! about it, `expected.txt`. After a change of words, `TOMODA_UPDATE=1 cargo test --test suite config::` writes the latter anew:
//! read the difference before committing it.

use std::{fs, path::PathBuf, time::Duration};

use tomoda_release::config;
use tomoda_release::error::Kind;
use tomoda_release::model::{GateSpec, Newest, Pipeline, RegistryAuth, SecretRef, Source};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn cases(folder: &str) -> Vec<PathBuf> {
    let folder = root().join("tests/cases/config").join(folder);
    let mut found: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The smallest pipeline, with one text in it replaced.
fn minimal(from: &str, to: &str) -> String {
    let text = fs::read_to_string(root().join("tests/cases/config/good/minimal.yaml")).unwrap();
    assert!(text.contains(from), "minimal.yaml does not have {from}");
    text.replace(from, to)
}

fn load(text: &str) -> Pipeline {
    config::parse("pipeline.yaml", text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str) -> String {
    config::parse("pipeline.yaml", text).expect_err("this pipeline has problems").to_string()
}

#[test]
fn the_good_load() {
    for path in cases("good") {
        load(&fs::read_to_string(&path).unwrap());
    }
}

#[test]
fn the_bad_are_refused_with_all_their_problems() {
    let mut wrong = Vec::new();
    for folder in cases("bad") {
        let said = problems(&fs::read_to_string(folder.join("pipeline.yaml")).unwrap()) + "\n";
        let file = folder.join("expected.txt");
        if std::env::var_os("TOMODA_UPDATE").is_some() {
            fs::write(&file, &said).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != said {
            wrong.push(format!("{}:\n{said}", folder.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tomodas_pipeline_loads() {
    let pipeline = config::load(&root().join("pipelines/tomoda.yaml")).unwrap_or_else(|why| panic!("{why}"));
    let [dev, prod] = &pipeline.environments[..] else { panic!("two environments") };
    let Source::Follow(follows) = &dev.source else { panic!("dev follows") };
    assert_eq!(follows.len(), 2);
    assert!(follows.iter().all(|it| it.policy.newest == Newest::Commit));
    let Source::Release(from) = &prod.source else { panic!("prod is released") };
    assert_eq!((from.from.as_str(), from.images.len()), ("dev", 2));
    assert_eq!(pipeline.components[0].workloads, ["tomoda-api", "tomoda-async"]);
    assert_eq!(pipeline.registries.len(), 1);
    assert_eq!(pipeline.registries[0].auth, RegistryAuth::Google);
    assert!(matches!(dev.gates.last(), Some(GateSpec::Soak { period }) if *period == Duration::from_secs(600)));
}

#[test]
fn what_is_left_out_has_its_documented_meaning() {
    let pipeline = load(&minimal("", ""));
    assert_eq!((pipeline.app.branch.as_str(), pipeline.app.tag.to_string().as_str()), ("main", "v{version}"));
    assert_eq!(pipeline.config.author, ("tomoda-release".to_owned(), "tomoda-release@users.noreply.github.com".to_owned()));
    assert_eq!(pipeline.ledger.branch.as_str(), "release-ledger");
    assert_eq!(pipeline.ledger.lease, Duration::from_secs(15));
    let [GateSpec::ArgoCd { namespace, within: argocd, .. }, GateSpec::Rollout { within: rollout }, GateSpec::Http(http)] =
        &pipeline.environments[0].gates[..]
    else {
        panic!("three gates")
    };
    let minutes = |it: &Duration| it.as_secs() / 60;
    assert_eq!((namespace.as_str(), minutes(argocd), minutes(rollout), minutes(&http.within), http.status), ("argocd", 10, 10, 5, 200));
    let Source::Release(from) = &pipeline.environments[1].source else { panic!("a release") };
    let tomoda_release::model::Build::CloudBuild(build) = &from.build;
    assert_eq!((minutes(&build.appears_within), minutes(&build.finishes_within), build.location.as_str()), (5, 60, "global"));
}

#[test]
fn the_registry_decides_how_to_log_in() {
    let auth = |image: &str, registries: &str| {
        let text = minimal("registry.example/dev/web", image) + registries;
        load(&text).registries.iter().find(|it| image.starts_with(&it.host)).unwrap().auth.clone()
    };
    assert_eq!(auth("europe-docker.pkg.dev/p/r/web", ""), RegistryAuth::Google);
    assert_eq!(auth("eu.gcr.io/p/web", ""), RegistryAuth::Google);
    assert_eq!(auth("ghcr.io/p/web", ""), RegistryAuth::Anonymous);
    let elsewhere = "registries: [{ host: europe-docker.pkg.dev, endpoint: 'http://127.0.0.1:5000' }]\n";
    assert_eq!(auth("europe-docker.pkg.dev/p/r/web", elsewhere), RegistryAuth::Anonymous);
    let basic = "registries: [{ host: ghcr.io, auth: { basic: { username: bot, password: 'file:/run/pw' } } }]\n";
    let password = SecretRef::File("/run/pw".to_owned());
    assert_eq!(auth("ghcr.io/p/web", basic), RegistryAuth::Basic { username: "bot".to_owned(), password });
}

#[test]
fn bom_and_crlf_are_read_and_positions_stay_right() {
    let text = format!("\u{feff}{}", minimal("name: shop", "nam: shop").replace('\n', "\r\n"));
    let said = problems(&text);
    assert!(said.contains("pipeline.yaml:2:1") && said.contains("2 | nam: shop\n"), "{said}");
    assert!(said.contains("did you mean `name`?"), "{said}");
    load(&format!("\u{feff}{}", minimal("", "").replace('\n', "\r\n")));
}

#[test]
fn a_secret_is_never_echoed() {
    let secret = "ghp_0123456789";
    let spots = [
        ("repo: https://git.example/shop/app.git", format!("repo: https://bot:{secret}@git.example/shop/app.git")),
        ("repo: https://git.example/shop/app.git", format!("repo: https://git.example/shop/app.git\n  token: {secret}")),
        ("repo: https://git.example/shop/app.git", format!("repo: https://git.example/shop/app.git\n  token: \"{secret}\" # pw")),
        ("repo: https://git.example/shop/app.git", format!("repo: https://git.example/shop/app.git\n  token:\n    {secret}")),
        ("repo: https://git.example/shop/app.git", format!("repo: https://git.example/shop/app.git\n  token: |\n    {secret}\n    x")),
        ("repo: https://git.example/shop/app.git", format!("repo: https://git.example/shop/app.git\n  token: env:{secret}-x")),
        ("repo: https://git.example/shop/app.git", format!("{{ repo: 7, token: {secret}, x: y }}")),
        ("repo: https://git.example/shop/app.git", format!("repo: https://git.example/shop/app.git\n  token: [{secret}]")),
        ("repo: https://git.example/shop/app.git", format!("repo: https://git.example/shop/app.git\n  token: {secret}: x: y")),
        ("repo: https://git.example/shop/app.git", format!("repo: https://git.example/shop/app.git\n  tokn: {secret}")),
        ("name: shop", format!("name: shop\nledger: {{ sign: {secret} }}")),
        ("name: shop", format!("name: shop\nledger: {{ sign: {{ sshKey: '{secret}' }} }}")),
        (
            "name: shop",
            format!("name: shop\nregistries: [{{ host: registry.example, auth: {{ basic: {{ username: x, password: {secret} }} }} }}]"),
        ),
    ];
    for (from, to) in spots {
        let said = problems(&minimal(from, &to));
        assert!(!said.contains("0123456789"), "{to}:\n{said}");
    }
}

#[test]
fn an_alias_is_read_and_a_bomb_is_not() {
    let text = minimal("- rollout: {}\n", "- &gate\n        rollout: {}\n      - *gate\n");
    assert_eq!(load(&text).environments[0].gates.len(), 4);
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [below.as_str(); 9].join(", "));
    }
    assert!(problems(&bomb).contains("more than 20000 values"));
    assert!(problems("a: &a [*a]\n").contains("inside the node that it names"));
    assert!(problems(&"[".repeat(100_000)).contains("not YAML"));
}

#[test]
fn the_schema_in_the_repository_is_the_one_of_this_version() {
    let path = root().join("pipelines/pipeline.schema.json");
    if std::env::var_os("TOMODA_UPDATE").is_some() {
        fs::write(&path, config::schema()).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == config::schema(), "stale: run TOMODA_UPDATE=1 cargo test --test suite config::");
}

#[test]
fn the_guide_explains_every_key() {
    let guide = fs::read_to_string(root().join("pipelines/README.md")).unwrap();
    let schema: serde_json::Value = serde_json::from_str(&config::schema()).unwrap();
    let mut missing = Vec::new();
    let mut todo = vec![&schema];
    while let Some(value) = todo.pop() {
        if let Some(properties) = value.get("properties").and_then(|it| it.as_object()) {
            missing.extend(properties.keys().filter(|it| !guide.contains(&format!("`{it}`")) && !guide.contains(&format!(".{it}`"))));
        }
        match value {
            serde_json::Value::Object(it) => todo.extend(it.values()),
            serde_json::Value::Array(it) => todo.extend(it),
            _ => {}
        }
    }
    assert!(missing.is_empty(), "pipelines/README.md does not mention {missing:?}");
}

#[test]
fn the_only_pipeline_file_is_found() {
    let home = tempfile::tempdir().unwrap();
    let none = config::find(None, home.path()).unwrap_err();
    assert_eq!(none.kind(), Kind::Usage);
    let folder = home.path().join("pipelines");
    fs::create_dir(&folder).unwrap();
    for other in ["pipeline.schema.json", "README.md"] {
        fs::write(folder.join(other), "").unwrap();
    }
    fs::write(folder.join("a.yaml"), "").unwrap();
    assert_eq!(config::find(None, home.path()).unwrap(), folder.join("a.yaml"));
    fs::write(folder.join("b.yml"), "").unwrap();
    let several = config::find(None, home.path()).unwrap_err().to_string();
    assert!(several.contains("a.yaml") && several.contains("b.yml"), "{several}");
    let named = config::find(Some("x/c.yaml".as_ref()), home.path()).unwrap();
    assert_eq!(named, home.path().join("x/c.yaml"));
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_of_its_own() {
    let home = tempfile::tempdir().unwrap();
    let missing = config::load(&home.path().join("none.yaml")).unwrap_err();
    assert_eq!((missing.kind(), missing.exit_code()), (Kind::Config, 2));
    fs::write(home.path().join("big.yaml"), vec![b' '; 2 << 20]).unwrap();
    assert!(config::load(&home.path().join("big.yaml")).unwrap_err().chain().contains("larger than"));
    fs::write(home.path().join("latin.yaml"), b"name: caf\xe9\n").unwrap();
    assert!(config::load(&home.path().join("latin.yaml")).unwrap_err().chain().contains("not UTF-8"));
}
