//! The public witness of the books: size and root of every checkpoint, written once, in order of size.
//!
//! Invariant: only the operator, named when the contract was created, writes. What is written is never
//! changed or taken back, and a book's sizes only grow, so whoever rewrites a book's past cannot have it
//! witnessed again.
//! Absent: checking that one root extends another (whoever reads does that, with a consistency proof),
//! another operator, upgrade. A lost key means a new contract; this one stays as it is.
#![no_std]
#![allow(
    missing_docs,
    reason = "the contract macros generate public items without docs; ours end up in the Wasm's spec"
)]

mod error;
mod event;
mod storage;
#[cfg(test)]
mod test;

pub use error::Error;
pub use event::Anchored;
pub use storage::Anchor;

use soroban_sdk::{Address, BytesN, Env, String, contract, contractimpl};

/// Changes with the interface.
const VERSION: u32 = 1;
/// The longest name of a book, in bytes.
const LONGEST_BOOK: u32 = 64;

/// The contract.
#[contract]
pub struct AnchorContract;

#[contractimpl]
impl AnchorContract {
    /// Names who may write.
    pub fn __constructor(env: Env, operator: Address) {
        storage::set_operator(&env, &operator);
    }

    /// Writes down a book's checkpoint. Signed by the operator. One that is written already is done.
    pub fn anchor(env: Env, book: String, size: u64, root: BytesN<32>) -> Result<(), Error> {
        storage::operator(&env)?.require_auth();
        if book.is_empty() || book.len() > LONGEST_BOOK {
            return Err(Error::BadBook);
        }
        match storage::at(&env, &book, size) {
            Some(found) if found.root == root => return Ok(()),
            Some(_) => return Err(Error::OtherRoot),
            None => {}
        }
        if size <= storage::newest(&env, &book) {
            return Err(Error::NotGrown);
        }
        storage::set(&env, &book, size, &root);
        event::Anchored { book, size, root }.publish(&env);
        Ok(())
    }

    /// A book's newest checkpoint, if there is one.
    pub fn latest(env: Env, book: String) -> Option<Anchor> {
        storage::at(&env, &book, storage::newest(&env, &book))
    }

    /// A book's checkpoint of exactly this size, if there is one.
    pub fn at(env: Env, book: String, size: u64) -> Option<Anchor> {
        storage::at(&env, &book, size)
    }

    /// Who may write.
    pub fn operator(env: Env) -> Result<Address, Error> {
        storage::operator(&env)
    }

    /// The version of this interface.
    pub fn version() -> u32 {
        VERSION
    }
}
