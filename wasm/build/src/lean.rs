//! What a bound module carries and never uses. A linker keeps it: only who knows what the functions are for
//! knows that.

use std::collections::HashSet;

use walrus::ir::{Visitor, dfs_in_order};
use walrus::passes::gc;
use walrus::{
    ElementItems, ExportItem, FunctionBuilder, FunctionId, FunctionKind, LocalFunction, Module,
};

/// What JavaScript would call a closure through: one for each number of arguments that js-sys knows. Of a
/// closure that is handed over it is exported.
const CLOSURES: &[&str] = &["wasm_bindgen::convert::closures::_::invoke"];

/// What puts a value into a text, called by what is in [`WRITES`] alone.
const WRITTEN: &[&str] = &[
    " as core::fmt::Binary>::fmt",
    " as core::fmt::Debug>::fmt",
    " as core::fmt::Display>::fmt",
    " as core::fmt::LowerHex>::fmt",
    " as core::fmt::UpperHex>::fmt",
    " as core::fmt::Write>::write_fmt",
    "core::fmt::Write::write_fmt",
];
const WRITES: &[&str] = &["core::fmt::write", "core::fmt::builders::"];

/// A module that is to be bound, in which a panic traps at once: nobody reads what it says, and putting that
/// together takes more code than a tenth of an edge. The same for calls of what JavaScript has given back, which
/// ours never makes.
pub(crate) fn without_last_words(module: &[u8]) -> walrus::Result<Vec<u8>> {
    const LAST_WORDS: &[&str] = &[
        "core::panicking::",
        "alloc::alloc::handle_alloc_error",
        "wasm_bindgen::throw_str",
    ];
    let mut module = Module::from_buffer(module)?;
    for id in named(&module, LAST_WORDS) {
        trap(&mut module, id);
    }
    gc::run(&mut module);
    Ok(module.emit_wasm())
}

/// Takes out what only the table keeps in a bound module.
pub(crate) fn lean(module: &mut Module) {
    leave_the_table(module, CLOSURES, &[]);
    leave_the_table(module, WRITTEN, WRITES);
    gc::run(module);
}

fn trap(module: &mut Module, id: FunctionId) {
    let of = module.types.get(module.funcs.get(id).ty());
    let (takes, gives) = (of.params().to_vec(), of.results().to_vec());
    let arguments = takes.iter().map(|of| module.locals.add(*of)).collect();
    let mut trap = FunctionBuilder::new(&mut module.types, &takes, &gives);
    trap.func_body().unreachable();
    let trap: LocalFunction = trap.local_func(arguments);
    module.funcs.get_mut(id).kind = FunctionKind::Local(trap);
}

/// Takes functions of such names out of the table, where nothing but the table leads to them or to one of
/// `users`.
fn leave_the_table(module: &mut Module, names: &[&str], users: &[&str]) {
    let leave: HashSet<FunctionId> = named(module, names).into_iter().collect();
    let reached = reached_without(module, &leave);
    if named(module, users)
        .iter()
        .any(|user| reached.contains(user))
    {
        return;
    }
    let leaves = |id: &FunctionId| leave.contains(id) && !reached.contains(id);
    for element in module.elements.iter_mut() {
        let ElementItems::Functions(functions) = &mut element.items else {
            continue;
        };
        // Another one takes its place: the others' places are in the code.
        if let Some(other) = functions.iter().copied().find(|id| !leaves(id)) {
            for function in functions.iter_mut().filter(|id| leaves(id)) {
                *function = other;
            }
        }
    }
}

/// What can be called if the table has none of these functions.
fn reached_without(module: &Module, leave: &HashSet<FunctionId>) -> HashSet<FunctionId> {
    let exports = module
        .exports
        .iter()
        .filter_map(|export| match export.item {
            ExportItem::Function(id) => Some(id),
            _ => None,
        });
    let mut calls = Calls(exports.chain(module.start).collect());
    for element in module.elements.iter() {
        if let ElementItems::Functions(functions) = &element.items {
            calls
                .0
                .extend(functions.iter().filter(|id| !leave.contains(id)));
        }
    }
    let mut reached = HashSet::new();
    while let Some(id) = calls.0.pop() {
        if reached.insert(id)
            && let FunctionKind::Local(function) = &module.funcs.get(id).kind
        {
            dfs_in_order(&mut calls, function, function.entry_block());
        }
    }
    reached
}

struct Calls(Vec<FunctionId>);

impl Visitor<'_> for Calls {
    fn visit_function_id(&mut self, id: &FunctionId) {
        self.0.push(*id);
    }
}

/// The functions with one of these in their names.
fn named(module: &Module, parts: &[&str]) -> Vec<FunctionId> {
    let named = module.funcs.iter().filter(|function| {
        let name = function.name.as_deref().unwrap_or_default();
        let name = format!("{:#}", rustc_demangle::demangle(name));
        parts.iter().any(|part| name.contains(part))
    });
    named.map(|function| function.id()).collect()
}
