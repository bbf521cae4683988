//! One connection, from its first byte to its last.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Bytes, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::accept::{Phase, Site};
use super::conversation::{Answering, Conversation};
use super::crowd::{Crowd, Seat};
use super::gone::Gone;
use super::guard::Guard;
use super::limits::{Bodies, Limits};
use super::refusal::Refusal;

/// The answer to come.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Answers requests as they arrive, body and all.
pub trait Handler: Send + Sync {
    /// The answer to a request of a client at `peer`. It may come before the request's body has ended, and
    /// its own body may last as long as it takes. Whoever need not go on for nobody polls `gone`.
    fn answer(&self, request: Request<RequestBody>, peer: Option<SocketAddr>, gone: Gone)
    -> Answer;
}

/// The body of a request, on its way to a [`Handler`].
pub struct RequestBody {
    body: Incoming,
    conversation: Conversation,
}

impl RequestBody {
    fn new(body: Incoming, conversation: &Conversation) -> Self {
        conversation.state().unread = !body.is_end_stream();
        let conversation = conversation.clone();
        Self { body, conversation }
    }
}

/// Whether nothing of a body comes behind this: trailers are the last of it.
pub(crate) fn is_last<E>(frame: &Option<Result<Frame<Bytes>, E>>) -> bool {
    match frame {
        None => true,
        Some(Ok(frame)) => frame.is_trailers(),
        Some(Err(_)) => false,
    }
}

impl hyper::body::Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        if is_last(&frame) || this.body.is_end_stream() {
            this.conversation.state().unread = false;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What answers requests.
#[derive(Clone)]
pub enum Serves {
    /// Handlers of requests whose bodies are dropped: [`Bodies::Dropped`](super::Bodies::Dropped).
    Router(Router),
    /// One of requests as they are: [`Bodies::Streamed`](super::Bodies::Streamed).
    Handler(Arc<dyn Handler>),
}

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
    let peer = stream.peer_addr().ok();
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
        let talk = (&conversation, peer);
        let answering = answer_all(guard, &site, talk, &limits, phase.clone(), &seat);
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
        let told = phase.wait_for(Phase::is_closing).await.is_ok();
        if told && conversation.state().may_bring_one(limits.closing) {
            sleep(limits.closing).await;
        }
    };
    tokio::select! {
        biased;
        heard = guard.next_request() => match heard {
            true => Heard::Request,
            false => Heard::End,
        },
        () = closing => Heard::End,
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

/// How long an idle connection still has hyper's buffers, where it serves a [`Handler`].
const LINGER: Duration = Duration::from_secs(1);

/// Lets hyper answer every request that has arrived.
async fn answer_all(
    guard: Guard,
    site: &Site,
    (conversation, peer): (&Conversation, Option<SocketAddr>),
    limits: &Limits,
    mut phase: watch::Receiver<Phase>,
    seat: &Seat,
) -> Next {
    let asked = phase.clone();
    let service = service_fn(|request| answer(site, (conversation, peer), &asked, request));
    let mut connection = http1::Builder::new()
        // The guard has the deadlines. hyper's would run on idle connections too.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        // Room for a head and what comes with it. hyper's own 400 KB are what each client would cost that reads
        // more slowly than an upstream answers.
        .max_buf_size(limits.head_bytes.saturating_mul(2).max(32 * 1024))
        // A client that has sent its request may close its side and still read the answer.
        .half_close(true)
        .serve_connection(guard, service);
    let mut closing = pin!(async move {
        let _ = phase.wait_for(Phase::is_closing).await;
    });
    let mut closes = false;
    let mut linger = None;
    let mut ending: Option<Pin<Box<Sleep>>> = None;
    let mut asked_to_leave = pin!(seat.asked_to_leave());
    let mut leaves = false;
    let finished = poll_fn(|cx| {
        loop {
            if let Poll::Ready(finished) = Pin::new(&mut connection).poll(cx) {
                return Poll::Ready(End::Over(finished));
            }
            let idle = {
                let state = conversation.state();
                state.idle().then_some(state.answered_at)
            };
            if let Some(since) = idle
                && (limits.bodies == Bodies::Dropped
                    || closes
                    || lingering(&mut linger, since, cx).is_ready()
                    || closing.as_mut().poll(cx).is_ready())
            {
                return Poll::Ready(End::Idle);
            }
            // The answer is there, and what is left of the request will not be read.
            let over = {
                let state = conversation.state();
                state.ends && state.is_over()
            };
            if over {
                let ending = ending.get_or_insert_with(|| Box::pin(sleep(limits.closing)));
                if ending.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(End::Over(Ok(())));
                }
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
        End::Idle => {
            let parts = connection.into_parts();
            return match parts.read_buf.is_empty() && parts.io.is_between_requests() {
                true => Next::Wait(parts.io),
                // What is left is nobody's.
                false => Next::Leave(parts.io),
            };
        }
        End::Over(Ok(())) => {}
        End::Over(Err(why)) => tracing::debug!("connection ended: {why}"),
    }
    Next::Leave(connection.into_parts().io)
}

/// Is ready when a connection has been idle for so long that its buffers are worth giving back.
fn lingering(
    linger: &mut Option<Pin<Box<Sleep>>>,
    since: Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let until = since + LINGER;
    let timer = linger.get_or_insert_with(|| Box::pin(sleep_until(until)));
    loop {
        ready!(timer.as_mut().poll(cx));
        if timer.deadline() >= until {
            return Poll::Ready(());
        }
        // It has been busy since: setting the timer for each request would cost more.
        timer.as_mut().reset(until);
    }
}

async fn answer(
    site: &Site,
    (conversation, peer): (&Conversation, Option<SocketAddr>),
    phase: &watch::Receiver<Phase>,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let (answering, number, refused) = conversation.begin();
    if let Some(why) = refused {
        return Ok(refuse(site, why));
    }
    let answer = match &site.serves {
        Serves::Router(router) => routed(site, router, conversation, request).await?,
        Serves::Handler(handler) => {
            let request = request.map(|body| RequestBody::new(body, conversation));
            let gone = Gone::of(conversation);
            let answer = handler.answer(request, peer, gone).await;
            let mut state = conversation.state();
            match state.broken {
                // Whatever the handler made of half a body.
                Some((of, why)) if of == number => {
                    state.ends = true;
                    refuse(site, why)
                }
                _ => {
                    // It comes before all of the request: nothing behind that is a request for certain. And from who
                    // has left nothing comes.
                    state.ends = state.unread || state.gone;
                    let answer = answer.map(|body| Body::new(Held { body, answering }));
                    if state.ends { closes(answer) } else { answer }
                }
            }
        }
    };
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

/// A body that is part of the answer until it ends.
struct Held {
    body: Body,
    #[expect(dead_code, reason = "says that the answer is over when it is dropped")]
    answering: Answering,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

async fn routed(
    site: &Site,
    router: &Router,
    conversation: &Conversation,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    // The whole request has to be there before it is answered. What the body says is dropped.
    let (head, mut body) = request.into_parts();
    while let Some(frame) = body.frame().await {
        if frame.is_err() {
            let why = conversation.state().broken;
            return Ok(refuse(
                site,
                why.map(|(_, why)| why).unwrap_or(Refusal::CUT_SHORT),
            ));
        }
    }
    TowerToHyperService::new(router.clone())
        .call(Request::from_parts(head, Body::empty()))
        .await
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
