//! The core in other runtimes decides like the core here, bit for bit.
//!
//! `HALCYON_RANDOM_SEED` repeats the random cases of an earlier run.

mod abi;
mod cases;
mod conformance;
mod documented;
mod edge;
mod hosts;
mod optimised;
mod package;
mod page;
mod random;

// What the vectors are made of.
#[allow(dead_code)]
#[path = "../vectors/dice.rs"]
mod dice;
#[allow(dead_code)]
#[path = "../vectors/ids.rs"]
mod ids;
#[allow(dead_code)]
#[path = "../vectors/json.rs"]
mod json;
#[allow(dead_code)]
#[path = "../vectors/setting.rs"]
mod setting;
