//! The proxies that are compared, each with one thread on the first core, and their upstream.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use halcyon_tests::process::program;
use tempfile::TempDir;

use super::load;

/// nginx that answers everything with a kilobyte.
pub(super) struct Upstream {
    server: Server,
}

impl Upstream {
    pub(super) fn start() -> Self {
        let port = load::free_port();
        let body = "x".repeat(1024);
        let server = nginx(
            port,
            "",
            &format!("location / {{ default_type text/plain; return 200 '{body}'; }}"),
            "1",
        );
        Self {
            server: server.once_it_answers(),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.server.address.port()
    }
}

/// A running server, ended when dropped.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

fn nginx(port: u16, http: &str, server: &str, core: &str) -> Server {
    let dir = TempDir::new().expect("a temporary directory");
    let configuration = format!(
        "daemon off; worker_processes 1; pid nginx.pid; error_log /dev/null crit;
         events {{ worker_connections 4096; }}
         http {{
           access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; {http}
           server {{ listen 127.0.0.1:{port} backlog=4096; {server} }}
         }}"
    );
    std::fs::write(dir.path().join("nginx.conf"), configuration).expect("it is written");
    let mut command = on_core(core, Path::new("nginx"));
    command.arg("-p").arg(dir.path());
    command.args(["-c", "nginx.conf", "-e", "/dev/null"]);
    Server::start(command, port, dir)
}

/// Three regions that all have the same upstream, by two names, so that there is another one to try.
pub(super) fn table(at: u16) -> String {
    let region = |name: &str, host: &str| {
        let pool = format!("http://{host}:{at}");
        format!(r#"{{"name":"{name}","weight":1,"status":"up","blue":"{pool}","green":"{pool}"}}"#)
    };
    format!(
        r#"{{"format":1,"epoch":1,"issued_at":"2026-01-01T00:00:00Z","deployment":"bench","regions":[{},{},{}],"sticky":"hash","failover":"ordered","release":{{"id":"r","state":"canary","weight":10}}}}"#,
        region("us-east", "127.0.0.1"),
        region("us-west", "localhost"),
        region("eu-west", "127.0.0.1"),
    )
}

impl Server {
    /// `halcyon edge` as it is, with a table of three regions that all have the same upstream.
    pub(super) fn halcyon(upstream: &Upstream) -> Self {
        let (dir, port) = (TempDir::new().expect("a directory"), load::free_port());
        let table = table(upstream.port());
        std::fs::write(dir.path().join("table.json"), table).expect("it is written");
        let mut command = on_core("0", program());
        command
            .args([
                "edge",
                "--table",
                "table.json",
                "--health-port",
                "0",
                "--port",
            ])
            .arg(port.to_string())
            .current_dir(&dir)
            .env_clear();
        Self::start(command, port, dir)
    }

    pub(super) fn nginx(upstream: &Upstream) -> Self {
        let at = upstream.port();
        let http = format!(
            "upstream up {{ server 127.0.0.1:{at}; keepalive 64; keepalive_requests 1000000000; }}"
        );
        let server = "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ''; }";
        nginx(load::free_port(), &http, server, "0")
    }

    pub(super) fn haproxy(upstream: &Upstream) -> Self {
        let (dir, port) = (TempDir::new().expect("a directory"), load::free_port());
        let configuration = format!(
            "global\n nbthread 1\n maxconn 4096\ndefaults\n mode http\n timeout connect 5s\n timeout client 75s\n timeout server 75s\n http-reuse always\nfrontend f\n bind 127.0.0.1:{port}\n default_backend b\nbackend b\n server s 127.0.0.1:{}\n",
            upstream.port()
        );
        std::fs::write(dir.path().join("haproxy.cfg"), configuration).expect("it is written");
        let mut command = on_core("0", Path::new("haproxy"));
        command
            .args(["-db", "-f"])
            .arg(dir.path().join("haproxy.cfg"));
        Self::start(command, port, dir)
    }

    pub(super) fn start(mut command: Command, port: u16, dir: TempDir) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("taskset and the proxies are installed");
        Self {
            child,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            _dir: dir,
        }
    }

    pub(super) fn once_it_answers(self) -> Self {
        super::wait("answer", || {
            TcpStream::connect(self.address).is_ok() && load::answers(self.address)
        });
        self
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time of all its threads and processes so far, in nanoseconds.
    pub(super) fn cpu(&self) -> u64 {
        load::cpu_of(load::with_children(self.child.id()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx's master ends its worker on SIGTERM, not when it is killed; a second one ends a drain.
        let pid = rustix::process::Pid::from_child(&self.child);
        for _ in 0..20 {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            std::thread::sleep(std::time::Duration::from_millis(50));
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn on_core(core: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", core]).arg(program);
    command
}
