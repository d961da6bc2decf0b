//! Durations as people write them: `90s`, `10m`, `1h30m`.

use std::time::Duration;

const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
/// Longer than any wait that is meant.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// Accepts whole numbers with the units `d`, `h`, `m`, `s`, the largest first, each at most once.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let bad = || format!("“{text}” is not a duration: write it as 90s, 10m or 1h30m.");
    let mut total: u64 = 0;
    let mut rest = text;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: u64 = rest[..digits].parse().map_err(|_| bad())?;
        let unit = rest[digits..].chars().next().ok_or_else(bad)?.to_string();
        // `find` goes on where the last unit was found, so that units come in order and once.
        let (_, seconds) = units.find(|(name, _)| *name == unit).ok_or_else(bad)?;
        total = number.checked_mul(*seconds).and_then(|it| total.checked_add(it)).ok_or_else(bad)?;
        rest = &rest[digits + unit.len()..];
    }
    match Duration::from_secs(total) {
        _ if text.is_empty() => Err(bad()),
        long if long > LONGEST => Err(format!("“{text}” is longer than 30 days, the longest that can be waited for.")),
        fine => Ok(fine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_what_people_write() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("1h30m", 5400), ("0s", 0), ("2d", 172_800), ("1h0m5s", 3605)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in ["", "10", "m", "1m1h", "1m1m", "-1s", "1.5h", "10 m", "1µs", "99999999999999999999s", "31d", "10ms", "1h30"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
