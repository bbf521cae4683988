//! A module, bound to JavaScript.

use std::fs;
use std::path::Path;

use walrus::{ElementItems, ExportItem, FunctionId, Module};
use wasm_bindgen_cli_support::{Bindgen, EncodeInto};

/// A module and the JavaScript through which it is called.
pub(crate) struct Bound {
    /// The module's bytes.
    pub(crate) wasm: Vec<u8>,
    /// Exports what the module does, and `__wbg_set_wasm(exports)`, which comes before everything else.
    pub(crate) js: String,
}

/// Binds a module. Its imports are the exports of the JavaScript, under the name `./{name}_bg.js`.
pub(crate) fn bind(name: &str, module: Vec<u8>, scratch: &Path) -> Result<Bound, String> {
    let bound = || {
        let mut bindgen = Bindgen::new();
        bindgen.input_bytes(name, module);
        // A loader for each runtime is ours.
        bindgen.bundler(true)?;
        bindgen.typescript(false);
        // Character by character is slower, and more code.
        bindgen.encode_into(EncodeInto::Always);
        bindgen.remove_name_section(true);
        bindgen.remove_producers_section(true);
        let mut output = bindgen.generate_output()?;
        without_closures(output.wasm_mut());
        output.emit(scratch)
    };
    bound().map_err(|why| format!("cannot bind {name}: {why:#}"))?;
    let read = |file: String| {
        let path = scratch.join(file);
        fs::read(&path).map_err(|why| format!("{}: {why}", path.display()))
    };
    let js = String::from_utf8(read(format!("{name}_bg.js"))?);
    Ok(Bound {
        wasm: read(format!("{name}_bg.wasm"))?,
        js: js.map_err(|why| format!("{name}_bg.js: {why}"))?,
    })
}

/// What JavaScript would call a closure through is kept by the table, for each number of arguments that js-sys
/// knows. Where no closure is ever handed over, nothing else knows these functions' places in the table.
fn without_closures(module: &mut Module) {
    const INVOKE: &str = "wasm_bindgen::convert::closures::_::invoke";
    let unused = |function: FunctionId| {
        let name = module.funcs.get(function).name.as_deref();
        let is_exported =
            |item: &ExportItem| matches!(item, ExportItem::Function(known) if *known == function);
        name.is_some_and(|name| name.contains(INVOKE))
            && !module
                .exports
                .iter()
                .any(|export| is_exported(&export.item))
    };
    let mut replaced = Vec::new();
    for element in module.elements.iter() {
        let ElementItems::Functions(functions) = &element.items else {
            continue;
        };
        let mut functions = functions.clone();
        let Some(other) = functions
            .iter()
            .copied()
            .find(|function| !unused(*function))
        else {
            continue;
        };
        for function in &mut functions {
            if unused(*function) {
                *function = other;
            }
        }
        replaced.push((element.id(), functions));
    }
    for (id, functions) in replaced {
        module.elements.get_mut(id).items = ElementItems::Functions(functions);
    }
    walrus::passes::gc::run(module);
}
