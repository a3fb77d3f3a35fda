//! The gateway against a world that fails: processes killed between any two commits, steps repeated, answers
//! lost.

mod crash;
mod refunds;
mod schedules;
mod seeds;
