//! What the seed does not have: traces, attention lists, proof, our own money, the books.

pub(super) mod books;
pub(super) mod money;
pub(super) mod reads;
