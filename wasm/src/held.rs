//! What an instance holds from one call to the next.

#[cfg(feature = "edge")]
use alloc::vec::Vec;
use core::cell::UnsafeCell;

/// A value that one thread at a time uses.
pub(crate) struct Single<T>(UnsafeCell<T>);

// SAFETY: without the target feature `atomics`, which these modules are built without, an instance of
// WebAssembly runs on one thread at a time.
#[cfg(not(target_feature = "atomics"))]
unsafe impl<T> Sync for Single<T> {}

impl<T> Single<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    /// Hands on the one reference. `work` reaches nothing that JavaScript provides: that could come back here.
    #[inline]
    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: there is one thread, no export is called by another one or by what it calls, and the
        // reference ends with this call.
        work(unsafe { &mut *self.0.get() })
    }
}

/// What somebody outside holds by a number.
#[cfg(feature = "edge")]
pub(crate) struct Numbered<T> {
    held: Vec<Option<T>>,
    /// Numbers that nobody has.
    gone: Vec<usize>,
}

#[cfg(feature = "edge")]
impl<T> Numbered<T> {
    pub(crate) const fn new() -> Self {
        Self {
            held: Vec::new(),
            gone: Vec::new(),
        }
    }

    /// Its number from now on.
    pub(crate) fn hold(&mut self, value: T) -> usize {
        if let Some(at) = self.gone.pop()
            && let Some(place) = self.held.get_mut(at)
        {
            *place = Some(value);
            return at;
        }
        self.held.push(Some(value));
        self.held.len().wrapping_sub(1)
    }

    #[inline]
    pub(crate) fn get(&self, at: usize) -> Option<&T> {
        self.held.get(at)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut T> {
        self.held.get_mut(at)?.as_mut()
    }

    /// Nobody has the number any longer.
    pub(crate) fn drop(&mut self, at: usize) {
        let held = self.held.get_mut(at).and_then(Option::take);
        if held.is_some() {
            self.gone.push(at);
        }
    }
}
