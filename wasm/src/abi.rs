//! The C ABI: four functions over one instance's memory.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::ptr;
use core::slice;

use halcyon_core::time::Timestamp;

use crate::edge::{ABI, Area, Edge};
use crate::held::Single;

/// There is none: an edge has two areas and takes nothing else. The core can allocate, so a program of it
/// has to name one; nothing that this module does asks it.
struct Nothing;

// SAFETY: it never hands out anything.
unsafe impl GlobalAlloc for Nothing {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        ptr::null_mut()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Nothing = Nothing;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// What memory grows by.
const PAGE: usize = 64 * 1024;

/// Whole pages in a row that nobody else has, a power of two of them, or none.
struct Pages {
    at: usize,
    length: usize,
}

impl Area for Pages {
    fn bytes(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: `grow` has had these pages from the machine for this area alone, zeroed, and memory never
        // shrinks. Whoever borrows the area borrows its bytes.
        unsafe { slice::from_raw_parts(ptr::with_exposed_provenance(self.at), self.length) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        if self.length == 0 {
            return &mut [];
        }
        // SAFETY: as above.
        unsafe { slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(self.at), self.length) }
    }

    /// To a power of two of pages, so that all it has ever had is less than twice what it has; where it
    /// lies at the end of memory, it only gets what is missing.
    fn grow(&mut self, length: usize) -> bool {
        let pages = length.div_ceil(PAGE).next_power_of_two();
        let end = memory_size(0).wrapping_mul(PAGE);
        let at_the_end = self.length > 0 && self.at.wrapping_add(self.length) == end;
        let had = match at_the_end {
            true => self.length.wrapping_div(PAGE),
            false => 0,
        };
        if memory_grow(0, pages.wrapping_sub(had)) == usize::MAX {
            return false;
        }
        if !at_the_end {
            self.at = end;
        }
        self.length = pages.wrapping_mul(PAGE);
        true
    }
}

const EMPTY: Pages = Pages { at: 0, length: 0 };

/// The state of this instance.
static INSTANCE: Single<Edge<Pages>> = Single::new(Edge::new(EMPTY, EMPTY));

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
    INSTANCE.with(|edge| match edge.buffer(length(len)) {
        Some(buffer) => buffer.as_mut_ptr(),
        None => ptr::null_mut(),
    })
}

/// Takes the table in the first `len` bytes of the buffer: 0, or an error code.
// SAFETY: the name is this library's own.
#[unsafe(no_mangle)]
pub extern "C" fn halcyon_load(len: u32) -> u32 {
    INSTANCE.with(|edge| edge.load(length(len)))
}

/// Where the tenant in the first `len` bytes of the buffer goes.
// SAFETY: the name is this library's own.
#[unsafe(no_mangle)]
pub extern "C" fn halcyon_route(len: u32, now_ms: u64) -> u64 {
    INSTANCE.with(|edge| edge.route(length(len), Timestamp(now_ms)))
}
