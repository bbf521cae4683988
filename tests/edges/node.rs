//! What is the template's own in Node, where the runtime is a server and a process.

use std::time::{Duration, Instant};

use halcyon_tests::process::Signal;
use serde_json::Value;

use crate::edge::{Edge, Runtime, request};
use crate::http::Client;
use crate::upstream::Mode;
use crate::world::{World, native, place};

#[test]
fn an_answer_that_is_none_is_502_and_closes_its_connection() {
    let Some(world) = World::start(Runtime::Node) else {
        return;
    };
    let (region, slot, _) = native(&world.table, &[], "acme");
    let upstream = world.upstream(&region, &slot);
    upstream.close_connections();
    for mode in [Mode::Switches, Mode::Coded, Mode::Status(999)] {
        upstream.mode(mode);
        // More than anything on the way holds while nobody reads it.
        let headers = [("x-tenant", "acme"), ("content-length", "0")];
        let answer = world.edge.ask("POST", "/?large=30000000", &headers);
        assert_eq!(answer.problem(502), "upstream_unreachable", "{mode:?}");
        let begin = Instant::now();
        while upstream.open() > 0 {
            let late = begin.elapsed() > Duration::from_secs(3);
            assert!(!late, "{mode:?}: {} connections are left", upstream.open());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    upstream.mode(Mode::Serve);
    let answer = world.edge.send("POST", "acme", b"");
    assert_eq!(place(&answer), native(&world.table, &[], "acme"));
}

#[test]
fn an_answer_without_a_body_has_no_length_of_one() {
    let Some(world) = World::start(Runtime::Node) else {
        return;
    };
    let (region, slot, _) = native(&world.table, &[], "acme");
    let upstream = world.upstream(&region, &slot);
    let mut client = Client::to(world.edge.address);
    for status in [205, 200] {
        upstream.mode(Mode::Status(status));
        client.write(request("GET", "/", &[("x-tenant", "acme")]));
        let answer = client.answer("GET");
        assert_eq!(answer.status(), status, "on the same connection: {answer}");
        let length = answer.header("content-length");
        assert_eq!(length == Some("0"), status == 205, "{answer}");
    }
}

#[test]
fn a_body_in_another_coding_goes_nowhere() {
    let Some(world) = World::start(Runtime::Node) else {
        return;
    };
    let before = world.asked_in_all();
    let coded = [("x-tenant", "acme"), ("transfer-encoding", "gzip, chunked")];
    let answer = world.edge.ask("POST", "/", &coded);
    assert_eq!(answer.problem(400), "bad_request");
    assert!(answer.detail().contains("chunked alone"), "{answer}");
    assert_eq!(world.asked_in_all(), before);
}

#[test]
fn it_listens_on_loopback_at_8787_where_variables_are_empty() {
    for (variables, says) in [
        ([("PORT", "0"), ("BIND", "")], "edge on http://127.0.0.1:"),
        // Somebody else may be there: then it says so.
        ([("PORT", ""), ("BIND", "")], "127.0.0.1:8787"),
    ] {
        let variables = variables.map(|(name, value)| (name, Value::from(value)));
        let Some(mut running) = Edge::launch_in_node(&variables) else {
            return;
        };
        let begin = Instant::now();
        let said = loop {
            let said = running.stdout() + &running.stderr();
            if said.contains(says) || running.is_over() {
                break said;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "{said}");
            std::thread::sleep(Duration::from_millis(10));
        };
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_signal_ends_it_once_the_connections_that_are_open_have_their_answers() {
    let Some(world) = World::start(Runtime::Node) else {
        return;
    };
    let length = [("x-tenant", "acme"), ("content-length", "10")];
    let mut upload = Client::to(world.edge.address);
    upload.write(request("POST", "/", &length));
    upload.write("01234");
    let mut busy = Client::to(world.edge.address);
    busy.write(request("GET", "/", &[("x-tenant", "acme")]));
    assert_eq!(busy.answer("GET").header("connection"), Some("keep-alive"));
    world.edge.running.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    upload.write("56789");
    let answer = upload.answer("POST");
    assert_eq!(
        (answer.status(), answer.header("connection")),
        (200, Some("close"))
    );
    let ended = world.edge.running.ended_within(Duration::from_secs(10));
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
}
