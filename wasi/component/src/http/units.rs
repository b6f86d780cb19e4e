//! Sizes and durations as people write them.

use core::time::Duration;

/// A number of bytes: `4096`, `64 MiB`, `1 GB`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit, "") = step(text)? else { return None };
    let thousands = |power| 1_000_u64.pow(power);
    let factor = match &*unit.to_ascii_lowercase() {
        "" | "b" => 1,
        "k" | "kb" => thousands(1),
        "m" | "mb" => thousands(2),
        "g" | "gb" => thousands(3),
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// A time: `250ms`, `10m`, `1h 30m`.
pub(super) fn period(text: &str) -> Option<Duration> {
    let (mut sum, mut rest) = (Duration::ZERO, text);
    loop {
        let (number, unit, after) = step(rest)?;
        let millis = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        sum = sum.checked_add(Duration::from_millis(number.checked_mul(millis)?))?;
        rest = after;
        if rest.is_empty() {
            return Some(sum);
        }
    }
}

/// A number, the letters behind it, and what comes then.
fn step(text: &str) -> Option<(u64, &str, &str)> {
    let text = text.trim();
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let end = rest.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    Some((digits.parse().ok()?, unit, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_thousands_or_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            (" 64 MiB ", 64 << 20),
            ("64mib", 64 << 20),
            ("1 GB", 1_000_000_000),
            ("2k", 2_000),
            ("7 B", 7),
        ] {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "-1", "1.5 MiB", "1 TiB", "1 MiB 2", "99999999999999999999", "1 é"]
        {
            assert_eq!(size(text), None, "{text}");
        }
        assert_eq!(size("99999999999 GiB"), None, "it overflows");
    }

    #[test]
    fn periods_are_sums() {
        for (text, millis) in [
            ("250ms", 250),
            ("10m", 600_000),
            ("1h 30m", 5_400_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
        ] {
            assert_eq!(period(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "s", "5 weeks", "1h,", "-1s", "99999999999999999999s"] {
            assert_eq!(period(text), None, "{text}");
        }
        assert_eq!(period("9999999999999999999d"), None, "it overflows");
    }
}
