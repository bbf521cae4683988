//! Where the tenant is.

use crate::edge::{Edge, Runtime, request};
use crate::http::Client;
use crate::world::{World, echo, got};

in_every_edge! {
    the_tenant_is_where_the_variable_says,
    a_request_that_is_no_good_is_refused,
}

fn the_tenant_is_where_the_variable_says(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], Result<&'a str, &'a str>);
    let long = "a".repeat(9_000);
    let cases: [(&str, &[Case<'_>]); 6] = [
        (
            "header:x-tenant",
            &[
                ("/", &[("x-tenant", "acme")], Ok("acme")),
                ("/", &[("X-TENANT", "  acme  ")], Ok("acme")),
                ("/", &[("x-tenant", "a b/c%2F\"")], Ok("a%20b%2Fc%252F%22")),
                ("/", &[("x-tenant", &long)], Ok(&long)),
                ("/", &[], Err("no_tenant")),
                ("/", &[("x-tenant", "")], Err("no_tenant")),
                ("/acme", &[("tenant", "acme")], Err("no_tenant")),
                (
                    "/",
                    &[("x-tenant", "acme"), ("x-tenant", "bank-1")],
                    Err("bad_tenant"),
                ),
                ("/", &[("x-tenant", "acme,bank-1")], Err("bad_tenant")),
                ("/", &[("x-tenant", "b\u{fc}rger")], Err("bad_tenant")),
                ("/", &[("x-tenant", "b\u{20ac}")], Err("bad_tenant")),
            ],
        ),
        (
            "header:Tenant_Id",
            &[
                ("/", &[("tenant_id", "acme")], Ok("acme")),
                ("/", &[("x-tenant", "acme")], Err("no_tenant")),
            ],
        ),
        (
            "host:.example.com",
            &[
                ("/", &[("host", "acme.example.com")], Ok("acme")),
                ("/", &[("host", "ACME.Example.COM:8443")], Ok("acme")),
                ("/", &[("host", "acme.example.com.")], Ok("acme")),
                (
                    "/",
                    &[("host", "xn--brger-kva.example.com")],
                    Ok("xn--brger-kva"),
                ),
                ("/", &[("host", "example.com")], Err("no_tenant")),
                // Another one to whoever decodes it.
                ("/", &[("host", "x%61.example.com")], Err("bad_tenant")),
                ("/", &[("host", ".example.com")], Err("no_tenant")),
                ("/", &[("host", "a.b.example.com")], Err("no_tenant")),
                (
                    "/",
                    &[("host", "acme.example.com.evil.test")],
                    Err("no_tenant"),
                ),
                ("/", &[("host", "acmeexample.com")], Err("no_tenant")),
                ("/", &[("host", "127.0.0.1")], Err("no_tenant")),
                (
                    "/",
                    &[
                        ("host", "other.test"),
                        ("x-forwarded-host", "acme.example.com"),
                        ("x-tenant", "acme"),
                    ],
                    Err("no_tenant"),
                ),
            ],
        ),
        (
            "host:.Example.COM",
            &[("/", &[("host", "acme.example.com")], Ok("acme"))],
        ),
        (
            "path:1",
            &[
                ("/acme", &[], Ok("acme")),
                ("/acme/x/y?z=/bank-1", &[], Ok("acme")),
                ("/a%20b%2Fc/x", &[], Ok("a%20b%2Fc")),
                ("/b%C3%BCrger", &[], Ok("b%C3%BCrger")),
                (
                    "/bank-1/../acme",
                    &[],
                    // Where a URL is made of it, that is the same for whoever comes behind.
                    match runtime {
                        Runtime::Embedded | Runtime::Envoy => Err("bad_tenant"),
                        _ => Ok("acme"),
                    },
                ),
                ("/acme/..%2Fbank-1/x", &[], Err("bad_tenant")),
                ("/acme/..%5cbank-1", &[], Err("bad_tenant")),
                ("/acme/..;x/bank-1", &[], Err("bad_tenant")),
                ("/acme/..bank-1/.x", &[], Ok("acme")),
                ("/", &[("x-tenant", "acme")], Err("no_tenant")),
                ("//acme", &[], Err("no_tenant")),
                ("/?acme", &[], Err("no_tenant")),
                ("/%FF", &[], Err("bad_tenant")),
                ("/%zz", &[], Err("bad_tenant")),
            ],
        ),
        (
            "path:3",
            &[
                ("/a/b/acme", &[], Ok("acme")),
                ("/a/b/acme/", &[], Ok("acme")),
                ("/a/b", &[], Err("no_tenant")),
                ("/a/b/", &[], Err("no_tenant")),
            ],
        ),
    ];
    for (from, cases) in cases {
        let variables = [("TABLE", world.table.clone()), ("TENANT_FROM", from.into())];
        let edge = Edge::start(runtime, &variables).unwrap();
        for (target, headers, expected) in cases {
            let answer = edge.ask("GET", target, headers);
            match expected {
                Ok(tenant) => assert_eq!(
                    got(&echo(&answer), "x-halcyon-tenant"),
                    [*tenant],
                    "{from} {target} {headers:?}"
                ),
                Err(code) => assert_eq!(answer.problem(400), *code, "{from} {target} {headers:?}"),
            }
        }
    }
}

fn a_request_that_is_no_good_is_refused(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let too_long = "/".to_owned() + &"a".repeat(16_385);
    let variables = [
        ("TABLE", world.table.clone()),
        ("TENANT_FROM", "path:1".into()),
    ];
    let edge = Edge::start(runtime, &variables).unwrap();
    let asked: usize = crate::world::REGIONS
        .map(|region| world.asked(region))
        .iter()
        .sum();
    assert_eq!(edge.ask("TRACE", "/acme", &[]).problem(400), "bad_request");
    for (target, host) in [
        (too_long.as_str(), "edge.test"),
        ("/acme", "edge.test/x"),
        ("/acme", "edge.test?x"),
        ("/acme", "joe@edge.test"),
        ("/acme", "edge.test,other.test"),
        ("/acme", "edge.test:notaport"),
        ("/acme", ""),
        ("acme", "edge.test"),
    ] {
        let mut client = Client::to(edge.address);
        client.write(request(
            "GET",
            target,
            &[("host", host), ("connection", "close")],
        ));
        let head = client.head();
        // By the runtime or by the edge; a path may be too long for either.
        let refused = ["HTTP/1.1 400 ", "HTTP/1.1 414 ", "HTTP/1.1 431 "];
        let is_refused = refused.iter().any(|start| head.start.starts_with(start));
        assert!(is_refused, "{target:.20} {host}: {head:?}");
    }
    let after: usize = crate::world::REGIONS
        .map(|region| world.asked(region))
        .iter()
        .sum();
    assert_eq!(after, asked);
    echo(&edge.ask("GET", "/acme", &[]));
}
