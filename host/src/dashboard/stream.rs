//! Everything as it happens: server-sent events (HTML, 9.2), with what a client has missed first.
//!
//! An event's id is how many audit records and how many region events there were: `17.4`. Both stand in files, so
//! that a client that comes back, to a server that was started anew too, gets what it has missed.

use std::collections::VecDeque;
use std::fmt::Write;
use std::pin::Pin;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use halcyon_core::access::Ability;
use halcyon_core::text::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::admission::{Caller, Peer};
use super::answers::{Problem, etag};
use super::audit::PAGE;
use super::leaving::Leaving;
use super::seats::{OF_A_CLIENT, STREAMS, Seat};
use super::{Dashboard, Inner};
use crate::health::answers::problem;

/// How often something is sent where nothing happens, so that nobody between takes the connection for dead.
const PING: Duration = Duration::from_secs(15);

/// How long several changes may become one snapshot.
const TOGETHER: Duration = Duration::from_millis(100);

/// The most events that a client gets replayed; who has missed more gets a snapshot alone.
const REPLAY_MAX: u64 = 10_000;

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    records: u64,
    events: u64,
}

impl Position {
    fn parse(text: &str) -> Option<Self> {
        let (records, events) = text.split_once('.')?;
        let number = |text: &str| {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits)
        };
        Some(Self {
            records: number(records)?,
            events: number(events)?,
        })
    }
}

/// One client's stream.
struct Listening {
    dashboard: Dashboard,
    caller: Caller,
    at: Position,
    /// The tag of the snapshot that was sent last.
    shown: Option<String>,
    /// Why nothing can be said, while nothing can.
    trouble: Option<String>,
    changes: watch::Receiver<u64>,
    ending: watch::Receiver<bool>,
    ping: Instant,
    /// What is to be sent.
    frames: VecDeque<String>,
    /// Ready when the client has left, which is else seen when something is sent to it.
    gone: Pin<Box<dyn Future<Output = ()> + Send>>,
    _seat: Seat,
}

/// The events from now on.
///
/// `audit` is a record of the audit log, `region` one of the events of regions, `state` the snapshot whenever
/// something in it has changed, `reset` says that what was missed cannot be said, and `trouble` why there is no snapshot
/// now, until the next one.
#[utoipa::path(
    get, path = "/api/v1/stream", tag = "state", operation_id = "stream",
    params(("last-event-id" = Option<String>, Header, description = "The id of the last event that was seen")),
    responses(
        (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
        (status = 401, response = Problem), (status = 403, response = Problem),
        (status = 503, response = Problem)
    ),
    security((), ("token" = []))
)]
pub(super) async fn stream(
    State(dashboard): State<Dashboard>,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    leaving: Option<Extension<Leaving>>,
    headers: HeaderMap,
) -> Response {
    let client = caller.client(peer.0);
    let Some(seat) = dashboard.0.streams.take(client) else {
        let detail = format!(
            "too many streams are open; allowed: {STREAMS}, and {OF_A_CLIENT} of one client"
        );
        let mut answer = problem(StatusCode::SERVICE_UNAVAILABLE, &detail);
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from_static("10"));
        return answer;
    };
    let asked = headers.get("last-event-id");
    let asked = asked.map(|id| id.to_str().ok().and_then(Position::parse));
    // Before anything is read: what happens from here on is told.
    let changes = dashboard.0.feed.subscribe();
    let now = match position(&dashboard).await {
        Ok(now) => now,
        Err(why) => return problem(StatusCode::SERVICE_UNAVAILABLE, &why),
    };
    let known = |from: Position| {
        let missed = [
            now.records.checked_sub(from.records),
            now.events.checked_sub(from.events),
        ];
        missed
            .iter()
            .all(|missed| missed.is_some_and(|missed| missed <= REPLAY_MAX))
    };
    let mut frames = VecDeque::from([String::from("retry: 2000\n\n")]);
    let at = match asked {
        None => now,
        Some(Some(from)) if known(from) => from,
        Some(_) => {
            frames.push_back(frame("reset", now, "{}"));
            now
        }
    };
    let listening = Listening {
        ending: dashboard.0.ending.subscribe(),
        dashboard,
        caller,
        at,
        shown: None,
        trouble: None,
        changes,
        ping: Instant::now() + PING,
        frames,
        gone: Box::pin(Leaving::taken(leaving)),
        _seat: seat,
    };
    let frames = unfold(listening, |mut this| async move {
        let frame = this.next().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(frame)), this))
    });
    let media = [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"))];
    (media, Body::from_stream(frames)).into_response()
}

impl Listening {
    /// The next bytes; nothing where the stream is over.
    async fn next(&mut self) -> Option<String> {
        loop {
            if *self.ending.borrow() {
                return None;
            }
            if let Some(frame) = self.frames.pop_front() {
                return Some(frame);
            }
            if !self.dashboard.still_may(&self.caller, Ability::Read) {
                return None;
            }
            self.read().await;
            if !self.frames.is_empty() {
                self.ping = Instant::now() + PING;
                continue;
            }
            tokio::select! {
                changed = self.changes.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(TOGETHER).await;
                    self.changes.mark_unchanged();
                }
                () = ended(&mut self.ending) => return None,
                () = &mut self.gone => return None,
                () = sleep_until(self.ping) => {
                    self.ping = Instant::now() + PING;
                    return Some(": still here\n\n".into());
                }
            }
        }
    }

    /// Takes up what has happened since.
    async fn read(&mut self) {
        let (dashboard, from) = (self.dashboard.clone(), self.at);
        let news = tokio::task::spawn_blocking(move || News::since(&dashboard.0, from)).await;
        let news = match news.unwrap_or_else(|_| Err("the work broke off".into())) {
            Ok(news) => news,
            // Whoever shows what was sent last must know that it may not be so any more.
            Err(why) => {
                if self.trouble.as_ref() != Some(&why) {
                    let data = json(&Trouble { detail: &why });
                    self.frames.push_back(frame("trouble", self.at, &data));
                }
                (self.trouble, self.shown) = (Some(why), None);
                return;
            }
        };
        self.trouble = None;
        if news.head < from.records {
            // What was read there was never acknowledged, and cut back again.
            self.at.records = news.head;
            self.frames.push_back(frame("reset", self.at, "{}"));
        }
        for (seq, line) in news.records {
            self.at.records = seq;
            self.frames.push_back(frame("audit", self.at, &line));
        }
        for line in news.events {
            self.at.events += 1;
            self.frames.push_back(frame("region", self.at, &line));
        }
        if news.snapshot.is_empty() || self.shown.as_ref() == Some(&news.tag) {
            return;
        }
        self.frames
            .push_back(frame("state", self.at, &news.snapshot));
        self.shown = Some(news.tag);
    }
}

async fn ended(ending: &mut watch::Receiver<bool>) {
    // Whoever tells is never gone before; if so, it is over.
    let _ = ending.wait_for(|ending| *ending).await;
}

/// Why there is no snapshot.
#[derive(serde::Serialize)]
struct Trouble<'a> {
    detail: &'a str,
}

struct News {
    head: u64,
    records: Vec<(u64, String)>,
    events: Vec<String>,
    snapshot: String,
    tag: String,
}

impl News {
    fn since(inner: &Inner, from: Position) -> Result<Self, String> {
        let records = inner.records.lines(from.records, PAGE);
        let records = records.map_err(|why| why.to_string())?;
        let head = inner.records.look(|view| view.journal().head().seq);
        let head = head.map_err(|why| why.to_string())?;
        let events = match &inner.monitor {
            Some(monitor) => monitor
                .events(from.events, PAGE)
                .map_err(|why| why.to_string())?,
            None => Vec::new(),
        };
        // Behind all that was missed.
        let snapshot = match records.len() < PAGE && events.len() < PAGE {
            true => json(&inner.snapshot()?),
            false => String::new(),
        };
        let tag = etag(snapshot.as_bytes());
        Ok(Self {
            head,
            records,
            events,
            snapshot,
            tag,
        })
    }
}

async fn position(dashboard: &Dashboard) -> Result<Position, String> {
    let dashboard = dashboard.clone();
    let read = tokio::task::spawn_blocking(move || {
        let inner = &dashboard.0;
        let records = inner.records.look(|view| view.journal().head().seq);
        let records = records.map_err(|why| why.to_string())?;
        let events = inner.monitor.as_ref().map(|monitor| monitor.event_count());
        let events = events.transpose().map_err(|why| why.to_string())?;
        Ok(Position {
            records,
            events: events.unwrap_or(0),
        })
    });
    read.await
        .unwrap_or_else(|_| Err("the work broke off".into()))
}

/// An event. Its data is one line, as every text of it is escaped.
fn frame(event: &str, at: Position, data: &str) -> String {
    let mut text = String::new();
    let Position { records, events } = at;
    let _ = write!(text, "id: {records}.{events}\nevent: {event}\n");
    for line in data.lines() {
        let _ = writeln!(text, "data: {line}");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_read_back_and_nothing_else_is_one() {
        let at = Position {
            records: 17,
            events: 4,
        };
        assert!(frame("audit", at, "{}").starts_with("id: 17.4\nevent: audit\ndata: {}\n\n"));
        assert_eq!(Position::parse("17.4"), Some(at));
        for other in [
            "",
            "17",
            ".",
            "17.",
            "a.4",
            "17.4.1",
            "-1.4",
            "+1.4",
            "99999999999999999999.1",
        ] {
            assert_eq!(Position::parse(other), None, "{other}");
        }
    }
}
