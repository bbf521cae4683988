//! How often a client may ask, and how much it may send.

use crate::client::{Control, send};

#[test]
fn a_client_that_asks_too_often_is_told_when_to_come_back_and_others_are_served() {
    let control = Control::start();
    let line = "DELETE /api/v1/freeze";
    let mut refused = None;
    for _ in 0..400 {
        let answer = control.ask("Deployer", line, None);
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status, 403);
    }
    let refused = refused.expect("20 a second and 50 at once are fewer");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.problem(429).contains("20 a second, and 50 at once"));
    // Another token has its own, and reading is another matter.
    control.ask("Admin", line, None).is(204);
    control.ask("Deployer", "GET /api/v1/state", None).is(200);
}

#[test]
fn fifty_changes_at_once_are_taken() {
    let control = Control::start();
    for _ in 0..50 {
        control.ask("Admin", "DELETE /api/v1/freeze", None).is(204);
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_and_one_that_just_fits_is_not() {
    let control = Control::start();
    let padded = |text: &str, bytes: usize| text.to_owned() + &" ".repeat(bytes - text.len());
    let body = |bytes: usize| padded(r#"{"reason":"x"}"#, bytes);
    let line = "POST /api/v1/release/rollback";
    control
        .ask("Deployer", line, Some(&body(64 * 1024)))
        .is(200);
    control
        .ask("Deployer", line, Some(&body(64 * 1024 + 1)))
        .problem(413);
    let tenants = |bytes: usize| padded(r#"{"tenants":["a"]}"#, bytes);
    let line = "POST /api/v1/route";
    control
        .ask("Viewer", line, Some(&tenants(1024 * 1024)))
        .is(200);
    control
        .ask("Viewer", line, Some(&tenants(1024 * 1024 + 1)))
        .problem(413);
}

#[test]
fn a_bad_token_is_never_good_for_trying_many() {
    let control = Control::start();
    let mut refused = 0;
    for number in 0..1_500 {
        let bearer = format!("Bearer hlc_{number}");
        let headers = [("Authorization", bearer.as_str())];
        match send(control.address(), "GET /api/v1/table", &headers, None).status {
            401 => {}
            429 => refused += 1,
            other => panic!("{other}"),
        }
    }
    // Whatever it tries with, it is one client; a slow machine may spread them over a second or two.
    assert!(refused > 0 || cfg!(debug_assertions), "{refused}");
}
