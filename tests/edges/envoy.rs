//! The template for Envoy at work, and what is its alone.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use halcyon_tests::store::Running;
use halcyon_wasm_build::{build_envoy, workspace};
use serde_json::Value;

use crate::http::Client;

/// Envoy's program and the filter. `None` where there is no Python to get the one by.
pub(crate) fn installed() -> Option<&'static (PathBuf, PathBuf)> {
    static INSTALLED: OnceLock<Option<(PathBuf, PathBuf)>> = OnceLock::new();
    let install = || {
        let python = Command::new("python3").arg("--version").output();
        if !python.is_ok_and(|output| output.status.success()) {
            let peers = std::env::var_os(crate::edge::PEERS);
            assert!(peers.is_none(), "there is no Python to install Envoy by");
            return None;
        }
        let home = workspace().join("target/wasm/envoy");
        std::fs::create_dir_all(&home).unwrap();
        let module = build_envoy(&workspace().join("target/wasm"));
        let module = module.unwrap_or_else(|why| panic!("{why}"));
        let filter = home.join("halcyon_envoy.wasm");
        crate::embedded::replace(&filter, &module);
        Some((program(&home.join("python")), filter))
    };
    INSTALLED.get_or_init(install).as_ref()
}

/// Envoy, as the package of a third party has it: of this version and with this hash.
fn program(home: &Path) -> PathBuf {
    let find = || {
        let lib = std::fs::read_dir(home.join("lib")).ok()?;
        let found = lib.filter_map(Result::ok);
        let mut found = found.map(|entry| entry.path().join("site-packages/envoy/_bin/envoy"));
        found.find(|path| path.exists())
    };
    if let Some(found) = find() {
        return found;
    }
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}: {said}");
    };
    run(Command::new("python3").args(["-m", "venv"]).arg(home));
    let wanted = workspace().join("tests/edges/envoy.txt");
    let install = ["-m", "pip", "install", "--quiet", "--require-hashes", "-r"];
    run(Command::new(home.join("bin/python"))
        .args(install)
        .arg(wanted));
    find().expect("the package has Envoy's program")
}

/// Envoy with the template's configuration. Where its pools are is in `POOLS` or `TABLE`, which are tables.
pub(crate) fn command(folder: &Path, variables: &[(&str, Value)]) -> Option<Command> {
    let (envoy, filter) = installed()?;
    let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
    let table = find("POOLS").or(find("TABLE")).map(|(_, table)| table);
    let table: Value = match table.expect("where the pools are") {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        table => table.clone(),
    };
    let mut template = std::fs::read_to_string(workspace().join("wasm/envoy/envoy.yaml")).unwrap();
    let mut put = |from: &str, to: &str| {
        assert!(template.contains(from), "the template has no {from}");
        template = template.replace(from, to);
    };
    put("port_value: 8000", "port_value: 0");
    put("halcyon_envoy.wasm", filter.to_str().unwrap());
    for region in table["regions"].as_array().unwrap() {
        for slot in ["blue", "green"] {
            let name = format!("{slot}.{}.internal", region["name"].as_str().unwrap());
            let Some(at) = region[slot].as_str() else {
                continue;
            };
            let port = at.trim_start_matches("http://127.0.0.1:");
            put(&format!("http://{name}:8080"), at);
            put(
                &format!("\"{name}:8080\""),
                &format!("\"127.0.0.1:{port}\""),
            );
            let at = format!("{{address: {name}, port_value: 8080}}");
            put(&at, &format!("{{address: 127.0.0.1, port_value: {port}}}"));
        }
    }
    if let Some((_, ms)) = find("UPSTREAM_TIMEOUT_MS") {
        let ms: f64 = ms.as_str().unwrap().parse().unwrap();
        let timeout = format!("per_try_timeout: {}s", ms / 1000.0);
        put("per_try_timeout: 10s", &timeout);
    }
    if find("INTERNAL").is_some() {
        // As where clients are in one's own network: Envoy hears them then.
        let trusted =
            "internal_address_config: {cidr_ranges: [{address_prefix: 127.0.0.0, prefix_len: 8}]}";
        let more = format!("use_remote_address: true\n          {trusted}");
        put("use_remote_address: true", &more);
    }
    let others = [
        "POOLS",
        "UPSTREAM_TIMEOUT_MS",
        "CONCURRENCY",
        "INTERNAL",
        "HOSTLESS",
    ];
    let settings = variables.iter().filter(|(name, _)| !others.contains(name));
    let mut settings: serde_json::Map<String, Value> = settings
        .map(|(name, value)| (String::from(*name), value.clone()))
        .collect();
    if let Some(url) = settings.get("TABLE_URL") {
        let at = url
            .as_str()
            .unwrap()
            .trim_start_matches("http://127.0.0.1:");
        let port = at.split('/').next().unwrap().to_owned();
        let at = "{address: halcyon.internal, port_value: 8080}";
        put(at, &format!("{{address: 127.0.0.1, port_value: {port}}}"));
        settings.insert("TABLE_CLUSTER".into(), "control-plane".into());
    }
    if let Some((_, region)) = find("HOSTLESS") {
        // As where nobody is found under its pools' names.
        let of = format!(
            "load_assignment: {{cluster_name: {}/",
            region.as_str().unwrap()
        );
        let lines = template.lines().map(|line| match line.split_once(&of) {
            Some((indent, rest)) => {
                let slot = rest.split(',').next().unwrap();
                format!("{indent}{of}{slot}, endpoints: []}}\n")
            }
            None => format!("{line}\n"),
        });
        template = lines.collect();
    }
    let begin = template.find("                    {\n").unwrap();
    let end = begin + template[begin..].find("}\n").unwrap() + 2;
    let settings = Value::Object(settings);
    template.replace_range(begin..end, &format!("                    {settings}\n"));
    let admin = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\n";
    let config = folder.join("envoy.yaml");
    std::fs::write(&config, admin.to_owned() + &template).unwrap();
    let mut command = Command::new(envoy);
    command
        .arg("-c")
        .arg(config)
        .args([
            "--disable-hot-restart",
            "--log-level",
            "info",
            "--concurrency",
        ])
        .arg(find("CONCURRENCY").map_or("1".into(), |(_, threads)| threads.to_string()))
        .arg("--admin-address-path")
        .arg(folder.join("admin"));
    Some(command)
}

/// The port that it listens on, by its own word.
pub(crate) fn port(folder: &Path, running: &Running) -> u16 {
    let begin = Instant::now();
    loop {
        let admin = std::fs::read_to_string(folder.join("admin")).ok();
        let admin = admin.and_then(|admin| admin.trim().parse::<SocketAddr>().ok());
        // It says where before it is there.
        if let Some(admin) = admin.filter(|admin| TcpStream::connect(admin).is_ok()) {
            let mut client = Client::to(admin);
            client.write("GET /listeners?format=json HTTP/1.1\r\nhost: admin\r\n\r\n");
            let found = client.answer("GET").json();
            let port =
                &found["listener_statuses"][0]["local_address"]["socket_address"]["port_value"];
            let port = port.as_u64().and_then(|port| u16::try_from(port).ok());
            let is_there = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
            if let Some(port) = port.filter(is_there) {
                return port;
            }
        }
        let ended = running.stderr().contains(" initializing config");
        assert!(
            begin.elapsed() < Duration::from_secs(20) && !ended,
            "Envoy does not listen: {}{}",
            running.stdout(),
            running.stderr()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

mod tests {
    use std::thread;
    use std::time::Duration;

    use halcyon::signing::TableSigner;
    use serde_json::{Value, json};

    use super::{command, installed};
    use crate::edge::{Edge, Runtime, request};
    use crate::http::Client;
    use crate::tables::{Mode, Tables};
    use crate::upstream::Mode as Pool;
    use crate::world::{EPOCH, World, echo, got, native, place, tenants};

    /// The world's edge, started anew with other settings.
    fn another(world: &World, settings: &[(&str, Value)]) -> Option<Edge> {
        let mut all = vec![("POOLS", world.table.clone())];
        all.extend(settings.iter().cloned());
        Edge::start(Runtime::Envoy, &all)
    }

    #[test]
    fn with_wrong_settings_envoy_does_not_start_and_says_everything_that_is_wrong() {
        if installed().is_none() {
            return;
        }
        let world = World::start(Runtime::Embedded).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let refused = |settings: &[(&str, Value)]| {
            let mut all = vec![("POOLS", world.table.clone())];
            all.extend(settings.iter().cloned());
            let mut command = command(folder.path(), &all).unwrap();
            let output = command.output().unwrap();
            assert!(!output.status.success());
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let lines = said.lines().filter(|line| line.contains("halcyon: "));
            let lines = lines.map(|line| line.rsplit("halcyon: ").next().unwrap());
            lines.map(String::from).collect::<Vec<_>>()
        };
        let found = refused(&[
            ("TENANT_FROM", "cookie:t".into()),
            ("TABLE_URL", "http://127.0.0.1:1/table".into()),
            ("TABLE_KEYS", "abc".into()),
            ("TABLE_TOKEN", "s3cr3t t0k3n".into()),
            ("TABLE_REFRESH_MS", 1.into()),
            ("TABLE_TIMEOUT_MS", "1e3".into()),
            ("EDGE_TELEMETRY", "halcyon".into()),
            ("EDGE_TELEMETRY_MS", 99.into()),
            ("HALCYON_DEPLOYMENT", json!(["shop"])),
            ("TENANT_FORM", "path:1".into()),
        ]);
        let forms = "allowed: header:NAME, host:.DOMAIN, path:N with N from 1 to 9";
        for expected in [
            &format!("TENANT_FROM: \"cookie:t\" says nowhere; {forms}")[..],
            "TABLE_TOKEN: (not shown) is no bearer token; allowed: printable ASCII without blanks",
            "TABLE_REFRESH_MS: \"1\"",
            "TABLE_TIMEOUT_MS: \"1e3\"",
            "EDGE_TELEMETRY: \"halcyon\" has no scheme",
            "EDGE_TELEMETRY_MS: \"99\" is no number in range; allowed: 100 to 60000",
            "HALCYON_DEPLOYMENT: a list of 1; allowed: text or a number",
            "unknown key \"TENANT_FORM\"; did you mean \"TENANT_FROM\"?",
        ] {
            assert!(
                found.iter().any(|line| line.contains(expected)),
                "{expected}: {found:#?}"
            );
        }
        assert!(!found.join("\n").contains("s3cr3t"), "{found:#?}");
        let found = refused(&[]);
        assert!(
            found[0].starts_with("TABLE_CLUSTER: is not set, and TABLE neither"),
            "{found:#?}"
        );
        let found = refused(&[("TABLE_CLUSTER", "halcyon".into())]);
        assert!(
            found[0].starts_with("TABLE_URL: is not set, and TABLE_CLUSTER is"),
            "{found:#?}"
        );
        let found = refused(&[
            ("TABLE", world.table.clone()),
            ("EDGE_TELEMETRY", "http://halcyon.internal/".into()),
        ]);
        let by = "EDGE_TELEMETRY: is set, and TABLE_CLUSTER, by which it would go, is not; allowed: both or off";
        assert_eq!(found, [by]);
        let found = refused(&[("TABLE", "{".into())]);
        assert!(
            found[0].contains("TABLE: ") && found[0].contains("JSON"),
            "{found:#?}"
        );
        let key = TableSigner::generate().unwrap().public();
        let found = refused(&[
            ("TABLE", world.table.clone()),
            ("TABLE_KEYS", format!("{key},abc").into()),
        ]);
        let expected = "TABLE_KEYS: \"abc\" is no public key; allowed: 44 characters of base64, as `halcyon keygen` prints them";
        assert_eq!(found, [expected]);
        let found = refused(&[
            ("TABLE", world.table.clone()),
            ("HALCYON_DEPLOYMENT", "bank".into()),
        ]);
        assert!(found[0].contains("HALCYON_DEPLOYMENT"), "{found:#?}");
    }

    #[test]
    fn its_threads_ask_for_tables_as_one_and_all_go_by_the_newest() {
        let Some(world) = World::start(Runtime::Envoy) else {
            return;
        };
        let tables = Tables::start(Mode::Table(world.table.clone()));
        let url = tables.url();
        let settings = [
            ("CONCURRENCY", Value::from(4)),
            ("TABLE_URL", url.as_str().into()),
            ("TABLE_REFRESH_MS", 400.into()),
        ];
        let edge = another(&world, &settings).unwrap();
        // A connection is one thread's, and with so many each has some.
        let slots = || -> Vec<Option<String>> {
            let answers = (0..40).map(|_| edge.get("acme"));
            answers
                .map(|answer| answer.header("x-halcyon-slot").map(String::from))
                .collect()
        };
        world.wait_until("all threads to have a table", || {
            slots().iter().all(|slot| slot.is_some())
        });
        let before = tables.asked().len();
        thread::sleep(Duration::from_secs(2));
        let asked = tables.asked().len() - before;
        assert!((2..=8).contains(&asked), "every 320 to 480 ms: {asked}");
        assert_eq!(tables.most_at_once(), 1);
        tables.mode(Mode::Table(world.table_of(EPOCH + 1, |table| {
            table["release"] = json!({"id": "r1", "state": "green_live", "weight": 100});
        })));
        world.wait_until("all threads to go by the new table", || {
            slots().iter().all(|slot| slot.as_deref() == Some("green"))
        });
        // None goes back, whoever asks next.
        tables.mode(Mode::Table(world.table.clone()));
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(50));
            assert!(slots().iter().all(|slot| slot.as_deref() == Some("green")));
        }
    }

    #[test]
    fn what_a_client_says_to_envoys_router_is_not_heard() {
        let Some(world) = World::start(Runtime::Envoy) else {
            return;
        };
        let settings = [("TABLE", world.table.clone()), ("INTERNAL", true.into())];
        let edge = another(&world, &settings).unwrap();
        let sent = [
            ("x-tenant", "acme"),
            ("x-envoy-retry-on", "5xx"),
            ("x-envoy-max-retries", "9"),
            ("x-envoy-upstream-rq-timeout-ms", "1"),
            ("x-envoy-upstream-rq-per-try-timeout-ms", "1"),
            ("x-envoy-upstream-alt-stat-name", "fake"),
            ("x-envoy-original-path", "/fake"),
            ("x-halcyon-cluster", "http://fake"),
            ("x-halcyon-next", "http://fake us-east fake"),
        ];
        let answer = edge.ask("GET", "/", &sent);
        let echo = echo(&answer);
        assert_eq!(place(&answer), native(&world.table, &[], "acme"));
        for (name, _) in sent.iter().filter(|(name, _)| name.starts_with("x-envoy-")) {
            assert_eq!(got(&echo, name), [""; 0], "{name}");
        }
        assert!(!echo["headers"].to_string().contains("fake"), "{echo}");
        // Nor does it make a request that may change something go twice.
        let (region, slot, _) = native(&world.table, &[], "acme");
        world.upstream(&region, &slot).mode(Pool::Status(503));
        let before = world.asked(&region);
        let mut headers = sent.to_vec();
        headers.push(("content-length", "0"));
        assert_eq!(edge.ask("POST", "/", &headers).status(), 503);
        assert_eq!(world.asked(&region), before + 1);
    }

    #[test]
    fn however_many_are_on_their_way_to_a_lost_region_all_are_served_by_another_one() {
        let Some(mut world) = World::start(Runtime::Envoy) else {
            return;
        };
        world.kill("us-east");
        let served = thread::scope(|scope| {
            let ask = |number: usize| {
                let world = &world;
                scope.spawn(move || {
                    // The second attempts are all under way at once.
                    let target = format!("/{number}?large=10");
                    let answer = world.edge.ask("GET", &target, &[("x-tenant", "tenant3")]);
                    (answer.status(), place(&answer).0)
                })
            };
            let asking: Vec<_> = (0..60).map(ask).collect();
            let served = asking.into_iter().map(|asking| asking.join().unwrap());
            served.collect::<Vec<_>>()
        });
        assert_eq!(native(&world.table, &[], "tenant3").0, "us-east");
        let next = native(&world.table, &["us-east"], "tenant3").0;
        assert!(
            served.iter().all(|seen| *seen == (200, next.clone())),
            "{served:?}"
        );
    }

    #[test]
    fn a_second_attempt_to_a_pool_that_envoy_does_not_know_goes_nowhere() {
        let Some(world) = World::start(Runtime::Envoy) else {
            return;
        };
        let tenant = "tenant3";
        let (region, slot, _) = native(&world.table, &[], tenant);
        let next = native(&world.table, &[&region], tenant).0;
        world.publish(&world.table_of(EPOCH + 1, |table| {
            for known in table["regions"].as_array_mut().unwrap() {
                if known["name"] == next.as_str() {
                    known["blue"] = "http://10.0.0.1".into();
                    known["green"] = "http://10.0.0.1:81".into();
                }
            }
        }));
        world.upstream(&region, &slot).mode(Pool::Status(503));
        let before = world.asked(&region);
        let answer = world.edge.get(tenant);
        assert!(answer.status() >= 502, "{answer}");
        assert_eq!(world.asked(&region), before + 1, "not the first one again");
        assert_eq!(place(&answer).0, next);
        assert!(answer.detail().contains(&next), "{answer}");
    }

    #[test]
    fn a_client_names_nothing_that_whoever_comes_behind_would_drop() {
        let Some(world) = World::start(Runtime::Envoy) else {
            return;
        };
        let sent = [
            ("x-tenant", "acme"),
            (
                "connection",
                "upgrade, x-halcyon-region, x-halcyon-tenant, x-hop",
            ),
            ("upgrade", "websocket"),
            ("x-hop", "1"),
        ];
        // Without a key it is no WebSocket, and the upstream answers as ever.
        world.edge.ask("HEAD", "/", &sent);
        let (region, slot, _) = native(&world.table, &[], "acme");
        let head = world.upstream(&region, &slot).asked().pop().unwrap();
        assert_eq!(
            head.header("connection").map(str::to_lowercase).as_deref(),
            Some("upgrade")
        );
        assert_eq!(head.header("x-hop"), None);
        // What says how long a body is stays.
        let sent = [
            ("x-tenant", "acme"),
            ("connection", "content-length"),
            ("content-length", "4"),
        ];
        let mut client = Client::to(world.edge.address);
        client.write(request("POST", "/", &sent));
        client.write(b"text");
        assert_eq!(echo(&client.answer("POST"))["length"], 4);
    }

    #[test]
    fn what_a_client_of_http_2_says_of_its_scheme_is_not_passed_on() {
        let Some(world) = World::start(Runtime::Envoy) else {
            return;
        };
        let script = format!(
            "const c=require('http2').connect('http://{}');\
             const r=c.request({{':path':'/',':scheme':'https','x-tenant':'acme'}});\
             r.on('data',d=>process.stdout.write(d));r.on('end',()=>c.close());r.end()",
            world.edge.address
        );
        let Ok(output) = std::process::Command::new("node")
            .args(["-e", &script])
            .output()
        else {
            return;
        };
        let echo: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(got(&echo, "x-forwarded-proto"), ["http"]);
    }

    #[test]
    fn a_region_without_a_cluster_is_said_to_have_none() {
        let Some(world) = World::start(Runtime::Envoy) else {
            return;
        };
        let more = world.table_of(EPOCH + 1, |table| {
            let at = "http://10.0.0.1";
            table["regions"] =
                json!([{"name": "ap-south", "weight": 1, "status": "up", "blue": at}]);
            table["release"] = json!({"id": "r1", "state": "idle", "weight": 0});
            table["primary"] = "ap-south".into();
            table["rules"] = json!({});
        });
        world.tables.mode(Mode::Table(more));
        world.wait_until("the table to be taken", || {
            world.edge.get("acme").status() == 503
        });
        let answer = world.edge.get("acme");
        assert_eq!(answer.problem(503), "no_upstream");
        assert!(answer.detail().contains("ap-south"), "{answer}");
    }

    #[test]
    fn the_upstream_of_a_first_attempt_hears_where_a_second_one_would_go_and_that_of_a_second_one_nothing()
     {
        let Some(world) = World::start(Runtime::Envoy) else {
            return;
        };
        for tenant in tenants(5) {
            let first = echo(&world.edge.get(&tenant));
            let (region, slot, reason) = native(&world.table, &[], &tenant);
            let next = native(&world.table, &[&region], &tenant);
            let expected = match next.0 == region {
                true => vec![],
                false => {
                    let address = world.upstream(&next.0, &next.1).address();
                    vec![format!("{address} {} {}", next.0, next.2)]
                }
            };
            assert_eq!(got(&first, "x-halcyon-next"), expected);
            assert_eq!(got(&first, "x-halcyon-reason"), [reason]);
            world.upstream(&region, &slot).mode(Pool::Status(503));
            if !expected.is_empty() {
                let second = echo(&world.edge.get(&tenant));
                assert_eq!(got(&second, "x-halcyon-next"), [""; 0]);
                assert_eq!(got(&second, "x-halcyon-cluster"), [""; 0]);
            }
            world.upstream(&region, &slot).mode(Pool::Serve);
        }
    }
}
