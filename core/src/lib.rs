#![no_std]
#![doc = "placeholder"]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod config;
pub mod endpoint;
pub mod hash;
pub mod ledger;
pub mod placement;
pub mod readiness;
pub mod region;
pub mod regions;
pub mod release;
pub mod role;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
