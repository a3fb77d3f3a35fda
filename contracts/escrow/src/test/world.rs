//! One contract as it is deployed, a clock to turn, and every state an escrow can be in.

extern crate std;

use core::fmt::Debug;

use soroban_sdk::testutils::{Address as _, EnvTestConfig, IssuerFlags, Ledger as _};
use soroban_sdk::token::{StellarAssetClient, TokenClient};
use soroban_sdk::{Address, Bytes, BytesN, Env, InvokeError, Vec};

use crate::{Error, EscrowContract, EscrowContractClient, EscrowView, Terms};

/// A cent of KES.
pub(crate) const UNIT: i128 = 100_000;
pub(crate) const AMOUNT: i128 = 50_000 * UNIT;
pub(crate) const FEE: i128 = 7 * UNIT;
pub(crate) const TO_PAYEE: i128 = AMOUNT - FEE;
/// The first of two milestones.
pub(crate) const FIRST: i128 = 20_000 * UNIT;
/// What the payee shall have got if nobody decides a dispute.
pub(crate) const DEFAULT: i128 = 30_000 * UNIT;
pub(crate) const DAY: u64 = 24 * 60 * 60;
/// When every test begins.
pub(crate) const START: u64 = 1_800_000_000;
/// When the payee's clock rings, where there is one.
pub(crate) const RING: u64 = START + 20 * DAY;
pub(crate) const EXPIRY: u64 = START + 30 * DAY;
pub(crate) const DISPUTE_DAYS: u32 = 14;
/// The deadline of a dispute that was opened on the first day.
pub(crate) const DEADLINE: u64 = START + DISPUTE_DAYS as u64 * DAY;

/// Which code runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Code {
    /// This crate, natively.
    Native,
    /// The committed Wasm.
    Wasm,
}

/// Every state a call can find, told apart as far as an answer depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Absent,
    Open,
    OpenInPart,
    OpenAssigned,
    OpenExpired,
    Funded,
    FundedMobile,
    FundedAccount,
    FundedExpired,
    FundedMobileExpired,
    /// The payee's clock has rung, the payer's not yet.
    FundedMobileRung,
    /// Two milestones, none released yet.
    FundedInTwo,
    /// One of two milestones is released, into the vault.
    FirstReleased,
    DisputedMobile,
    /// One of two milestones was released before, and waits in the vault.
    DisputedFirstReleased,
    DisputedAccount,
    DisputedPastDeadline,
    ReleasedMobile,
    ReleasedMobilePaid,
    ReleasedAccount,
    Refunded,
    RefundedPaid,
    Resolved,
    ResolvedPaid,
    Cancelled,
    CancelledInPart,
    OwnOpen,
    OwnOpenAssigned,
    OwnFunded,
    OwnAssigned,
    OwnRung,
    OwnExpired,
    OwnDisputed,
    OwnReleased,
    OwnRefunded,
    OwnResolved,
    /// Resolved, and the payee's account could not take its part.
    OwnDue,
    /// The same three, and by now the account could.
    OwnReleasedClaimable,
    OwnRefundedClaimable,
    OwnResolvedClaimable,
}

/// What a caller of `try_…` learns: the contract's own refusal or the result. Anything else fails the test.
pub(crate) fn outcome<T: Debug, C: Debug>(
    answer: Result<Result<T, C>, Result<Error, InvokeError>>,
) -> Result<T, Error> {
    match answer {
        Ok(Ok(value)) => Ok(value),
        Err(Ok(refusal)) => Err(refusal),
        other => panic!("neither a result nor a refusal of the contract: {other:?}"),
    }
}

pub(crate) struct World {
    pub(crate) env: Env,
    pub(crate) contract: Address,
    /// What deposits are minted in.
    pub(crate) token: Address,
    /// A token payers own, listed as number 1.
    pub(crate) coin: Address,
    pub(crate) admin: Address,
    pub(crate) operator: Address,
    pub(crate) delegate: Address,
    pub(crate) arbiter: Address,
    /// The payee's own address.
    pub(crate) payee: Address,
    /// A payer with their own tokens.
    pub(crate) owner: Address,
    /// Who gets the fees in `coin`.
    pub(crate) till: Address,
    pub(crate) stranger: Address,
    /// The escrow the test is about.
    pub(crate) reference: BytesN<32>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::of(Code::Native)
    }

    /// Everyone signs whatever is asked of them until `env.set_auths` or `env.mock_auths` says otherwise.
    pub(crate) fn of(code: Code) -> Self {
        let env = Env::new_with_config(EnvTestConfig { capture_snapshot_at_drop: false });
        env.ledger().set_timestamp(START);
        let [admin, operator, delegate, arbiter, payee, owner, till, stranger] =
            [(); 8].map(|()| Address::generate(&env));
        let [token, coin] = [(); 2].map(|()| env.register_stellar_asset_contract_v2(admin.clone()));
        coin.issuer().set_flag(IssuerFlags::RevocableFlag);
        let [token, coin] = [token.address(), coin.address()];
        let arguments = (&admin, &operator, &delegate, &arbiter, &token, UNIT);
        let contract = match code {
            Code::Native => env.register(EscrowContract, arguments),
            Code::Wasm => env.register(include_bytes!("../../escrow.wasm").as_slice(), arguments),
        };
        env.mock_all_auths();
        StellarAssetClient::new(&env, &token).set_admin(&contract);
        StellarAssetClient::new(&env, &coin).mint(&owner, &i128::from(i64::MAX));
        EscrowContractClient::new(&env, &contract).list(&coin, &UNIT, &till);
        let reference = word(&env, "escrow");
        Self {
            env,
            contract,
            token,
            coin,
            admin,
            operator,
            delegate,
            arbiter,
            payee,
            owner,
            till,
            stranger,
            reference,
        }
    }

    /// A world whose escrow has come this far.
    pub(crate) fn at(code: Code, stage: Stage) -> Self {
        let world = Self::of(code);
        world.bring_to(stage);
        world
    }

    /// One milestone, no release clock, all of the fee.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            token: self.token.clone(),
            amounts: Vec::from_array(&self.env, [AMOUNT]),
            fee_cap: FEE,
            expiry: EXPIRY,
            release_at: 0,
            dispute_s: DISPUTE_DAYS * DAY as u32,
            default_to_payee: DEFAULT,
        }
    }

    /// The same for a payer with tokens of their own.
    pub(crate) fn own_terms(&self) -> Terms {
        Terms { token: self.coin.clone(), ..self.terms() }
    }

    pub(crate) fn create(&self, payer: &Address, terms: &Terms) {
        self.client().create(&self.reference, payer, terms);
    }

    fn open(&self, terms: Terms, payee: &Option<Address>) {
        self.create(&self.delegate, &terms);
        self.client().fund_deposit(&self.reference, &self.bytes("all"), &AMOUNT);
        self.client().assign(&self.reference, &self.bytes("person"), payee);
    }

    fn open_own(&self, terms: Terms) {
        self.create(&self.owner, &terms);
        self.client().fund(&self.reference, &AMOUNT);
        self.client().assign(&self.reference, &self.bytes("person"), &Some(self.payee.clone()));
    }

    fn bring_to(&self, stage: Stage) {
        let (client, reference) = (self.client(), &self.reference);
        let to = Some(self.payee.clone());
        let rings = |terms| Terms { release_at: RING, ..terms };
        match stage {
            Stage::Absent => {}
            Stage::Open => self.create(&self.delegate, &self.terms()),
            Stage::OpenInPart => {
                self.bring_to(Stage::Open);
                client.fund_deposit(reference, &self.bytes("first"), &(AMOUNT - UNIT));
            }
            Stage::OpenAssigned => {
                self.bring_to(Stage::Open);
                client.assign(reference, &self.bytes("person"), &None);
            }
            Stage::OpenExpired => self.later(Stage::OpenInPart, EXPIRY),
            Stage::Funded => {
                self.bring_to(Stage::OpenInPart);
                client.fund_deposit(reference, &self.bytes("second"), &UNIT);
            }
            Stage::FundedMobile => self.open(self.terms(), &None),
            Stage::FundedAccount => self.open(self.terms(), &to),
            Stage::FundedExpired => self.later(Stage::Funded, EXPIRY),
            Stage::FundedMobileExpired => self.later(Stage::FundedMobile, EXPIRY),
            Stage::FundedMobileRung => {
                self.open(rings(self.terms()), &None);
                self.env.ledger().set_timestamp(RING);
            }
            Stage::FundedInTwo => {
                let amounts = Vec::from_array(&self.env, [FIRST, AMOUNT - FIRST]);
                self.open(Terms { amounts, ..self.terms() }, &None);
            }
            Stage::FirstReleased => {
                self.bring_to(Stage::FundedInTwo);
                client.release(reference, &0, &(FIRST - UNIT), &UNIT);
            }
            Stage::DisputedMobile => {
                self.bring_to(Stage::FundedMobile);
                client.dispute(reference, &self.operator);
            }
            Stage::DisputedFirstReleased => {
                self.bring_to(Stage::FirstReleased);
                client.dispute(reference, &self.delegate);
            }
            Stage::DisputedAccount => {
                self.bring_to(Stage::FundedAccount);
                client.dispute(reference, &self.payee);
            }
            Stage::DisputedPastDeadline => self.later(Stage::DisputedMobile, DEADLINE),
            over => self.bring_to_end(over),
        }
    }

    fn bring_to_end(&self, stage: Stage) {
        let (client, reference) = (self.client(), &self.reference);
        match stage {
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
            Stage::Resolved => {
                self.bring_to(Stage::DisputedMobile);
                client.resolve(reference, &FIRST);
            }
            Stage::ResolvedPaid => {
                self.bring_to(Stage::Resolved);
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
            own => self.bring_own_to(own),
        }
    }

    fn bring_own_to(&self, stage: Stage) {
        let (client, reference) = (self.client(), &self.reference);
        match stage {
            Stage::OwnOpen => self.create(&self.owner, &self.own_terms()),
            Stage::OwnOpenAssigned => {
                self.bring_to(Stage::OwnOpen);
                client.assign(reference, &self.bytes("person"), &Some(self.payee.clone()));
            }
            Stage::OwnFunded => {
                self.bring_to(Stage::OwnOpen);
                client.fund(reference, &AMOUNT);
            }
            Stage::OwnAssigned => self.open_own(self.own_terms()),
            Stage::OwnRung => {
                self.open_own(Terms { release_at: RING, ..self.own_terms() });
                self.env.ledger().set_timestamp(RING);
            }
            Stage::OwnExpired => self.later(Stage::OwnAssigned, EXPIRY),
            Stage::OwnDisputed => {
                self.bring_to(Stage::OwnAssigned);
                client.dispute(reference, &self.owner);
            }
            Stage::OwnReleased => {
                self.bring_to(Stage::OwnAssigned);
                client.release(reference, &0, &TO_PAYEE, &FEE);
            }
            Stage::OwnRefunded => {
                self.bring_to(Stage::OwnExpired);
                client.refund(reference);
            }
            Stage::OwnResolved => {
                self.bring_to(Stage::OwnDisputed);
                client.resolve(reference, &FIRST);
            }
            Stage::OwnDue => {
                self.bring_to(Stage::OwnFunded);
                client.assign(reference, &self.bytes("person"), &Some(self.closed_account()));
                client.dispute(reference, &self.owner);
                client.resolve(reference, &FIRST);
            }
            claimable => self.bring_claimable(claimable),
        }
    }

    /// Somebody's account is frozen while it is paid, and free again.
    fn bring_claimable(&self, stage: Stage) {
        let (client, reference) = (self.client(), &self.reference);
        let (before, whom) = match stage {
            Stage::OwnReleasedClaimable => (Stage::OwnRung, &self.payee),
            Stage::OwnRefundedClaimable => (Stage::OwnExpired, &self.owner),
            Stage::OwnResolvedClaimable => (Stage::OwnDisputed, &self.payee),
            other => unreachable!("{other:?} is brought about elsewhere"),
        };
        self.bring_to(before);
        self.freeze(whom, true);
        match stage {
            Stage::OwnReleasedClaimable => client.auto_release(reference),
            Stage::OwnRefundedClaimable => client.refund(reference),
            _ => client.resolve(reference, &FIRST),
        }
        self.freeze(whom, false);
    }

    /// Whether an address can be paid in `coin`.
    pub(crate) fn freeze(&self, whom: &Address, frozen: bool) {
        StellarAssetClient::new(&self.env, &self.coin).set_authorized(whom, &!frozen);
    }

    fn later(&self, stage: Stage, time: u64) {
        self.bring_to(stage);
        self.env.ledger().set_timestamp(time);
    }

    /// An account without a trustline: it cannot be paid in any token.
    pub(crate) fn closed_account(&self) -> Address {
        self.env.register_stellar_asset_contract_v2(self.stranger.clone()).issuer().address()
    }

    /// Opens that account's trustline for `coin`.
    pub(crate) fn trust(&self, account: &Address) {
        StellarAssetClient::new(&self.env, &self.coin).trust(account);
    }

    pub(crate) fn client(&self) -> EscrowContractClient<'_> {
        EscrowContractClient::new(&self.env, &self.contract)
    }

    pub(crate) fn tokens(&self) -> TokenClient<'_> {
        TokenClient::new(&self.env, &self.token)
    }

    pub(crate) fn coins(&self) -> TokenClient<'_> {
        TokenClient::new(&self.env, &self.coin)
    }

    /// What the contract holds of what deposits were minted in.
    pub(crate) fn held(&self) -> i128 {
        self.tokens().balance(&self.contract)
    }

    /// A 32-byte name.
    pub(crate) fn bytes(&self, name: &str) -> BytesN<32> {
        word(&self.env, name)
    }

    /// The escrow the test is about.
    pub(crate) fn escrow(&self) -> EscrowView {
        self.client().get(&self.reference).unwrap()
    }
}

fn word(env: &Env, name: &str) -> BytesN<32> {
    env.crypto().sha256(&Bytes::from_slice(env, name.as_bytes())).to_bytes()
}
