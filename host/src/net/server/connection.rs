//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::accept::{Phase, Site};
use super::conversation::Conversation;
use super::crowd::{Crowd, Seat};
use super::guard::Guard;
use super::limits::Limits;
use super::refusal::Refusal;

/// Serves one client until it leaves, breaks a limit, or the server closes.
///
/// hyper is there only while a request is being answered: an idle connection has no buffers.
pub(super) async fn run(
    stream: TcpStream,
    site: Arc<Site>,
    limits: Limits,
    phase: watch::Receiver<Phase>,
    crowd: Arc<Crowd>,
) {
    // Answers are small: without this they wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let conversation = Conversation::new(Instant::now());
    let seat = crowd.enter(conversation.clone());
    let talk = conversation.clone();
    let mut guard = Guard::new(stream, limits, talk, site.clone(), phase.clone());
    loop {
        match next_request(&mut guard, &conversation, &limits, &phase, &seat).await {
            Heard::Request => {}
            Heard::End => return Box::pin(guard.leave()).await,
            Heard::AskedToLeave => return,
        }
        let answering = answer_all(guard, &site, &conversation, &limits, phase.clone(), &seat);
        match Box::pin(answering).await {
            Next::Wait(idle) => guard = idle,
            Next::Leave(over) => return Box::pin(over.leave()).await,
            Next::MakeRoom => return,
        }
    }
}

enum Heard {
    /// One that takes a handler.
    Request,
    /// That there will be none.
    End,
    AskedToLeave,
}

/// Waits for the next request, if there will be one.
async fn next_request(
    guard: &mut Guard,
    conversation: &Conversation,
    limits: &Limits,
    phase: &watch::Receiver<Phase>,
    seat: &Seat,
) -> Heard {
    let mut phase = phase.clone();
    let closing = async {
        phase.wait_for(Phase::is_closing).await.is_ok() && conversation.state().under_way() && {
            sleep(limits.closing).await;
            true
        }
    };
    tokio::select! {
        biased;
        heard = guard.next_request() => match heard {
            true => Heard::Request,
            false => Heard::End,
        },
        _ = closing => Heard::End,
        () = seat.asked_to_leave() => Heard::AskedToLeave,
    }
}

enum Next {
    Wait(Guard),
    Leave(Guard),
    /// At once, as somebody else waits for the place.
    MakeRoom,
}

/// How hyper's part ends.
enum End {
    Over(hyper::Result<()>),
    Idle,
    MakesRoom,
}

/// Lets hyper answer every request that has arrived.
async fn answer_all(
    guard: Guard,
    site: &Site,
    conversation: &Conversation,
    limits: &Limits,
    mut phase: watch::Receiver<Phase>,
    seat: &Seat,
) -> Next {
    let asked = phase.clone();
    let service = service_fn(|request| answer(site, conversation, &asked, request));
    let mut connection = http1::Builder::new()
        // The guard has the deadlines. hyper's would run on idle connections too.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        // A client that has sent its request may close its side and still read the answer.
        .half_close(true)
        .serve_connection(guard, service);
    let mut closing = pin!(async move {
        let _ = phase.wait_for(Phase::is_closing).await;
    });
    let mut closes = false;
    let mut asked_to_leave = pin!(seat.asked_to_leave());
    let mut leaves = false;
    let finished = poll_fn(|cx| {
        loop {
            if let Poll::Ready(finished) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(End::Over(finished));
            }
            if conversation.state().idle() {
                return Poll::Ready(End::Idle);
            }
            leaves = leaves || asked_to_leave.as_mut().poll(cx).is_ready();
            // A request that has come meanwhile is answered first.
            if leaves && conversation.state().waits().is_some() {
                return Poll::Ready(End::MakesRoom);
            }
            if closes || closing.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            closes = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
    })
    .await;
    match finished {
        End::MakesRoom => return Next::MakeRoom,
        End::Idle if leaves => return Next::MakeRoom,
        End::Idle => return Next::Wait(connection.into_parts().io),
        End::Over(Ok(())) => {}
        End::Over(Err(why)) => tracing::debug!("connection ended: {why}"),
    }
    Next::Leave(connection.into_parts().io)
}

async fn answer(
    site: &Site,
    conversation: &Conversation,
    phase: &watch::Receiver<Phase>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let (_answering, refused) = conversation.begin();
    if let Some(why) = refused {
        return Ok(refuse(site, why));
    }
    // The whole request has to be there before it is answered. What the body says is dropped:
    // nothing that is served here takes one.
    let (head, mut body) = request.into_parts();
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            let why = conversation.state().broken;
            return Ok(refuse(
                site,
                why.unwrap_or(Refusal::Malformed("the body ends before its length")),
            ));
        }
    }
    let answer = TowerToHyperService::new(site.router.clone())
        .call(Request::from_parts(head, Body::empty()))
        .await?;
    // Not while more requests are there: the connection closes behind this answer.
    let last = {
        let state = conversation.state();
        state.begun == state.heads
    };
    Ok(if last && *phase.borrow() != Phase::Serving {
        closes(answer)
    } else {
        answer
    })
}

fn refuse(site: &Site, why: Refusal) -> Response {
    closes((site.refuse)(why))
}

fn closes(mut answer: Response) -> Response {
    answer
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    answer
}
