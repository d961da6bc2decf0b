//! How a value is written: plain where every YAML reader sees text, quoted where one would see something else.

use super::layout::Form;

/// Writes a value in the form that is there; plain only where that is safe.
pub(super) fn render(value: &str, form: Form) -> String {
    match form {
        Form::Single => format!("'{}'", value.replace('\'', "''")),
        Form::Double => double(value),
        _ if is_plain_safe(value) => value.to_owned(),
        _ => double(value),
    }
}

fn double(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Whether every reader, of YAML 1.1 or 1.2, in a list, a mapping or JSON-like braces, sees this very text.
pub(super) fn is_plain_safe(value: &str) -> bool {
    let edge = |it: Option<char>| it.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let inner = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
    edge(value.chars().next())
        && !value.ends_with(':')
        && value.chars().all(inner)
        && reads_as_text(value)
        && !is_date(value)
        && !is_base60(value)
}

/// Whether kustomize reads this, unquoted, as text and not as a number, a truth value or nothing.
pub(super) fn reads_as_text(value: &str) -> bool {
    const WORDS: [&str; 14] = ["", "~", "null", "y", "n", "yes", "no", "on", "off", "true", "false", "nan", "inf", "infinity"];
    let word = value.trim_start_matches(['+', '-', '.']).to_ascii_lowercase();
    !WORDS.contains(&word.as_str()) && !is_number(value)
}

/// A number of YAML 1.1 or 1.2: with signs, bases, underscores, a point, an exponent.
fn is_number(value: &str) -> bool {
    let digits: String = value.chars().filter(|it| *it != '_').collect::<String>().to_ascii_lowercase();
    let digits = digits.trim_start_matches(['+', '-']);
    let of_base =
        |prefix: &str, base: u32| digits.strip_prefix(prefix).is_some_and(|it| !it.is_empty() && it.chars().all(|c| c.is_digit(base)));
    if of_base("0x", 16) || of_base("0o", 8) || of_base("0b", 2) {
        return true;
    }
    let (mantissa, exponent) = digits.split_once('e').map_or((digits, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all = |it: &str| it.chars().all(|c| c.is_ascii_digit());
    let exponent_ok = exponent.is_none_or(|it| {
        let it = it.trim_start_matches(['+', '-']);
        !it.is_empty() && all(it)
    });
    all(whole) && all(part) && !(whole.is_empty() && part.is_empty()) && exponent_ok
}

/// `2024-01-01`, alone or before a time of day.
fn is_date(value: &str) -> bool {
    let mut parts = value.splitn(3, '-');
    let (year, month, day) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let digits = |it: &str, most: usize| !it.is_empty() && it.len() <= most && it.chars().all(|c| c.is_ascii_digit());
    let day_end = day.find(|c: char| !c.is_ascii_digit()).unwrap_or(day.len());
    let time = day[day_end..].chars().next().is_none_or(|c| "tT ".contains(c));
    year.len() == 4 && digits(year, 4) && digits(month, 2) && digits(&day[..day_end], 2) && time
}

/// `12:30`, `190:20:30.5`: a number to the base of sixty in YAML 1.1.
fn is_base60(value: &str) -> bool {
    value.contains(':') && value.chars().all(|c| c.is_ascii_digit() || ":._".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_some_reader_takes_for_something_else_is_not_plain() {
        let other = "123 1e3 0x1f 1.10 true null ~ 2024-01-01 0o7 12:30 1_000 1_000.5 yes No ON off y N .inf .NaN -1 +1 0b11 014 1.0 1234e567 \
            190:20:30 << = 12345678901234567890123 5. .5 6.0e10 1e5 12e03 00123 nan NULL 0X1F 1E-5 2024-1-1T10 Infinity app: - -a # @x *a &a !a |a %a";
        for it in other.split_whitespace().chain(["", " a", "a b", "a #b", "a: b", "a,b", "{a}", "[a"]) {
            assert!(!is_plain_safe(it), "{it:?}");
            assert_eq!(serde_yaml::from_str::<String>(&render(it, Form::Plain)).unwrap(), it);
        }
    }

    #[test]
    fn tags_that_everyone_reads_as_text_stay_plain() {
        for it in "v1 v1.2.3 1.2.3 1.10.0 dev-0000000 9e15f2a deadbeef 0abc latest 2024.01.01 20240101-1 1.2.3-rc.1 main_7 r/app host:5000/x/app 1.0a".split(' ') {
            assert!(is_plain_safe(it), "{it}");
        }
        assert!(is_plain_safe(&format!("sha256:{}", "0".repeat(64))));
    }
}
