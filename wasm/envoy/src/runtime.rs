//! What Envoy's runtime has besides proxy-wasm: a clock that never jumps, and randomness.
//!
//! Both are of WASI, which Envoy gives to every module. The clock of proxy-wasm is the time of day, which somebody
//! may set while a request is under way.

/// Microseconds of a clock that never jumps; it began at any time.
pub(crate) fn micros() -> u64 {
    let mut time = 0_u64;
    #[cfg(target_arch = "wasm32")]
    // SAFETY: it writes eight bytes where it is told to.
    let _ = unsafe { wasi::clock_time_get(wasi::MONOTONIC, 1, &raw mut time) };
    // Nobody calls it but Envoy.
    #[cfg(not(target_arch = "wasm32"))]
    time.clone_from(&0);
    time.div_euclid(1_000)
}

/// 32 hex digits that nobody else has: not another thread, nor the same one after a restart. `None` where there is
/// no randomness.
pub(crate) fn unique() -> Option<String> {
    let mut bits = [0_u8; 16];
    #[cfg(target_arch = "wasm32")]
    // SAFETY: it writes as many bytes as it is told to, where it is told to.
    let failed = unsafe { wasi::random_get(bits.as_mut_ptr(), bits.len()) } != 0;
    #[cfg(not(target_arch = "wasm32"))]
    let failed = bits.iter_mut().all(|byte| *byte == 0);
    (!failed && bits != [0; 16]).then(|| bits.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(target_arch = "wasm32")]
mod wasi {
    pub(super) const MONOTONIC: u32 = 1;

    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(super) fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
        pub(super) fn random_get(to: *mut u8, bytes: usize) -> u32;
    }
}
