//! The adapter against bytes that are not ours: the official SDK's, the contract's committed interface, a
//! server's JSON.

mod building;
mod interface;
mod parsing;
mod vectors;
mod verdicts;

use amana_ledger::money::Amount;
use serde_json::Value;

use super::{ChainOp, Keypair, Network};

/// What the Python SDK wrote; see `vectors.py` beside it.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../tests/fixtures/stellar/vectors.json")).unwrap()
}

fn text<'a>(vectors: &'a Value, path: &str) -> &'a str {
    vectors.pointer(path).and_then(Value::as_str).unwrap_or_else(|| panic!("no vector at {path}"))
}

fn key(byte: u8) -> Keypair {
    Keypair::from_seed([byte; 32])
}

fn network() -> Network {
    let vectors = vectors();
    Network {
        rpc_url: "http://127.0.0.1:1".into(),
        passphrase: "Standalone Network ; February 2017".into(),
        contract: text(&vectors, "/contract").into(),
        token: text(&vectors, "/token").into(),
        anchor: None,
        exponent: 2,
    }
}

fn amount(minor: i64) -> Amount {
    Amount::new(minor).unwrap()
}

/// One of each instruction, by the name of its vector.
fn ops() -> Vec<(&'static str, ChainOp)> {
    let key = std::array::from_fn(|n| u8::try_from(n).unwrap());
    let payee = [5; 32];
    let to = Some(self::key(4).address());
    let (create, part) = (amount(5_000_000), amount(2_500_050));
    let burn = ChainOp::Burn { key, amount: amount(4_900_000), vault_before: 4_900_000 };
    vec![
        ("create", ChainOp::Create { key, amount: create, expiry: 1_800_000_000, terms: Default::default() }),
        ("fund_deposit", ChainOp::Fund { key, deposit_id: [9; 32], amount: part }),
        ("assign", ChainOp::Assign { key, payee, to: None }),
        ("assign_to", ChainOp::Assign { key, payee, to }),
        ("release", ChainOp::Release { key, milestone: 0, to_payee: 4_900_000, fee: 100_000 }),
        ("burn", burn),
        ("cancel", ChainOp::Cancel { key }),
        ("refund", ChainOp::Refund { key }),
        ("auto_release", ChainOp::AutoRelease { key }),
        ("dispute", ChainOp::Dispute { key, by: self::key(1).address() }),
        ("resolve", ChainOp::Resolve { key, to_payee: 1_000_000 }),
        ("resolve_timeout", ChainOp::ResolveTimeout { key }),
    ]
}
