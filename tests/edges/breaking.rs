//! A pool that fails is passed over for a while by the embedded edge: quickly, never the last one, and in its
//! own colour only.

use std::thread;
use std::time::{Duration, Instant};

use crate::edge::{Runtime, request};
use crate::http::{Answer, Client};
use crate::upstream::Mode;
use crate::world::{World, echo, native, place, tenants};

fn world(switch: &str) -> World {
    World::with(Runtime::Embedded, &[("EDGE_BREAKER", switch)], |_| ()).unwrap()
}

/// Tenants of a region and a colour, without a rule of their own.
fn of(world: &World, region: &str, slot: &str) -> Vec<String> {
    let ids = (0..).map(|number| format!("tenant{number}"));
    let ids = ids.filter(|id| {
        let (found, colour, _) = native(&world.table, &[], id);
        (found.as_str(), colour.as_str()) == (region, slot)
    });
    ids.take(10).collect()
}

/// What is never sent twice, so that each failure is seen.
fn post(world: &World, tenant: &str) -> Answer {
    world.edge.send("POST", tenant, b"text")
}

fn until_said(world: &World, what: &str) {
    let begin = Instant::now();
    while !world.edge.said().contains(what) {
        let late = begin.elapsed() > Duration::from_secs(10);
        assert!(!late, "waited for {what}: {}", world.edge.said());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_pool_that_fails_five_times_in_a_row_is_passed_over_and_comes_back_with_its_tenants() {
    let world = world("true");
    let ours = of(&world, "us-east", "blue");
    let before: Vec<_> = ours.iter().map(|id| place(&world.edge.get(id))).collect();
    world.upstream("us-east", "blue").mode(Mode::Close);
    for _ in 0..5 {
        assert_eq!(post(&world, &ours[0]).problem(502), "upstream_unreachable");
    }
    until_said(
        &world,
        "region us-east, blue: 5 failures in a row; passed over for ",
    );
    let asked = world.upstream("us-east", "blue").asked().len();
    for tenant in &ours {
        let answer = post(&world, tenant);
        assert_eq!(echo(&answer)["length"], 4);
        assert_eq!(place(&answer), native(&world.table, &["us-east"], tenant));
    }
    assert_eq!(world.upstream("us-east", "blue").asked().len(), asked);
    // It still fails when its time is over: a single request sees that.
    thread::sleep(Duration::from_millis(2_500));
    assert_eq!(post(&world, &ours[0]).status(), 502);
    until_said(
        &world,
        "region us-east, blue: it failed again; passed over for ",
    );
    assert_eq!(post(&world, &ours[0]).status(), 200);
    world.upstream("us-east", "blue").mode(Mode::Serve);
    thread::sleep(Duration::from_millis(4_900));
    let after: Vec<_> = ours.iter().map(|id| place(&world.edge.get(id))).collect();
    assert_eq!(after, before, "exactly where they were");
    until_said(&world, "region us-east, blue: serves again");
}

#[test]
fn a_pool_whose_region_is_up_again_by_the_table_is_tried_at_once() {
    let world = world("true");
    let ours = of(&world, "us-east", "blue");
    world.upstream("us-east", "blue").mode(Mode::Close);
    for _ in 0..5 {
        post(&world, &ours[0]);
    }
    until_said(&world, "5 failures in a row; passed over for ");
    // Twice, so that it is passed over for at least 3.2 s from here on.
    thread::sleep(Duration::from_millis(2_500));
    post(&world, &ours[0]);
    until_said(&world, "it failed again; passed over for ");
    let begin = Instant::now();
    world.upstream("us-east", "blue").mode(Mode::Serve);
    for (epoch, status) in [(2_000, "down"), (3_000, "up")] {
        let table = world.table_of(epoch, |table| table["regions"][0]["status"] = status.into());
        world.publish(&table);
        until_said(&world, &format!("table {epoch} is in force"));
    }
    let answer = post(&world, &ours[0]);
    assert_eq!(place(&answer), native(&world.table, &[], &ours[0]));
    assert!(
        begin.elapsed() < Duration::from_millis(3_000),
        "too slow to say"
    );
    until_said(&world, "region us-east, blue: serves again");
}

#[test]
fn the_other_colour_of_a_region_is_not_touched() {
    let world = world("true");
    world.upstream("us-east", "green").mode(Mode::Close);
    let green = of(&world, "us-east", "green");
    for _ in 0..5 {
        post(&world, &green[0]);
    }
    until_said(&world, "region us-east, green: 5 failures in a row");
    for tenant in of(&world, "us-east", "blue") {
        assert_eq!(
            place(&post(&world, &tenant)),
            native(&world.table, &[], &tenant)
        );
    }
    for tenant in &green {
        let expected = native(&world.table, &["us-east"], tenant);
        assert_eq!(expected.1, "green", "it keeps its colour");
        assert_eq!(place(&post(&world, tenant)), expected);
    }
}

#[test]
fn a_share_of_failures_is_enough() {
    let world = world("true");
    let ours = of(&world, "us-west", "blue");
    let upstream = world.upstream("us-west", "blue");
    for _ in 0..12 {
        upstream.mode(Mode::Serve);
        post(&world, &ours[0]);
        upstream.mode(Mode::Status(503));
        post(&world, &ours[0]);
    }
    until_said(
        &world,
        "region us-west, blue: 10 of 20 requests failed within 10 s; passed over for ",
    );
}

#[test]
fn answers_that_break_off_midway_count_too() {
    let world = world("true");
    let ours = of(&world, "us-west", "blue");
    for _ in 0..14 {
        let mut client = Client::to(world.edge.address);
        client.write(request("GET", "/broken", &[("x-tenant", &ours[0])]));
        let head = client.head();
        let read = head.answer_body(&mut client.stream, |_| ());
        assert!(read.is_err() || head.header("x-halcyon-region") != Some("us-west"));
    }
    until_said(&world, "region us-west, blue: ");
    until_said(&world, "requests failed within 10 s; passed over for ");
    assert_eq!(place(&post(&world, &ours[0])).2, "failover");
}

#[test]
fn the_last_one_serves_on() {
    let world = world("true");
    for region in ["us-east", "us-west", "eu-west"] {
        world.upstream(region, "blue").mode(Mode::Status(503));
    }
    let all = tenants(20);
    let blue = all
        .iter()
        .filter(|id| native(&world.table, &[], id).1 == "blue");
    for tenant in blue.cycle().take(120) {
        post(&world, tenant);
    }
    let said = world.edge.said();
    assert_eq!(
        said.matches("; it serves on, as the last one that does")
            .count(),
        1,
        "{said}"
    );
    assert_eq!(said.matches("; passed over for ").count(), 2, "{said}");
    // Where nothing serves, the upstream's own answer comes.
    let banks = (0..).map(|number| format!("bank-{number}"));
    let mut banks = banks.filter(|id| native(&world.table, &[], id).1 == "blue");
    let answer = post(&world, &banks.next().unwrap());
    assert_eq!(
        (answer.status(), place(&answer).0.as_str()),
        (503, "eu-west")
    );
    assert_eq!(answer.json()["region"], "eu-west");
}

#[test]
fn what_an_application_answers_is_no_reason() {
    let world = world("true");
    for status in [500, 501, 404, 429] {
        world.upstream("us-east", "blue").mode(Mode::Status(status));
        for tenant in of(&world, "us-east", "blue") {
            let answer = post(&world, &tenant);
            assert_eq!(answer.status(), status);
            assert_eq!(place(&answer), native(&world.table, &[], &tenant));
        }
    }
    assert!(
        !world.edge.said().contains("passed over"),
        "{}",
        world.edge.said()
    );
}

#[test]
fn with_the_switch_off_every_request_tries_its_own_region() {
    let world = world("false");
    world.upstream("us-east", "blue").mode(Mode::Close);
    let ours = of(&world, "us-east", "blue");
    for _ in 0..20 {
        assert_eq!(post(&world, &ours[0]).problem(502), "upstream_unreachable");
    }
    assert!(
        !world.edge.said().contains("passed over"),
        "{}",
        world.edge.said()
    );
}

#[test]
fn a_pool_at_a_new_address_is_another_one() {
    let world = world("true");
    let ours = of(&world, "us-east", "blue");
    let shown = || {
        let metrics = crate::embedded::health(&world.edge, "/metrics").body;
        let metrics = String::from_utf8(metrics).unwrap();
        let name = "halcyon_edge_upstream_passed_over{region=\"us-east\",slot=\"blue\"} ";
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{metrics}")).to_owned()
    };
    assert_eq!(shown(), "0");
    world.upstream("us-east", "blue").mode(Mode::Close);
    for _ in 0..5 {
        post(&world, &ours[0]);
    }
    assert_eq!(shown(), "1");
    // The same pool in another table is out as before.
    world.publish(&world.table_of(crate::world::EPOCH + 1, |_| ()));
    assert_eq!(shown(), "1");
    let elsewhere = world.upstream("us-east", "green").address();
    world.publish(&world.table_of(crate::world::EPOCH + 2, |table| {
        table["regions"][0]["blue"] = elsewhere.into();
    }));
    assert_eq!(shown(), "0");
    let answer = post(&world, &ours[0]);
    assert_eq!(
        (answer.status(), place(&answer).0.as_str()),
        (200, "us-east")
    );
}

#[test]
fn a_standby_that_was_out_once_and_has_nobody_of_its_own_is_tried_when_its_region_is_needed() {
    let world = World::with(Runtime::Embedded, &[("EDGE_BREAKER", "true")], |table| {
        table["sticky"] = "primary".into();
        table["primary"] = "us-east".into();
        table.as_object_mut().unwrap().remove("rules");
        table.as_object_mut().unwrap().remove("release");
        for region in table["regions"].as_array_mut().unwrap() {
            let serves = ["us-east", "us-west"].contains(&region["name"].as_str().unwrap());
            region["status"] = if serves { "up" } else { "forbidden" }.into();
        }
    })
    .unwrap();
    let (first, standby) = (
        world.upstream("us-east", "blue"),
        world.upstream("us-west", "blue"),
    );
    standby.mode(Mode::Status(503));
    // What fails in both regions, between what does not: only the standby fails five times in a row.
    for _ in 0..5 {
        first.mode(Mode::Serve);
        assert_eq!(world.edge.get("acme").status(), 200);
        first.mode(Mode::Status(503));
        assert_eq!(world.edge.get("acme").status(), 503);
    }
    until_said(
        &world,
        "region us-west, blue: 5 failures in a row; passed over for ",
    );
    thread::sleep(Duration::from_millis(2_500));
    standby.mode(Mode::Serve);
    // The last request of before was the first failure in this row.
    for _ in 0..4 {
        assert_eq!(post(&world, "acme").status(), 503);
    }
    until_said(
        &world,
        "region us-east, blue: 5 failures in a row; passed over for ",
    );
    for _ in 0..3 {
        assert_eq!(echo(&post(&world, "acme"))["region"], "us-west");
    }
}
