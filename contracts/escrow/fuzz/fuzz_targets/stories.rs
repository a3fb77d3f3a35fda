//! Lets the fuzzer tell stories to an escrow: four bytes a call, as the property tests read them.
//!
//! Invariant: what is checked is `proof/model.rs` and nothing else, so a find is replayed there word by word.

#![no_main]

use amana_escrow::*;
use libfuzzer_sys::fuzz_target;
// For the modules included below.
use soroban_sdk as _;

#[path = "../../src/test/proof/model.rs"]
mod model;
#[allow(dead_code, reason = "the property tests alone use all of it")]
#[path = "../../src/test/world.rs"]
mod world;

mod test {
    pub(crate) use crate::world;
}

fuzz_target!(|bytes: &[u8]| {
    // Longer stories find nothing more and take longer.
    model::play(bytes.as_chunks::<4>().0.get(..200).unwrap_or(bytes.as_chunks::<4>().0));
});
