//! Variables of the template that are wrong. With one of them the embedded edge does not start.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::edge::{Edge, Runtime};
use crate::http::Answer;
use crate::world::{World, echo};

in_every_runtime! {
    every_wrong_variable_is_named_with_its_value_and_what_is_allowed,
    an_empty_variable_counts_as_unset,
    a_key_with_which_one_signature_is_good_for_many_tables_is_refused,
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
            ("TABLE_KEYS", "abc,".into()),
            ("TABLE_REFRESH_MS", "0".into()),
            ("TABLE_TIMEOUT_MS", "1e3".into()),
            ("UPSTREAM_TIMEOUT_MS", (-1).into()),
            ("EDGE_TELEMETRY_MS", 60_001.into()),
            ("EDGE_TELEMETRY", "https://joe:s3cr3t@halcyon.test/".into()),
        ],
    )
    .unwrap();
    let nines = "9".repeat(59);
    assert_eq!(problems, [
        format!("TENANT_FROM: \"p\\u00fcth:{nines}...\" says nowhere; {forms}"),
        "TABLE_URL: \"https://***@halcyon.test\" carries credentials, which would end up in logs; allowed: TABLE_TOKEN".into(),
        "TABLE_TOKEN: (not shown) is no bearer token; allowed: printable ASCII without blanks".into(),
        "TABLE_KEYS: \"abc\" is no public key; allowed: 44 characters of base64, as `halcyon keygen` prints them".into(),
        "TABLE_REFRESH_MS: \"0\" is no number in range; allowed: 100 to 3600000".into(),
        "TABLE_TIMEOUT_MS: \"1e3\" is no number in range; allowed: 10 to 25000".into(),
        "UPSTREAM_TIMEOUT_MS: \"-1\" is no number in range; allowed: 10 to 600000".into(),
        "EDGE_TELEMETRY_MS: \"60001\" is no number in range; allowed: 100 to 60000".into(),
        "EDGE_TELEMETRY: \"https://***@halcyon.test\" carries credentials, which would end up in logs; allowed: TABLE_TOKEN; or off".into(),
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
            vec![url.clone(), ("EDGE_TELEMETRY", json!("no"))],
            format!("EDGE_TELEMETRY: \"no\" is no HTTP address; {urls}; or off"),
        ),
        (
            vec![url.clone(), ("TABLE", json!("{"))],
            String::from("TABLE: \"{\" is no JSON; allowed: what halcyon table prints"),
        ),
    ] {
        assert_eq!(refused(runtime, &variables).unwrap().0, [problem]);
    }
    // No table would ever be one of that deployment.
    let both = [
        ("HALCYON_DEPLOYMENT", json!("my shop")),
        ("TABLE", json!("{")),
    ];
    let (problems, _) = refused(runtime, &both).unwrap();
    assert_eq!(
        problems,
        [
            "HALCYON_DEPLOYMENT: \"my shop\" is not a deployment's name; allowed: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter or digit",
            "TABLE: \"{\" is no JSON; allowed: what halcyon table prints",
        ]
    );
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
        "EDGE_TELEMETRY",
        "EDGE_TELEMETRY_MS",
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

fn a_key_with_which_one_signature_is_good_for_many_tables_is_refused(runtime: Runtime) {
    // The points of small order, with each sign, as the template knows them.
    let script = include_str!("../../wasm/worker/signature.js");
    let list = script.split_once("const WEAK = [").unwrap().1;
    let list = list.split_once("];").unwrap().0;
    let hex = list.split('"').filter(|part| part.len() == 64);
    let keys = hex.flat_map(|hex| {
        let bytes = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
        let key: [u8; 32] = bytes.collect::<Vec<_>>().try_into().unwrap();
        let mut other = key;
        other[31] |= 0x80;
        [key, other].map(|key| STANDARD.encode(key))
    });
    let keys: Vec<String> = keys.collect();
    assert_eq!(keys.len(), 14);
    let natively = halcyon::signing::TableKeys::parse(&keys).unwrap_err();
    assert_eq!(natively.len(), 14, "{natively:?}");
    let variables = [
        ("TABLE_URL", "http://127.0.0.1:1/".into()),
        ("TABLE_KEYS", keys.join(",").into()),
    ];
    let Some((problems, _)) = refused(runtime, &variables) else {
        return;
    };
    assert_eq!(problems, natively);
}
