//! What every implementation of Halcyon must answer: `tests/vectors/*.json`, replayed through the core
//! and through a second implementation in Python that does what `docs/placement.md` and
//! `docs/release.md` say.
//!
//! `UPDATE_VECTORS=1 cargo test -p halcyon-tests --test vectors the_committed` writes the files anew.
//! `HALCYON_RANDOM_SEED` repeats the random cases of an earlier run.

mod committed;
mod dice;
mod ids;
mod json;
mod python;
mod random;
mod replay;
mod script;
mod setting;
mod siphash;
mod write;
