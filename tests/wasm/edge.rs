//! `halcyon_edge.wasm` in wasmtime.

use std::path::PathBuf;
use std::sync::OnceLock;

use halcyon_wasm_build::{build_abi, workspace};
use wasmtime::{
    Config, Engine, Instance, Memory, Module, Store, StoreLimits, StoreLimitsBuilder, TypedFunc,
};

/// Where modules are built, apart from the cargo that runs the tests.
pub(crate) fn target() -> PathBuf {
    workspace().join("target/wasm")
}

/// The module's bytes.
pub(crate) fn bytes() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| build_abi(&target()).unwrap_or_else(|why| panic!("{why}")))
}

/// The module, compiled.
pub(crate) fn module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| compiled(bytes()))
}

/// A module with this interface, compiled.
pub(crate) fn compiled(bytes: &[u8]) -> Module {
    let engine = Engine::new(&Config::new()).unwrap();
    Module::new(&engine, bytes).unwrap()
}

/// One instance.
pub(crate) struct Edge {
    store: Store<StoreLimits>,
    memory: Memory,
    buf: TypedFunc<u32, u32>,
    load: TypedFunc<u32, u32>,
    route: TypedFunc<(u32, u64), u64>,
}

/// The answer of `halcyon_route`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) region: usize,
    pub(crate) slot: u8,
    pub(crate) reason: u8,
    pub(crate) error: u32,
}

impl Answer {
    /// From its bits.
    pub(crate) fn of(packed: u64) -> Self {
        Self {
            region: (packed & 0xffff) as usize,
            slot: (packed >> 16) as u8,
            reason: (packed >> 24) as u8,
            error: (packed >> 32) as u32,
        }
    }
}

impl Edge {
    pub(crate) fn new() -> Self {
        Self::with_memory(usize::MAX)
    }

    /// One that gets so many bytes of memory at most.
    pub(crate) fn with_memory(most: usize) -> Self {
        Self::of(module(), most)
    }

    /// The same of another module than the one that ships.
    pub(crate) fn of(module: &Module, most: usize) -> Self {
        let limits = StoreLimitsBuilder::new().memory_size(most).build();
        let mut store = Store::new(module.engine(), limits);
        store.limiter(|limits| limits);
        let instance = Instance::new(&mut store, module, &[]).unwrap();
        Self {
            memory: instance.get_memory(&mut store, "memory").unwrap(),
            buf: instance.get_typed_func(&mut store, "halcyon_buf").unwrap(),
            load: instance.get_typed_func(&mut store, "halcyon_load").unwrap(),
            route: instance
                .get_typed_func(&mut store, "halcyon_route")
                .unwrap(),
            store,
        }
    }

    /// Where a buffer of this length is; 0 for none.
    pub(crate) fn buf(&mut self, length: u32) -> u32 {
        self.buf.call(&mut self.store, length).expect("no trap")
    }

    /// Writes to a new buffer; false where there is none.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> bool {
        let at = self.buf(bytes.len() as u32);
        at != 0
            && self
                .memory
                .write(&mut self.store, at as usize, bytes)
                .is_ok()
    }

    /// What stands there.
    pub(crate) fn read(&self, at: u32, length: usize) -> &[u8] {
        &self.memory.data(&self.store)[at as usize..][..length]
    }

    pub(crate) fn load(&mut self, length: u32) -> u32 {
        self.load.call(&mut self.store, length).expect("no trap")
    }

    /// Takes a table.
    pub(crate) fn take(&mut self, table: &[u8]) -> u32 {
        assert!(self.write(table), "a buffer");
        self.load(table.len() as u32)
    }

    pub(crate) fn route(&mut self, length: u32, now: u64) -> Answer {
        let packed = self
            .route
            .call(&mut self.store, (length, now))
            .expect("no trap");
        Answer::of(packed)
    }

    /// Where a tenant goes.
    pub(crate) fn ask(&mut self, tenant: &[u8], now: u64) -> Answer {
        assert!(self.write(tenant), "a buffer");
        self.route(tenant.len() as u32, now)
    }

    /// Bytes of memory that it has.
    pub(crate) fn memory_size(&self) -> usize {
        self.memory.data_size(&self.store)
    }
}
