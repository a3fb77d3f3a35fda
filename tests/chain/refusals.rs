//! What the contract refuses, by name, and what it refuses to strangers.

use amana_adapters::port::Outcome;
use amana_adapters::stellar::{ChainOp, Keypair, Look, Sent, Signers, Stellar};
use amana_localnet::{Fault, Faults, Rule};
use amana_tests::forge;

use crate::chain::{Chain, GENESIS, amount, client, created, keypair, ready, rng, signers};

#[tokio::test]
async fn a_deposit_is_minted_once_and_everything_else_once_too() {
    let chain = Chain::start().await;
    let key = created(&chain).await;
    let expiry = i64::try_from(GENESIS).unwrap() + 30 * 86_400;
    let create = ChainOp::Create { key, amount: amount(5_000_037), expiry, terms: Default::default() };
    let part = ChainOp::Fund { key, deposit_id: [8; 32], amount: amount(1) };
    chain.act(&part).await;
    let over = ChainOp::Fund { key, deposit_id: [9; 32], amount: amount(5_000_037) };
    assert_eq!(chain.refusal(&over).await, "Overfunded");
    assert!(!chain.stellar.has_happened(&over).await.unwrap());
    let rest = ChainOp::Fund { key, deposit_id: [9; 32], amount: amount(5_000_036) };
    let assign = ChainOp::Assign { key, payee: [5; 32], to: None };
    let release = ChainOp::Release { key, milestone: 0, to_payee: 5_000_037, fee: 0 };
    let burn = ChainOp::Burn { key, amount: amount(5_000_037), vault_before: 5_000_037 };
    assert_eq!(chain.refusal(&release).await, "IsOpen");
    for op in [&rest, &assign, &release, &burn] {
        assert!(!chain.stellar.has_happened(op).await.unwrap(), "{op:?}");
        chain.act(op).await;
        assert!(chain.stellar.has_happened(op).await.unwrap(), "{op:?}");
        let again = chain.refusal(op).await;
        assert!(op.looks_done(&again), "{op:?}: {again}");
    }
    for op in [&create, &part, &rest] {
        let again = chain.refusal(op).await;
        assert!(op.looks_done(&again) && chain.stellar.has_happened(op).await.unwrap(), "{op:?}: {again}");
    }
    let nobody = ChainOp::Cancel { key: [77; 32] };
    assert_eq!(chain.refusal(&nobody).await, "NotFound");
    assert!(!chain.stellar.has_happened(&nobody).await.unwrap());
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stranger_cannot_release() {
    let chain = Chain::start().await;
    let key = ready(&chain).await;
    let release = ChainOp::Release { key, milestone: 0, to_payee: 5_000_037, fee: 0 };

    // An adapter with a stranger's key finds out before it sends anything.
    let stranger = Signers { operator: keypair("operator"), delegate: keypair("stranger") };
    let network = chain.stellar.network().clone();
    let theirs = Stellar::new(network, stranger, client(), rng()).unwrap();
    let sequence = chain.next_sequence(&chain.channel).await;
    let built = theirs.build(&release, &chain.channel, sequence).await;
    assert!(matches!(&built, Outcome::Refused { code, .. } if code == "unauthorised"), "{built:?}");

    // One that sends all the same is refused by the chain: the delegate's authorisation, signed by the
    // stranger.
    let honest = chain.build(&release, &chain.channel).await;
    let forged = forge::resigned(&honest, &keypair("stranger"), &chain.channel);
    assert_eq!(chain.submit(&forged.envelope_xdr, &forged.hash).await, "failed");
    // And without any authorisation.
    let honest = chain.build(&release, &chain.other_channel).await;
    let forged = forge::unauthorised(&honest, &chain.other_channel);
    assert_eq!(chain.submit(&forged.envelope_xdr, &forged.hash).await, "failed");
    // An envelope that says it is the channel's and is not signed by it is not even queued.
    let honest = chain.build(&release, &chain.channel).await;
    let forged = forge::resigned(&honest, &keypair("delegate"), &keypair("stranger"));
    assert_eq!(chain.submit(&forged.envelope_xdr, &forged.hash).await, "TxBadAuth");
    assert_eq!(chain.stellar.escrow(&key).await.unwrap().unwrap().vault, 0);

    chain.act(&release).await;
    assert_eq!(chain.stellar.escrow(&key).await.unwrap().unwrap().vault, 5_000_037);
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_payee_without_a_trustline_is_the_tokens_refusal_not_ours() {
    let chain = Chain::start().await;
    let key = created(&chain).await;
    let payee: Keypair = keypair("payee");
    amana_adapters::stellar::deploy::fund_channels(
        &crate::chain::site(&chain.net),
        amana_adapters::stellar::deploy::Purse::Friendbot,
        std::slice::from_ref(&payee),
    )
    .await
    .unwrap();
    chain.act(&ChainOp::Fund { key, deposit_id: [9; 32], amount: amount(5_000_037) }).await;
    chain.act(&ChainOp::Assign { key, payee: [5; 32], to: Some(payee.address()) }).await;
    let release = ChainOp::Release { key, milestone: 0, to_payee: 5_000_000, fee: 37 };
    assert_eq!(chain.refusal(&release).await, "token_13");

    let sequence = chain.next_sequence(&payee).await;
    let trust = forge::trust(&payee, sequence, &keypair("issuer").address());
    assert_eq!(chain.submit(&trust.envelope_xdr, &trust.hash).await, "applied");
    chain.act(&release).await;
    assert_eq!(chain.stellar.token_balance(&payee.address()).await.unwrap(), 5_000_000);
    let totals = chain.stellar.totals().await.unwrap();
    assert_eq!((totals.paid, totals.supply(), totals.owed()), (5_000_000, 5_000_000, 0));
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_second_of_two_that_were_built_together_fails_on_chain() {
    let chain = Chain::start().await;
    let key = [1; 32];
    let expiry = i64::try_from(GENESIS).unwrap() + 86_400;
    let create = ChainOp::Create { key, amount: amount(100), expiry, terms: Default::default() };
    let one = chain.build(&create, &chain.channel).await;
    let two = chain.build(&create, &chain.other_channel).await;
    assert!(matches!(chain.stellar.send(&one.envelope_xdr).await, Sent::Pending { .. }));
    assert!(matches!(chain.stellar.send(&two.envelope_xdr).await, Sent::Pending { .. }));
    assert!(matches!(chain.stellar.look(&one.hash).await.unwrap(), Look::Success { .. }));
    match chain.stellar.look(&two.hash).await.unwrap() {
        Look::Failed { code, contract_error, .. } => {
            assert_eq!((code.as_str(), contract_error), ("Trapped", Some(101)));
        }
        other => panic!("{other:?}"),
    }
    assert!(chain.stellar.has_happened(&create).await.unwrap());
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_behind_a_refusal_is_not_asked_whether_it_had_been_done() {
    let chain = Chain::start().await;
    // From now on the network can be looked at as it was.
    let never = Rule::times(Fault::TryAgainLater, 0);
    chain.net.set_faults(Faults::rules([never])).await.unwrap();
    let key = created(&chain).await;
    let expiry = i64::try_from(GENESIS).unwrap() + 30 * 86_400;
    let create = ChainOp::Create { key, amount: amount(5_000_037), expiry, terms: Default::default() };
    let other = Stellar::new(chain.stellar.network().clone(), signers(), client(), rng()).unwrap();
    let sequence = chain.next_sequence(&chain.channel).await;
    let again = other.build(&create, &chain.channel, sequence).await;
    assert!(matches!(again, Outcome::Refused { code, .. } if code == "AlreadyExists"));
    let behind = Rule::always(Fault::Stale { ledgers: 3 }).on("simulateTransaction");
    chain.net.set_faults(Faults::rules([behind])).await.unwrap();
    assert!(other.has_happened(&create).await.is_err(), "no answer is better than that one");
    chain.net.set_faults(Faults::default()).await.unwrap();
    assert!(other.has_happened(&create).await.unwrap());
    chain.net.shutdown().await.unwrap();
}
