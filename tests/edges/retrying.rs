//! A region that fails is left once, for the one that the core names, where repeating does no harm.

use std::time::Duration;

use serde_json::Value;

use crate::edge::Runtime;
use crate::http::Answer;
use crate::upstream::Mode;
use crate::world::{EPOCH, FAST, World, echo, got, native, place, tenants};

in_every_edge! {
    a_dead_region_is_left_for_the_one_that_the_core_names,
    residency_holds_on_the_second_try_too,
    a_gateway_error_is_left_and_any_other_answer_is_passed_on,
    an_upstream_that_says_nothing_is_left_after_its_time,
    what_may_change_something_is_never_sent_twice,
    a_safe_method_with_a_body_is_not_sent_twice,
    the_second_try_goes_by_the_newest_table,
    there_are_two_tries_and_no_third,
    where_no_other_region_may_serve_the_upstreams_own_answer_stands,
    a_slot_without_an_address_is_no_reason_for_the_other_slot,
    a_table_without_addresses_serves_nobody_and_says_why,
}

mod answers {
    in_every_edge_but_envoy! { an_answer_that_no_other_region_betters_stands }
    use super::an_answer_that_no_other_region_betters_stands;
}

/// Those that keep connections of their own.
mod kept {
    use super::{Runtime, a_connection_that_the_upstream_has_closed_is_no_failure as closed};

    #[test]
    fn a_connection_that_the_upstream_has_closed_is_no_failure_in_node() {
        closed(Runtime::Node);
    }

    #[test]
    fn a_connection_that_the_upstream_has_closed_is_no_failure_in_the_embedded_edge() {
        closed(Runtime::Embedded);
    }
}

fn a_connection_that_the_upstream_has_closed_is_no_failure(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let (region, slot, _) = native(&world.table, &[], "acme");
    let upstream = world.upstream(&region, &slot);
    upstream.mode(Mode::Once);
    let asked = || upstream.asked().len();
    let fresh = |method| {
        let answer = world.edge.send(method, "acme", b"");
        assert_eq!(place(&answer), native(&world.table, &[], "acme"));
        assert_eq!(answer.status(), 200, "{method}: {answer}");
    };
    for method in ["GET", "HEAD", "OPTIONS"] {
        fresh("GET");
        let before = asked();
        fresh(method);
        assert_eq!(
            asked(),
            before + 2,
            "{method}: over the old one and a new one"
        );
    }
    // It may have been heard before the connection was closed.
    fresh("GET");
    let before = asked();
    let answer = world.edge.send("POST", "acme", b"");
    assert_eq!(answer.problem(502), "upstream_unreachable");
    assert_eq!(asked(), before + 1, "a POST is sent once");
}

/// A tenant of a region, blue or green, without a rule of its own.
fn tenant_of(world: &World, region: &str) -> String {
    let mut ids = (0..).map(|number| format!("tenant{number}"));
    ids.find(|id| native(&world.table, &[], id).0 == region)
        .unwrap()
}

fn a_dead_region_is_left_for_the_one_that_the_core_names(runtime: Runtime) {
    let Some(mut world) = World::start(runtime) else {
        return;
    };
    world.kill("us-west");
    for method in ["GET", "HEAD", "OPTIONS"] {
        for tenant in tenants(12) {
            let answer = world.edge.ask(method, "/", &[("x-tenant", &tenant)]);
            assert_eq!(answer.status(), 200, "{method} {tenant}: {answer}");
            assert_eq!(place(&answer), native(&world.table, &["us-west"], &tenant));
            if method == "GET" {
                let echo = echo(&answer);
                assert_eq!(got(&echo, "x-halcyon-reason"), [place(&answer).2]);
                assert_eq!(got(&echo, "x-halcyon-region"), [place(&answer).0]);
            }
        }
    }
}

fn residency_holds_on_the_second_try_too(runtime: Runtime) {
    let Some(mut world) = World::start(runtime) else {
        return;
    };
    world.kill("eu-west");
    let count = |world: &World| ["us-east", "us-west"].map(|region| world.asked(region));
    let before = count(&world);
    for number in 0..20 {
        let answer = world.edge.get(&format!("bank-{number}"));
        assert_eq!(answer.problem(502), "upstream_unreachable");
        assert_eq!(place(&answer).0, "eu-west");
    }
    assert_eq!(count(&world), before, "a bank's tenant left eu-west");
    for number in 0..20 {
        let answer = world.edge.get(&format!("duo-{number}"));
        assert_eq!(echo(&answer)["region"], "us-west");
    }
    assert_eq!(
        count(&world)[0],
        before[0],
        "a tenant of us-west and eu-west came to us-east"
    );
}

fn a_gateway_error_is_left_and_any_other_answer_is_passed_on(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let tenant = tenant_of(&world, "us-east");
    for status in [400, 404, 429, 500, 501, 502, 503, 504, 505, 204, 304] {
        for slot in ["blue", "green"] {
            world.upstream("us-east", slot).mode(Mode::Status(status));
        }
        let answer = world.edge.get(&tenant);
        if (502..=504).contains(&status) {
            echo(&answer);
            assert_eq!(place(&answer), native(&world.table, &["us-east"], &tenant));
        } else {
            assert_eq!(answer.status(), status, "{answer}");
            assert_eq!(place(&answer), native(&world.table, &[], &tenant));
        }
    }
}

fn an_upstream_that_says_nothing_is_left_after_its_time(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    let tenant = tenant_of(&world, "us-west");
    for mode in [Mode::Hang, Mode::Close] {
        for slot in ["blue", "green"] {
            world.upstream("us-west", slot).mode(mode);
        }
        let answer = world.edge.get(&tenant);
        echo(&answer);
        assert_eq!(place(&answer), native(&world.table, &["us-west"], &tenant));
        let waited = Duration::from_millis(if mode == Mode::Hang { 990 } else { 0 });
        assert!(
            answer.took >= waited && answer.took < waited + FAST,
            "{:?}",
            answer.took
        );
    }
}

fn what_may_change_something_is_never_sent_twice(runtime: Runtime) {
    let Some(mut world) = World::start(runtime) else {
        return;
    };
    let tenant = tenant_of(&world, "us-east");
    let mine = native(&world.table, &[], &tenant);
    let others = |world: &World| ["us-west", "eu-west"].map(|region| world.asked(region));
    let before = others(&world);
    let methods = ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"];
    for (mode, code) in [
        (Mode::Close, "upstream_unreachable"),
        (Mode::Hang, "upstream_timeout"),
    ] {
        world.upstream("us-east", &mine.1).mode(mode);
        for (method, body) in methods
            .into_iter()
            .flat_map(|method| [(method, &b""[..]), (method, b"text")])
        {
            let asked = world.asked("us-east");
            let answer = world.edge.send(method, &tenant, body);
            assert_eq!(answer.problem(502), code, "{method}");
            assert!(answer.detail().contains("us-east"), "{answer}");
            assert_eq!(place(&answer), mine);
            assert_eq!(world.asked("us-east"), asked + 1, "{method}");
        }
    }
    world.upstream("us-east", &mine.1).mode(Mode::Status(503));
    let answer = world.edge.send("POST", &tenant, b"");
    assert_eq!(
        (answer.status(), answer.header("content-type")),
        (503, Some("application/json"))
    );
    assert_eq!(place(&answer), mine);
    assert_eq!(others(&world), before);
    world.kill("us-east");
    // Until the end of a kept connection has come by, what is sent over it may have been read.
    std::thread::sleep(Duration::from_millis(200));
    let answer = world.edge.send("POST", &tenant, b"text");
    unsent(&world, runtime, &answer, &tenant);
}

/// Nobody has got any of a request to a region that refuses connections. The embedded edge knows that, and
/// sends it to the next region; the runtimes of the template do not say so.
#[track_caller]
fn unsent(world: &World, runtime: Runtime, answer: &Answer, tenant: &str) {
    match runtime {
        Runtime::Workerd | Runtime::Node => {
            assert_eq!(answer.problem(502), "upstream_unreachable");
            assert_eq!(place(answer), native(&world.table, &[], tenant));
        }
        Runtime::Embedded | Runtime::Envoy => {
            assert_eq!(echo(answer)["length"], 4);
            assert_eq!(place(answer), native(&world.table, &["us-east"], tenant));
        }
    }
}

fn a_safe_method_with_a_body_is_not_sent_twice(runtime: Runtime) {
    let Some(mut world) = World::start(runtime) else {
        return;
    };
    let tenant = tenant_of(&world, "us-east");
    world.kill("us-east");
    std::thread::sleep(Duration::from_millis(200));
    let answer = world.edge.send("OPTIONS", &tenant, b"body");
    unsent(&world, runtime, &answer, &tenant);
    let answer = world.edge.send("OPTIONS", &tenant, b"");
    assert_eq!(place(&answer).2, "failover");
}

fn the_second_try_goes_by_the_newest_table(runtime: Runtime) {
    let Some(mut world) = World::start(runtime) else {
        return;
    };
    let tenant = tenant_of(&world, "us-east");
    world.kill("us-east");
    assert_eq!(place(&world.edge.get(&tenant)).0, "us-west");
    let next = world.table_of(EPOCH + 1, |table| {
        table["regions"][1]["status"] = "down".into();
    });
    world.publish(&next);
    let answer = world.edge.get(&tenant);
    assert_eq!(place(&answer), native(&next, &["us-east"], &tenant));
    assert_eq!(place(&answer).0, "eu-west");
}

fn there_are_two_tries_and_no_third(runtime: Runtime) {
    let Some(mut world) = World::start(runtime) else {
        return;
    };
    let tenant = tenant_of(&world, "us-east");
    let second = native(&world.table, &["us-east"], &tenant);
    for region in ["us-east", second.0.as_str()] {
        world.kill(region);
    }
    let answer = world.edge.get(&tenant);
    assert_eq!(answer.problem(502), "upstream_unreachable");
    assert!(answer.detail().contains(&second.0), "{answer}");
    assert_eq!(place(&answer), second);
}

fn where_no_other_region_may_serve_the_upstreams_own_answer_stands(runtime: Runtime) {
    let Some(world) = World::start(runtime) else {
        return;
    };
    for slot in ["blue", "green"] {
        world.upstream("eu-west", slot).mode(Mode::Status(503));
    }
    let asked = world.asked("eu-west");
    let answer = world.edge.get("bank-1");
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.json()["region"], "eu-west");
    assert_eq!(place(&answer), native(&world.table, &[], "bank-1"));
    assert_eq!(
        world.asked("eu-west"),
        asked + 1,
        "the same region is not asked again"
    );
}

fn an_answer_that_no_other_region_betters_stands(runtime: Runtime) {
    let Some(mut world) = World::start(runtime) else {
        return;
    };
    let tenant = tenant_of(&world, "us-east");
    let first = native(&world.table, &[], &tenant);
    let second = native(&world.table, &["us-east"], &tenant);
    for slot in ["blue", "green"] {
        world.upstream("us-east", slot).mode(Mode::Status(503));
    }
    world.kill(&second.0);
    let answer = world.edge.get(&tenant);
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.json()["region"], "us-east");
    assert_eq!(place(&answer), first);
    // The connection is good for more.
    for slot in ["blue", "green"] {
        world.upstream("us-east", slot).mode(Mode::Serve);
    }
    assert_eq!(echo(&world.edge.get(&tenant))["region"], "us-east");
}

fn a_slot_without_an_address_is_no_reason_for_the_other_slot(runtime: Runtime) {
    let without = |table: &mut Value| {
        table["regions"][0].as_object_mut().unwrap().remove("green");
        table["release"]["weight"] = 100.into();
    };
    let Some(world) = World::with(runtime, &[], without) else {
        return;
    };
    let tenant = tenant_of(&world, "us-east");
    let answer = world.edge.get(&tenant);
    echo(&answer);
    let second = native(&world.table, &["us-east"], &tenant);
    assert_eq!(
        (place(&answer), second.1.as_str()),
        (second.clone(), "green")
    );
    let answer = world.edge.send("POST", &tenant, b"text");
    if matches!(runtime, Runtime::Embedded | Runtime::Envoy) {
        // Nothing of it has been sent.
        assert_eq!(place(&answer), second);
        assert_eq!(world.upstream("us-east", "blue").asked().len(), 0);
        return;
    }
    assert_eq!(answer.problem(503), "no_upstream");
    assert!(
        ["us-east", "green"]
            .iter()
            .all(|word| answer.detail().contains(word)),
        "{answer}"
    );
    assert_eq!(world.upstream("us-east", "blue").asked().len(), 0);
}

fn a_table_without_addresses_serves_nobody_and_says_why(runtime: Runtime) {
    let without = |table: &mut Value| {
        for region in table["regions"].as_array_mut().unwrap() {
            let region = region.as_object_mut().unwrap();
            region.remove("blue");
            region.remove("green");
        }
    };
    let Some(world) = World::before(runtime, &[], without) else {
        return;
    };
    world
        .tables
        .mode(crate::tables::Mode::Table(world.table.clone()));
    world.wait_until("the table", || {
        world.edge.get("acme").problem(503) == "no_upstream"
    });
    for method in ["GET", "POST"] {
        let answer = world.edge.send(method, "bank-1", b"");
        assert_eq!(answer.problem(503), "no_upstream");
        assert!(answer.detail().contains("eu-west"), "{answer}");
    }
}
