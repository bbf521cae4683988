//! The documents are true: pages made from code are up to date, and every command of the README works.

mod assurance;
mod generated;
mod readme;
