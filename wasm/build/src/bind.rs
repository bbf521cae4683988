//! A module, bound to JavaScript.

use std::fs;
use std::path::Path;

use wasm_bindgen_cli_support::{Bindgen, EncodeInto};

use crate::lean;

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
        bindgen.input_bytes(name, lean::without_last_words(&module)?);
        // A loader for each runtime is ours.
        bindgen.bundler(true)?;
        bindgen.typescript(false);
        // Names as they are: functions are told by them, and then they go.
        bindgen.demangle(false);
        // Character by character is slower, and more code.
        bindgen.encode_into(EncodeInto::Always);
        bindgen.remove_name_section(true);
        bindgen.remove_producers_section(true);
        let mut output = bindgen.generate_output()?;
        lean::lean(output.wasm_mut());
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
