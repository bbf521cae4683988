//! The servers that are compared, each pinned to the first core.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use halcyon_tests::process::program;
use tempfile::TempDir;

use super::load;

/// What `/health` says; nginx is told to say the same.
const BODY: &str = r#"{"status":"healthy","checks":{"process":"up"}}"#;

/// A running server, ended when dropped.
pub(super) struct Server {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Server {
    /// `halcyon serve` as it is, once it answers.
    pub(super) fn halcyon() -> Self {
        Self::halcyon_at(load::free_port()).once_it_answers()
    }

    /// nginx with one worker, no logs, and room for ten thousand connections, once it answers.
    pub(super) fn nginx() -> Self {
        Self::nginx_at(load::free_port()).once_it_answers()
    }

    /// Starts `halcyon serve`.
    pub(super) fn halcyon_at(port: u16) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let mut command = on_the_first_core(program());
        command
            .args(["serve", "--bind", "127.0.0.1", "--health-port"])
            .arg(port.to_string())
            .current_dir(&dir)
            .env_clear()
            .env("DASHBOARD_PORT", "0");
        Self::start(command, port, dir)
    }

    /// Starts nginx.
    pub(super) fn nginx_at(port: u16) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let configuration = format!(
            "daemon off; worker_processes 1; worker_rlimit_nofile 20000; pid nginx.pid; error_log /dev/null crit;
             events {{ worker_connections 16384; }}
             http {{
               access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; client_header_timeout 10s;
               server {{
                 listen 127.0.0.1:{port} backlog=4096;
                 location / {{ default_type application/json; return 200 '{BODY}'; }}
               }}
             }}"
        );
        std::fs::write(dir.path().join("nginx.conf"), configuration).expect("it is written");
        let mut command = on_the_first_core(Path::new("nginx"));
        command
            .arg("-p")
            .arg(dir.path())
            .args(["-c", "nginx.conf", "-e", "/dev/null"]);
        Self::start(command, port, dir)
    }

    fn start(mut command: Command, port: u16, dir: TempDir) -> Self {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx and taskset are installed");
        Self {
            child,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            _dir: dir,
        }
    }

    fn once_it_answers(self) -> Self {
        let begin = Instant::now();
        while !load::answers(self.address) {
            let waited = begin.elapsed();
            assert!(waited < Duration::from_secs(10), "no answer in {waited:?}");
            std::thread::sleep(Duration::from_millis(2));
        }
        self
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time of all its threads and processes so far, in nanoseconds.
    pub(super) fn cpu(&self) -> u64 {
        load::cpu_of(load::with_children(self.child.id()))
    }

    /// Resident memory of all its processes, in megabytes of 10^6 bytes.
    pub(super) fn resident_mb(&self) -> f64 {
        let resident = |process: u32| -> Option<f64> {
            let text = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
            let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
            line.split_whitespace().nth(1)?.parse().ok()
        };
        let kilobytes: f64 = load::with_children(self.child.id())
            .into_iter()
            .filter_map(resident)
            .sum();
        kilobytes * 1024.0 / 1e6
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx's master ends its worker on SIGTERM, not when it is killed.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let begin = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begin.elapsed() > Duration::from_millis(200) {
                // Halcyon is draining; a second signal ends it at once.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            }
            if begin.elapsed() > Duration::from_secs(2) {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// `taskset` becomes the program, so the child is the server itself.
fn on_the_first_core(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}
