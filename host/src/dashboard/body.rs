//! Bodies of requests: read to an end that is near and soon, and said everything wrong with.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use halcyon_core::document::{Document, nearest};
use halcyon_core::text::Seen;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::health::answers::problem;

/// The most bytes of a body that changes something.
pub(super) const SMALL: usize = 64 * 1024;

/// The most bytes of one that asks about many tenants.
pub(super) const LARGE: usize = 1024 * 1024;

/// How long a body may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one waits for its turn to be read.
const TURN: Duration = Duration::from_secs(3);

/// Waits for one of so many turns, where bodies are long: `what` come at once otherwise.
pub(super) async fn turn(
    turns: &Arc<Semaphore>,
    what: &str,
) -> Result<OwnedSemaphorePermit, Response> {
    let turn = tokio::time::timeout(TURN, turns.clone().acquire_owned()).await;
    if let Ok(Ok(turn)) = turn {
        return Ok(turn);
    }
    let mut answer = problem(
        StatusCode::SERVICE_UNAVAILABLE,
        &format!("too many {what} come at once; send it again later"),
    );
    let later = HeaderValue::from_static("5");
    answer.headers_mut().insert(RETRY_AFTER, later);
    Err(answer)
}

/// The body of a request. Its media type is not asked for: whatever it says it is, it is read as JSON, and a page
/// of another site is refused by its Origin.
pub(super) async fn read(request: Request, most: usize) -> Result<Vec<u8>, Response> {
    let body = Limited::new(request.into_body(), most);
    let collected = tokio::time::timeout(PATIENCE, body.collect()).await;
    match collected {
        Err(_) => Err(problem(
            StatusCode::REQUEST_TIMEOUT,
            "the request's body did not arrive within 10 s",
        )),
        Ok(Err(why)) if why.is::<LengthLimitError>() => Err(problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            &format!("the request's body is longer than {most} bytes"),
        )),
        Ok(Err(_)) => Err(problem(
            StatusCode::BAD_REQUEST,
            "the body ends before its length",
        )),
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
    }
}

/// A body as a tree.
pub(super) fn document(body: &[u8]) -> Result<Document, Vec<String>> {
    let text = std::str::from_utf8(body).map_err(|_| vec!["the body is no UTF-8".to_owned()])?;
    let document = Document::from_json(text);
    let mut document = document.map_err(|why| vec![format!("the body {why}")])?;
    say_whole(&mut document);
    Ok(document)
}

/// 3.0 is a whole number, as JSON Schema has it.
fn say_whole(document: &mut Document) {
    match document {
        Document::Fraction(text) => {
            if let Ok(whole) = text.parse() {
                *document = Document::Integer(whole);
            }
        }
        Document::List(items) => items.iter_mut().for_each(say_whole),
        Document::Object(members) => members.iter_mut().for_each(|(_, value)| say_whole(value)),
        _ => {}
    }
}

/// The members of a body, and what is wrong with them.
pub(super) struct Members {
    members: Vec<(String, Document)>,
    problems: Vec<String>,
}

impl Members {
    /// Reads a body that is one object of known members.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(super) fn read<T>(
        body: &[u8],
        known: &[&str],
        read: impl FnOnce(&mut Self) -> T,
    ) -> Result<T, Vec<String>> {
        let listed = known.join(", ");
        let members = match document(body)? {
            Document::Object(members) => members,
            other => {
                let seen = other.seen();
                return Err(vec![format!(
                    "the body is {seen}; allowed: an object with {listed}"
                )]);
            }
        };
        let mut problems = Vec::new();
        for (place, (name, _)) in members.iter().take(64).enumerate() {
            if members[..place].iter().any(|(other, _)| other == name) {
                problems.push(format!("{} stands there twice; allowed: once", Seen(name)));
            } else if !known.contains(&name.as_str()) {
                let meant = nearest(name, known.iter().copied());
                let meant = meant.map_or(String::new(), |meant| format!("did you mean {meant}? "));
                problems.push(format!(
                    "{} is unknown; {meant}allowed: {listed}",
                    Seen(name)
                ));
            }
        }
        let mut this = Self { members, problems };
        let found = read(&mut this);
        match this.problems.is_empty() {
            true => Ok(found),
            false => Err(this.problems),
        }
    }

    /// A member, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<Document> {
        let mut members = self.members.iter();
        let (_, value) = members.find(|(known, _)| known == name)?;
        Some(value.clone())
    }

    /// Says what is wrong with a member.
    pub(super) fn wrong(&mut self, name: &str, allowed: &str) {
        let seen = match self.get(name) {
            Some(value) => format!("is {}", value.seen()),
            None => "is missing".to_owned(),
        };
        self.problems
            .push(format!("{name} {seen}; allowed: {allowed}"));
    }

    /// A reason, which must be there: it is recorded.
    pub(super) fn reason(&mut self) -> String {
        match self.get("reason") {
            Some(Document::Text(reason))
                if !reason.trim().is_empty() && reason.chars().count() <= 1_000 =>
            {
                reason
            }
            _ => {
                self.wrong("reason", "text of 1 to 1000 characters");
                String::new()
            }
        }
    }

    /// True or false; false where it is not there.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        match self.get(name) {
            None => false,
            Some(Document::Bool(flag)) => flag,
            Some(_) => {
                self.wrong(name, "true, false");
                false
            }
        }
    }

    /// A whole number, if it is there.
    pub(super) fn whole(&mut self, name: &str, least: u64, most: u64) -> Option<u64> {
        let number = match self.get(name)? {
            Document::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.wrong(name, &format!("whole numbers from {least} to {most}"));
        }
        number
    }

    /// A list of texts, at least one.
    pub(super) fn texts(&mut self, name: &str, most: usize) -> Vec<String> {
        let texts = match self.get(name) {
            Some(Document::List(items)) if (1..=most).contains(&items.len()) => {
                let texts = items.into_iter().map(|item| match item {
                    Document::Text(text) => Some(text),
                    _ => None,
                });
                texts.collect::<Option<Vec<String>>>()
            }
            _ => None,
        };
        texts.unwrap_or_else(|| {
            self.wrong(name, &format!("a list of 1 to {most} texts"));
            Vec::new()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_wrong_with_a_body_is_said_at_once() {
        let known = ["reason", "ttl_s", "force"];
        let read = |body: &str| {
            Members::read(body.as_bytes(), &known, |members| {
                (
                    members.reason(),
                    members.whole("ttl_s", 1, 9),
                    members.flag("force"),
                )
            })
        };
        assert_eq!(
            read(r#"{"reason":"x","ttl_s":9}"#),
            Ok(("x".into(), Some(9), false))
        );
        assert_eq!(read(r#"{"reason":"x","ttl_s":9.0}"#).unwrap().1, Some(9));
        assert!(read(r#"{"reason":"x","ttl_s":8.5}"#).is_err());
        let problems = read(r#"{"reason":" ","ttl_s":10,"force":1,"forse":true,"reason":"x"}"#);
        assert_eq!(
            problems.unwrap_err(),
            [
                "\"forse\" is unknown; did you mean force? allowed: reason, ttl_s, force",
                "\"reason\" stands there twice; allowed: once",
                "reason is \" \"; allowed: text of 1 to 1000 characters",
                "ttl_s is 10; allowed: whole numbers from 1 to 9",
                "force is 1; allowed: true, false",
            ]
        );
        for other in ["", "[]", "{", "\u{feff}{}"] {
            assert!(read(other).is_err(), "{other}");
        }
        assert!(Members::read(b"\xff{}", &known, |_| ()).is_err());
    }

    #[test]
    fn a_list_has_texts_alone_and_not_too_many() {
        let read = |body: &str| {
            Members::read(body.as_bytes(), &["tenants"], |members| {
                members.texts("tenants", 2)
            })
        };
        assert_eq!(
            read(r#"{"tenants":["a","b"]}"#),
            Ok(vec!["a".into(), "b".into()])
        );
        for other in [
            r#"{}"#,
            r#"{"tenants":[]}"#,
            r#"{"tenants":["a",1]}"#,
            r#"{"tenants":["a","b","c"]}"#,
            r#"{"tenants":"a"}"#,
        ] {
            assert!(
                read(other).unwrap_err()[0].contains("a list of 1 to 2 texts"),
                "{other}"
            );
        }
    }
}
