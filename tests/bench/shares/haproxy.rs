//! HAProxy on real sockets, with the two ways it has to put a share of tenants on green and keep them there.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::ask::{Seen, ask};
use super::edge::free_port;
use super::shares::System;
use super::upstream::Pool;

/// How it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `balance hdr(x-tenant)` with `hash-type consistent`, and the weights of two servers.
    Ring,
    /// A hash of the tenant modulo 10,000, compared with a value of a map.
    Map,
}

/// A running HAProxy, ended when dropped.
pub(super) struct Haproxy {
    way: Way,
    child: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl Haproxy {
    /// `None` where it is not installed.
    pub(super) fn start(way: Way, [blue, green]: &[Pool; 2]) -> Option<Self> {
        let dir = TempDir::new().expect("a directory");
        let port = free_port();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let (map, socket) = (path("weights.map"), path("admin.sock"));
        std::fs::write(&map, "canary 0\n").expect("it is written");
        let (blue, green) = (blue.address, green.address);
        let rule = match way {
            // Its ring mixes the hashes by itself: with `avalanche` it puts every tenant where it does without.
            Way::Ring => format!(
                " default_backend be\nbackend be\n balance hdr(x-tenant)\n hash-type consistent\n server blue {blue} weight 100\n server green {green} weight 0\n"
            ),
            Way::Map => format!(
                " http-request set-var(txn.pct) str(canary),map_str_int({map},0)\n http-request set-var(txn.bucket) req.hdr(x-tenant),xxh32,mod(10000)\n acl is_canary var(txn.bucket),sub(txn.pct) -m int lt 0\n use_backend green if is_canary\n default_backend blue\nbackend blue\n server s {blue}\nbackend green\n server s {green}\n"
            ),
        };
        let configuration = format!(
            "global\n nbthread 1\n maxconn 1024\n stats socket {socket} mode 600 level admin\ndefaults\n mode http\n timeout connect 5s\n timeout client 75s\n timeout server 75s\n http-reuse always\nfrontend f\n bind 127.0.0.1:{port}\n{rule}"
        );
        std::fs::write(dir.path().join("haproxy.cfg"), configuration).expect("it is written");
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(dir.path().join("haproxy.cfg"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let haproxy = Self {
            way,
            child,
            address: (Ipv4Addr::LOCALHOST, port).into(),
            dir,
        };
        super::wait("HAProxy", || TcpStream::connect(haproxy.address).is_ok());
        Some(haproxy)
    }

    /// Says something on the admin socket. An answer is a complaint.
    fn tell(&self, what: &str) {
        let mut socket =
            UnixStream::connect(self.dir.path().join("admin.sock")).expect("an admin socket");
        socket
            .write_all(format!("{what}\n").as_bytes())
            .expect("it reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("it answers");
        assert_eq!(answer.trim(), "", "{what}");
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl System for Haproxy {
    fn name(&self) -> &'static str {
        match self.way {
            Way::Ring => "HAProxy, consistent hash",
            Way::Map => "HAProxy, map",
        }
    }

    fn release(&mut self, _id: &str) {
        // It has no name for a release that could change who comes first.
    }

    fn weigh(&mut self, weight: u8) {
        match self.way {
            Way::Ring => {
                self.tell(&format!("set server be/green weight {weight}"));
                self.tell(&format!("set server be/blue weight {}", 100 - weight));
            }
            Way::Map => {
                let map = self.dir.path().join("weights.map");
                let value = u32::from(weight) * 100;
                self.tell(&format!("set map {} canary {value}", map.display()));
            }
        }
    }

    fn ask(&mut self, tenants: &[String], times: usize) -> Vec<Seen> {
        ask(self.address, tenants, times)
    }
}
