//! Entity-tags (RFC 9110, 8.8.3), and the lists and numbers of which fields of HTTP are made.

/// The entity-tag of a value of this digest: a strong one, quotes included.
#[inline]
#[must_use]
pub fn etag(digest: u64) -> [u8; 18] {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut tag = [b'"'; 18];
    for (digits, byte) in tag[1..17].as_chunks_mut().0.iter_mut().zip(digest.to_be_bytes()) {
        *digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
    }
    tag
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
