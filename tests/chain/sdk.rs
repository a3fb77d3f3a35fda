//! The official SDK for Python, unchanged, against the same network: it sees what the adapter sees.

use amana_adapters::stellar::ChainOp;
use amana_localnet::STANDALONE_PASSPHRASE;
use amana_tests::python;

use crate::chain::{Chain, ready};

#[tokio::test]
async fn the_official_sdk_reads_the_same_escrow_and_cannot_release_it_as_a_stranger() {
    let chain = Chain::start().await;
    let key = ready(&chain).await;
    let (url, contract) = (chain.net.url(), chain.deployed.contract.clone());
    let to_payee = "500003700000";
    let said = tokio::task::spawn_blocking(move || {
        python::play(
            env!("CARGO_TARGET_TMPDIR"),
            "sdk.py",
            &[&url, STANDALONE_PASSPHRASE, &contract, &hex::encode(key), to_payee],
        )
    });
    let said = said.await.unwrap();
    let ours = chain.stellar.escrow(&key).await.unwrap().unwrap();
    for moment in ["before", "after"] {
        let theirs = &said[moment];
        let number = |name: &str| theirs[name].as_i64().unwrap();
        assert_eq!(number("amount"), ours.amount * 100_000, "{said}");
        assert_eq!(number("funded"), ours.funded * 100_000);
        assert_eq!((number("vault"), number("expiry"), number("state")), (0, ours.expiry, 1));
    }
    assert_eq!((&said["unsigned"], &said["signed_by_stranger"]), (&"FAILED".into(), &"FAILED".into()));
    chain.act(&ChainOp::Release { key, to_payee: ours.amount, fee: 0 }).await;
    assert_eq!(chain.stellar.escrow(&key).await.unwrap().unwrap().vault, ours.amount);
    chain.net.shutdown().await.unwrap();
}
