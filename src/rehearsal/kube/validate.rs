//! What the API server fills into an object, and what it refuses.

use serde_json::{Value, json};

use super::kind::qualify;
use super::refusal::{Cause, Refusal};
use super::store::Key;

/// The object with the defaults that a Deployment has.
pub fn defaulted(mut object: Value) -> Value {
    if object["kind"] != "Deployment" {
        return object;
    }
    let spec = &mut object["spec"];
    fill(spec, "replicas", json!(1));
    fill(spec, "revisionHistoryLimit", json!(10));
    fill(spec, "progressDeadlineSeconds", json!(600));
    fill(spec, "strategy", json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } }));
    let pod = &mut spec["template"]["spec"];
    fill(pod, "restartPolicy", json!("Always"));
    fill(pod, "terminationGracePeriodSeconds", json!(30));
    fill(pod, "dnsPolicy", json!("ClusterFirst"));
    fill(pod, "securityContext", json!({}));
    fill(pod, "schedulerName", json!("default-scheduler"));
    for container in pod["containers"].as_array_mut().into_iter().flatten() {
        let image = container["image"].as_str().unwrap_or_default();
        let moving = image.ends_with(":latest") || !image.rsplit('/').next().is_some_and(|it| it.contains([':', '@']));
        fill(container, "imagePullPolicy", json!(if moving { "Always" } else { "IfNotPresent" }));
        fill(container, "resources", json!({}));
        fill(container, "terminationMessagePath", json!("/dev/termination-log"));
        fill(container, "terminationMessagePolicy", json!("File"));
    }
    object
}

fn fill(object: &mut Value, field: &str, value: Value) {
    if object.get(field).is_none() {
        object[field] = value;
    }
}

/// Refuses an object that the API server would refuse in place of `before`.
pub fn refuse_invalid(before: Option<&Value>, after: &Value) -> Result<(), Refusal> {
    if after["kind"] != "Deployment" {
        return Ok(());
    }
    let mut causes = Vec::new();
    let mut wrong = |field: &str, value: &Value, why: &str| {
        causes.push(Cause { field: field.to_owned(), reason: "FieldValueInvalid", message: format!("Invalid value: {value}: {why}") });
    };
    let (spec, selector) = (&after["spec"], &after["spec"]["selector"]);
    let labels = &spec["template"]["metadata"]["labels"];
    if !super::LabelSelector::matching(&selector["matchLabels"]).selects_labels(labels) {
        wrong("spec.template.metadata.labels", labels, "`selector` does not match template `labels`");
    }
    if before.is_some_and(|it| it["spec"]["selector"] != *selector) {
        wrong("spec.selector", selector, "field is immutable");
    }
    if spec["replicas"].as_i64().is_none_or(|it| it < 0) {
        wrong("spec.replicas", &spec["replicas"], "must be greater than or equal to 0");
    }
    if spec["template"]["spec"]["containers"].as_array().is_none_or(Vec::is_empty) {
        let message = "Required value".to_owned();
        causes.push(Cause { field: "spec.template.spec.containers".to_owned(), reason: "FieldValueRequired", message });
    }
    let key = Key::of(after);
    if causes.is_empty() { Ok(()) } else { Err(Refusal::invalid(&qualify(&key.kind, &key.group), &key.name, &causes)) }
}
