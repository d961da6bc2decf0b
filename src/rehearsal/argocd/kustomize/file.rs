//! The kustomization file: the fields that are done here, the fields that kustomize knows, and everything else.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// A kustomization that this kustomize can build.
#[derive(Debug, Default)]
pub(super) struct Kustomization {
    pub(super) resources: Vec<String>,
    pub(super) namespace: Option<String>,
    pub(super) labels: Vec<LabelSet>,
    pub(super) common_annotations: BTreeMap<String, String>,
    pub(super) images: Vec<ImageChange>,
    pub(super) replicas: Vec<Replicas>,
    pub(super) patches: Vec<Patch>,
}

/// Labels, and where they go.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LabelSet {
    #[serde(default)]
    pub(super) pairs: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) include_selectors: bool,
    #[serde(default)]
    pub(super) include_templates: bool,
}

/// One entry of `images`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ImageChange {
    pub(super) name: String,
    #[serde(default)]
    pub(super) new_name: String,
    #[serde(default)]
    pub(super) new_tag: String,
    #[serde(default)]
    pub(super) tag_suffix: String,
    #[serde(default)]
    pub(super) digest: String,
}

/// One entry of `replicas`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replicas {
    pub(super) name: String,
    pub(super) count: u64,
}

/// One entry of `patches`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Patch {
    #[serde(default)]
    pub(super) path: String,
    #[serde(default)]
    pub(super) patch: String,
    #[serde(default)]
    pub(super) target: Option<Target>,
    #[serde(default, rename = "options")]
    _options: Option<BTreeMap<String, bool>>,
}

/// Which objects a patch is for: regular expressions that have to match the whole name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Target {
    #[serde(default)]
    pub(super) group: String,
    #[serde(default)]
    pub(super) version: String,
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    pub(super) label_selector: String,
}

/// What kustomize knows and this one does not do.
const NOT_DONE: &[&str] = &[
    "bases",
    "buildMetadata",
    "components",
    "configMapGenerator",
    "configurations",
    "crds",
    "generatorOptions",
    "generators",
    "helmCharts",
    "helmGlobals",
    "namePrefix",
    "nameSuffix",
    "openapi",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "secretGenerator",
    "transformers",
    "validators",
    "vars",
];

impl Kustomization {
    /// Reads a kustomization file.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let invalid = |why: String| format!("invalid Kustomization: {why}");
        let document: Value = serde_yaml::from_str(text).map_err(|why| invalid(format!("yaml: {why}")))?;
        let fields = match &document {
            Value::Object(fields) if !fields.is_empty() => fields,
            _ => return Err("kustomization.yaml is empty".to_owned()),
        };
        let mut result = Self::default();
        for (name, value) in fields {
            let wrong = |why: serde_json::Error| invalid(format!("{name}: {why}"));
            match name.as_str() {
                "apiVersion" | "kind" | "metadata" | "sortOptions" => {}
                "resources" => result.resources = list(value).map_err(wrong)?,
                "namespace" => result.namespace = value.as_str().map(str::to_owned),
                "images" => result.images = list(value).map_err(wrong)?,
                "replicas" => result.replicas = list(value).map_err(wrong)?,
                "patches" => result.patches = list(value).map_err(wrong)?,
                "labels" => result.labels.extend(list::<LabelSet>(value).map_err(wrong)?),
                "commonLabels" => {
                    let pairs = serde_json::from_value(value.clone()).map_err(wrong)?;
                    result.labels.push(LabelSet { pairs, include_selectors: true, include_templates: true });
                }
                "commonAnnotations" => result.common_annotations = serde_json::from_value(value.clone()).map_err(wrong)?,
                it if NOT_DONE.contains(&it) => return Err(format!("the rehearsal's own kustomize does not do “{it}”")),
                it => return Err(invalid(format!("json: unknown field \"{it}\""))),
            }
        }
        Ok(result)
    }
}

fn list<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<Vec<T>, serde_json::Error> {
    if value.is_null() { Ok(Vec::new()) } else { serde_json::from_value(value.clone()) }
}
