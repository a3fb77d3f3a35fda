//! One contract as it is deployed: token admin, issuer aside, six addresses of its own, and a clock to turn.

extern crate std;

use soroban_sdk::testutils::{Address as _, EnvTestConfig, Ledger as _};
use soroban_sdk::token::{StellarAssetClient, TokenClient};
use soroban_sdk::{Address, Bytes, BytesN, Env};

use crate::{EscrowContract, EscrowContractClient, EscrowView};

/// A cent of KES.
pub(super) const UNIT: i128 = 100_000;
pub(super) const AMOUNT: i128 = 50_000 * UNIT;
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

pub(super) struct World {
    pub(super) env: Env,
    pub(super) contract: Address,
    pub(super) token: Address,
    pub(super) admin: Address,
    pub(super) operator: Address,
    pub(super) delegate: Address,
    pub(super) arbiter: Address,
}

impl World {
    pub(super) fn new() -> Self {
        Self::of(Code::Native)
    }

    pub(super) fn of(code: Code) -> Self {
        let env = Env::new_with_config(EnvTestConfig { capture_snapshot_at_drop: false });
        env.ledger().set_timestamp(START);
        let [admin, operator, delegate, arbiter] = [(); 4].map(|()| Address::generate(&env));
        let asset = env.register_stellar_asset_contract_v2(admin.clone());
        let token = asset.address();
        let arguments = (&admin, &operator, &delegate, &arbiter, &token, UNIT);
        let contract = match code {
            Code::Native => env.register(EscrowContract, arguments),
            Code::Wasm => env.register(include_bytes!("../../escrow.wasm").as_slice(), arguments),
        };
        env.mock_all_auths();
        StellarAssetClient::new(&env, &token).set_admin(&contract);
        Self { env, contract, token, admin, operator, delegate, arbiter }
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

    pub(super) fn bytes(&self, word: &str) -> BytesN<32> {
        self.env.crypto().sha256(&Bytes::from_slice(&self.env, word.as_bytes())).to_bytes()
    }

    pub(super) fn escrow(&self, reference: &BytesN<32>) -> EscrowView {
        self.client().get(reference).unwrap()
    }
}
