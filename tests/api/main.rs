//! The API from outside: real HTTP against the real routes; of the gateway's insides only the worker's wheel.
//!
//! Invariant: each test has a world of its own and ends with sound books wherever money moved.

mod callbacks;
mod door;
mod doors;
mod jobs;
mod leaks;
mod money;
mod people;
mod phones;
mod privacy;
