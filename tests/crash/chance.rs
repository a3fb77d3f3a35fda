//! Chance that is told: the seed is printed, and `AMANA_TEST_SEED` brings the same choices back. What the
//! processes are doing at that moment is the machine's own.

use amana_tests::told;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub(crate) struct Chance(StdRng);

impl Chance {
    pub(crate) fn of(test: &str) -> Self {
        let seed = told("AMANA_TEST_SEED").unwrap_or_else(|| u64::from(std::process::id()));
        println!("{test}: AMANA_TEST_SEED={seed}");
        Self(StdRng::seed_from_u64(seed))
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.random_range(0..bound)
    }

    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.0.random_range(0..=at));
        }
    }
}
