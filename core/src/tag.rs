//! Entity-tags (RFC 9110, 8.8.3), and the lists and numbers of which fields of HTTP are made.

/// The entity-tag of a value of this digest: a strong one, quotes included.
#[inline]
#[must_use]
pub fn etag(digest: u64) -> [u8; 18] {
    let mut tag = [b'"'; 18];
    tag[1..9].copy_from_slice(&hexadecimal((digest >> 32) as u32));
    tag[9..17].copy_from_slice(&hexadecimal(digest as u32));
    tag
}

/// Eight digits at once: a byte for each, spread out by halves, then raised to its character.
const fn hexadecimal(number: u32) -> [u8; 8] {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut digits = number as u64;
    digits = (digits << 16 | digits) & 0x0000_ffff_0000_ffff;
    digits = (digits << 8 | digits) & 0x00ff_00ff_00ff_00ff;
    digits = (digits << 4 | digits) & 0x0f0f_0f0f_0f0f_0f0f;
    let letters = ((digits + ONES * 6) >> 4) & ONES;
    (digits + ONES * b'0' as u64 + letters * (b'a' - b'9' - 1) as u64).to_be_bytes()
}

/// Whether an If-None-Match names the value of this digest (RFC 9110, 13.1.2): the weak comparison,
/// or `*` for any value at all.
#[must_use]
pub fn matches(if_none_match: &[u8], digest: u64) -> bool {
    let tag = etag(digest);
    // A comma may stand inside a tag of somebody else's; cut there it matches none of ours.
    list(if_none_match).any(|each| each == b"*" || each.strip_prefix(b"W/").unwrap_or(each) == tag)
}

/// The elements of a comma-separated list (RFC 9110, 5.6.1), empty ones left out.
pub fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// One digit or more. What does not fit is as large as can be.
#[must_use]
pub fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let append = |number: u64, &digit: &u8| {
        number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    };
    Some(digits.iter().fold(0, append))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn digits_are_hexadecimal() {
        for number in [0, 1, 0x0123_4567, 0x89ab_cdef, 0x9a9a_9a9a, u32::MAX] {
            assert_eq!(hexadecimal(number).as_slice(), format!("{number:08x}").as_bytes());
        }
    }

    #[test]
    fn if_none_match_is_a_list_of_tags_compared_weakly() {
        let digest = 0xabc;
        for list in
            ["\"0000000000000abc\"", "W/\"0000000000000abc\"", "\"x\" , \"0000000000000abc\"", "*"]
        {
            assert!(matches(list.as_bytes(), digest), "{list}");
        }
        for list in
            ["", "0000000000000abc", "\"0000000000000ABC\"", "w/\"0000000000000abc\"", "\"*\""]
        {
            assert!(!matches(list.as_bytes(), digest), "{list}");
        }
    }
}
