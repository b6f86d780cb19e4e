//! `Status`: which HTTP status answers what. Every frontend takes them from here.

use crate::{error::Error, route::RouteError};

/// The statuses that gocache answers with (RFC 9110, 15; RFC 6585).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the RFCs")]
pub enum Status {
    Ok,
    NoContent,
    PartialContent,
    NotModified,
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    LengthRequired,
    PreconditionFailed,
    ContentTooLarge,
    UriTooLong,
    UnsupportedMediaType,
    RangeNotSatisfiable,
    RequestHeaderFieldsTooLarge,
    InternalServerError,
    NotImplemented,
    BadGateway,
    ServiceUnavailable,
    GatewayTimeout,
    HttpVersionNotSupported,
}

impl Status {
    /// The code.
    #[must_use]
    pub const fn code(self) -> u16 {
        self.parts().0
    }

    /// The reason phrase.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.parts().1
    }

    const fn parts(self) -> (u16, &'static str) {
        match self {
            Self::Ok => (200, "OK"),
            Self::NoContent => (204, "No Content"),
            Self::PartialContent => (206, "Partial Content"),
            Self::NotModified => (304, "Not Modified"),
            Self::BadRequest => (400, "Bad Request"),
            Self::Unauthorized => (401, "Unauthorized"),
            Self::Forbidden => (403, "Forbidden"),
            Self::NotFound => (404, "Not Found"),
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::RequestTimeout => (408, "Request Timeout"),
            Self::LengthRequired => (411, "Length Required"),
            Self::PreconditionFailed => (412, "Precondition Failed"),
            Self::ContentTooLarge => (413, "Content Too Large"),
            Self::UriTooLong => (414, "URI Too Long"),
            Self::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Self::RangeNotSatisfiable => (416, "Range Not Satisfiable"),
            Self::RequestHeaderFieldsTooLarge => (431, "Request Header Fields Too Large"),
            Self::InternalServerError => (500, "Internal Server Error"),
            Self::NotImplemented => (501, "Not Implemented"),
            Self::BadGateway => (502, "Bad Gateway"),
            Self::ServiceUnavailable => (503, "Service Unavailable"),
            Self::GatewayTimeout => (504, "Gateway Timeout"),
            Self::HttpVersionNotSupported => (505, "HTTP Version Not Supported"),
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        match error {
            Error::KeyTooLong { .. } => Self::UriTooLong,
            Error::NotFound | Error::NoSuchGroup => Self::NotFound,
            Error::TooLarge => Self::ContentTooLarge,
            Error::Failed => Self::BadGateway,
            Error::TimedOut => Self::GatewayTimeout,
            Error::Panicked => Self::InternalServerError,
            Error::Busy | Error::OutOfMemory => Self::ServiceUnavailable,
        }
    }
}

impl From<RouteError> for Status {
    fn from(error: RouteError) -> Self {
        match error {
            RouteError::OutsideBase => Self::NotFound,
            RouteError::NoGroup
            | RouteError::NoKey
            | RouteError::BadEscape(_)
            | RouteError::Control(_) => Self::BadRequest,
            RouteError::OutOfMemory => Self::ServiceUnavailable,
        }
    }
}
