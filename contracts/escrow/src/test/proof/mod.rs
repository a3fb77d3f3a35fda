//! What holds whatever happens: sums, ways out, and what a call may cost.

mod budget;
