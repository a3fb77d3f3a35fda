//! What holds whatever happens: sums, ways out, and what a call may cost.

mod budget;
mod exits;
pub(crate) mod model;
mod property;
