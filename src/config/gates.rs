//! The gates of an environment.

use std::ops::Range;

use crate::model::{ApplicationName, ComponentName, GateSpec, HttpGate};

use super::{
    check::{self, Check},
    defaults, duration, file,
    read::{At, Field},
};

/// All gates, in order; `None` when one of them is wrong.
pub(super) fn all(check: &mut Check<'_>, list: Vec<Field<file::Gate>>, components: &[ComponentName]) -> Option<Vec<GateSpec>> {
    let gates: Vec<Option<GateSpec>> = list
        .into_iter()
        .map(|it| match it {
            Field::Given(gate) => one(check, gate, components),
            _ => None,
        })
        .collect();
    gates.into_iter().collect()
}

fn one(check: &mut Check<'_>, gate: At<file::Gate>, components: &[ComponentName]) -> Option<GateSpec> {
    let At { value: gate, at } = gate;
    match (gate.argocd, gate.rollout, gate.http, gate.soak) {
        (Field::Given(it), Field::Absent, Field::Absent, Field::Absent) => argocd(check, it),
        (Field::Absent, Field::Given(it), Field::Absent, Field::Absent) => {
            Some(GateSpec::Rollout { within: check.time(it.value.within, defaults::ROLLOUT_WITHIN)? })
        }
        (Field::Absent, Field::Absent, Field::Given(it), Field::Absent) => http(check, it, components).map(GateSpec::Http),
        (Field::Absent, Field::Absent, Field::Absent, Field::Given(it)) => soak(check, &it),
        (Field::Bad, Field::Absent, Field::Absent, Field::Absent)
        | (Field::Absent, Field::Bad, Field::Absent, Field::Absent)
        | (Field::Absent, Field::Absent, Field::Bad, Field::Absent)
        | (Field::Absent, Field::Absent, Field::Absent, Field::Bad) => None,
        (Field::Absent, Field::Absent, Field::Absent, Field::Absent) => {
            nothing(check, &at);
            None
        }
        _ => {
            check.wrong_with(&at, "this gate asks several questions at once", "make each of them an item of the list");
            None
        }
    }
}

/// A gate without a question that this version can ask. When an unknown one was noted, that says it already.
fn nothing(check: &mut Check<'_>, at: &Range<usize>) {
    if !check.noted_inside(at) {
        check.wrong_with(at, "this gate asks nothing", "it needs one of `argocd`, `rollout`, `http`, `soak`");
    }
}

fn argocd(check: &mut Check<'_>, gate: At<file::ArgoCd>) -> Option<GateSpec> {
    let At { value: gate, at } = gate;
    let application = check.needed(&at, "application", gate.application, ApplicationName::parse);
    let namespace = check.or(gate.namespace, defaults::ARGOCD_NAMESPACE.to_owned(), check::object_name);
    let within = check.time(gate.within, defaults::ARGOCD_WITHIN);
    Some(GateSpec::ArgoCd { application: application?, namespace: namespace?, within: within? })
}

fn soak(check: &mut Check<'_>, given: &At<String>) -> Option<GateSpec> {
    let period = check.parse(given, duration::parse)?;
    if period.is_zero() {
        check.wrong_with(&given.at, "a soak of nothing proves nothing", "say for how long, as 10m, or take the gate out");
        return None;
    }
    Some(GateSpec::Soak { period })
}

fn http(check: &mut Check<'_>, gate: At<file::Http>, components: &[ComponentName]) -> Option<HttpGate> {
    let At { value: gate, at } = gate;
    let url = check.needed(&at, "url", gate.url, check::http_url);
    let status = match gate.status {
        Field::Absent => Some(defaults::HTTP_STATUS),
        Field::Bad => None,
        Field::Given(it) if (100..600).contains(&it.value) => Some(it.value),
        Field::Given(it) => {
            check.wrong(&it.at, format!("{} is not an HTTP status", it.value));
            None
        }
    };
    let json = match gate.json {
        Field::Absent => Some(Vec::new()),
        Field::Bad => None,
        Field::Given(it) => {
            it.value.0.into_iter().map(|(pointer, text)| json(check, &pointer, text)).collect::<Vec<_>>().into_iter().collect()
        }
    };
    let component = match gate.component {
        Field::Absent => Some(None),
        Field::Bad => None,
        Field::Given(it) => component(check, &it, components).map(Some),
    };
    let within = check.time(gate.within, defaults::HTTP_WITHIN);
    Some(HttpGate { url: url?, status: status?, json: json?, component: component?, within: within? })
}

fn component(check: &mut Check<'_>, given: &At<String>, components: &[ComponentName]) -> Option<ComponentName> {
    let found = components.iter().find(|it| it.as_str() == given.value).cloned();
    if found.is_none() {
        check.unknown("component", given, &components.iter().map(ComponentName::as_str).collect::<Vec<_>>());
    }
    found
}

/// A JSON pointer and the text it should lead to.
fn json(check: &mut Check<'_>, pointer: &At<String>, text: Field<String>) -> Option<(String, String)> {
    if !(pointer.value.is_empty() || pointer.value.starts_with('/')) {
        let remedy = format!("a JSON pointer starts with a slash: /{}", pointer.value.replace('.', "/"));
        check.wrong_with(&pointer.at, format!("`{}` is not a JSON pointer", pointer.value), remedy);
        return None;
    }
    let Field::Given(text) = text else { return None };
    let placeholder = regex::Regex::new(r"\{(\w+)\}").expect("it compiles");
    let known = ["tag", "version", "commit", "digest"];
    for found in placeholder.captures_iter(&text.value) {
        if !known.contains(&&found[1]) {
            let given = At { value: found[0].to_owned(), at: text.at.clone() };
            check.unknown("placeholder", &given, &["{tag}", "{version}", "{commit}", "{digest}"]);
            return None;
        }
    }
    Some((pointer.value.clone(), text.value))
}
