//! The program around the core: sockets, disk, clock, HTTP, command line.

pub mod cli;
pub mod clock;
pub mod dashboard;
pub mod documents;
pub mod driver;
pub mod edge;
mod engine;
mod group;
pub mod health;
pub mod journal;
pub mod monitor;
pub mod net;
mod replace;
pub mod signing;
pub mod tokens;
mod traffic;
