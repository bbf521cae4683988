//! The description of the API is true, and everybody can read it.

use crate::client::{Control, send};

#[test]
fn a_trace_is_echoed_and_logged_where_it_is_one_and_nothing_else_is() {
    let control = Control::with(&[("LOG_FORMAT", "json"), ("RUST_LOG", "info")]);
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let line = "DELETE /api/v1/freeze";
    let headers = [("traceparent", trace)];
    let answer = control.ask_with("Admin", line, &headers, None).is(204);
    assert_eq!(answer.header("traceparent"), Some(trace));
    let line_of_it = || {
        let said = control.server.stderr();
        let lines = said
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut lines = lines;
        lines.find(|line| line["fields"]["traceparent"] == trace)
    };
    let begin = std::time::Instant::now();
    let logged = loop {
        if let Some(logged) = line_of_it() {
            break logged;
        }
        let late = begin.elapsed() > std::time::Duration::from_secs(10);
        assert!(!late, "{}", control.server.stderr());
        std::thread::sleep(std::time::Duration::from_millis(10));
    };
    assert_eq!(logged["fields"]["route"], "/api/v1/freeze");
    for other in [
        "",
        "x",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
    ] {
        let headers = [("traceparent", other)];
        let answer = control
            .ask_with("", "GET /api/v1/state", &headers, None)
            .is(200);
        assert_eq!(answer.header("traceparent"), None, "{other}");
    }
}

#[test]
fn the_description_is_there_for_everybody_and_names_every_answer() {
    let control = Control::start();
    let answer = send(control.address(), "GET /openapi.json", &[], None).is(200);
    let tag = answer.header("etag").unwrap().to_owned();
    let again = send(
        control.address(),
        "GET /openapi.json",
        &[("If-None-Match", &tag)],
        None,
    );
    assert_eq!(again.status, 304);
    let description = answer.json();
    assert!(description["openapi"].as_str().unwrap().starts_with("3."));
    for (path, methods) in description["paths"].as_object().unwrap() {
        assert!(path.starts_with("/api/v1/") || path == "/metrics", "{path}");
        for (method, operation) in methods.as_object().unwrap() {
            let place = format!("{method} {path}");
            let responses = operation["responses"].as_object().unwrap();
            for status in ["401", "403"] {
                assert!(responses.contains_key(status), "{place} has no {status}");
            }
            assert!(operation["security"].is_array(), "{place}");
            assert!(
                operation["summary"].as_str().unwrap().ends_with('.'),
                "{place}"
            );
        }
    }
    let scheme = &description["components"]["securitySchemes"]["token"];
    assert_eq!(
        (&scheme["type"], &scheme["scheme"]),
        (&"http".into(), &"bearer".into())
    );
}
