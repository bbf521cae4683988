//! The program in Rust of docs/table.md.

use wasmtime::{Engine, Instance, Module, Store};

fn main() -> wasmtime::Result<()> {
    let engine = Engine::default();
    let module = Module::from_file(&engine, "halcyon_edge.wasm")?;
    let mut store = Store::new(&engine, ());
    let edge = Instance::new(&mut store, &module, &[])?;
    let memory = edge.get_memory(&mut store, "memory").expect("a memory");
    let buf = edge.get_typed_func::<u32, u32>(&mut store, "halcyon_buf")?;
    let load = edge.get_typed_func::<u32, u32>(&mut store, "halcyon_load")?;
    let route = edge.get_typed_func::<(u32, u64), u64>(&mut store, "halcyon_route")?;

    let write = |store: &mut Store<()>, bytes: &[u8]| -> wasmtime::Result<u32> {
        let at = buf.call(&mut *store, bytes.len() as u32)?;
        memory.write(&mut *store, at as usize, bytes)?;
        Ok(bytes.len() as u32)
    };
    let length = write(&mut store, &std::fs::read("edge.table")?)?;
    assert_eq!(load.call(&mut store, length)?, 0);
    let length = write(&mut store, b"acme")?;
    let answer = route.call(&mut store, (length, 1_800_000_000_000))?;
    println!(
        "region {} slot {} error {}",
        answer & 0xffff,
        answer >> 16 & 0xff,
        answer >> 32
    );
    Ok(())
}
