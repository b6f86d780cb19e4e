//! `Date` in the one form that RFC 9110 lets a server send: IMF-fixdate, `Sun, 06 Nov 1994 08:49:37
//! GMT`.

use std::time::{SystemTime, UNIX_EPOCH};

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How far a cached date may lag behind the clock of this process, and a little for a busy machine.
const DRIFT_SECONDS: u64 = 5;

/// Checks form and value: the text is the one spelling of a moment that is now.
pub(crate) fn check_date(text: &str) -> Result<(), String> {
    let seconds = parse(text).ok_or_else(|| format!("Date is no IMF-fixdate: {text:?}"))?;
    let now =
        SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_secs();
    if seconds.abs_diff(now) > DRIFT_SECONDS {
        return Err(format!("Date is not the time of day ({now}): {text:?}"));
    }
    Ok(())
}

fn parse(text: &str) -> Option<u64> {
    let form = "www, dd mmm dddd dd:dd:dd GMT";
    let fits = |(byte, shape): (u8, u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        b'w' | b'm' => byte.is_ascii_alphabetic(),
        _ => byte == shape,
    };
    if text.len() != form.len() || !text.bytes().zip(form.bytes()).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| text[from..to].parse::<u64>().ok();
    let day = number(5, 7)?;
    let month = MONTHS.iter().position(|name| *name == &text[8..11])? as u64 + 1;
    let days = days_since_1970(number(12, 16)?, month, day)?;
    let (hour, minute, second) = (number(17, 19)?, number(20, 22)?, number(23, 25)?);
    if hour > 23 || minute > 59 || second > 60 || WEEKDAYS[(days % 7) as usize] != &text[..3] {
        return None;
    }
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Counts year by year and month by month: slow, and plain enough to be right.
fn days_since_1970(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let length = |month: u64| match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if year < 1970 || day == 0 || day > length(month) {
        return None;
    }
    let years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: u64 = (1..month).map(length).sum();
    Some(years + months + day - 1)
}

#[test]
fn dates_are_read() {
    assert_eq!(parse("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    assert_eq!(parse("Thu, 29 Feb 2024 23:59:59 GMT"), Some(1_709_251_199));
    assert_eq!(parse("Mon, 06 Nov 1994 08:49:37 GMT"), None, "the wrong day of the week");
    assert_eq!(parse("Sun, 6 Nov 1994 08:49:37 GMT"), None, "one digit");
    assert_eq!(parse("Sunday, 06-Nov-94 08:49:37 GMT"), None, "the obsolete form");
}
