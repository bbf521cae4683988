//! Who is let in, and to what: the first thing that looks at a request behind its Host.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use halcyon_core::access::{Ability, Token, TokenError};
use halcyon_core::role::Actor;

use super::Dashboard;
use crate::clock;
use crate::health::answers::problem;

/// Reads a client may ask for in a second, and at once.
const READS: (NonZeroU32, NonZeroU32) = bounds(500, 1_000);

/// Changes a client may ask for in a second, and at once.
const CHANGES: (NonZeroU32, NonZeroU32) = bounds(20, 50);

/// Of so many clients it is remembered how often they asked; beyond, those that rest are forgotten.
const CLIENTS: usize = 65_536;

const fn bounds(second: u32, burst: u32) -> (NonZeroU32, NonZeroU32) {
    match (NonZeroU32::new(second), NonZeroU32::new(burst)) {
        (Some(second), Some(burst)) => (second, burst),
        _ => panic!("a bound is not 0"),
    }
}

/// Where a request comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) Option<SocketAddr>);

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// `None` where reading is open to everybody and no token was shown.
    token: Option<Token>,
}

impl Caller {
    /// The user of what is recorded, and the role.
    pub(super) fn actor(&self) -> Actor {
        let token = self.token.as_ref();
        Actor {
            user: token.map_or("anonymous", |token| &token.user).to_owned(),
            role: token.map_or("", |token| token.role.name()).to_owned(),
        }
    }

    /// The client that asks from there.
    pub(super) fn client(&self, peer: Option<SocketAddr>) -> Client {
        let token = self.token.as_ref();
        Client::of(peer, token.map(|token| token.sha256.clone()))
    }

    /// The user of what is recorded.
    pub(super) fn user(&self) -> String {
        self.actor().user
    }

    /// Refuses what the role may not do.
    pub(super) fn check(&self, ability: Ability) -> Result<(), Response> {
        match &self.token {
            Some(token) if token.role.may(ability) => Ok(()),
            Some(token) => Err(problem(
                StatusCode::FORBIDDEN,
                &format!(
                    "{} may not {}",
                    with_article(token.role.name()),
                    ability.words()
                ),
            )),
            None if ability.is_reading() => Ok(()),
            None => Err(unauthorized("a token is needed")),
        }
    }

    /// The tenant whose token it is.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.token.as_ref()?.tenant.as_deref()
    }

    /// All that the caller may do here.
    pub(super) fn abilities(&self) -> impl Iterator<Item = Ability> + '_ {
        let may =
            |ability: &Ability| self.check(*ability).is_ok() && self.check_scope(*ability).is_ok();
        Ability::ALL.into_iter().filter(may)
    }

    /// Refuses a tenant that is not the token's.
    pub(super) fn check_tenant(&self, tenant: &str) -> Result<(), Response> {
        match &self.token {
            Some(token) if !token.knows(tenant) => Err(problem(
                StatusCode::FORBIDDEN,
                "the token is for another tenant",
            )),
            _ => Ok(()),
        }
    }
}

/// "a Viewer", "an Edge".
pub(super) fn with_article(role: &str) -> String {
    let vowel = role.starts_with(['A', 'E', 'I', 'O', 'U']);
    format!("{} {role}", if vowel { "an" } else { "a" })
}

/// How often clients have asked.
pub(super) struct Pace {
    reads: DefaultKeyedRateLimiter<Client>,
    changes: DefaultKeyedRateLimiter<Client>,
    clock: DefaultClock,
}

/// A client: an address, or a token from an address, as many edges have the same one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Client {
    address: Option<IpAddr>,
    digest: Option<String>,
}

impl Default for Pace {
    fn default() -> Self {
        let limiter =
            |(second, burst)| RateLimiter::dashmap(Quota::per_second(second).allow_burst(burst));
        Self {
            reads: limiter(READS),
            changes: limiter(CHANGES),
            clock: DefaultClock::default(),
        }
    }
}

impl Pace {
    /// How long a client has to wait, if it has to.
    fn wait(&self, client: &Client, reads: bool) -> Option<Duration> {
        let limiter = if reads { &self.reads } else { &self.changes };
        if limiter.len() > CLIENTS {
            limiter.retain_recent();
        }
        let refused = limiter.check_key(client).err()?;
        Some(refused.wait_time_from(self.clock.now()))
    }
}

impl Client {
    pub(super) fn of(peer: Option<SocketAddr>, digest: Option<String>) -> Self {
        let address = peer.map(|peer| match peer.ip().to_canonical() {
            // Whoever has one address of a network has all of them (RFC 6177).
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
            v4 => v4,
        });
        Self { address, digest }
    }
}

/// Whose word the request is: a token's, nobody's, or that of a token that is none.
enum Shown {
    Nothing,
    Token(Token),
    Bad(String),
}

impl Dashboard {
    fn shown(&self, headers: &HeaderMap) -> Shown {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let (first, more) = (values.next(), values.next());
        let Some(value) = first else {
            return Shown::Nothing;
        };
        // Without a file nobody can have a good one, and reading may be open all the same.
        let Some(tokens) = &self.0.tokens else {
            return Shown::Nothing;
        };
        let secret = value.to_str().ok().and_then(bearer);
        let Some(secret) = secret.filter(|_| more.is_none()) else {
            return Shown::Bad(
                "the credentials are no bearer token; allowed: Authorization: Bearer TOKEN".into(),
            );
        };
        match tokens.tokens().who(secret, clock::now()) {
            Ok(token) => Shown::Token(token.clone()),
            Err(why @ (TokenError::Unknown | TokenError::Expired(_))) => {
                Shown::Bad(why.to_string())
            }
        }
    }

    /// Whether everybody may read.
    fn reads_are_open(&self) -> bool {
        let tokens = self.0.tokens.as_ref();
        self.0.settings.dashboard.bind.is_loopback()
            || tokens.is_some_and(|tokens| tokens.tokens().anonymous_reads)
    }

    /// Whether a caller that was let in to something that changes nothing would be now.
    pub(super) fn still_may(&self, caller: &Caller, ability: Ability) -> bool {
        match (&caller.token, &self.0.tokens) {
            (None, _) => self.reads_are_open(),
            (Some(token), Some(tokens)) => {
                tokens.tokens().has(token, clock::now()) && token.role.may(ability)
            }
            (Some(_), None) => false,
        }
    }
}

/// The secret of `Bearer SECRET` (RFC 6750), whose scheme is written in any case (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, secret) = value.split_once(' ')?;
    let secret = secret.trim_matches(' ');
    (scheme.eq_ignore_ascii_case("bearer") && !secret.is_empty()).then_some(secret)
}

/// Refuses clients that ask too often.
pub(super) async fn pace(
    State(dashboard): State<Dashboard>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<Peer>().and_then(|peer| peer.0);
    let digest = match dashboard.shown(request.headers()) {
        Shown::Token(token) => Some(token.sha256),
        Shown::Nothing | Shown::Bad(_) => None,
    };
    let reads = is_read(request.method(), request.uri().path());
    let client = Client::of(peer, digest);
    let Some(wait) = dashboard.0.pace.wait(&client, reads) else {
        return next.run(request).await;
    };
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let (what, (second, burst)) = match reads {
        true => ("requests", READS),
        false => ("changes", CHANGES),
    };
    let detail = format!("too many {what}; allowed: {second} a second, and {burst} at once");
    let mut answer = problem(StatusCode::TOO_MANY_REQUESTS, &detail);
    answer
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    answer
}

/// Whether a request changes nothing: those that only ask in another way are reads too.
fn is_read(method: &Method, path: &str) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
        || (*method == Method::POST && matches!(path, "/api/v1/route" | "/api/v1/telemetry"))
}

/// Lets those in who may do what a route is for, and says to its handler who asks.
pub(super) async fn admit(
    State((dashboard, ability)): State<(Dashboard, Ability)>,
    mut request: Request,
    next: Next,
) -> Response {
    let token = match dashboard.shown(request.headers()) {
        Shown::Bad(why) => return unauthorized(&why),
        Shown::Nothing if ability.is_reading() && dashboard.reads_are_open() => None,
        Shown::Nothing if dashboard.0.tokens.is_none() && !ability.is_reading() => {
            let detail = "nothing can be changed, as HALCYON_TOKENS_FILE is not set; allowed: a tokens file, and a token of `halcyon token new`";
            return problem(StatusCode::FORBIDDEN, detail);
        }
        Shown::Nothing => {
            return unauthorized("a token is needed; allowed: Authorization: Bearer TOKEN");
        }
        Shown::Token(token) => Some(token),
    };
    if let Some(origin) = foreign_origin(&request) {
        let detail =
            format!("a page of {origin} may not ask for this; allowed: pages of this dashboard");
        return problem(StatusCode::FORBIDDEN, &detail);
    }
    let caller = Caller { token };
    // The journal itself refuses a role that may not release: so that the attempt is on record.
    let refused = match ability {
        Ability::Release => Ok(()),
        other => caller.check(other),
    };
    if let Err(refused) = refused.and_then(|()| caller.check_scope(ability)) {
        return refused;
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}

impl Caller {
    /// Refuses a tenant's token what is about all of them: the table has everybody's rules, and a change moves
    /// everybody.
    fn check_scope(&self, ability: Ability) -> Result<(), Response> {
        match &self.token {
            Some(token) if token.tenant.is_some() && ability != Ability::Read => {
                let detail = format!(
                    "a token for one tenant may not {}, which is about every tenant",
                    ability.words()
                );
                Err(problem(StatusCode::FORBIDDEN, &detail))
            }
            _ => Ok(()),
        }
    }
}

/// The page that asks, where it is another site's: a browser names it whenever a request could change something.
fn foreign_origin(request: &Request) -> Option<String> {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().authority().map(|host| host.as_str()).or(host);
    let own = |origin: &str| {
        let (_, authority) = origin.split_once("://")?;
        Some(authority.eq_ignore_ascii_case(host?))
    };
    let origins = headers.get_all(ORIGIN).iter();
    let mut origins = origins.map(|origin| String::from_utf8_lossy(origin.as_bytes()));
    let foreign = origins.find(|origin| own(origin) != Some(true))?;
    Some(halcyon_core::text::Seen(&foreign).to_string())
}

pub(super) fn unauthorized(detail: &str) -> Response {
    let mut answer = problem(StatusCode::UNAUTHORIZED, detail);
    answer
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

/// What the route of a handler asks of who calls it.
pub(super) type Admission = (Dashboard, Ability);

#[cfg(test)]
mod tests {
    use super::*;
    use halcyon_core::access::secret_digest;

    #[test]
    fn a_bearer_token_is_taken_from_its_header_alone() {
        for (value, secret) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("BEARER a.b~c", Some("a.b~c")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic abc", None),
            ("abc", None),
            ("", None),
        ] {
            assert_eq!(bearer(value), secret, "{value}");
        }
    }

    #[test]
    fn a_client_has_its_burst_and_then_its_rate_and_others_have_theirs() {
        let pace = Pace::default();
        let one = |last: u8| Client::of(Some(([10, 0, 0, last], 1).into()), None);
        for _ in 0..50 {
            assert_eq!(pace.wait(&one(1), false), None);
        }
        let wait = pace.wait(&one(1), false).unwrap();
        assert!(wait <= Duration::from_millis(50), "{wait:?}");
        assert_eq!(pace.wait(&one(2), false), None);
        for _ in 0..1_000 {
            assert_eq!(pace.wait(&one(1), true), None);
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_a_token_from_it_another() {
        let v6 = |text: &str| Client::of(Some(format!("[{text}]:1").parse().unwrap()), None);
        assert_eq!(v6("2001:db8::1"), v6("2001:db8::ffff:1"));
        assert_ne!(v6("2001:db8::1"), v6("2001:db8:0:1::1"));
        let mapped = v6("::ffff:10.0.0.1");
        assert_eq!(mapped, Client::of(Some(([10, 0, 0, 1], 9).into()), None));
        let peer = Some(([10, 0, 0, 1], 9).into());
        assert_ne!(mapped, Client::of(peer, Some(secret_digest("x"))));
    }
}
