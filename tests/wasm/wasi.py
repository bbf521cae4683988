"""Runs a program compiled for WASI in wasmtime: what `cargo test --target wasm32-wasip1` calls."""
import sys

import wasmtime

program, *arguments = sys.argv[1:]
wasi = wasmtime.WasiConfig()
wasi.argv = [program, *arguments]
wasi.inherit_env()
wasi.inherit_stdin()
wasi.inherit_stdout()
wasi.inherit_stderr()
# Regressions of property tests are kept beside the sources.
wasi.preopen_dir("/", "/")
wasi.preopen_dir(".", ".")

engine = wasmtime.Engine()
store = wasmtime.Store(engine)
store.set_wasi(wasi)
linker = wasmtime.Linker(engine)
linker.define_wasi()
instance = linker.instantiate(store, wasmtime.Module.from_file(engine, program))
try:
    instance.exports(store)["_start"](store)
except wasmtime.ExitTrap as ended:
    sys.exit(ended.code)
