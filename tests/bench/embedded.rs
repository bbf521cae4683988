//! `cargo bench -p halcyon-tests --bench embedded`: `halcyon_edge.wasm` in wasmtime beside the core that is
//! linked here, as ratios of CPU time, the median of the rounds.

// Rounds are the same everywhere.
#[allow(dead_code)]
#[path = "rounds.rs"]
mod rounds;

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Instant;

use halcyon_core::hash::TenantId;
use halcyon_core::table::Table;
use halcyon_core::time::Timestamp;
use rounds::{Side, compare};
use wasmtime::{Engine, Instance, Memory, Module, Store, TypedFunc};

/// How many different tenants a round asks about.
const TENANTS: usize = 4096;

const TABLE: &str = r#"{"format":1,"epoch":7,"issued_at":"2026-01-01T00:00:00.000Z","deployment":"shop",
    "regions":[{"name":"us-east","weight":1,"status":"up"},{"name":"us-west","weight":1,"status":"up"},
    {"name":"eu-west","weight":1,"status":"up"}],"primary":"us-east","sticky":"hash","failover":"ordered"}"#;

fn ids() -> &'static [String] {
    let id = |n: u64| format!("{n:08x}-1b4e-4c1b-8f7d-{:012x}", n * 2_654_435_761);
    let ids: Vec<String> = (0..TENANTS as u64).map(id).collect();
    assert!(ids.iter().all(|id| id.len() == 36));
    ids.leak()
}

struct Edge {
    store: Store<()>,
    memory: Memory,
    buffer: usize,
    route: TypedFunc<(u32, u64), u64>,
}

fn instance(engine: &Engine, module: &Module, table: &[u8]) -> Edge {
    let mut store = Store::new(engine, ());
    let instance = Instance::new(&mut store, module, &[]).unwrap();
    let memory = instance.get_memory(&mut store, "memory").unwrap();
    let buf = instance.get_typed_func::<u32, u32>(&mut store, "halcyon_buf");
    let buf = buf.unwrap();
    let load = instance.get_typed_func::<u32, u32>(&mut store, "halcyon_load");
    let route = instance
        .get_typed_func(&mut store, "halcyon_route")
        .unwrap();
    let at = buf.call(&mut store, table.len() as u32).unwrap();
    memory.write(&mut store, at as usize, table).unwrap();
    let taken = load.unwrap().call(&mut store, table.len() as u32);
    assert_eq!(taken.unwrap(), 0);
    let buffer = buf.call(&mut store, 256).unwrap() as usize;
    Edge {
        store,
        memory,
        buffer,
        route,
    }
}

impl Edge {
    fn ask(&mut self, id: &str) -> u64 {
        let bytes = id.as_bytes();
        self.memory
            .write(&mut self.store, self.buffer, bytes)
            .unwrap();
        let asked = (bytes.len() as u32, 0);
        self.route.call(&mut self.store, asked).unwrap()
    }
}

fn main() {
    let rounds = match std::env::args().any(|arg| arg == "--bench") {
        true => 51,
        false => 1,
    };
    let target = halcyon_wasm_build::workspace().join("target/wasm");
    let bytes = halcyon_wasm_build::build_abi(&target).unwrap_or_else(|why| panic!("{why}"));
    let engine = Engine::default();
    let module = Module::new(&engine, &bytes).unwrap();
    let table = Table::from_json(TABLE).unwrap();
    let binary = table.to_binary();
    let edge = RefCell::new(instance(&engine, &module, &binary));
    let ids = ids();

    let native: Side = Box::new(move || {
        for id in ids {
            let id = TenantId::new(black_box(id)).unwrap();
            black_box(table.route(id, Timestamp(0)).unwrap());
        }
    });
    let embedded: Side = Box::new(move || {
        let edge = &mut edge.borrow_mut();
        for id in ids {
            black_box(edge.ask(black_box(id)));
        }
    });
    let ratio = compare(&embedded, &native, rounds);
    println!("a call in wasmtime / native (at most 2.3)         {ratio}");

    // SAFETY: these bytes are what this very engine has just made.
    let precompiled = module.serialize().unwrap();
    let mut took: Vec<f64> = (0..rounds)
        .map(|_| {
            let begin = Instant::now();
            #[allow(unsafe_code)]
            let module = unsafe { Module::deserialize(&engine, &precompiled) }.unwrap();
            let mut edge = instance(&engine, &module, &binary);
            black_box(edge.ask("acme"));
            begin.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    took.sort_by(f64::total_cmp);
    println!(
        "precompiled module to first decision (at most 0.3 ms) {:.3} ms",
        took[took.len() / 2]
    );
}
