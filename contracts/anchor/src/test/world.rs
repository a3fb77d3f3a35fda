//! One contract as it is deployed, and the books it may know.

extern crate std;

use core::fmt::Debug;

use soroban_sdk::testutils::{Address as _, EnvTestConfig, Ledger as _};
use soroban_sdk::{Address, BytesN, Env, InvokeError, String};

use crate::{AnchorContract, AnchorContractClient, Error};

/// When every test begins.
pub(super) const START: u64 = 1_800_000_000;
pub(super) const BOOK: &str = "kenya:KES";

/// Which code runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Code {
    /// This crate, natively.
    Native,
    /// The committed Wasm.
    Wasm,
}

/// What a caller of `try_…` learns: the contract's own refusal or the result. Anything else fails the test.
pub(super) fn outcome<T: Debug, C: Debug>(
    answer: Result<Result<T, C>, Result<Error, InvokeError>>,
) -> Result<T, Error> {
    match answer {
        Ok(Ok(value)) => Ok(value),
        Err(Ok(refusal)) => Err(refusal),
        other => panic!("neither a result nor a refusal of the contract: {other:?}"),
    }
}

pub(super) struct World {
    pub(super) env: Env,
    pub(super) contract: Address,
    pub(super) operator: Address,
    pub(super) stranger: Address,
}

impl World {
    /// Everyone signs whatever is asked of them until `env.set_auths` or `env.mock_auths` says otherwise.
    pub(super) fn of(code: Code) -> Self {
        let env = Env::new_with_config(EnvTestConfig { capture_snapshot_at_drop: false });
        env.ledger().set_timestamp(START);
        let [operator, stranger] = [(); 2].map(|()| Address::generate(&env));
        let contract = match code {
            Code::Native => env.register(AnchorContract, (&operator,)),
            Code::Wasm => env.register(include_bytes!("../../anchor.wasm").as_slice(), (&operator,)),
        };
        env.mock_all_auths();
        Self { env, contract, operator, stranger }
    }

    pub(super) fn new() -> Self {
        Self::of(Code::Native)
    }

    /// One in which the book was anchored at these sizes, each with the root of its size.
    pub(super) fn at(code: Code, sizes: &[u64]) -> Self {
        let world = Self::of(code);
        for size in sizes {
            world.client().anchor(&world.book(), size, &world.root(*size));
        }
        world
    }

    pub(super) fn client(&self) -> AnchorContractClient<'_> {
        AnchorContractClient::new(&self.env, &self.contract)
    }

    pub(super) fn text(&self, text: &str) -> String {
        String::from_str(&self.env, text)
    }

    pub(super) fn book(&self) -> String {
        self.text(BOOK)
    }

    /// A root, told from others by a number.
    pub(super) fn root(&self, number: u64) -> BytesN<32> {
        let mut bytes = [7; 32];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        BytesN::from_array(&self.env, &bytes)
    }

    pub(super) fn anchor(&self, book: &str, size: u64, root: u64) -> Result<(), Error> {
        outcome(self.client().try_anchor(&self.text(book), &size, &self.root(root)))
    }
}
