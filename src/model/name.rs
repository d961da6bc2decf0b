//! The names a pipeline file gives to things, each a type of its own.

use std::fmt;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(String);

        impl $type {
            /// Accepts a DNS label: lower-case letters, digits and `-`, at most 63 characters.
            pub fn parse(text: &str) -> Result<Self, String> {
                let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
                let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
                if text.len() <= 63 && text.chars().all(inner) && edge(text.chars().next()) && edge(text.chars().last()) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(format!(
                        "“{text}” is not {}: use lower-case letters, digits and “-”, starting and ending with a letter or digit.",
                        $what
                    ))
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of a pipeline.
    PipelineName,
    "a pipeline name"
);
name!(
    /// The name of a component: one image and the workloads that run it.
    ComponentName,
    "a component name"
);
name!(
    /// The name of an environment: one overlay, its namespace, its gates.
    EnvName,
    "an environment name"
);
name!(
    /// The name of an Argo CD `Application`.
    ApplicationName,
    "the name of an Argo CD Application"
);
