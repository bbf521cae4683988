//! What the standard library would bring: an allocator, of a fifth of the code, and what a panic does. Without
//! its messages, which nobody reads and which are a third of a module.

use rlsf::SmallGlobalTlsf;

#[global_allocator]
static ALLOCATOR: SmallGlobalTlsf = SmallGlobalTlsf::new();

#[cfg(not(feature = "page"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
