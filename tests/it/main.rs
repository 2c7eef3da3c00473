//! All tests that go through the public interface: one binary, so that it is linked once.

mod cli_views;
mod corpus;
mod generated;
mod halves;
mod lambda;
mod layers;
mod s3;
mod store;
