//! The description of the API is true, and everybody can read it.

use crate::client::{Control, send};

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
