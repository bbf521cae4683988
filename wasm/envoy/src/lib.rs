//! Halcyon as a filter in Envoy, by the proxy-wasm ABI.
//!
//! One module, in two places of Envoy's configuration. Before the router (`plugin.rs`, `request.rs`) it puts
//! each request where the core says and names the cluster; in front of each cluster (`attempt.rs`) it says to an
//! upstream where the request has come, which is another region on a second attempt. It holds a table and
//! fetches the next one in the background (`tables.rs`), and counts attempts (`counts.rs`) and tells it
//! (`telemetry.rs`). No rule is its own.
#![cfg_attr(
    not(target_arch = "wasm32"),
    allow(dead_code, reason = "nobody calls it but Envoy")
)]

mod answers;
mod attempt;
mod call;
mod counts;
mod plugin;
mod request;
mod runtime;
mod tables;
mod telemetry;
mod ways;

/// What Envoy calls first.
#[cfg(target_arch = "wasm32")]
#[allow(missing_docs, reason = "the macro writes an export without any")]
mod entry {
    use proxy_wasm::types::LogLevel;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Info);
        proxy_wasm::set_root_context(|_| Box::new(crate::plugin::Plugin::default()));
    }}
}
