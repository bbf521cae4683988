//! Bodies from outside, read up to a bound.

use std::error::Error;
use std::io;

use halcyon_core::text::printable;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::connect::reason;

/// The whole body, if it has at most `max` bytes.
pub(crate) async fn read(body: &mut Incoming, max: usize) -> Result<Vec<u8>, String> {
    let too_long = || format!("the answer is longer than {} KiB", max / 1024);
    if body.size_hint().lower() > max as u64 {
        return Err(too_long());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|why| explain(&why))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        if bytes.len() + data.len() > max {
            return Err(too_long());
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

/// What hyper has to say, as one short line.
pub(crate) fn explain(why: &hyper::Error) -> String {
    if let Some(io) = why
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>())
    {
        return reason(io);
    }
    if why.is_incomplete_message() {
        return "closed before the answer was complete".into();
    }
    if why.is_parse_too_large() {
        return "the answer's head is longer than 64 KiB".into();
    }
    if why.is_parse() {
        return "the answer is not HTTP/1".into();
    }
    printable(&why.to_string().chars().take(160).collect::<String>())
}
