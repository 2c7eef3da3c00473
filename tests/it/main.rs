//! All tests that go through the public interface: one binary, so that it is linked once.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "these are tests: they measure and may fail")]

mod bundles;
mod cli;
mod cli_views;
mod collect;
mod corpus;
mod generated;
mod grid;
mod halves;
mod lambda;
mod layers;
mod live_stories;
mod long_stories;
mod lookup;
mod proofs;
mod reading;
mod s3;
mod sessions;
mod settings;
mod store;
mod stories;
mod untold;
mod verdicts;
mod watch;
