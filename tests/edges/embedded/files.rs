//! An edge that may open few files: one for each client, one for each connection to an upstream.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};

use super::health;
use crate::edge::{FILES, Runtime, request};
use crate::http::Client;
use crate::world::{REGIONS, World, native, place};

/// So many tenants whose first region is this one.
fn tenants_of(world: &World, region: &str, count: usize) -> Vec<String> {
    let ids = (0..).map(|number| format!("tenant{number}"));
    let ours = ids.filter(|id| native(&world.table, &[], id).0 == region);
    ours.take(count).collect()
}

/// A request of each tenant, all of them in the edge's hands at once, and where each of them was served.
fn at_once(world: &World, tenants: &[String]) {
    let clients = tenants.iter().map(|tenant| {
        let mut client = Client::to(world.edge.address);
        let headers = [("x-tenant", tenant.as_str()), ("content-length", "10")];
        client.write(request("POST", "/", &headers));
        client.write("01234");
        client
    });
    let mut clients: Vec<Client> = clients.collect();
    for (tenant, client) in tenants.iter().zip(&mut clients) {
        client.write("56789");
        let answer = client.answer("POST");
        assert_eq!(answer.status(), 200, "{tenant}: {answer:?}");
        assert_eq!(place(&answer), native(&world.table, &[], tenant));
    }
}

#[test]
fn connections_that_nobody_uses_leave_room_for_those_that_somebody_needs() {
    // 36 clients, as many connections to upstreams, and 24 for everything else.
    let variables = [(FILES, "96"), ("UPSTREAM_TIMEOUT_MS", "5000")];
    let world = World::with(Runtime::Embedded, &variables, |_| ()).unwrap();
    for _ in 0..2 {
        for region in REGIONS {
            at_once(&world, &tenants_of(&world, region, 30));
        }
    }
    let metrics = String::from_utf8(health(&world.edge, "/metrics").body).unwrap();
    assert!(
        metrics.contains("halcyon_edge_second_tries_total 0"),
        "{metrics}"
    );
}

#[test]
fn a_soft_limit_is_raised_before_it_is_shared_out() {
    let world = World::with(Runtime::Embedded, &[(FILES, "-S 96")], |_| ()).unwrap();
    let [east, west] = ["us-east", "us-west"].map(|region| tenants_of(&world, region, 60));
    let of_east = || {
        let pools = ["blue", "green"].map(|slot| world.upstream("us-east", slot).connections());
        pools.iter().sum::<usize>()
    };
    at_once(&world, &east);
    at_once(&world, &west);
    at_once(&world, &east);
    // One for each at most, as of those that came together the first may have ended before the last began; had they
    // not been kept while others were in use, there would have been more of them in all.
    let all = of_east();
    assert!(all <= east.len(), "{all} connections for {}", east.len());
}

/// Waits until a process neither opens nor closes any file.
fn rests(process: Pid) {
    let open = || {
        let folder = format!("/proc/{}/fd", process.as_raw_nonzero());
        let files = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (mut known, mut since) = (open(), Instant::now());
    let begin = since;
    while since.elapsed() < Duration::from_millis(400) {
        std::thread::sleep(Duration::from_millis(20));
        let now = open();
        if now != known {
            (known, since) = (now, Instant::now());
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{known:?}");
    }
}

/// From now on a process may open no file, or as many as at first.
fn may_open(process: Pid, may: bool) {
    let free = |number: &u64| {
        !Path::new(&format!("/proc/{}/fd/{number}", process.as_raw_nonzero())).exists()
    };
    let limit = Rlimit {
        current: if may { Some(96) } else { (0..).find(free) },
        maximum: Some(96),
    };
    prlimit(Some(process), Resource::Nofile, limit).unwrap();
}

#[test]
fn an_edge_without_files_says_so_of_itself_and_of_no_pool() {
    // It is not asked for tables meanwhile, which would open files and close them.
    let rest = ("TABLE_REFRESH_MS", "600000");
    let variables = [(FILES, "96"), ("EDGE_BREAKER", "true"), rest];
    let world = World::with(Runtime::Embedded, &variables, |_| ()).unwrap();
    let tenant = &tenants_of(&world, "us-west", 1)[0];
    let mut client = Client::to(world.edge.address);
    let ask = request("GET", "/", &[("x-tenant", tenant)]);
    client.write(request("GET", "/?none", &[("x-tenant", "nobody/else")]));
    client.answer("GET");
    world
        .upstreams
        .values()
        .for_each(|upstream| upstream.close_connections());
    rests(world.edge.running.pid());
    may_open(world.edge.running.pid(), false);
    for _ in 0..8 {
        client.write(ask.clone());
        let answer = client.answer("GET");
        assert_eq!(answer.problem(503), "edge_overloaded");
        assert_eq!(place(&answer).0, "us-west");
    }
    may_open(world.edge.running.pid(), true);
    client.write(ask);
    let answer = client.answer("GET");
    assert_eq!(answer.status(), 200);
    assert_eq!(place(&answer), native(&world.table, &[], tenant));
    let metrics = String::from_utf8(health(&world.edge, "/metrics").body).unwrap();
    let lines = [
        "halcyon_edge_refused_total{code=\"edge_overloaded\"} 8",
        "halcyon_edge_upstream_requests_total{region=\"us-west\",slot=\"blue\",code=\"none\"} 0",
        "halcyon_edge_second_tries_total 0",
    ];
    for line in lines {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let said = world.edge.said();
    assert_eq!(
        said.matches("no connection to an upstream").count(),
        1,
        "{said}"
    );
    assert!(
        !world.edge.said().contains("passed over"),
        "{}",
        world.edge.said()
    );
}
