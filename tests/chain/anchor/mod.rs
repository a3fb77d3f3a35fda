//! The anchor contract on a network: written by the operator alone, in order, once; read by anyone.

use amana_adapters::port::Outcome;
use amana_adapters::stellar::anchor::{Claim, Flaw, witness};
use amana_adapters::stellar::{ChainOp, Effect, Look, Network, Next, Sent, Signers, Stellar};
use amana_localnet::{Fault, STANDALONE_PASSPHRASE};
use amana_tests::{forge, sdks};
use serde_json::json;

use crate::chain::{Chain, client, keypair, raise_anchor, rng, signers, site};
use crate::lossy::{at_sending, work};

const BOOK: &str = "kenya:KES";

fn op(size: i64, root: u8) -> ChainOp {
    ChainOp::Anchor { book: BOOK.into(), size, root: [root; 32] }
}

#[tokio::test]
async fn the_operator_anchors_and_the_envelope_proves_it_offline() {
    let chain = Chain::start().await;
    let stellar = &chain.stellar;
    assert_eq!(stellar.latest_anchor(BOOK).await.unwrap(), None);
    assert!(!stellar.has_happened(&op(3, 3)).await.unwrap());
    let from = stellar.latest_ledger().await.unwrap();
    let built = chain.build(&op(3, 3), &chain.channel).await;
    assert!(matches!(stellar.send(&built.envelope_xdr).await, Sent::Pending { .. }));
    let Look::Success { ledger, closed_at, events } = stellar.look(&built.hash).await.unwrap() else {
        panic!()
    };
    let said = Effect::Anchored { book: BOOK.into(), size: 3, root: [3; 32] };
    assert_eq!(events.iter().map(|event| &event.what).collect::<Vec<_>>(), [&said]);
    assert_eq!(chain.hear(from).await.0, events, "the stream tells the same");
    let found = stellar.latest_anchor(BOOK).await.unwrap().unwrap();
    assert_eq!((found.size, found.root, found.ledger), (3, [3; 32], ledger));
    assert_eq!(found.timestamp, closed_at.timestamp());
    assert_eq!(stellar.anchored(BOOK, 3).await.unwrap(), Some(found));
    assert_eq!(stellar.anchored(BOOK, 2).await.unwrap(), None);
    assert!(
        stellar.has_happened(&op(3, 3)).await.unwrap() && !stellar.has_happened(&op(3, 4)).await.unwrap()
    );

    let (contract, operator) = (stellar.network().anchor.clone().unwrap(), keypair("operator").address());
    let claim = Claim {
        passphrase: STANDALONE_PASSPHRASE,
        contract: &contract,
        operator: &operator,
        tx_hash: &built.hash,
        book: BOOK,
        size: 3,
        root: &[3; 32],
    };
    assert_eq!(witness(&built.envelope_xdr, &claim), Ok(()));
    let forged = forge::resigned(&built, &keypair("stranger"), &chain.channel);
    let claim = Claim { tx_hash: &forged.hash, ..claim };
    assert_eq!(witness(&forged.envelope_xdr, &claim), Err(Flaw::Forged("operator")));

    // Under a raised fee it is found under another hash, and proves the same.
    let stored = (built.envelope_xdr.as_str(), built.envelope_xdr.as_str());
    let raised = stellar.raise(stored, &chain.channel, true).await.unwrap().unwrap();
    let claim = Claim { tx_hash: &raised.hash, ..claim };
    assert_eq!(witness(&raised.envelope_xdr, &claim), Ok(()));
    let inner = Claim { tx_hash: &built.hash, ..claim };
    assert_eq!(
        witness(&raised.envelope_xdr, &inner),
        Err(Flaw::OtherTransaction { found: raised.hash.clone() })
    );
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_stranger_cannot_anchor() {
    let chain = Chain::start().await;
    let stranger = Signers { operator: keypair("stranger"), ..signers() };
    let network = chain.stellar.network().clone();
    let theirs = Stellar::new(network.clone(), stranger, client(), rng()).unwrap();
    let sequence = chain.next_sequence(&chain.channel).await;
    let built = theirs.build(&op(3, 3), &chain.channel, sequence).await;
    assert!(matches!(&built, Outcome::Refused { code, .. } if code == "unauthorised"), "{built:?}");
    for forge in [true, false] {
        let honest = chain.build(&op(3, 3), &chain.channel).await;
        let forged = match forge {
            true => forge::resigned(&honest, &keypair("stranger"), &chain.channel),
            false => forge::unauthorised(&honest, &chain.channel),
        };
        assert_eq!(chain.submit(&forged.envelope_xdr, &forged.hash).await, "failed");
    }
    assert_eq!(chain.stellar.latest_anchor(BOOK).await.unwrap(), None);

    // What does not fit is named before the first instruction, and no anchor configured is no misfit.
    assert_eq!(chain.stellar.misfit().await.unwrap(), None);
    let none = Network { anchor: None, ..network.clone() };
    let bare = Stellar::new(none, signers(), client(), rng()).unwrap();
    assert_eq!(bare.misfit().await.unwrap(), None);
    assert!(bare.latest_anchor(BOOK).await.is_err());
    let escrow = Network { anchor: Some(network.contract.clone()), ..network };
    let wrong = Stellar::new(escrow, signers(), client(), rng()).unwrap();
    assert!(wrong.misfit().await.unwrap().unwrap().contains("is not our anchor contract"));
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_book_only_grows_and_its_past_stands() {
    let chain = Chain::start().await;
    for (size, root) in [(3, 3), (9, 9)] {
        assert_eq!(chain.act(&op(size, root)).await.len(), 1);
    }
    for (size, root, refusal) in
        [(8, 8, "NotGrown"), (0, 0, "NotGrown"), (9, 8, "OtherRoot"), (3, 4, "OtherRoot")]
    {
        assert_eq!(chain.refusal(&op(size, root)).await, refusal, "{size} with root {root}");
    }
    // What is written is done, the newest and an older one: applied, and nothing said.
    for (size, root) in [(9, 9), (3, 3)] {
        assert_eq!(chain.act(&op(size, root)).await, []);
    }
    let other = ChainOp::Anchor { book: "uganda:UGX".into(), size: 1, root: [1; 32] };
    assert_eq!(chain.act(&other).await.len(), 1);
    assert_eq!(chain.stellar.latest_anchor(BOOK).await.unwrap().unwrap().size, 9);

    // Two that were built side by side: the later one finds the book grown.
    let (ten, eleven) = (op(10, 10), op(11, 11));
    let late = chain.build(&ten, &chain.other_channel).await;
    chain.act(&eleven).await;
    assert!(matches!(chain.stellar.send(&late.envelope_xdr).await, Sent::Pending { .. }));
    let fate = chain.fate(&late, None).await;
    let Next::FailedOnChain { code, contract_error, .. } = fate else { panic!("{fate:?}") };
    assert_eq!((code.as_str(), contract_error), ("Trapped", Some(200)));
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn whatever_is_lost_a_checkpoint_is_written_once() {
    let (sick, lost_answer) = (Fault::Sick { status: 503 }, Fault::LostAnswer { status: 502 });
    for faults in [&[lost_answer.clone()][..], &[sick.clone(), lost_answer], &[Fault::Lost, sick]] {
        let chain = Chain::start().await;
        let from = chain.stellar.latest_ledger().await.unwrap();
        chain.net.set_faults(at_sending(faults)).await.unwrap();
        let built = work(&chain, &op(3, 3)).await.built;
        assert_eq!(built.len(), 1, "{faults:?}: the same bytes did it");
        assert_eq!(chain.net.strikes().await.len(), faults.len(), "{faults:?}");
        // A gateway that forgot it all does it again, with other bytes, and nothing comes of it.
        work(&chain, &op(3, 3)).await;
        let (events, _) = chain.hear(from).await;
        let said: Vec<_> = events.iter().map(|event| &event.tx_hash).collect();
        assert_eq!(said, [&built[0].hash], "{faults:?}");
        chain.net.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn the_official_sdk_reads_it_without_us() {
    let chain = Chain::start().await;
    chain.act(&op(3, 3)).await;
    chain.act(&op(9, 9)).await;
    let (url, contract) = (chain.net.url(), chain.stellar.network().anchor.clone().unwrap());
    let said = tokio::task::spawn_blocking(move || {
        let words = [&url, STANDALONE_PASSPHRASE, &contract, BOOK, "3"];
        sdks::play(env!("CARGO_TARGET_TMPDIR"), "anchor/anchor.py", &words)
    });
    let said = said.await.unwrap();
    for (name, size) in [("latest", 9), ("at", 3)] {
        let ours = chain.stellar.anchored(BOOK, size).await.unwrap().unwrap();
        let theirs = json!({ "size": size, "root": hex::encode(ours.root), "ledger": ours.ledger,
                             "timestamp": ours.timestamp });
        assert_eq!(said[name], theirs, "{said}");
    }
    assert!(said["absent"].is_null());
    let heard = |size: u8| json!([BOOK, size, hex::encode([size; 32])]);
    assert_eq!(said["heard"], json!([heard(3), heard(9)]));
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_stands_is_found_and_what_runs_is_what_is_committed() {
    let chain = Chain::start().await;
    let site = site(&chain.net);
    let contract = chain.stellar.network().anchor.clone().unwrap();
    let deployer = keypair("deployer").address();
    let before = chain.stellar.sequence(&deployer).await.unwrap();
    assert_eq!(raise_anchor(&site).await, contract);
    assert_eq!(chain.stellar.sequence(&deployer).await.unwrap(), before, "nothing was sent");
    let committed = include_str!("../../../contracts/anchor/anchor.wasm.sha256");
    assert!(committed.starts_with(&site.code_hash(&contract).await.unwrap().unwrap()));
    chain.net.shutdown().await.unwrap();
}
