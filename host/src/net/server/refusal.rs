//! Why a request is refused before any handler sees it.

use axum::http::StatusCode;

/// A request that is not worth a handler. The connection closes after its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Not HTTP/1.0 or HTTP/1.1 as the RFCs have it; says what is wrong.
    Malformed(&'static str),
    /// `Content-Length` beside `Transfer-Encoding`: two parties would disagree on where the request
    /// ends, which is how requests are smuggled (RFC 9112, 6.3).
    TwoLengths,
    /// The request line does not fit into the head's bound.
    TargetTooLong,
    /// The head is longer than its bound.
    HeadTooLarge,
    /// More header fields than the bound.
    TooManyHeaders,
    /// The body is longer than its bound.
    BodyTooLarge,
    /// The body did not arrive in time.
    Timeout,
}

impl Refusal {
    /// The client has closed its side within a body.
    pub(super) const CUT_SHORT: Self = Self::Malformed("the body ends before its length");

    /// The status it is answered with.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::Malformed(_) | Refusal::TwoLengths => StatusCode::BAD_REQUEST,
            Refusal::TargetTooLong => StatusCode::URI_TOO_LONG,
            Refusal::HeadTooLarge | Refusal::TooManyHeaders => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Timeout => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// What is wrong, for a person.
    pub fn detail(self) -> &'static str {
        match self {
            Refusal::Malformed(what) => what,
            Refusal::TwoLengths => "Content-Length and Transfer-Encoding in one request",
            Refusal::TargetTooLong => "the request line does not fit into the longest head taken",
            Refusal::HeadTooLarge => "the request's head is longer than the longest taken",
            Refusal::TooManyHeaders => "the request has more header fields than are taken",
            Refusal::BodyTooLarge => "the request's body is longer than the longest taken",
            Refusal::Timeout => "the request did not arrive in time",
        }
    }
}
