//! Nobody but the edge says where a request was put.

use crate::edge::Runtime;
use crate::world::{World, echo, got, native, place};

in_every_edge! {
    routing_headers_of_a_client_never_arrive,
    an_upstream_cannot_fake_where_a_request_was_put,
    what_a_client_says_of_its_connection_and_itself_is_replaced,
    other_headers_go_both_ways_as_they_are,
}

fn routing_headers_of_a_client_never_arrive(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let sent = [
        ("x-tenant", "acme"),
        ("x-halcyon-region", "fake"),
        ("X-Halcyon-Slot", "fake"),
        ("X-HALCYON-REASON", "fake"),
        ("x-halcyon-tenant", "fake"),
        ("x-halcyon-epoch", "fake"),
        ("x-halcyon-", "fake"),
        ("x_halcyon_tenant", "fake"),
        // Must not take the edge's own away.
        (
            "connection",
            "x-halcyon-region, x-halcyon-tenant, x-private",
        ),
        ("x-private", "fake"),
    ];
    for method in ["GET", "POST"] {
        let answer = world.edge.ask(method, "/", &sent);
        let echo = echo(&answer);
        let (region, slot, reason) = place(&answer);
        assert_eq!(got(&echo, "x-halcyon-region"), [region]);
        assert_eq!(got(&echo, "x-halcyon-slot"), [slot]);
        assert_eq!(got(&echo, "x-halcyon-reason"), [reason]);
        assert_eq!(got(&echo, "x-halcyon-tenant"), ["acme"]);
        assert!(!echo["headers"].to_string().contains("fake"), "{echo}");
    }
}

fn an_upstream_cannot_fake_where_a_request_was_put(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let answer = world.edge.get("acme");
    // `place` takes no header that is there twice.
    assert_eq!(place(&answer), native(&world.table, &[], "acme"));
    let ours = ["x-halcyon-region", "x-halcyon-slot", "x-halcyon-reason"];
    for (name, value) in &answer.head.headers {
        assert_ne!(value, "fake", "{name}");
        assert!(
            !name.starts_with("x-halcyon-") || ours.contains(&name.as_str()),
            "{name}"
        );
    }
}

fn what_a_client_says_of_its_connection_and_itself_is_replaced(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let sent = [
        ("host", "shop.test:8080"),
        ("x-tenant", "acme"),
        ("x-forwarded-host", "fake.test"),
        ("x-forwarded-proto", "fake"),
        ("x-forwarded-for", "10.9.8.7"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-prefix", "/fake"),
        ("x_forwarded_for", "10.9.8.7"),
        ("x-real-ip", "10.9.8.7"),
        ("forwarded", "for=10.9.8.7"),
        ("cf-connecting-ip", "10.9.8.7"),
        ("te", "trailers"),
        ("keep-alive", "timeout=9"),
        ("proxy-authorization", "Basic fake"),
    ];
    let answer = world.edge.ask("GET", "/", &sent);
    let echo = echo(&answer);
    assert_eq!(got(&echo, "x-forwarded-host"), ["shop.test:8080"]);
    assert_eq!(got(&echo, "x-forwarded-proto"), ["http"]);
    assert_eq!(got(&echo, "x-forwarded-for"), ["127.0.0.1"]);
    let (region, slot, _) = place(&answer);
    let host = world
        .upstream(&region, &slot)
        .address()
        .trim_start_matches("http://");
    assert_eq!(got(&echo, "host"), [host]);
    for name in [
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x_forwarded_for",
        "x-real-ip",
        "forwarded",
        "te",
        "keep-alive",
        "proxy-authorization",
    ] {
        assert_eq!(got(&echo, name), [""; 0], "{name}");
    }
}

fn other_headers_go_both_ways_as_they_are(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let sent = [
        ("x-tenant", "acme"),
        ("authorization", "Bearer of-the-client"),
        ("cookie", "a=1; b=2"),
        ("accept-encoding", "gzip"),
        ("user-agent", "test"),
        ("if-none-match", "\"1\""),
        ("range", "bytes=0-9"),
        ("x-own", "yes"),
    ];
    let answer = world.edge.ask("GET", "/", &sent);
    let echo = echo(&answer);
    for (name, value) in sent {
        assert_eq!(got(&echo, name), [value], "{name}");
    }
    // And none of the runtime's own making.
    let known = [
        "host",
        "connection",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-for",
    ];
    for header in echo["headers"].as_array().unwrap() {
        let name = header[0].as_str().unwrap();
        let ours = name.starts_with("x-halcyon-") || known.contains(&name);
        assert!(ours || sent.iter().any(|(sent, _)| *sent == name), "{name}");
    }
    assert_eq!(answer.header("x-own"), Some("yes"));
    let cookies = answer
        .head
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie");
    let cookies: Vec<&str> = cookies.map(|(_, value)| value.as_str()).collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
}
