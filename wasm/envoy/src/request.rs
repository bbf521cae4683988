//! One request: whose it is, where it goes, and where its second attempt would go.

use std::cell::RefCell;
use std::rc::Rc;

use halcyon_core::forwarding::{OF_A_CONNECTION, is_host, is_of_the_edge, is_ours, listed};
use halcyon_core::hash::TenantId;
use halcyon_core::tenant::{Asked, NoId, encoded};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, Bytes};

use crate::answers::Refusal;
use crate::counts::Flight;
use crate::plugin::{Refused, now, property};
use crate::tables::Tables;
use crate::telemetry::Telemetry;
use crate::ways::{Way, Ways};

/// Where a request was put, for whoever sees it next.
pub(crate) const REGION: &str = "x-halcyon-region";
pub(crate) const SLOT: &str = "x-halcyon-slot";
pub(crate) const REASON: &str = "x-halcyon-reason";
const TENANT: &str = "x-halcyon-tenant";

/// By what Envoy finds the cluster: the pool's address, as the table has it. Not by its colour: that is a role,
/// and with the next release it is the other pool's.
pub(crate) const CLUSTER: &str = "x-halcyon-cluster";

/// Where a second attempt goes, and why there: `ADDRESS REGION REASON`.
pub(crate) const NEXT: &str = "x-halcyon-next";

/// By these Envoy is told what to do with one request: the router's own, which only the filter may use.
const OF_ENVOY: &str = "x-envoy-";
const RETRY_ON: &str = "x-envoy-retry-on";
const MAX_RETRIES: &str = "x-envoy-max-retries";

/// What is left for another region: a request of which nothing was sent, and, of those that may be repeated
/// (RFC 9110, section 9.2.1), one to an upstream that is not there or whose own upstream is not.
const UNSENT: &str = "connect-failure";
const UNANSWERED: &str = "connect-failure,gateway-error,reset";

/// They are Envoy's own affair by the time the filter sees them, and it needs them for an upgrade.
const LEFT: [&str; 3] = ["connection", "transfer-encoding", "upgrade"];

/// What Envoy says of a request that it has sent nowhere: there is no cluster for the pool, or no host of it.
const NOWHERE: [&[u8]; 3] = [
    b"cluster_not_found",
    b"no_healthy_upstream",
    b"route_not_found",
];

pub(crate) struct Request {
    /// Envoy's, for as long as it is under way.
    number: u32,
    tables: Rc<RefCell<Tables>>,
    refused: Rc<Refused>,
    telemetry: Option<Rc<RefCell<Telemetry>>>,
    /// What is counted of it, where anything is.
    flight: Option<Rc<Flight>>,
    /// Where it was sent, once it is.
    ways: Option<Ways>,
    /// Envoy answers by itself, and says so in a body to come.
    says: bool,
}

/// A head as Envoy has it.
struct Head<'h> {
    method: &'h str,
    host: &'h str,
    path: &'h str,
    /// What Envoy itself says: a client's word it has replaced, and in HTTP/2 `:scheme` is a client's word.
    proto: &'h str,
    upgrades: bool,
}

impl Request {
    pub(crate) fn new(
        number: u32,
        tables: Rc<RefCell<Tables>>,
        refused: Rc<Refused>,
        telemetry: Option<Rc<RefCell<Telemetry>>>,
    ) -> Self {
        Self {
            number,
            tables,
            refused,
            telemetry,
            flight: None,
            ways: None,
            says: false,
        }
    }

    fn place(&mut self, fields: &[(String, Bytes)], bodiless: bool) -> Result<Ways, Refusal> {
        let head = read(fields)?;
        let tables = self.tables.clone();
        let tables = tables.borrow();
        let from = tables.tenant_from();
        let header = from.header();
        let values = fields
            .iter()
            .filter(|(name, _)| Some(name.as_str()) == header);
        let values: Vec<&[u8]> = values.map(|(_, value)| value.as_slice()).collect();
        let asked = Asked {
            headers: &values,
            host: head.host,
            path: head.path,
        };
        let no_id = || {
            Refusal::new(
                400,
                "bad_tenant",
                "the request names a tenant that is no id",
            )
        };
        let tenant = from.of(&asked).map_err(|NoId| no_id())?;
        let tenant = tenant.ok_or_else(|| {
            let why = format!("the request names no tenant; allowed: {from}");
            Refusal::new(400, "no_tenant", &why)
        })?;
        let no_table = || Refusal::new(503, "no_table", "no routing table yet");
        let table = tables.held().ok_or_else(no_table)?;
        let id = TenantId::of(&tenant).ok_or_else(no_id)?;
        let now = now();
        let ways = Ways::of(table, id, now)
            .map_err(|why| Refusal::new(503, "residency_unavailable", why.text()))?;
        let unreachable = ways.first.address.is_empty().then_some(ways.first.at);
        let second = ways.second.as_ref().map(|way| way.at);
        if let Some(telemetry) = &self.telemetry {
            // Of a first pool without an address the first attempt is the second way.
            let first = if unreachable.is_some() {
                second
            } else {
                Some(ways.first.at)
            };
            let (counts, cohort) = (telemetry.borrow_mut().of(table), table.cohort(id, now));
            let places = (first.unwrap_or(ways.first.at), second);
            let flight = Flight::begin(self.number, counts, cohort, places);
            unreachable.into_iter().for_each(|at| flight.unsent(at));
            self.flight = Some(flight);
        }
        let ways = ways.reachable()?;
        self.clean(fields);
        self.say(&head, &tenant);
        self.stamp(&ways);
        if ways.second.is_some() {
            let safe = bodiless && matches!(head.method, "GET" | "HEAD" | "OPTIONS");
            let when = if safe { UNANSWERED } else { UNSENT };
            self.set_http_request_header(RETRY_ON, Some(when));
            self.set_http_request_header(MAX_RETRIES, Some("1"));
        }
        Ok(ways)
    }

    /// Takes away what is about the client's connection, and what only an edge may say.
    fn clean(&self, fields: &[(String, Bytes)]) {
        let named = fields.iter().filter(|(name, _)| name == "connection");
        let named = named.flat_map(|(_, value)| listed(value));
        let named: Vec<String> = named
            .map(|name| String::from_utf8_lossy(name).to_ascii_lowercase())
            // A client could name it to have it dropped, and with it where the request was meant to go.
            .filter(|name| !is_needed(name))
            .collect();
        for (name, _) in fields {
            let of_a_connection = OF_A_CONNECTION.contains(&name.as_str()) || named.contains(name);
            let goes = is_ours(name)
                || is_of_the_edge(name)
                || name.starts_with(OF_ENVOY)
                || (of_a_connection && !LEFT.contains(&name.as_str()))
                || name == "expect";
            if goes {
                self.set_http_request_header(name, None);
            }
        }
    }

    /// What only an edge knows of the client.
    fn say(&self, head: &Head<'_>, tenant: &str) {
        self.set_http_request_header(TENANT, Some(&encoded(tenant)));
        self.set_http_request_header("x-forwarded-host", Some(head.host));
        self.set_http_request_header("x-forwarded-proto", Some(head.proto));
        if head.upgrades {
            // What else it names the upstream, or whoever stands before it, would drop.
            self.set_http_request_header("connection", Some("upgrade"));
        }
        let peer = property(&["source", "address"]);
        let peer = peer
            .as_deref()
            .and_then(|peer| std::str::from_utf8(peer).ok());
        // It comes with a port.
        if let Some((address, _)) = peer.and_then(|peer| peer.rsplit_once(':')) {
            let address = address.trim_start_matches('[').trim_end_matches(']');
            self.set_http_request_header("x-forwarded-for", Some(address));
        }
    }

    /// Says where it goes.
    fn stamp(&self, Ways { first, second }: &Ways) {
        self.set_http_request_header(REGION, Some(&first.region));
        self.set_http_request_header(SLOT, Some(first.slot));
        self.set_http_request_header(REASON, Some(first.reason));
        self.set_http_request_header(CLUSTER, Some(&first.address));
        if let Some(second) = second {
            let way = format!("{} {} {}", second.address, second.region, second.reason);
            self.set_http_request_header(NEXT, Some(&way));
        }
    }
}

/// What of a head decides.
fn read(fields: &[(String, Bytes)]) -> Result<Head<'_>, Refusal> {
    let bad = |why: &str| Refusal::new(400, "bad_request", why);
    let of = |wanted: &str| {
        let (_, value) = fields.iter().find(|(name, _)| name == wanted)?;
        std::str::from_utf8(value).ok()
    };
    let head = Head {
        method: of(":method").unwrap_or_default(),
        host: of(":authority").unwrap_or_default(),
        path: of(":path")
            .unwrap_or_default()
            .split('?')
            .next()
            .unwrap_or_default(),
        proto: of("x-forwarded-proto").unwrap_or("http"),
        upgrades: of("upgrade").is_some(),
    };
    // It would show the client what the edge says to upstreams.
    if matches!(head.method, "TRACE" | "CONNECT") {
        return Err(bad(
            "TRACE and CONNECT are not for an edge; allowed: any other method",
        ));
    }
    if !is_host(head.host) {
        return Err(bad("no valid Host; allowed: host[:port]"));
    }
    if !head.path.starts_with('/') {
        return Err(bad(
            "the target has no path; allowed: one that begins with /",
        ));
    }
    Ok(head)
}

impl Context for Request {
    fn on_done(&mut self) -> bool {
        self.flight.iter().for_each(|flight| flight.end());
        true
    }
}

impl HttpContext for Request {
    fn on_http_request_headers(&mut self, _: usize, bodiless: bool) -> Action {
        let fields = self.get_http_request_headers_bytes();
        match self.place(&fields, bodiless) {
            Ok(ways) => {
                self.ways = Some(ways);
                Action::Continue
            }
            Err(refusal) => {
                self.refused.count();
                let (headers, body) = (refusal.headers(), refusal.body());
                self.send_http_response(refusal.status.into(), headers, Some(body.as_bytes()));
                Action::Pause
            }
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        for (name, _) in self.get_http_request_trailers_bytes() {
            if is_ours(&name) || is_of_the_edge(&name) {
                self.set_http_request_trailer(&name, None);
            }
        }
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        for (name, _) in self.get_http_response_trailers_bytes() {
            if is_ours(&name) {
                self.set_http_response_trailer(&name, None);
            }
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let Some(Ways { first, second }) = &self.ways else {
            return Action::Continue;
        };
        for (name, _) in self.get_http_response_headers_bytes() {
            let of_a_connection = OF_A_CONNECTION.contains(&name.as_str());
            if is_ours(&name) || (of_a_connection && !LEFT.contains(&name.as_str())) {
                self.set_http_response_header(&name, None);
            }
        }
        let way = last(first, second.as_ref());
        let by_second = second.as_ref().is_some_and(|second| second.at == way.at);
        self.set_http_response_header(REGION, Some(&way.region));
        self.set_http_response_header(SLOT, Some(way.slot));
        self.set_http_response_header(REASON, Some(way.reason));
        let details = property(&["response", "code_details"]);
        let details = details.as_deref();
        if let Some(flight) = &self.flight {
            let nowhere = details.is_some_and(|details| NOWHERE.contains(&details));
            flight.answered(nowhere, by_second);
        }
        let by_envoy = details.is_some_and(|details| details != b"via_upstream");
        let is_problem = || self.get_http_response_header("content-type");
        if by_envoy && is_problem().as_deref() == Some("application/problem+json") {
            self.says = true;
            self.set_http_response_header("content-length", None);
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, length: usize, _: bool) -> Action {
        if let (Some(Ways { first, second }), true) = (&self.ways, self.says) {
            let way = last(first, second.as_ref());
            let body = self.get_http_response_body(0, length).unwrap_or_default();
            let body = String::from_utf8_lossy(&body).replace("{region}", &way.region);
            let body = body.replace("{slot}", way.slot);
            self.set_http_response_body(0, length, body.as_bytes());
        }
        Action::Continue
    }
}

/// Where the last attempt went.
fn last<'w>(first: &'w Way, second: Option<&'w Way>) -> &'w Way {
    let Some(second) = second else { return first };
    let attempts = property(&["upstream", "request_attempt_count"]);
    match attempts.is_some_and(|count| count.starts_with(&[2])) {
        true => second,
        false => first,
    }
}

/// Whether a request cannot do without a field, whatever it says of its connection.
fn is_needed(name: &str) -> bool {
    name.starts_with(':') || matches!(name, "host" | "content-length" | "transfer-encoding")
}
