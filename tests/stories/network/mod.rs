//! Stories of the chain leg: bad days of the network, envelopes on their way, watching what came of them.

mod rough;
mod submission;
mod watching;
