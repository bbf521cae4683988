//! The dashboard: its server over real sockets, its page in a real browser.

mod addresses;
mod api;
mod dashboard;
mod demo;
mod fake;
mod monitor;
mod page;
mod startup;
mod states;
mod steering;
mod wire;
mod world;
