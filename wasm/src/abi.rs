//! The C ABI: four functions over one instance's memory. All `unsafe` of this crate is here.

use core::cell::UnsafeCell;

use dlmalloc::GlobalDlmalloc;
use halcyon_core::time::Timestamp;

use crate::edge::{ABI, Edge};

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// The state of this instance.
struct Instance(UnsafeCell<Edge>);

// SAFETY: without the target feature `atomics`, which this module is built without, an instance of
// WebAssembly runs on one thread at a time.
unsafe impl Sync for Instance {}

static INSTANCE: Instance = Instance(UnsafeCell::new(Edge::new()));

/// Hands on the one reference to the state.
fn with<T>(work: impl FnOnce(&mut Edge) -> T) -> T {
    // SAFETY: there is one thread, no export is called by another one or by what it calls, and the
    // reference ends with this call.
    work(unsafe { &mut *INSTANCE.0.get() })
}

/// A length of the caller's. Both have 32 bits here.
fn length(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

/// The version of this interface: 1.
// SAFETY: the name is this library's own.
#[unsafe(no_mangle)]
pub extern "C" fn halcyon_abi() -> u32 {
    ABI
}

/// A buffer of `len` bytes, which lasts until the next call of this function or of `halcyon_load`; 0
/// where there can be none.
// SAFETY: the name is this library's own.
#[unsafe(no_mangle)]
pub extern "C" fn halcyon_buf(len: u32) -> *mut u8 {
    with(|edge| match edge.buffer(length(len)) {
        Some(buffer) => buffer.as_mut_ptr(),
        None => core::ptr::null_mut(),
    })
}

/// Takes the table in the first `len` bytes of the buffer: 0, or an error code.
// SAFETY: the name is this library's own.
#[unsafe(no_mangle)]
pub extern "C" fn halcyon_load(len: u32) -> u32 {
    with(|edge| edge.load(length(len)))
}

/// Where the tenant in the first `len` bytes of the buffer goes.
// SAFETY: the name is this library's own.
#[unsafe(no_mangle)]
pub extern "C" fn halcyon_route(len: u32, now_ms: u64) -> u64 {
    with(|edge| edge.route(length(len), Timestamp(now_ms)))
}
