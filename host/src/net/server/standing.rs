//! Answers that are the same whoever asks: made once, and given without hyper.
//!
//! They are the bytes that hyper would send, so that nobody can tell which way an answer went.

use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::to_bytes;
use axum::http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING, UPGRADE};
use axum::response::Response;
use httpdate::HttpDate;

/// Is told of every standing answer the request's method and how long it took.
pub type Given = Box<dyn Fn(&str, Duration) + Send + Sync>;

/// The longest body that stands.
const BODY_MAX: usize = 16 * 1024;

/// The answers of a site that are the same whoever asks.
#[derive(Default)]
pub struct Standing {
    answers: Vec<Answer>,
    date: Mutex<Date>,
}

/// One of them.
struct Answer {
    /// The request lines that ask for it: GET and HEAD.
    get: Vec<u8>,
    head: Vec<u8>,
    /// Everything up to the date's value.
    before: Vec<u8>,
    /// The content, behind the head's end.
    content: Vec<u8>,
    given: Given,
}

/// The date's value, of the second it was made in.
#[derive(Default)]
struct Date {
    second: Option<u64>,
    text: String,
}

impl Standing {
    /// Takes `answer` for every plain GET and HEAD of `target`. An answer that is no 200, that says
    /// something of the connection, or whose content is longer than 16 KiB, does not stand and is left to
    /// the router.
    pub async fn add(&mut self, target: &str, answer: Response, given: Given) {
        let (head, body) = answer.into_parts();
        let Ok(content) = to_bytes(body, BODY_MAX).await else {
            return;
        };
        let of_one_connection = [CONNECTION, TRANSFER_ENCODING, UPGRADE];
        if head.status != 200
            || of_one_connection
                .iter()
                .any(|name| head.headers.contains_key(name))
        {
            return;
        }
        let mut before = b"HTTP/1.1 200 OK\r\n".to_vec();
        // These two are written here.
        let others = head
            .headers
            .iter()
            .filter(|(name, _)| **name != CONTENT_LENGTH && **name != DATE);
        for (name, value) in others {
            before.extend_from_slice(name.as_str().as_bytes());
            before.extend_from_slice(b": ");
            before.extend_from_slice(value.as_bytes());
            before.extend_from_slice(b"\r\n");
        }
        before.extend_from_slice(format!("content-length: {}\r\ndate: ", content.len()).as_bytes());
        self.answers.push(Answer {
            get: format!("GET {target} HTTP/1.1\r\n").into_bytes(),
            head: format!("HEAD {target} HTTP/1.1\r\n").into_bytes(),
            before,
            content: content.to_vec(),
            given,
        });
    }

    /// Writes the answer to a plain request, if it stands. `took` says how long it took so far.
    pub(super) fn answer(
        &self,
        request: &[u8],
        out: &mut Vec<u8>,
        took: impl FnOnce() -> Duration,
    ) -> bool {
        let asked = |answer: &&Answer| {
            request.starts_with(&answer.get) || request.starts_with(&answer.head)
        };
        let Some(answer) = self.answers.iter().find(asked) else {
            return false;
        };
        out.extend_from_slice(&answer.before);
        self.write_date(out);
        out.extend_from_slice(b"\r\n\r\n");
        let method = match request.starts_with(&answer.get) {
            true => "GET",
            false => "HEAD",
        };
        if method == "GET" {
            out.extend_from_slice(&answer.content);
        }
        (answer.given)(method, took());
        true
    }

    fn write_date(&self, out: &mut Vec<u8>) {
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut date = self.date.lock().unwrap_or_else(PoisonError::into_inner);
        if date.second != Some(second) {
            date.second = Some(second);
            date.text.clear();
            // Writing to a String cannot fail.
            let _ = write!(date.text, "{}", HttpDate::from(now));
        }
        out.extend_from_slice(date.text.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    async fn standing(target: &str, answer: Response) -> (Standing, Arc<AtomicU32>) {
        let count = Arc::new(AtomicU32::new(0));
        let counted = count.clone();
        let given = Box::new(move |_: &str, _| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let mut standing = Standing::default();
        standing.add(target, answer, given).await;
        (standing, count)
    }

    fn ask(standing: &Standing, request: &str) -> Option<String> {
        let mut out = Vec::new();
        standing
            .answer(request.as_bytes(), &mut out, Duration::default)
            .then(|| String::from_utf8(out).unwrap())
    }

    #[tokio::test]
    async fn get_and_head_of_the_very_target_are_answered_and_counted() {
        let (standing, count) = standing("/a", "hello".into_response()).await;
        let get = ask(&standing, "GET /a HTTP/1.1\r\n\r\n").unwrap();
        let head = ask(&standing, "HEAD /a HTTP/1.1\r\n\r\n").unwrap();
        assert!(
            get.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/plain"),
            "{get}"
        );
        assert!(
            get.contains("\r\ncontent-length: 5\r\ndate: ") && get.ends_with(" GMT\r\n\r\nhello")
        );
        assert_eq!(get.strip_suffix("hello"), Some(head.as_str()));
        for other in [
            "GET /a?b HTTP/1.1",
            "GET /ab HTTP/1.1",
            "POST /a HTTP/1.1",
            "GET /a HTTP/1.0",
        ] {
            assert_eq!(ask(&standing, &format!("{other}\r\n\r\n")), None);
        }
        assert_eq!(count.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn length_and_date_are_written_once() {
        let answer = ([("date", "yesterday"), ("content-length", "5")], "hello").into_response();
        let (standing, _) = standing("/a", answer).await;
        let get = ask(&standing, "GET /a HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(get.matches("content-length: 5\r\n").count(), 1, "{get}");
        assert!(
            get.matches("date: ").count() == 1 && !get.contains("yesterday"),
            "{get}"
        );
    }

    #[tokio::test]
    async fn what_is_no_200_too_long_or_about_the_connection_does_not_stand() {
        for answer in [
            (axum::http::StatusCode::NOT_FOUND, "no").into_response(),
            "x".repeat(BODY_MAX + 1).into_response(),
            ([(CONNECTION, "close")], "bye").into_response(),
        ] {
            let (standing, _) = standing("/a", answer).await;
            assert_eq!(ask(&standing, "GET /a HTTP/1.1\r\n\r\n"), None);
        }
    }
}
