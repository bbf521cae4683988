//! Where the tenant is, and variables that say it wrongly.

use serde_json::{Value, json};

use crate::edge::{Edge, Runtime, request};
use crate::http::{Answer, Client};
use crate::world::{World, echo, got};

in_every_runtime! {
    the_tenant_is_where_the_variable_says,
    every_wrong_variable_is_named_with_its_value_and_what_is_allowed,
    an_empty_variable_counts_as_unset,
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
                ("/bank-1/../acme", &[], Ok("acme")),
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

fn refused(runtime: Runtime, variables: &[(&str, Value)]) -> Option<(Vec<String>, Answer)> {
    let edge = Edge::start(runtime, variables)?;
    for method in ["GET", "POST"] {
        assert_eq!(
            edge.ask(method, "/", &[("x-tenant", "acme")]).problem(500),
            "bad_config"
        );
    }
    let answer = edge.get("acme");
    let body = answer.json();
    let problems = match body["problems"].as_array() {
        Some(all) => all
            .iter()
            .map(|line| line.as_str().unwrap().to_owned())
            .collect(),
        None => vec![answer.detail()],
    };
    Some((problems, answer))
}

fn every_wrong_variable_is_named_with_its_value_and_what_is_allowed(runtime: Runtime) {
    let forms = "allowed: header:NAME, host:.DOMAIN, path:N with N from 1 to 9";
    let url = ("TABLE_URL", Value::from("http://127.0.0.1:1/"));
    for value in [
        "x-tenant",
        "header",
        "header:",
        "header:x tenant",
        "header:x:y",
        "Header:x-tenant",
        " header:x-tenant",
        "host:example.com",
        "host:",
        "host:.",
        "host:.exa mple",
        "host:..com",
        "host:.example.com/",
        "path:0",
        "path:10",
        "path:",
        "path:-1",
        "path:1.5",
        "cookie:tenant",
        "header:x-tenant\n",
    ] {
        let variables = [url.clone(), ("TENANT_FROM", value.into())];
        let Some((problems, _)) = refused(runtime, &variables) else {
            return;
        };
        let seen = serde_json::to_string(value).unwrap();
        assert_eq!(
            problems,
            [format!("TENANT_FROM: {seen} says nowhere; {forms}")]
        );
    }
    let (problems, _) = refused(
        runtime,
        &[
            url.clone(),
            ("TENANT_FROM", "header:X-Halcyon-Tenant".into()),
        ],
    )
    .unwrap();
    assert_eq!(
        problems,
        [format!(
            "TENANT_FROM: \"header:X-Halcyon-Tenant\" names a header that clients may not send; {forms}"
        )]
    );

    // Everything at once.
    let long = format!("p\u{fc}th:{}", "9".repeat(100));
    let (problems, answer) = refused(
        runtime,
        &[
            ("TENANT_FROM", long.into()),
            ("TABLE_URL", "https://joe:s3cr3t@halcyon.test/table".into()),
            ("TABLE_TOKEN", "s3cr3t\u{e4}".into()),
            ("TABLE_REFRESH_MS", "0".into()),
            ("TABLE_TIMEOUT_MS", "1e3".into()),
            ("UPSTREAM_TIMEOUT_MS", (-1).into()),
        ],
    )
    .unwrap();
    let nines = "9".repeat(59);
    assert_eq!(problems, [
        format!("TENANT_FROM: \"p\\u00fcth:{nines}...\" says nowhere; {forms}"),
        "TABLE_URL: \"https://***@halcyon.test\" carries credentials, which would end up in logs; allowed: TABLE_TOKEN".into(),
        "TABLE_TOKEN: (not shown) is no bearer token; allowed: printable ASCII without blanks".into(),
        "TABLE_REFRESH_MS: \"0\" is no number in range; allowed: 100 to 3600000".into(),
        "TABLE_TIMEOUT_MS: \"1e3\" is no number in range; allowed: 10 to 25000".into(),
        "UPSTREAM_TIMEOUT_MS: \"-1\" is no number in range; allowed: 10 to 600000".into(),
    ]);
    assert!(!answer.to_string().contains("s3cr3t"));

    let urls = "allowed: http://host[:port][/path], https://host[:port][/path]";
    for (variables, problem) in [
        (
            vec![],
            format!("TABLE_URL: is not set, and TABLE neither; {urls}"),
        ),
        (
            vec![("TABLE_URL", json!("halcyon.test/table"))],
            format!("TABLE_URL: \"halcyon.test/table\" is no HTTP address; {urls}"),
        ),
        (
            vec![("TABLE_URL", json!("ftp://joe:s3cr3t@x/"))],
            format!("TABLE_URL: \"ftp://***@x/\" is no HTTP address; {urls}"),
        ),
        (
            vec![url.clone(), ("TABLE", json!("{"))],
            String::from("TABLE: \"{\" is no JSON; allowed: what halcyon table prints"),
        ),
    ] {
        assert_eq!(refused(runtime, &variables).unwrap().0, [problem]);
    }
    let (problems, _) = refused(runtime, &[("TABLE", json!({"format": 1, "epoch": 0}))]).unwrap();
    assert!(
        problems.len() > 3,
        "everything that is wrong with it: {problems:?}"
    );
    assert!(
        problems.iter().all(|line| line.starts_with("TABLE: ")),
        "{problems:?}"
    );
}

fn an_empty_variable_counts_as_unset(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let names = [
        "TENANT_FROM",
        "TABLE_URL",
        "TABLE_TOKEN",
        "HALCYON_DEPLOYMENT",
        "TABLE_REFRESH_MS",
        "UPSTREAM_TIMEOUT_MS",
    ];
    let mut variables = vec![("TABLE", world.table.clone())];
    variables.extend(names.map(|name| (name, Value::from(""))));
    let edge = Edge::start(runtime, &variables).unwrap();
    echo(&edge.get("acme"));
    let (problems, _) =
        refused(runtime, &[("TABLE", "".into()), ("TABLE_URL", "".into())]).unwrap();
    assert!(
        problems[0].starts_with("TABLE_URL: is not set"),
        "{problems:?}"
    );
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
