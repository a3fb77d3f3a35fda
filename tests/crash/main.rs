//! The books when the machinery dies: Postgres and the posting process killed under load, and a process that
//! sleeps in the middle of its work.
//!
//! Invariant: only processes that a test started are killed or stopped, each by its id, and none outlives it.
//! Absent: a power cut. What the operating system took over from a killed process reaches the disk.

mod callers;
mod chance;
mod check;
mod kill;
mod pause;
mod place;
