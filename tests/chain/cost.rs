//! What the life of an escrow costs on a network with the public network's limits and fee rates: the
//! committed figures, compared with what is declared and charged here, from envelope to result.
//!
//! Invariant: a change that makes a call dearer changes `fees.txt`, so somebody has seen it.

use amana_adapters::port::Outcome;
use amana_adapters::stellar::{Built, ChainOp, ChainTerms, Keypair, Sent, Stellar};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use stellar_xdr::{
    Limits, ReadXdr, SorobanTransactionMetaExt, TransactionEnvelope, TransactionExt, TransactionMeta,
    TransactionResult,
};

use crate::chain::{Chain, GENESIS, amount, client, keypair, rng};

const WHOLE: i64 = 5_000_000;
const DAY: i64 = 86_400;

/// What one call declared and was charged.
#[derive(Clone, Copy, Default)]
struct Cost {
    instructions: i64,
    /// Of entries that are not in memory: classic accounts, and what was archived.
    disk_read_bytes: i64,
    write_bytes: i64,
    /// Stroops.
    rent: i64,
    /// Stroops, rent and inclusion included.
    fee: i64,
}

impl std::ops::Add for Cost {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            instructions: self.instructions + other.instructions,
            disk_read_bytes: self.disk_read_bytes + other.disk_read_bytes,
            write_bytes: self.write_bytes + other.write_bytes,
            rent: self.rent + other.rent,
            fee: self.fee + other.fee,
        }
    }
}

impl Cost {
    /// `call | instructions | bytes read from disk | bytes written | rent | fee | XLM`.
    fn line(&self, call: &str) -> String {
        let Self { instructions, disk_read_bytes, write_bytes, rent, fee } = self;
        let xlm = format!("{}.{:07}", fee / 10_000_000, fee % 10_000_000);
        format!("{call} | {instructions} | {disk_read_bytes} | {write_bytes} | {rent} | {fee} | {xlm}")
    }
}

fn read<T: ReadXdr>(base64: &str) -> T {
    T::from_xdr(BASE64_STANDARD.decode(base64).unwrap(), Limits::none()).unwrap()
}

/// Builds and sends, and reads what it cost.
async fn cost(chain: &Chain, by: (&Stellar, &Keypair), op: &ChainOp) -> Cost {
    let (stellar, channel) = by;
    let sequence = chain.next_sequence(channel).await;
    let Outcome::Done(Built { envelope_xdr, hash, .. }) = stellar.build(op, channel, sequence).await else {
        panic!("{op:?} builds");
    };
    assert!(matches!(stellar.send(&envelope_xdr).await, Sent::Pending { .. }));
    let TransactionEnvelope::Tx(envelope) = read(&envelope_xdr) else { panic!("one envelope") };
    let TransactionExt::V1(declared) = &envelope.tx.ext else { panic!("a contract's call") };
    let done = chain.raw("getTransaction", json!({ "hash": hash })).await;
    assert_eq!(done["status"], "SUCCESS", "{op:?}");
    let result: TransactionResult = read(done["resultXdr"].as_str().unwrap());
    let TransactionMeta::V4(meta) = read(done["resultMetaXdr"].as_str().unwrap()) else { panic!("its meta") };
    let SorobanTransactionMetaExt::V1(charged) = meta.soroban_meta.unwrap().ext else { panic!("its fees") };
    Cost {
        instructions: declared.resources.instructions.into(),
        disk_read_bytes: declared.resources.disk_read_bytes.into(),
        write_bytes: declared.resources.write_bytes.into(),
        rent: charged.rent_fee_charged,
        fee: result.fee_charged,
    }
}

struct Story {
    chain: Chain,
    arbiter: Stellar,
    found: Vec<(&'static str, Cost)>,
}

impl Story {
    async fn begin() -> Self {
        let chain = Chain::start().await;
        let network = chain.stellar.network().clone();
        let arbiter = Stellar::arbiter(network, keypair("arbiter"), client(), rng()).unwrap();
        Self { chain, arbiter, found: Vec::new() }
    }

    /// Not of interest.
    async fn quietly(&self, op: ChainOp) {
        cost(&self.chain, (&self.chain.stellar, &self.chain.channel), &op).await;
    }

    async fn then(&mut self, call: &'static str, op: ChainOp) {
        let by = if matches!(op, ChainOp::Resolve { .. }) { &self.arbiter } else { &self.chain.stellar };
        let cost = cost(&self.chain, (by, &self.chain.channel), &op).await;
        self.found.push((call, cost));
    }

    /// An escrow as the gateway makes it: half a year, one milestone, a fee of 2 %.
    fn created(key: [u8; 32]) -> ChainOp {
        let terms = ChainTerms { fee_cap: Some(WHOLE / 50), ..ChainTerms::default() };
        let expiry = i64::try_from(GENESIS).unwrap() + 180 * DAY;
        ChainOp::Create { key, amount: amount(WHOLE), expiry, terms }
    }

    /// One that is funded, and on which somebody works.
    async fn working(&self, key: [u8; 32]) {
        self.quietly(Self::created(key)).await;
        self.quietly(ChainOp::Fund { key, deposit_id: key, amount: amount(WHOLE) }).await;
        self.quietly(ChainOp::Assign { key, payee: [5; 32], to: None }).await;
    }

    fn sum(&self, calls: &[&str]) -> Cost {
        let of = |call: &&str| self.found.iter().find(|found| found.0 == *call).unwrap().1;
        calls.iter().map(of).fold(Cost::default(), std::ops::Add::add)
    }
}

async fn measured() -> Vec<String> {
    let mut story = Story::begin().await;
    let operator = keypair("operator").address();
    // The first call of a contract prolongs its code and instance for all that follow.
    story.quietly(Story::created([9; 32])).await;
    let key = [1; 32];
    story.then("create", Story::created(key)).await;
    story.then("fund_deposit", ChainOp::Fund { key, deposit_id: key, amount: amount(WHOLE) }).await;
    story.then("assign", ChainOp::Assign { key, payee: [5; 32], to: None }).await;
    let (to_payee, fee) = (WHOLE - WHOLE / 50, WHOLE / 50);
    story.then("release", ChainOp::Release { key, milestone: 0, to_payee, fee }).await;
    story.then("burn", ChainOp::Burn { key, amount: amount(to_payee), vault_before: to_payee }).await;
    let key = [2; 32];
    story.quietly(Story::created(key)).await;
    story.quietly(ChainOp::Fund { key, deposit_id: key, amount: amount(WHOLE / 2) }).await;
    story.then("cancel", ChainOp::Cancel { key }).await;
    for key in [[3; 32], [4; 32], [6; 32]] {
        story.working(key).await;
    }
    story.then("dispute", ChainOp::Dispute { key: [3; 32], by: operator.clone() }).await;
    story.then("resolve", ChainOp::Resolve { key: [3; 32], to_payee: WHOLE / 2 }).await;
    story.quietly(ChainOp::Dispute { key: [4; 32], by: operator }).await;
    let days = |days: i64| u64::try_from(days * DAY).unwrap();
    story.chain.advance(days(15), 1).await;
    story.then("resolve_timeout", ChainOp::ResolveTimeout { key: [4; 32] }).await;
    story.chain.advance(days(170), 1).await;
    story.then("refund", ChainOp::Refund { key: [6; 32] }).await;
    let straight = ["create", "fund_deposit", "release"];
    let whole = ["create", "fund_deposit", "assign", "release", "burn"];
    let mut lines: Vec<String> = story.found.iter().map(|(call, cost)| cost.line(call)).collect();
    lines.push(story.sum(&straight).line("create + fund_deposit + release"));
    lines.push(story.sum(&whole).line("an escrow's whole life: the same with assign and burn"));
    lines
}

#[tokio::test]
async fn the_committed_fees_are_what_is_charged() {
    let found = measured().await;
    let kept: Vec<_> = include_str!("../../contracts/escrow/fees.txt").lines().collect();
    assert_eq!(kept, found, "\nfees.txt should be:\n{}\n", found.join("\n"));
    let readme = include_str!("../../contracts/README.md");
    for line in kept {
        assert!(readme.contains(&format!("\n| {line} |\n")), "{line}");
    }
}
