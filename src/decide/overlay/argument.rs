//! One argument of `set-image`, in the words of `kustomize edit set image`: `name=newName:tag@digest`.

use super::entries::without_version;
use super::{Edit, Field};
use crate::error::{Error, Result};
use crate::model::{Digest, Repository, Tag};

/// What stands for “leave this as it is”.
const KEEP: &str = "*";

/// Reads `name=newName:tag@digest`, `name:tag@digest`, `name=newName`, `name:tag` or `name@digest`.
///
/// `*` keeps a part, and so does leaving it out, with one exception: a tag alone takes the digest away, which would
/// otherwise go on deciding what runs.
pub fn parse(argument: &str) -> Result<Edit> {
    let wrong = |why: String| {
        Error::usage(format!("“{}” is not an image to set: {why}.", argument.escape_debug()))
            .hint("NAME[=NEWNAME][:TAG][@DIGEST], “*” keeps a part")
    };
    let (name, reference) = argument.split_once('=').map_or((None, argument), |(name, reference)| (Some(name), reference));
    let (reference, digest) = reference.split_once('@').map_or((reference, None), |(rest, digest)| (rest, Some(digest)));
    let image = without_version(reference);
    let tag = reference.strip_prefix(image).and_then(|it| it.strip_prefix(':'));
    let edit = Edit {
        image: name.unwrap_or(image).to_owned(),
        new_name: if name.is_some() { set(image, new_name).map_err(wrong)? } else { Field::Keep },
        new_tag: tag.map_or(Ok(Field::Keep), |it| set(it, |it| Tag::parse(it).map(drop))).map_err(wrong)?,
        digest: digest.map_or(Ok(Field::Keep), |it| set(it, |it| Digest::parse(it).map(drop))).map_err(wrong)?,
        create: false,
    };
    image_name(&edit.image).map_err(wrong)?;
    match (&edit.new_name, &edit.new_tag, digest) {
        (_, Field::Set(_), None) => Ok(Edit { digest: Field::Remove, ..edit }),
        (Field::Keep, Field::Keep, _) if edit.digest == Field::Keep => {
            Err(wrong("it sets neither a new name, nor a tag, nor a digest".to_owned()))
        }
        _ => Ok(edit),
    }
}

fn set(value: &str, valid: impl Fn(&str) -> Result<(), String>) -> Result<Field, String> {
    match value {
        KEEP => Ok(Field::Keep),
        "" => Err("a part of it is empty".to_owned()),
        _ => valid(value).map(|()| Field::Set(value.to_owned())).map_err(|why| why.trim_end_matches('.').to_owned()),
    }
}

fn new_name(value: &str) -> Result<(), String> {
    Repository::parse(value).map(drop)
}

/// The name in the manifests may be a placeholder: anything that is one word and has no tag.
fn image_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name == KEEP {
        Err("it names no image".to_owned())
    } else if name.chars().any(|c| c.is_whitespace() || c.is_control() || "\"'`{}[],#&*!|>%\\".contains(c)) {
        Err("the name has characters that no image name has".to_owned())
    } else if without_version(name) != name {
        Err(format!("the name “{name}” has a tag or digest; kustomize matches names without"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(fill: char) -> String {
        format!("sha256:{}", String::from(fill).repeat(64))
    }

    /// `-` stands for a part that is kept, `x` for one that is removed.
    fn parts(argument: &str) -> [String; 4] {
        let shown = |it: Field| match it {
            Field::Keep => "-".to_owned(),
            Field::Remove => "x".to_owned(),
            Field::Set(it) => it,
        };
        let it = parse(argument).unwrap_or_else(|error| panic!("{argument}: {error}"));
        [it.image, shown(it.new_name), shown(it.new_tag), shown(it.digest)]
    }

    #[test]
    fn arguments_are_read_as_kustomize_reads_them() {
        let a = digest('a');
        let cases: &[(&str, [&str; 4])] = &[
            ("ghcr.io:1234/foo/foo:123", ["ghcr.io:1234/foo/foo", "-", "123", "x"]),
            ("ghcr.io:1234/foo/foo=1234.foo.com:9876/bar:123", ["ghcr.io:1234/foo/foo", "1234.foo.com:9876/bar", "123", "x"]),
            ("classic-web=registry:5000/classic-web", ["classic-web", "registry:5000/classic-web", "-", "-"]),
            (&format!("acme/app@{a}"), ["acme/app", "-", "-", &a]),
            (&format!("app:v1@{a}"), ["app", "-", "v1", &a]),
            (&format!("app=r/app:v1@{a}"), ["app", "r/app", "v1", &a]),
            ("app=*:v2", ["app", "-", "v2", "x"]),
            ("app=new:*", ["app", "new", "-", "-"]),
            (&format!("app=*:*@{a}"), ["app", "-", "-", &a]),
            ("app:v2@*", ["app", "-", "v2", "-"]),
            ("MY_APP=r/app:v1", ["MY_APP", "r/app", "v1", "x"]),
        ];
        for (argument, expected) in cases {
            assert_eq!(parts(argument), *expected, "{argument}");
        }
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let short = "app@sha256:abc";
        for it in [
            "bad args",
            "app",
            "host:5000/x",
            "",
            "=x",
            "app=",
            "app=:v1",
            "app:",
            "app@",
            short,
            "app=*",
            "app:*",
            "app=R/App:v1",
            "app:v1=b:v2",
            "app:a b",
            "*:v1",
            "app=x:.v",
            "app:v1:v2",
        ] {
            let error = parse(it).expect_err(it);
            assert_eq!(error.exit_code(), 2);
        }
    }
}
