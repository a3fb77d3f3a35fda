//! The main job on the chain: two deposits, an assignment, a release with a fee, a payout by phone.

use amana_adapters::stellar::{ChainEvent, ChainOp, Effect, EscrowState, Heard, Totals};

use crate::chain::{Chain, GENESIS, amount};

fn effects(events: &[ChainEvent]) -> Vec<Effect> {
    events.iter().map(|event| event.what.clone()).collect()
}

#[tokio::test]
async fn an_escrow_is_created_funded_assigned_released_and_burned() {
    let chain = Chain::start().await;
    let (stellar, contract) = (&chain.stellar, chain.deployed.contract.clone());
    let start = stellar.latest_ledger().await.unwrap();
    let key = [1; 32];
    let expiry = i64::try_from(GENESIS).unwrap() + 30 * 86_400;
    let mut told = Vec::new();
    assert_eq!(stellar.escrow(&key).await.unwrap(), None);

    told.extend(
        chain
            .act(&ChainOp::Create { key, amount: amount(5_000_037), expiry, terms: Default::default() })
            .await,
    );
    let escrow = stellar.escrow(&key).await.unwrap().unwrap();
    assert_eq!((escrow.state, escrow.amount, escrow.funded), (EscrowState::Open, 5_000_037, 0));
    assert_eq!(
        (escrow.payer.as_str(), escrow.expiry),
        (stellar.house().unwrap().delegate.address().as_str(), expiry)
    );

    told.extend(chain.act(&ChainOp::Fund { key, deposit_id: [8; 32], amount: amount(2_000_001) }).await);
    let escrow = stellar.escrow(&key).await.unwrap().unwrap();
    assert_eq!((escrow.state, escrow.funded), (EscrowState::Open, 2_000_001));
    told.extend(chain.act(&ChainOp::Fund { key, deposit_id: [9; 32], amount: amount(3_000_036) }).await);
    let escrow = stellar.escrow(&key).await.unwrap().unwrap();
    assert_eq!((escrow.state, escrow.funded, escrow.payee), (EscrowState::Funded, 5_000_037, None));
    assert_eq!(stellar.token_balance(&contract).await.unwrap(), 5_000_037);
    assert_eq!(stellar.deposit(&[9; 32]).await.unwrap(), Some(key));
    assert_eq!(stellar.deposit(&[7; 32]).await.unwrap(), None);

    told.extend(chain.act(&ChainOp::Assign { key, payee: [5; 32], to: None }).await);
    told.extend(chain.act(&ChainOp::Release { key, milestone: 0, to_payee: 4_900_037, fee: 100_000 }).await);
    let escrow = stellar.escrow(&key).await.unwrap().unwrap();
    assert_eq!((escrow.state, escrow.payee, escrow.to), (EscrowState::Released, Some([5; 32]), None));
    assert_eq!((escrow.to_payee, escrow.fee, escrow.vault), (4_900_037, 100_000, 4_900_037));
    assert_eq!(stellar.token_balance(&contract).await.unwrap(), 4_900_037);

    let whole_shillings = amount(4_900_000);
    told.extend(chain.act(&ChainOp::Burn { key, amount: whole_shillings, vault_before: 4_900_037 }).await);
    let escrow = stellar.escrow(&key).await.unwrap().unwrap();
    assert_eq!((escrow.state, escrow.vault), (EscrowState::Released, 37), "the fraction stays");
    let totals = stellar.totals().await.unwrap();
    assert_eq!(totals, Totals { minted: 5_000_037, burned: 5_000_000, paid: 0 });
    assert_eq!((totals.supply(), stellar.token_balance(&contract).await.unwrap()), (37, 37));

    let (heard, _) = chain.hear(start).await;
    assert_eq!(heard, told, "the stream names every effect as its transaction does");
    assert!(heard.iter().all(|event| event.closed_at.timestamp() >= i64::try_from(GENESIS).unwrap()));
    let mint = |amount| Effect::TokenMint { to: contract.clone(), amount, dust: 0 };
    let burn = |amount| Effect::TokenBurn { from: contract.clone(), amount, dust: 0 };
    let wanted = vec![
        Effect::Created { key, amount: 5_000_037 },
        mint(2_000_001),
        Effect::Funded { key, deposit_id: [8; 32], amount: 2_000_001, remaining: 3_000_036 },
        mint(3_000_036),
        Effect::Funded { key, deposit_id: [9; 32], amount: 3_000_036, remaining: 0 },
        Effect::Assigned { key, payee: [5; 32], to: None },
        burn(100_000),
        Effect::Released { key, to_payee: 4_900_037, fee: 100_000, to: None },
        burn(4_900_000),
        Effect::Burned { key, amount: 4_900_000, vault: 37 },
    ];
    assert_eq!(effects(&heard), wanted);

    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn reading_on_hears_what_comes_later_and_only_that() {
    let chain = Chain::start().await;
    let (stellar, contract) = (&chain.stellar, chain.deployed.contract.clone());
    let start = stellar.latest_ledger().await.unwrap();
    crate::chain::ready(&chain).await;
    let (heard, cursor) = chain.hear(start).await;
    assert_eq!(heard.len(), 4);
    let key = [2; 32];
    let expiry = i64::try_from(GENESIS).unwrap() + 30 * 86_400;
    chain.act(&ChainOp::Create { key, amount: amount(1_000), expiry, terms: Default::default() }).await;
    chain.act(&ChainOp::Fund { key, deposit_id: [7; 32], amount: amount(400) }).await;
    chain.act(&ChainOp::Cancel { key }).await;
    let Heard::Page(page) = stellar.events(&cursor).await.unwrap() else { panic!() };
    let wanted = vec![
        Effect::Created { key, amount: 1_000 },
        Effect::TokenMint { to: contract.clone(), amount: 400, dust: 0 },
        Effect::Funded { key, deposit_id: [7; 32], amount: 400, remaining: 600 },
        Effect::TokenBurn { from: contract, amount: 400, dust: 0 },
        Effect::Cancelled { key, burned: 400 },
    ];
    assert_eq!(effects(&page.events), wanted);
    assert_eq!(stellar.escrow(&key).await.unwrap().unwrap().state, EscrowState::Cancelled);
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn anyone_refunds_what_expired_and_the_vault_holds_it() {
    let chain = Chain::start().await;
    let key = crate::chain::ready(&chain).await;
    assert_eq!(chain.refusal(&ChainOp::Refund { key }).await, "NotExpired");
    chain.advance(31 * 86_400, 10).await;
    let events = chain.act(&ChainOp::Refund { key }).await;
    assert_eq!(effects(&events), [Effect::Refunded { key, amount: 5_000_037 }]);
    let escrow = chain.stellar.escrow(&key).await.unwrap().unwrap();
    assert_eq!((escrow.state, escrow.vault), (EscrowState::Refunded, 5_000_037));
    chain.act(&ChainOp::Burn { key, amount: amount(5_000_037), vault_before: 5_000_037 }).await;
    assert_eq!(chain.stellar.totals().await.unwrap().supply(), 0);
    chain.net.shutdown().await.unwrap();
}
