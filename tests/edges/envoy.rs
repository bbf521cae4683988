//! The template for Envoy at work, and what is its alone.

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
            let at = region[slot].as_str().unwrap();
            let port = at.trim_start_matches("http://127.0.0.1:");
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
    let others = ["POOLS", "UPSTREAM_TIMEOUT_MS"];
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
        let admin = admin.and_then(|admin| admin.trim().parse().ok());
        if let Some(admin) = admin {
            let mut client = Client::to(admin);
            client.write("GET /listeners?format=json HTTP/1.1\r\nhost: admin\r\n\r\n");
            let found = client.answer("GET").json();
            let port =
                &found["listener_statuses"][0]["local_address"]["socket_address"]["port_value"];
            if let Some(port) = port.as_u64().and_then(|port| u16::try_from(port).ok()) {
                return port;
            }
        }
        assert!(
            begin.elapsed() < Duration::from_secs(20),
            "Envoy does not listen: {}{}",
            running.stdout(),
            running.stderr()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
