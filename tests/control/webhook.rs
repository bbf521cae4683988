//! A hook that is an address: told of each change in each region, and asked until it says that it is made.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::client::{Control, NAMES};

/// A webhook: what it was told, and what it answers.
struct Webhook {
    address: SocketAddr,
    told: Arc<Mutex<Vec<(String, Value)>>>,
    answer: Arc<Mutex<&'static str>>,
}

impl Webhook {
    fn answering(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let told: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let answer = Arc::new(Mutex::new(status));
        let (heard, says) = (Arc::clone(&told), Arc::clone(&answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut bytes = Vec::new();
                let mut block = [0; 4096];
                let whole = |bytes: &[u8]| {
                    let text = String::from_utf8_lossy(bytes).into_owned();
                    let (head, body) = text.split_once("\r\n\r\n")?;
                    let length = head
                        .lines()
                        .find_map(|line| line.strip_prefix("content-length: "))?;
                    (body.len() == length.parse::<usize>().unwrap())
                        .then(|| (head.to_owned(), body.to_owned()))
                };
                let (head, body) = loop {
                    if let Some(request) = whole(&bytes) {
                        break request;
                    }
                    let read = stream.read(&mut block).unwrap();
                    bytes.extend_from_slice(&block[..read]);
                };
                assert!(head.starts_with("POST /hook/x HTTP/1.1"), "{head}");
                let key = head
                    .lines()
                    .find_map(|line| line.strip_prefix("idempotency-key: "));
                let body = serde_json::from_str(&body).unwrap();
                heard.lock().unwrap().push((key.unwrap().to_owned(), body));
                let status = *says.lock().unwrap();
                let answer = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: 5\r\nConnection: close\r\n\r\nsorry"
                );
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        Self {
            address,
            told,
            answer,
        }
    }

    fn told(&self) -> Vec<(String, Value)> {
        self.told.lock().unwrap().clone()
    }
}

fn begin(control: &Control, abort: bool) {
    let wish = json!({"image_blue":"a","image_green":"b","canary_seq":[10],"timeout_s":0,"abort_on_err":abort});
    control
        .ask("Deployer", "POST /api/v1/releases", Some(&wish.to_string()))
        .is(202);
}

#[test]
fn a_webhook_is_told_once_of_each_change_in_each_region() {
    let webhook = Webhook::answering("204 No Content");
    let at = format!("http://{}/hook/x", webhook.address);
    let control = Control::with(&[("STEP_HOOK", &at)]);
    begin(&control, true);
    control.until("every region to confirm", |_| webhook.told().len() >= 9);
    control.until("its end", |state| state["release"]["state"] == "green_live");
    let told = webhook.told();
    assert_eq!(told.len(), 9);
    for action in ["provision_green", "start_canary", "promote_green"] {
        for region in NAMES {
            let one = told
                .iter()
                .filter(|(_, body)| body["action"] == action && body["region"] == region);
            let (key, body) = one.clone().next().unwrap();
            assert_eq!(
                (one.count(), &body["image"]),
                (1, &json!("b")),
                "{action} {region}"
            );
            assert!(
                key.ends_with(&format!("/{region}")) && key.contains(action),
                "{key}"
            );
        }
    }
    assert_eq!(
        told.iter()
            .find(|(_, body)| body["action"] == "start_canary")
            .unwrap()
            .1["weight"],
        10
    );
}

#[test]
fn a_webhook_that_refuses_is_its_regions_failure_and_a_rollback_is_told_until_it_is_made() {
    let webhook = Webhook::answering("500 Internal Server Error");
    let at = format!("http://{}/hook/x", webhook.address);
    let control = Control::with(&[("STEP_HOOK", &at)]);
    begin(&control, true);
    control.until("the rollback", |state| {
        state["release"]["state"] == "rollback_in_progress"
    });
    let reason = control.records()[1]["reason"].as_str().unwrap().to_owned();
    assert!(
        reason.contains("answered 500; expected 2xx: sorry"),
        "{reason}"
    );
    *webhook.answer.lock().unwrap() = "200 OK";
    control.until("blue everywhere", |state| {
        state["release"]["state"] == "idle"
    });
    let undone = webhook
        .told()
        .into_iter()
        .filter(|(_, body)| body["action"] == "rollback_to_blue");
    assert!(undone.count() > 3);
}

#[test]
fn a_hook_that_is_no_address_though_it_begins_like_one_keeps_a_server_from_starting() {
    let store = halcyon_tests::store::Store::new();
    for bad in ["http://", "https://user:hunter2@h/", "http://h:x/"] {
        let serve = ["serve", "--health-port", "0", "--dashboard-port", "0"];
        let ran = store.run_with(&serve, &[("STEP_HOOK", bad)]).exits(2);
        assert!(
            ran.stderr.contains("STEP_HOOK: ") && !ran.stderr.contains("hunter2"),
            "{}",
            ran.stderr
        );
    }
}
