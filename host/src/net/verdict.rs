//! What the answer of a `/ready` means.

use axum::http::{Response, StatusCode};
use halcyon_core::text::{Seen, printable};
use serde_json::{Map, Value};

use super::server::REGION_HEADER;

const EXPECTED: &str = r#"expected {"status":"ready"}"#;

/// The longest list of failing checks that is shown, in characters.
const REASONS_MAX: usize = 200;

/// Refuses an answer from another region: a wrong address in the configuration would otherwise
/// confirm one region with another's health.
pub(super) fn same_region<B>(answer: &Response<B>, expected: &str) -> Result<(), String> {
    let Some(found) = answer.headers().get(REGION_HEADER) else {
        return Ok(());
    };
    if found == expected || found == "unknown" {
        return Ok(());
    }
    let found = String::from_utf8_lossy(found.as_bytes());
    Err(format!(
        "the answer comes from region {}; expected {}",
        Seen(&found),
        Seen(expected)
    ))
}

/// Decides on a 200 or a 503 with this body.
pub(super) fn judge(status: StatusCode, body: &[u8]) -> Result<(), String> {
    let answer = serde_json::from_slice::<Value>(body);
    if status != StatusCode::OK {
        return Err(match &answer {
            Ok(Value::Object(answer)) if text(answer, "status") == Some("not_ready") => {
                not_ready(answer)
            }
            _ => format!(
                "status {}; expected 200 with {}",
                status.as_u16(),
                &EXPECTED["expected ".len()..]
            ),
        });
    }
    let seen = String::from_utf8_lossy(&body[..body.len().min(512)]);
    match answer {
        Err(why) if why.is_eof() && body.is_empty() => {
            Err(format!("status 200 with an empty answer; {EXPECTED}"))
        }
        Err(_) => Err(format!(
            "the answer is not JSON: {}; {EXPECTED}",
            Seen(&seen)
        )),
        Ok(Value::Object(answer)) => match answer.get("status") {
            Some(Value::String(status)) if status == "ready" => Ok(()),
            Some(Value::String(status)) => Err(format!(
                "the answer's status is {}; {EXPECTED}",
                Seen(status)
            )),
            Some(_) => Err(format!("the answer's status is no text; {EXPECTED}")),
            None => Err(format!(
                "the answer has no status: {}; {EXPECTED}",
                Seen(&seen)
            )),
        },
        Ok(_) => Err(format!(
            "the answer is no JSON object: {}; {EXPECTED}",
            Seen(&seen)
        )),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

/// The failing checks of a health server, shortly: `not ready: required_envs missing FOO`.
fn not_ready(answer: &Map<String, Value>) -> String {
    let none = Map::new();
    let checks = answer
        .get("checks")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let mut failing = Vec::new();
    if checks.contains_key("drain") {
        failing.push("draining".to_string());
    }
    for (name, check) in checks {
        let Some(check) = check.as_object() else {
            continue;
        };
        if name == "dependencies" {
            let down = check
                .iter()
                .filter_map(|(name, check)| Some((name, check.as_object()?)));
            failing.extend(down.filter_map(|(name, check)| failure(name, check)));
        } else {
            failing.extend(failure(name, check));
        }
    }
    if failing.is_empty() {
        return "not ready, without saying why".into();
    }
    let reasons = printable(&failing.join(", "));
    let mut shown: String = reasons.chars().take(REASONS_MAX).collect();
    if shown.len() < reasons.len() {
        shown.push_str("...");
    }
    format!("not ready: {shown}")
}

fn failure(name: &str, check: &Map<String, Value>) -> Option<String> {
    if check.get("ok").and_then(Value::as_bool) != Some(false) {
        return None;
    }
    if let Some(missing) = check.get("missing").and_then(Value::as_array) {
        let names: Vec<&str> = missing.iter().filter_map(Value::as_str).collect();
        return Some(format!("{name} missing {}", names.join(" ")));
    }
    Some(match text(check, "error") {
        Some(error) => format!("{name} ({error})"),
        None => format!("{name} failed"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(body: &str) -> Result<(), String> {
        judge(StatusCode::OK, body.as_bytes())
    }

    #[test]
    fn only_a_json_object_that_says_ready_is_ready() {
        assert_eq!(ready(r#"{"status":"ready","checks":{}}"#), Ok(()));
        let deep = "[".repeat(60_000);
        for (body, why) in [
            ("", "empty answer"),
            ("<!doctype html>", "not JSON"),
            (r#"{"status":"rea"#, "not JSON"),
            (deep.as_str(), "not JSON"),
            (r#"{"status":"READY"}"#, "status is \"READY\""),
            (r#"{"status":1}"#, "no text"),
            (r#"{"ok":true}"#, "no status"),
            (r#"["ready"]"#, "no JSON object"),
        ] {
            let error = ready(body).unwrap_err();
            assert!(error.contains(why) && error.contains(EXPECTED), "{error}");
            assert!(error.len() < 200, "{error}");
        }
    }

    #[test]
    fn a_server_that_is_not_ready_is_quoted_on_why() {
        let body = r#"{"status":"not_ready","checks":{"feature_multi_region":true,
            "required_envs":{"expected":["A","FOO","BAR"],"missing":["FOO","BAR"],"ok":false},
            "regions":{"ok":false,"error":"PRIMARY_REGION: unset"},
            "deploy_rbac":{"ok":true,"role":"Admin"},
            "dependencies":{"db":{"ok":false,"latency_ms":400,"error":"timeout"},"mq":{"ok":true}}}}"#;
        let error = judge(StatusCode::SERVICE_UNAVAILABLE, body.as_bytes()).unwrap_err();
        for part in [
            "not ready: ",
            "required_envs missing FOO BAR",
            "regions (PRIMARY_REGION: unset)",
            "db (timeout)",
        ] {
            assert!(error.contains(part), "{error}");
        }
        assert!(
            !error.contains("deploy_rbac") && !error.contains("mq"),
            "{error}"
        );
    }

    #[test]
    fn what_a_stranger_sends_with_a_503_is_not_taken_for_checks() {
        for body in [
            "",
            "<html>",
            r#"{"status":"DOWN"}"#,
            r#"{"status":"not_ready"}"#,
            r#"{"status":"not_ready","checks":[1]}"#,
        ] {
            let error = judge(StatusCode::SERVICE_UNAVAILABLE, body.as_bytes()).unwrap_err();
            assert!(
                error.starts_with("status 503; expected 200")
                    || error == "not ready, without saying why",
                "{error}"
            );
        }
        let hostile =
            r#"{"status":"not_ready","checks":{"x\u001b[2J":{"ok":false,"error":"a\nb\u202ec"}}}"#;
        let error = judge(StatusCode::SERVICE_UNAVAILABLE, hostile.as_bytes()).unwrap_err();
        assert!(error.bytes().all(|b| (0x20..0x7f).contains(&b)), "{error}");
    }

    #[test]
    fn an_answer_from_another_region_names_both() {
        let answer = |region: Option<&str>| {
            let mut answer = Response::builder();
            if let Some(region) = region {
                answer = answer.header(REGION_HEADER, region);
            }
            answer.body(()).unwrap()
        };
        for same in [None, Some("us-east"), Some("unknown")] {
            assert_eq!(same_region(&answer(same), "us-east"), Ok(()));
        }
        let error = same_region(&answer(Some("us-west")), "us-east").unwrap_err();
        assert_eq!(
            error,
            r#"the answer comes from region "us-west"; expected "us-east""#
        );
    }
}
