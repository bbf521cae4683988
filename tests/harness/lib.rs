//! What the tests of the whole program share.

pub mod browser;
pub mod demo;
pub mod process;
pub mod region;
pub mod store;

/// The page for library users: its code is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/library.md")]
pub struct LibraryPage;
