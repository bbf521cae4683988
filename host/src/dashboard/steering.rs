//! Commands on a release: what a request says besides its body, and what it is answered with.

use axum::extract::Request;
use axum::http::header::{ETAG, IF_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use halcyon_core::access::Ability;
use halcyon_core::ledger::{Key, StatusReport};
use halcyon_core::release::{Command, Context, Rejection};
use serde::Serialize;

use super::admission::{Caller, with_article};
use super::answers::{object, problems};
use super::body;
use super::records::View;
use super::{Dashboard, Inner};
use crate::engine;
use crate::health::answers::problem;
use crate::journal::{JournalError, driver_alive};

/// A release as it is now.
#[derive(Serialize)]
pub(super) struct Shown {
    /// The number of the last record that changed it.
    revision: u64,
    #[serde(flatten)]
    pub(super) status: StatusReport,
}

impl Shown {
    pub(super) fn of(view: &View, driver: bool) -> Self {
        let ledger = view.journal().ledger();
        Self {
            revision: ledger.revision(),
            status: ledger.status(driver),
        }
    }
}

/// What a request says besides its body.
pub(super) struct Asked {
    key: Option<Key>,
    if_match: Option<String>,
}

impl Asked {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Response> {
        let text = |name| {
            let mut values = headers.get_all(name).iter();
            let (first, more) = (values.next(), values.next());
            let text = first.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
            (text, more.is_some())
        };
        let (key, more) = text(axum::http::HeaderName::from_static("idempotency-key"));
        let key = key.map(|key| match more {
            true => Err("there is more than one Idempotency-Key".to_owned()),
            // A draft of the header's standard has it as a quoted string.
            false => Key::parse(unquoted(&key)),
        });
        let key = key.transpose();
        let key = key.map_err(|why| problem(StatusCode::BAD_REQUEST, &why))?;
        let (if_match, _) = text(IF_MATCH);
        Ok(Self { key, if_match })
    }

    /// Whether the release is still the one that the client has seen.
    fn check(&self, view: &View) -> Result<(), JournalError> {
        let revision = format!("\"{}\"", view.journal().ledger().revision());
        let matches = |tags: &str| {
            let mut tags = tags.split(',').map(str::trim);
            tags.any(|tag| tag == "*" || tag == revision)
        };
        match self.if_match.as_deref().is_none_or(matches) {
            true => Ok(()),
            false => Err(JournalError::Moved),
        }
    }
}

fn unquoted(text: &str) -> &str {
    let inner = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or(text)
}

/// Reads the body into a command, and gives it. A body that cannot be read is one of `unread` by somebody who may
/// not give it.
pub(super) async fn with(
    dashboard: Dashboard,
    caller: Caller,
    request: Request,
    unread: Command,
    command: impl FnOnce(&[u8]) -> Result<Command, Vec<String>> + Send + 'static,
) -> Response {
    let asked = match Asked::of(request.headers()) {
        Ok(asked) => asked,
        Err(refused) => return refused,
    };
    let body = match body::read(request, body::SMALL).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let command = move |_: &Inner| command(&body);
    steer(dashboard, caller, asked, unread, command).await
}

/// Gives a command, and answers with the release as it is then.
pub(super) async fn steer(
    dashboard: Dashboard,
    caller: Caller,
    asked: Asked,
    unread: Command,
    command: impl FnOnce(&Inner) -> Result<Command, Vec<String>> + Send + 'static,
) -> Response {
    let give = move || {
        let inner = &*dashboard.0;
        let actor = caller.actor();
        let permitted = actor.authorise().is_ok();
        let command = match command(inner) {
            Ok(command) => command,
            // Who may not do it learns that first, and it is on record.
            Err(_) if !permitted => unread,
            Err(found) => return problems(StatusCode::BAD_REQUEST, &found),
        };
        let rollback = matches!(command, Command::RollbackToBlue { .. });
        let always = rollback || matches!(command, Command::Pause { .. });
        if permitted && !always && inner.settings.features.blue_green != Some(true) {
            let detail = "releases are switched off here; allowed: FEATURE_BLUE_GREEN=true; rollback and pause always work";
            return problem(StatusCode::CONFLICT, detail);
        }
        give_command(inner, &caller, &asked, command)
    };
    let done = tokio::task::spawn_blocking(give).await;
    done.unwrap_or_else(|_| problem(StatusCode::SERVICE_UNAVAILABLE, "the work broke off"))
}

fn give_command(inner: &Inner, caller: &Caller, asked: &Asked, command: Command) -> Response {
    let begins = matches!(command, Command::ProvisionGreen { .. });
    let id = engine::new_release_id(crate::clock::now());
    let actor = caller.actor();
    let context = Context {
        actor: &actor,
        kill_switch: inner.settings.features.kill_switch(),
        new_release_id: &id,
    };
    let rollback = matches!(command, Command::RollbackToBlue { .. });
    let expected = |view: &View| {
        // Going back to blue is right whatever has happened meanwhile.
        if !rollback {
            asked.check(view)?;
        }
        match begins {
            true => engine::may_begin(view.journal().release(), &command),
            false => Ok(()),
        }
    };
    let given = inner
        .records
        .append(&command, &context, asked.key.as_ref(), expected);
    inner.feed_changed();
    let entries = match given {
        Ok(entries) => {
            // Said of an attempt before this word; the next one is by it.
            if rollback {
                inner.stuck.say(None);
            }
            entries
        }
        Err(why) => return refused(&why),
    };
    let driver = driver_alive(inner.records.dir());
    let shown = match inner.records.look(|view| Shown::of(view, driver)) {
        Ok(shown) => shown,
        Err(why) => return problem(StatusCode::SERVICE_UNAVAILABLE, &why.to_string()),
    };
    if !begins {
        return answer(StatusCode::OK, &shown);
    }
    let mut answer = answer(StatusCode::ACCEPTED, &shown);
    let id = entries
        .first()
        .and_then(|entry| entry.record.release_id.as_deref());
    let location = format!("/api/v1/releases/{}", id.unwrap_or_default());
    if let Ok(location) = HeaderValue::from_str(&location) {
        answer.headers_mut().insert(LOCATION, location);
    }
    answer
}

pub(super) fn answer(status: StatusCode, shown: &Shown) -> Response {
    let mut answer = (status, object(shown)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", shown.revision)) {
        answer.headers_mut().insert(ETAG, tag);
    }
    answer
}

fn refused(why: &JournalError) -> Response {
    let status = match why {
        // The role is the token's, and no variable's.
        JournalError::Refused(Rejection::Role { role, .. }) => {
            let detail = format!(
                "{} may not {}",
                with_article(&role.found),
                Ability::Release.words()
            );
            return problem(StatusCode::FORBIDDEN, &detail);
        }
        JournalError::Refused(Rejection::Invalid { .. } | Rejection::InvalidWeight { .. }) => {
            StatusCode::BAD_REQUEST
        }
        JournalError::Refused(_) => StatusCode::CONFLICT,
        JournalError::Moved => {
            let detail = "the release has changed since; allowed: If-Match with its revision, a strong tag, or none";
            return problem(StatusCode::PRECONDITION_FAILED, detail);
        }
        JournalError::Full { .. }
        | JournalError::Io { .. }
        | JournalError::ReadOnly { .. }
        | JournalError::Locked { .. }
        | JournalError::Corrupt { .. } => StatusCode::SERVICE_UNAVAILABLE,
    };
    problem(status, &why.to_string())
}
