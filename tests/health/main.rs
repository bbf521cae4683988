//! The health server from outside: over real sockets, mostly as a real process.

mod crowd;
mod deadlines;
mod dependencies;
mod drain;
mod endpoints;
mod faults;
mod healthcheck;
mod library;
mod pressure;
mod probe;
mod scrape;
mod standing;
mod startup;
mod wire;
