//! Months later: entries are archived, the server has forgotten old ledgers, and the money is still there.

use amana_adapters::stellar::{ChainOp, Cursor, EscrowState, Heard};

use crate::chain::{Chain, GENESIS, amount, ready};

#[tokio::test]
async fn an_archived_escrow_is_read_refuses_and_is_released() {
    let chain = Chain::start().await;
    let start = chain.stellar.latest_ledger().await.unwrap();
    let key = ready(&chain).await;
    let before = chain.stellar.escrow(&key).await.unwrap();
    chain.advance(400 * 86_400, 6_912_000).await;
    assert_eq!(chain.stellar.escrow(&key).await.unwrap(), before, "archived, not gone");
    assert_eq!(chain.stellar.totals().await.unwrap().supply(), 5_000_037);

    let later = i64::try_from(GENESIS).unwrap() + 430 * 86_400;
    let create = ChainOp::Create { key, amount: amount(100), expiry: later, terms: Default::default() };
    assert_eq!(chain.refusal(&create).await, "AlreadyExists");
    let other =
        ChainOp::Create { key: [2; 32], amount: amount(5_000_037), expiry: later, terms: Default::default() };
    chain.act(&other).await;
    let twice = ChainOp::Fund { key: [2; 32], deposit_id: [9; 32], amount: amount(100) };
    assert_eq!(chain.refusal(&twice).await, "DepositUsed", "archived deposits still refuse");

    chain.act(&ChainOp::Release { key, milestone: 0, to_payee: 5_000_037, fee: 0 }).await;
    let escrow = chain.stellar.escrow(&key).await.unwrap().unwrap();
    assert_eq!((escrow.state, escrow.vault), (EscrowState::Released, 5_000_037));

    let heard = chain.stellar.events(&Cursor::Ledger(start)).await.unwrap();
    let Heard::Gap { wanted, oldest } = heard else { panic!("{heard:?}") };
    assert!(wanted == start && oldest > start);
    chain.net.shutdown().await.unwrap();
}
