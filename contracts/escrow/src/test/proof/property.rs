//! Random stories, and one that goes through every call.

extern crate std;

use proptest::prelude::*;

use super::model::play;

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn the_books_of_any_escrow_are_kept(words in proptest::collection::vec(any::<[u8; 4]>(), 1..80)) {
        play(&words);
    }

    /// A funded escrow is common here, so that what comes after it is tried often.
    #[test]
    fn the_books_of_funded_escrows_are_kept(
        opening in any::<[u8; 2]>(),
        words in proptest::collection::vec((5..20_u8, 0..2_u8, any::<u8>(), any::<u8>()), 1..60)
    ) {
        let [a, b] = opening;
        // Both kinds of payer, funded and assigned.
        let mut story = std::vec![[0, 0, a & !1, b], [0, 1, a | 1, b], [5, 1, 0, 0]];
        story.extend([[6, 0, a / 8, 0], [6, 1, 0, 0]]);
        story.extend((0..16).map(|deposit| [2, 0, deposit, 1]));
        story.extend(words.into_iter().map(|(kind, escrow, a, b)| [kind, escrow, a, b]));
        play(&story);
    }
}
