"""Answers questions with halcyon_edge.wasm: for each line of stdin, a table and tenants in hex, a line with the packed answers."""

import json
import sys

from wasmtime import Instance, Module, Store

store = Store()
edge = Instance(store, Module.from_file(store.engine, sys.argv[1]), []).exports(store)
memory, buf, load, route = (edge[name] for name in ("memory", "halcyon_buf", "halcyon_load", "halcyon_route"))


def write(text):
    data = bytes.fromhex(text)
    memory.write(store, data, buf(store, len(data)))
    return len(data)


for line in sys.stdin:
    question = json.loads(line)
    code = load(store, write(question["table"]))
    if code != 0:
        sys.exit(f"table refused: {code}")
    answers = (route(store, write(tenant), 0) & (1 << 64) - 1 for tenant in question["tenants"])
    print(*answers)
