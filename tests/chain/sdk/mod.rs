//! The official SDKs for Python and JavaScript, unchanged, against the same network: they see what the
//! adapter sees, and it sees what they did.

use std::sync::Arc;

use amana_adapters::stellar::{ChainOp, EscrowState, Network, Stellar};
use amana_localnet::{Options, STANDALONE_PASSPHRASE};
use amana_tests::sdks;
use serde_json::Value;

use crate::chain::{Chain, client, hear, ready, rng, signers, site};

/// The SDKs bound their transactions by the clock on the wall; the network's stands long before it.
const LONG_AGO: u64 = 1_700_000_000;

#[tokio::test]
async fn the_official_sdk_reads_the_same_escrow_and_cannot_release_it_as_a_stranger() {
    let chain = Chain::start().await;
    let key = ready(&chain).await;
    let (url, contract) = (chain.net.url(), chain.deployed.contract.clone());
    let to_payee = "500003700000";
    let said = tokio::task::spawn_blocking(move || {
        sdks::play(
            env!("CARGO_TARGET_TMPDIR"),
            "sdk/stranger.py",
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
    chain.act(&ChainOp::Release { key, milestone: 0, to_payee: ours.amount, fee: 0 }).await;
    assert_eq!(chain.stellar.escrow(&key).await.unwrap().unwrap().vault, ours.amount);
    chain.net.shutdown().await.unwrap();
}

/// Lets a script raise and play everything on a network of its own, and looks at what it left behind.
async fn told_by(script: &'static str) {
    let net = amana_localnet::start(Options::new(Arc::new(|| LONG_AGO))).await.unwrap();
    let url = net.url();
    let wasm = concat!(env!("CARGO_MANIFEST_DIR"), "/../contracts/escrow/escrow.wasm");
    let play = move || sdks::play(env!("CARGO_TARGET_TMPDIR"), script, &[&url, STANDALONE_PASSPHRASE, wasm]);
    let said = tokio::task::spawn_blocking(play).await.unwrap();
    let word = |name: &str| said[name].as_str().unwrap().to_owned();
    let committed = include_str!("../../../contracts/escrow/escrow.wasm.sha256");
    assert!(committed.starts_with(&word("code")), "{said}");
    assert_eq!(site(&net).code_hash(&word("contract")).await.unwrap(), Some(word("code")));

    let network = Network {
        rpc_url: net.url(),
        passphrase: STANDALONE_PASSPHRASE.into(),
        contract: word("contract"),
        token: word("token"),
        anchor: None,
        exponent: 2,
    };
    let stellar = Stellar::new(network, signers(), client(), rng()).unwrap();
    let escrow = stellar.escrow(&[1; 32]).await.unwrap().unwrap();
    assert_eq!((escrow.state, escrow.amount, escrow.vault), (EscrowState::Released, 5_000_037, 5_000_037));
    assert_eq!(stellar.totals().await.unwrap().supply(), 5_000_037);
    let own = stellar.escrow(&[4; 32]).await.unwrap().unwrap();
    assert_eq!((own.state, own.amount, own.to_payee), (EscrowState::Resolved, 90_000, 30_000));
    let numbers: Vec<Vec<i64>> = said["states"].as_array().unwrap().iter().map(numbers).collect();
    let (all, first) = (5_000_037 * 100_000, 3_000_037 * 100_000);
    let (price, share) = (900 * 10_000_000, 300 * 10_000_000);
    let wanted = [
        [1, all, all, 0, 0],
        [1, all, all, first, first],
        [2, all, all, all, all],
        [5, price, price, 0, 0],
        [6, price, price, share, 0],
    ];
    assert_eq!(numbers, wanted);
    assert_eq!(said["got"], share, "what the arbiter gave came to the employee's account");
    assert_eq!(said["refused"], error("IsReleased"));

    let theirs: Vec<&Value> = said["events"].as_array().unwrap().iter().collect();
    let verbs: Vec<&str> = theirs.iter().map(|event| event[1].as_str().unwrap()).collect();
    let by_deposit = ["set_admin", "created", "mint", "funded", "assigned", "released", "released"];
    let by_lumens = ["listed", "created", "paid_in", "assigned", "disputed", "resolved"];
    assert_eq!(verbs, [&by_deposit[..], &by_lumens].concat());
    let (ours, _) = hear(&stellar, 1).await;
    let ours: Vec<&str> = ours.iter().map(|event| event.tx_hash.as_str()).collect();
    assert_eq!(theirs.iter().map(|event| event[0].as_str().unwrap()).collect::<Vec<_>>(), ours);
    net.shutdown().await.unwrap();
}

fn numbers(state: &Value) -> Vec<i64> {
    ["state", "amount", "funded", "to_payee", "vault"].map(|name| state[name].as_i64().unwrap()).to_vec()
}

/// Number of an error of the contract.
fn error(name: &str) -> i64 {
    let interface = include_str!("../../../contracts/escrow/interface.json");
    let interface: Value = serde_json::from_str(interface).unwrap();
    let errors = interface["errors"].as_array().unwrap();
    errors.iter().find(|error| error["name"] == name).unwrap()["number"].as_i64().unwrap()
}

#[tokio::test]
async fn the_official_python_sdk_raises_everything_and_plays_two_escrows() {
    told_by("sdk/story.py").await;
}

#[tokio::test]
async fn the_official_javascript_sdk_raises_everything_and_plays_two_escrows() {
    told_by("sdk/story.cjs").await;
}
