//! `CacheStatus`: how a request came by its answer, in the words of RFC 9211.

/// How a request came by its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStatus {
    /// From memory.
    Hit,
    /// It was the first to ask.
    Miss,
    /// It waited for the load of another.
    Collapsed,
}

impl CacheStatus {
    /// The field `Cache-Status` of an answer that has a value.
    #[must_use]
    pub const fn of_value(self) -> &'static str {
        match self {
            Self::Hit => "gocache; hit",
            Self::Miss => "gocache; fwd=uri-miss",
            Self::Collapsed => "gocache; fwd=uri-miss; collapsed",
        }
    }

    /// The same where the origin has no such key. That is an answer of the origin, and says so: a
    /// peer tells by this field that it need not ask anybody else.
    #[must_use]
    pub const fn of_none(self) -> &'static str {
        match self {
            Self::Hit => "gocache; hit",
            Self::Miss => "gocache; fwd=uri-miss; fwd-status=404",
            Self::Collapsed => "gocache; fwd=uri-miss; fwd-status=404; collapsed",
        }
    }
}
