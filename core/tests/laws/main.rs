//! The laws: what holds for every input, tried on random ones.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::panic_in_result_fn,
    clippy::std_instead_of_alloc,
    clippy::unreachable,
    missing_docs
)]

mod clocks;
mod configuration;
mod drivers;
mod histories;
mod journals;
mod keys;
mod machine;
mod placement;
mod round_trips;
mod tables;
mod world;
