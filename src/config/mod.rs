//! Pipeline files: from YAML to [`Pipeline`](crate::model::Pipeline), or every problem at once.
