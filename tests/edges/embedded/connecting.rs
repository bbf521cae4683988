//! An upstream that takes no connection.

use std::net::{Ipv4Addr, SocketAddrV4, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use serde_json::Value;

use crate::edge::Runtime;
use crate::world::{World, native, place};

/// A port whose queue is full: the system answers nobody else there.
struct Full {
    _listener: OwnedFd,
    _queue: Vec<TcpStream>,
    port: u16,
}

fn full() -> Full {
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    listen(&listener, 1).unwrap();
    let at = SocketAddrV4::try_from(getsockname(&listener).unwrap()).unwrap();
    let connect = || TcpStream::connect_timeout(&at.into(), Duration::from_millis(100)).ok();
    Full {
        _queue: std::iter::from_fn(connect).collect(),
        _listener: listener,
        port: at.port(),
    }
}

#[test]
fn it_is_left_after_the_time_that_an_upstream_has_for_its_answer() {
    let full = full();
    let change = |table: &mut Value| {
        for slot in ["blue", "green"] {
            table["regions"][1][slot] = format!("http://127.0.0.1:{}", full.port).into();
        }
    };
    let patience = [("UPSTREAM_TIMEOUT_MS", "300")];
    let world = World::with(Runtime::Embedded, &patience, change).unwrap();
    let answer = world.edge.get("pinned");
    assert_eq!(answer.status(), 200);
    assert_eq!(place(&answer), native(&world.table, &["us-west"], "pinned"));
    let waited = Duration::from_millis(300);
    assert!(answer.took >= waited, "{:?}", answer.took);
    assert!(answer.took < waited * 6, "{:?}", answer.took);
}
