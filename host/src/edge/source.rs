//! Where tables come from: a file that is watched, or an address that is asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::http::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, ETAG, HOST, IF_NONE_MATCH, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use halcyon_core::endpoint::{Endpoint, Scheme};
use halcyon_core::table::{LONGEST, cause};
use halcyon_core::text::Seen;
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::kept::Kept;
use super::tables::{LINE_MAX, Tables, read_regular};
use crate::clock;
use crate::net::{Stage, body, connect};
use crate::signing::{SIGNATURE_HEADER, signature_file};

/// How often a file is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// How soon the next attempt is as long as there is no table at all.
const SOON: Duration = Duration::from_secs(1);

/// What an edge prefers (RFC 7240), and whether it was done.
const PREFER: HeaderName = HeaderName::from_static("prefer");
const APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// The longest wait that is asked for, in seconds: somebody between may give up on a silent connection.
const WAIT_MOST: u64 = 30;

/// How soon a server is asked again that has waited.
const AGAIN: Duration = Duration::from_millis(200);

/// What an answer of 401 or 403 means to whoever runs the edge.
const NO_TOKEN: &str =
    "; TABLE_TOKEN is unset; allowed: the secret of a token of the role Edge of that control plane";
const TOKEN_UNKNOWN: &str =
    "; it does not know the token of TABLE_TOKEN; allowed: one of the role Edge, not expired";
const TOKEN_REFUSED: &str =
    "; the token of TABLE_TOKEN gets no table; allowed: one of the role Edge, for every tenant";

/// Looks at a file for ever, and offers what is new.
pub(super) async fn watch(path: PathBuf, tables: Arc<Tables>, refresh: Duration) {
    let mut seen = None;
    let mut said = String::new();
    loop {
        let (path, tables) = (path.clone(), tables.clone());
        let known = seen;
        let look = tokio::task::spawn_blocking(move || look(&path, known, &tables)).await;
        match look {
            Ok((state, Ok(()))) => {
                seen = state;
                said.clear();
            }
            Ok((_, Err(why))) => {
                // Looked at again each time: the signature may be on its way. Said once.
                seen = None;
                say_once(why, &mut said);
            }
            Err(why) => tracing::error!("looking at EDGE_TABLE broke off: {why}"),
        }
        sleep(refresh.min(LOOK)).await;
    }
}

/// Says why a table was not taken, unless that is what was said last.
fn say_once(why: String, said: &mut String) {
    if cause(&why) != cause(said) {
        tracing::warn!("EDGE_TABLE: table not taken: {why}");
        *said = why;
    }
}

/// What tells that files are still the same.
type State = Option<[(SystemTime, u64, u64); 2]>;

fn state(path: &Path) -> State {
    use std::os::unix::fs::MetadataExt;
    let of = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.modified().ok()?, found.len(), found.ino()))
    };
    // Where there is no signature, that may change too.
    let none = (SystemTime::UNIX_EPOCH, 0, 0);
    Some([of(path)?, of(&signature_file(path)).unwrap_or(none)])
}

fn look(path: &Path, seen: State, tables: &Tables) -> (State, Result<(), String>) {
    tables.behind().into_iter().for_each(Kept::again);
    let now = state(path);
    if now.is_some() && now == seen {
        return (now, Ok(()));
    }
    (now, look_at(path, tables))
}

/// Offers what a file says now. Blocks.
///
/// # Errors
/// Why it is not taken.
pub(super) fn look_at(path: &Path, tables: &Tables) -> Result<(), String> {
    let (table, signature) = read(path).inspect_err(|why| tables.missed(why))?;
    tables.offer(&table, signature.as_deref())
}

fn read(path: &Path) -> Result<(Vec<u8>, Option<String>), String> {
    let read = |path: &Path, most| {
        let shown = Seen(&path.to_string_lossy()).to_string();
        read_regular(path, most).map_err(|why| format!("{shown} cannot be read: {why}"))
    };
    let signature = read(&signature_file(path), LINE_MAX)?;
    let signature = signature.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let table = read(path, LONGEST)?;
    let shown = Seen(&path.to_string_lossy()).to_string();
    let table = table.ok_or_else(|| format!("there is no {shown}"))?;
    Ok((table, signature))
}

/// An address that answers with tables.
pub(super) struct Asked {
    pub(super) at: Endpoint,
    pub(super) tls: Arc<rustls::ClientConfig>,
    pub(super) token: Option<String>,
    /// How long an answer may take.
    pub(super) patience: Duration,
    pub(super) refresh: Duration,
}

impl Asked {
    /// For how long the server shall wait for the next table: as long as the edge would rest otherwise, in whole
    /// seconds. Who comes back within two seconds anyway needs no such thing.
    fn waits(&self) -> Duration {
        let seconds = self.refresh.as_secs();
        Duration::from_secs(if seconds < 2 {
            0
        } else {
            seconds.min(WAIT_MOST)
        })
    }

    /// How long the edge rests before it asks again: a fleet that started at once shall not ask at once.
    fn rest(&self, has_table: bool, has_waited: bool) -> Duration {
        let (rest, share) = match (has_table, has_waited) {
            // No oftener than it was told to.
            (true, true) => (self.refresh.saturating_sub(self.waits()).max(AGAIN), 0.5),
            (true, false) => (self.refresh, 0.2),
            (false, _) => (self.refresh.min(SOON), 0.2),
        };
        clock::spread(rest, share)
    }
}

/// Asks an address for ever, and offers what is new.
pub(super) async fn ask(asked: Asked, tables: Arc<Tables>) {
    let mut etag = None;
    let mut said = String::new();
    loop {
        let stage = Stage::default();
        let begun = Instant::now();
        let patience = asked.patience + asked.waits();
        let once = timeout(patience, fetch(&asked, etag.clone(), &stage)).await;
        let once = once.unwrap_or_else(|_| {
            let ms = patience.as_millis();
            Err(format!("timeout: {ms} ms passed while {}", stage.name()))
        });
        let mut waited = false;
        let taken = match once {
            // One that was to wait and did not, as a server that ends, is not asked again at once.
            Ok(Answer::Same { applied }) => {
                waited = applied && begun.elapsed() * 2 >= asked.waits();
                Ok(())
            }
            Ok(Answer::Another(answer)) => {
                let held = || tables.held().as_deref().map(|held| held.table.epoch());
                let before = held();
                let tables = tables.clone();
                let offered = answer.etag.clone();
                let offer = move || tables.offer(&answer.table, answer.signature.as_deref());
                let taken = tokio::task::spawn_blocking(offer).await;
                let taken = taken.unwrap_or_else(|why| Err(format!("reading it broke off: {why}")));
                if taken.is_ok() {
                    etag = offered;
                }
                // The same again, as from a cache that drops tags, was not waited for.
                waited = answer.applied && held() != before;
                taken
            }
            Err(why) => {
                tables.missed(&why);
                Err(why)
            }
        };
        if tables.behind().is_some() {
            let tables = tables.clone();
            // What it meets it says itself.
            let again = move || tables.behind().into_iter().for_each(Kept::again);
            let _ = tokio::task::spawn_blocking(again).await;
        }
        let taken_well = taken.is_ok();
        match taken {
            Ok(()) => said.clear(),
            Err(why) => say_once(why, &mut said),
        }
        let has_table = tables.held().is_some();
        sleep(asked.rest(has_table, waited && taken_well)).await;
    }
}

/// What there is.
enum Answer {
    /// The table that the edge has.
    Same {
        /// Whether the server has waited for another one as long as it was asked to.
        applied: bool,
    },
    Another(Fetched),
}

struct Fetched {
    /// Whether the server waits for the next one.
    applied: bool,
    table: Vec<u8>,
    signature: Option<String>,
    etag: Option<HeaderValue>,
}

/// The table; where it is the one with this tag, the server may wait for another one.
async fn fetch(asked: &Asked, etag: Option<HeaderValue>, stage: &Stage) -> Result<Answer, String> {
    let stream = connect::tcp(&asked.at, stage).await?;
    match asked.at.scheme() {
        Scheme::Https => {
            let stream = connect::tls(asked.tls.clone(), &asked.at, stream, stage).await?;
            converse(stream, asked, etag, stage).await
        }
        Scheme::Http | Scheme::Tcp => converse(stream, asked, etag, stage).await,
    }
}

async fn converse<S>(
    stream: S,
    asked: &Asked,
    etag: Option<HeaderValue>,
    stage: &Stage,
) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    stage.enter("waiting for the answer");
    let mut request = Request::get(asked.at.path())
        .header(HOST, asked.at.authority())
        .header(USER_AGENT, concat!("halcyon/", env!("CARGO_PKG_VERSION")))
        .header(ACCEPT, "application/json")
        .header(CONNECTION, "close");
    if let Some(token) = &asked.token {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let conditional = etag.is_some();
    if let Some(etag) = etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let waits = asked.waits().as_secs();
    if waits > 0 {
        request = request.header(PREFER, format!("wait={waits}"));
    }
    let request = request.body(Empty::<Bytes>::new());
    let request = request.map_err(|_| "its path cannot be requested".to_owned())?;
    let (mut sender, connection) = Builder::new()
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|why| body::explain(&why))?;
    // In a set, so that it ends with this attempt.
    let mut connections = JoinSet::new();
    connections.spawn(async move {
        let _ = connection.await;
    });
    let answer = sender.send_request(request).await;
    let (head, mut content): (_, Incoming) =
        answer.map_err(|why| body::explain(&why))?.into_parts();
    let applied = head.headers.contains_key(APPLIED);
    match head.status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if conditional => return Ok(Answer::Same { applied }),
        // Redirects are not followed: EDGE_TABLE says where tables come from, and where the token goes.
        status => {
            let whose = match (status, &asked.token) {
                (StatusCode::UNAUTHORIZED, None) => NO_TOKEN,
                (StatusCode::UNAUTHORIZED, Some(_)) => TOKEN_UNKNOWN,
                (StatusCode::FORBIDDEN, Some(_)) => TOKEN_REFUSED,
                _ => "",
            };
            return Err(format!("status {}; expected 200{whose}", status.as_u16()));
        }
    }
    stage.enter("reading the answer");
    let table = body::read(&mut content, LONGEST).await?;
    Ok(Answer::Another(Fetched {
        applied,
        table,
        signature: text(&head.headers, SIGNATURE_HEADER),
        etag: head.headers.get(ETAG).cloned(),
    }))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(refresh: Duration) -> Asked {
        Asked {
            at: Endpoint::parse_http("http://127.0.0.1:1").unwrap(),
            tls: Arc::new(crate::net::connect::tls_config(None).unwrap()),
            token: None,
            patience: Duration::from_secs(1),
            refresh,
        }
    }

    #[test]
    fn no_two_edges_rest_for_the_same_time_and_none_for_much_more_or_less_than_it_was_told() {
        let second = Duration::from_secs(1);
        // Whether it has a table, whether the server has waited; the shortest rest and the longest, in ms.
        for (refresh, has_table, has_waited, least, most) in [
            (second * 10, true, false, 8_000, 12_000),
            (second * 10, false, false, 800, 1_200),
            (second / 2, false, false, 400, 600),
            // The server has waited for 30 of the 31 seconds.
            (second * 31, true, true, 500, 1_500),
            (second * 30, true, true, 100, 300),
        ] {
            let asked = asked(refresh);
            let rests = (0..200).map(|_| asked.rest(has_table, has_waited).as_millis());
            let rests: Vec<_> = rests.collect();
            let (first, last) = (*rests.iter().min().unwrap(), *rests.iter().max().unwrap());
            assert!(least <= first && last <= most, "{first} to {last} ms");
            // Two hundred that are spread evenly leave no quarter at either end empty.
            let quarter = (most - least) / 4;
            assert!(first < least + quarter, "from {first} ms");
            assert!(last > most - quarter, "to {last} ms");
        }
    }

    #[test]
    fn a_cause_is_the_same_whatever_the_clock_would_allow_by_now() {
        let ahead = |now| {
            format!("table of epoch 9: more than a day ahead of the clock; allowed: up to {now}")
        };
        assert_eq!(cause(&ahead(1)), cause(&ahead(2)));
        let mut said = String::new();
        say_once(ahead(1), &mut said);
        say_once(ahead(2), &mut said);
        assert_eq!(said, ahead(1), "said once");
        say_once("it has no end".into(), &mut said);
        assert_eq!(said, "it has no end");
    }
}
