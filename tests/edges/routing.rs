//! A tenant goes where the core puts it, with everything it sent.

use std::thread;

use serde_json::json;

use crate::edge::Runtime;
use crate::upstream::ELSEWHERE;
use crate::world::{EPOCH, World, echo, native, now, place, tenants};

in_every_edge! {
    every_tenant_goes_where_the_core_puts_it,
    a_canary_takes_its_share_grows_and_is_taken_back_by_the_table_alone,
    the_share_of_a_canary_ends_when_its_table_says_though_no_other_comes,
    a_region_that_the_table_knows_to_be_down_is_passed_over,
    a_hundred_requests_at_once_each_go_to_their_own_place,
    method_path_query_and_body_go_on_as_they_came,
    a_redirect_goes_back_to_the_client,
    a_tenant_that_no_region_may_serve_is_served_by_none,
}

mod addresses {
    in_every_edge_but_envoy! {
        the_path_and_query_of_an_upstreams_address_stay,
        a_path_does_not_lead_out_of_the_one_of_an_upstreams_address,
    }
    use super::{
        a_path_does_not_lead_out_of_the_one_of_an_upstreams_address,
        the_path_and_query_of_an_upstreams_address_stay,
    };
}

fn every_tenant_goes_where_the_core_puts_it(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    for tenant in tenants(60) {
        let answer = world.edge.get(&tenant);
        echo(&answer);
        assert_eq!(
            place(&answer),
            native(&world.table, &[], &tenant),
            "{tenant}"
        );
    }
}

fn a_canary_takes_its_share_grows_and_is_taken_back_by_the_table_alone(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let ids: Vec<String> = (0..120).map(|number| format!("tenant{number}")).collect();
    let green = || -> Vec<bool> {
        let answers = ids.iter().map(|tenant| world.edge.get(tenant));
        answers
            .map(|answer| echo(&answer)["slot"] == "green")
            .collect()
    };
    let count = |slots: &[bool]| slots.iter().filter(|green| **green).count();
    let quarter = green();
    assert!((15..=45).contains(&count(&quarter)), "{}", count(&quarter));
    world.publish(&world.table_of(EPOCH + 1, |table| table["release"]["weight"] = 60.into()));
    let more = green();
    assert!(count(&more) > count(&quarter));
    assert!(
        quarter
            .iter()
            .zip(&more)
            .all(|(before, after)| after >= before),
        "cohorts nest"
    );
    world.publish(&world.table_of(EPOCH + 2, |table| {
        table["release"] = json!({"id": "r1", "state": "rollback_in_progress", "weight": 0});
    }));
    assert_eq!(count(&green()), 0);
}

fn the_share_of_a_canary_ends_when_its_table_says_though_no_other_comes(runtime: Runtime) {
    let until = now() + 3_000;
    let at = halcyon_core::time::Timestamp(until).to_string();
    let whole = |table: &mut serde_json::Value| {
        table["release"] = json!({"id": "r1", "state": "canary", "weight": 100, "valid_until": at});
    };
    let Some(world) = World::with(runtime, &[], whole) else {
        return;
    };
    world.tables.mode(crate::tables::Mode::Close);
    let slot = |answer| echo(&answer)["slot"].clone();
    let answer = slot(world.edge.get("acme"));
    if now() < until {
        assert_eq!(answer, "green");
    }
    world.wait_until("blue", || slot(world.edge.get("acme")) == "blue");
    assert!(now() >= until);
}

fn a_region_that_the_table_knows_to_be_down_is_passed_over(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    world.publish(&world.table_of(EPOCH + 1, |table| {
        table["regions"][0]["status"] = "down".into()
    }));
    let before = world.asked("us-east");
    for tenant in tenants(10) {
        assert_eq!(
            place(&world.edge.get(&tenant)),
            native(&world.table, &["us-east"], &tenant)
        );
    }
    assert_eq!(world.asked("us-east"), before);
}

fn a_hundred_requests_at_once_each_go_to_their_own_place(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let ids = tenants(25);
    thread::scope(|scope| {
        for tenant in &ids[..100] {
            let world = &world;
            scope.spawn(move || {
                for _ in 0..3 {
                    let answer = world.edge.get(tenant);
                    let got = crate::world::got(&echo(&answer), "x-halcyon-tenant");
                    assert_eq!(got, [tenant.as_str()]);
                    assert_eq!(place(&answer), native(&world.table, &[], tenant));
                }
            });
        }
    });
}

fn method_path_query_and_body_go_on_as_they_came(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] {
        for target in [
            "/",
            "/a/b%20c/%2F?x=1&y=%26&z",
            "//double//slash/",
            "/?",
            "/%C3%BC?q=%C3%BC",
        ] {
            let answer = world.edge.ask(method, target, &[("x-tenant", "acme")]);
            assert_eq!(answer.status(), 200, "{method} {target}: {answer}");
            let (region, slot, _) = place(&answer);
            let asked = world.upstream(&region, &slot).asked();
            // A query without anything in it is none to whoever makes a URL of it.
            let target = match (target, runtime) {
                ("/?", Runtime::Workerd | Runtime::Node) => "/",
                (target, _) => target,
            };
            let expected = format!("{method} {target} HTTP/1.1");
            assert_eq!(asked.last().unwrap().start, expected);
        }
    }
    let body = crate::upstream::pattern(70_000);
    for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let echo = echo(&world.edge.send(method, "acme", body));
        assert_eq!(
            (&echo["method"], &echo["length"], &echo["pattern"]),
            (&method.into(), &70_000.into(), &true.into())
        );
        assert_eq!(
            crate::world::got(&echo, "content-length"),
            ["70000"],
            "{method}"
        );
    }
    let with_a_body = world.edge.send("GET", "acme", b"body");
    match runtime {
        // Not every runtime of the template can send one.
        Runtime::Workerd | Runtime::Node => assert_eq!(with_a_body.problem(400), "bad_request"),
        Runtime::Embedded | Runtime::Envoy => assert_eq!(echo(&with_a_body)["length"], 4),
    }
}

fn the_path_and_query_of_an_upstreams_address_stay(runtime: Runtime) {
    let below = |table: &mut serde_json::Value| {
        for (region, more) in [(0, "/base/?key=1"), (1, "/base"), (2, "/")] {
            for slot in ["blue", "green"] {
                let address = table["regions"][region][slot].as_str().unwrap().to_owned() + more;
                table["regions"][region][slot] = address.into();
            }
        }
    };
    let Some(world) = World::with(runtime, &[], below) else {
        return;
    };
    let expected = [
        (
            "us-east",
            "/base/x?key=1&y=2",
            "/base/x?key=1",
            "/base//evil.test/?key=1",
        ),
        ("us-west", "/base/x?y=2", "/base/x", "/base//evil.test/"),
        ("eu-west", "/x?y=2", "/x", "//evil.test/"),
    ];
    for (region, with_query, without, slashes) in expected {
        let tenant = tenants(20)
            .into_iter()
            .find(|id| native(&world.table, &[], id).0 == region);
        let tenant = tenant.unwrap();
        for (target, expected) in [
            ("/x?y=2", with_query),
            ("/x", without),
            ("//evil.test/", slashes),
        ] {
            let answer = world.edge.ask("GET", target, &[("x-tenant", &tenant)]);
            assert_eq!(echo(&answer)["target"], expected);
        }
    }
}

/// Another pool may be beside it.
fn a_path_does_not_lead_out_of_the_one_of_an_upstreams_address(runtime: Runtime) {
    let below = |table: &mut serde_json::Value| {
        for slot in ["blue", "green"] {
            let address = table["regions"][0][slot].as_str().unwrap().to_owned();
            table["regions"][0][slot] = format!("{address}/{slot}").into();
        }
    };
    let Some(world) = World::with(runtime, &[], below) else {
        return;
    };
    let of = |region: &str| {
        let ids = tenants(20).into_iter();
        let mut ids = ids.filter(|id| native(&world.table, &[], id).0 == region);
        ids.next().unwrap()
    };
    let (below, beside) = (of("us-east"), of("us-west"));
    let ask = |target: &str, tenant: &str| world.edge.ask("GET", target, &[("x-tenant", tenant)]);
    let asked = world.asked("us-east");
    for target in ["/..;/green/x", "/a/..%2fgreen", "/..%5Cgreen"] {
        assert_eq!(ask(target, &below).problem(400), "bad_request", "{target}");
        // Where there is nothing to lead out of, it is the upstream's to say what it is.
        assert_eq!(echo(&ask(target, &beside))["target"], target);
    }
    assert_eq!(world.asked("us-east"), asked);
    for target in ["/../green/x", "/%2e%2e/green/x"] {
        let answer = ask(target, &below);
        match runtime {
            Runtime::Embedded => assert_eq!(answer.problem(400), "bad_request", "{target}"),
            // A URL is made of it here, which leads nowhere else.
            _ => {
                let slot = native(&world.table, &[], &below).1;
                assert_eq!(echo(&answer)["target"], format!("/{slot}/green/x"));
            }
        }
    }
}

fn a_redirect_goes_back_to_the_client(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    for method in ["GET", "POST"] {
        let answer = world.edge.ask(method, "/redirect", &[("x-tenant", "acme")]);
        assert_eq!(answer.status(), 307, "{answer}");
        assert_eq!(answer.header("location"), Some(ELSEWHERE));
        assert_eq!(place(&answer), native(&world.table, &[], "acme"));
    }
}

fn a_tenant_that_no_region_may_serve_is_served_by_none(runtime: Runtime) {
    let forbidden =
        |table: &mut serde_json::Value| table["regions"][2]["status"] = "forbidden".into();
    let Some(world) = World::with(runtime, &[], forbidden) else {
        return;
    };
    let before: usize = ["us-east", "us-west", "eu-west"]
        .map(|region| world.asked(region))
        .iter()
        .sum();
    for tenant in ["nobody", "bank-1"] {
        for method in ["GET", "POST"] {
            let answer = world.edge.ask(method, "/", &[("x-tenant", tenant)]);
            assert_eq!(answer.problem(503), "residency_unavailable", "{tenant}");
            assert_eq!(answer.header("x-halcyon-region"), None);
        }
    }
    let after: usize = ["us-east", "us-west", "eu-west"]
        .map(|region| world.asked(region))
        .iter()
        .sum();
    assert_eq!(after, before);
}
