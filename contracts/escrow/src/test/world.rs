//! One contract as it is deployed, a clock to turn, and every state an escrow can be in.

extern crate std;

use core::fmt::Debug;

use soroban_sdk::testutils::{Address as _, EnvTestConfig, Ledger as _};
use soroban_sdk::token::{StellarAssetClient, TokenClient};
use soroban_sdk::{Address, Bytes, BytesN, Env, InvokeError};

use crate::{Error, EscrowContract, EscrowContractClient, EscrowView};

/// A cent of KES.
pub(super) const UNIT: i128 = 100_000;
pub(super) const AMOUNT: i128 = 50_000 * UNIT;
pub(super) const FEE: i128 = 7 * UNIT;
pub(super) const TO_PAYEE: i128 = AMOUNT - FEE;
pub(super) const DAY: u64 = 24 * 60 * 60;
/// When every test begins.
pub(super) const START: u64 = 1_800_000_000;
pub(super) const EXPIRY: u64 = START + 30 * DAY;

/// Which code runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Code {
    /// This crate, natively.
    Native,
    /// The committed Wasm.
    Wasm,
}

/// Every state a call can find, told apart as far as an answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Absent,
    Open,
    OpenInPart,
    OpenAssigned,
    Funded,
    FundedMobile,
    FundedAccount,
    FundedExpired,
    FundedMobileExpired,
    ReleasedMobile,
    ReleasedMobilePaid,
    ReleasedAccount,
    Refunded,
    RefundedPaid,
    Cancelled,
    CancelledInPart,
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
    pub(super) token: Address,
    pub(super) admin: Address,
    pub(super) operator: Address,
    pub(super) delegate: Address,
    pub(super) arbiter: Address,
    /// The payee's own address.
    pub(super) payee: Address,
    pub(super) stranger: Address,
    /// The escrow the test is about.
    pub(super) reference: BytesN<32>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::of(Code::Native)
    }

    /// Everyone signs whatever is asked of them until `env.set_auths` or `env.mock_auths` says otherwise.
    pub(super) fn of(code: Code) -> Self {
        let env = Env::new_with_config(EnvTestConfig { capture_snapshot_at_drop: false });
        env.ledger().set_timestamp(START);
        let [admin, operator, delegate, arbiter, payee, stranger] = [(); 6].map(|()| Address::generate(&env));
        let token = env.register_stellar_asset_contract_v2(admin.clone()).address();
        let arguments = (&admin, &operator, &delegate, &arbiter, &token, UNIT);
        let contract = match code {
            Code::Native => env.register(EscrowContract, arguments),
            Code::Wasm => env.register(include_bytes!("../../escrow.wasm").as_slice(), arguments),
        };
        env.mock_all_auths();
        StellarAssetClient::new(&env, &token).set_admin(&contract);
        let reference = word(&env, "escrow");
        Self { env, contract, token, admin, operator, delegate, arbiter, payee, stranger, reference }
    }

    /// A world whose escrow has come this far.
    pub(super) fn at(code: Code, stage: Stage) -> Self {
        let world = Self::of(code);
        world.bring_to(stage);
        world
    }

    fn bring_to(&self, stage: Stage) {
        let (client, reference) = (self.client(), &self.reference);
        match stage {
            Stage::Absent => {}
            Stage::Open => {
                client.create(reference, &self.delegate, &self.token, &AMOUNT, &EXPIRY);
            }
            Stage::OpenInPart => {
                self.bring_to(Stage::Open);
                client.fund_deposit(reference, &self.bytes("first"), &(AMOUNT - UNIT));
            }
            Stage::OpenAssigned => {
                self.bring_to(Stage::Open);
                client.assign(reference, &self.bytes("person"), &None);
            }
            Stage::Funded => {
                self.bring_to(Stage::OpenInPart);
                client.fund_deposit(reference, &self.bytes("second"), &UNIT);
            }
            Stage::FundedMobile => {
                self.bring_to(Stage::Funded);
                client.assign(reference, &self.bytes("person"), &None);
            }
            Stage::FundedAccount => {
                self.bring_to(Stage::Funded);
                client.assign(reference, &self.bytes("person"), &Some(self.payee.clone()));
            }
            Stage::FundedExpired => {
                self.bring_to(Stage::Funded);
                self.env.ledger().set_timestamp(EXPIRY);
            }
            Stage::FundedMobileExpired => {
                self.bring_to(Stage::FundedMobile);
                self.env.ledger().set_timestamp(EXPIRY);
            }
            Stage::ReleasedMobile => {
                self.bring_to(Stage::FundedMobile);
                client.release(reference, &0, &TO_PAYEE, &FEE);
            }
            Stage::ReleasedMobilePaid => {
                self.bring_to(Stage::ReleasedMobile);
                client.burn(reference, &TO_PAYEE, &TO_PAYEE);
            }
            Stage::ReleasedAccount => {
                self.bring_to(Stage::FundedAccount);
                client.release(reference, &0, &TO_PAYEE, &FEE);
            }
            Stage::Refunded => {
                self.bring_to(Stage::FundedExpired);
                client.refund(reference);
            }
            Stage::RefundedPaid => {
                self.bring_to(Stage::Refunded);
                client.burn(reference, &AMOUNT, &AMOUNT);
            }
            Stage::Cancelled => {
                self.bring_to(Stage::Open);
                client.cancel(reference);
            }
            Stage::CancelledInPart => {
                self.bring_to(Stage::OpenInPart);
                client.cancel(reference);
            }
        }
    }

    pub(super) fn client(&self) -> EscrowContractClient<'_> {
        EscrowContractClient::new(&self.env, &self.contract)
    }

    pub(super) fn tokens(&self) -> TokenClient<'_> {
        TokenClient::new(&self.env, &self.token)
    }

    /// What the contract holds.
    pub(super) fn held(&self) -> i128 {
        self.tokens().balance(&self.contract)
    }

    /// A 32-byte name.
    pub(super) fn bytes(&self, name: &str) -> BytesN<32> {
        word(&self.env, name)
    }

    /// The escrow the test is about.
    pub(super) fn escrow(&self) -> EscrowView {
        self.client().get(&self.reference).unwrap()
    }
}

fn word(env: &Env, name: &str) -> BytesN<32> {
    env.crypto().sha256(&Bytes::from_slice(env, name.as_bytes())).to_bytes()
}
