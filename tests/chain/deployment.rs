//! Raising a deployment: twice is once, and afterwards nobody but the contract can mint.

use amana_adapters::stellar::deploy::{DeployFault, Plan, Purse, deploy};
use amana_adapters::stellar::{ChainOp, Keypair, Network, Signers, Stellar};
use amana_tests::forge;

use crate::chain::{Chain, WASM, amount, bare, client, created, keypair, raise, rng, roles, signers, site};

#[tokio::test]
async fn deploying_again_finds_what_stands_and_sends_nothing() {
    let chain = Chain::start().await;
    let site = site(&chain.net);
    let deployer = chain.stellar.sequence(&keypair("deployer").address()).await.unwrap();
    let issuer = chain.stellar.sequence(&keypair("issuer").address()).await.unwrap();
    assert_eq!(raise(&site).await, chain.deployed);
    assert_eq!(chain.stellar.sequence(&keypair("deployer").address()).await.unwrap(), deployer);
    assert_eq!(chain.stellar.sequence(&keypair("issuer").address()).await.unwrap(), issuer);
    let found = site.code_hash(&chain.deployed.contract).await.unwrap();
    assert_eq!(found.as_deref(), Some(chain.deployed.wasm_hash.as_str()));
    let committed = include_str!("../../contracts/escrow/escrow.wasm.sha256");
    assert!(committed.starts_with(&chain.deployed.wasm_hash), "what runs is what is committed");
    assert_eq!(site.code_hash(&chain.deployed.token).await.unwrap(), None, "the token runs no code of ours");
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_locked_issuer_can_pay_nobody() {
    let chain = Chain::start().await;
    let (issuer, holder) = (keypair("issuer"), chain.channel.clone());
    let sequence = chain.next_sequence(&holder).await;
    let trust = forge::trust(&holder, sequence, &issuer.address());
    assert_eq!(chain.submit(&trust.envelope_xdr, &trust.hash).await, "applied");
    // A payment by the issuer would be a mint that no admin contract can stop.
    let sequence = chain.next_sequence(&issuer).await;
    let payment = forge::payment(&issuer, sequence, &holder.address(), 1_000_000);
    assert_eq!(chain.submit(&payment.envelope_xdr, &payment.hash).await, "TxBadAuth");
    assert_eq!(chain.stellar.token_balance(&holder.address()).await.unwrap(), 0);
    let key = created(&chain).await;
    chain.act(&ChainOp::Fund { key, deposit_id: [9; 32], amount: amount(1) }).await;
    assert_eq!(chain.stellar.totals().await.unwrap().supply(), 1, "the contract still mints");
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_issuer_who_can_freeze_is_refused_and_other_code_too() {
    let chain = Chain::start().await;
    let site = site(&chain.net);
    let freezer = keypair("freezer");
    site.open_accounts(Purse::Friendbot, &[freezer.address()]).await.unwrap();
    let sequence = chain.next_sequence(&freezer).await;
    let flags = forge::set_flags(&freezer, sequence, 2);
    assert_eq!(chain.submit(&flags.envelope_xdr, &flags.hash).await, "applied");
    let deployer: Keypair = keypair("deployer");
    let issuer = keypair("issuer");
    let mut plan = Plan {
        asset_code: "KES",
        exponent: 2,
        issuer: &freezer,
        deployer: &deployer,
        salt: [1; 32],
        roles: roles(),
        wasm: WASM,
        purse: Purse::Friendbot,
    };
    let fault = deploy(&site, &plan).await.unwrap_err();
    assert!(matches!(fault, DeployFault::BadIssuer { .. }), "{fault}");

    // The smallest Wasm there is stands where our contract should.
    plan.issuer = &issuer;
    plan.salt = [0; 32];
    plan.wasm = b"\0asm\x01\0\0\0";
    let fault = deploy(&site, &plan).await.unwrap_err();
    assert!(matches!(fault, DeployFault::OtherCode { .. } | DeployFault::Refused { .. }), "{fault}");
    chain.net.shutdown().await.unwrap();
}

#[tokio::test]
async fn accounts_are_opened_by_an_account_that_pays() {
    let net = bare().await;
    let site = site(&net);
    let purse = keypair("purse");
    site.open_accounts(Purse::Friendbot, &[purse.address()]).await.unwrap();
    let new: Vec<String> = ["one", "two", "three"].map(|name| keypair(name).address()).to_vec();
    let from = Purse::From { key: &purse, each: 50_000_000 };
    site.open_accounts(from, &new).await.unwrap();
    site.open_accounts(from, &new).await.unwrap();
    let fault =
        site.open_accounts(Purse::From { key: &keypair("poor"), each: 1 }, &[keypair("x").address()]).await;
    assert!(matches!(fault, Err(DeployFault::Refused { .. })), "{fault:?}");
    net.shutdown().await.unwrap();
}

#[tokio::test]
async fn what_does_not_fit_is_named_before_the_first_instruction() {
    let chain = Chain::start().await;
    let right = chain.stellar.network().clone();
    assert_eq!(chain.stellar.misfit().await.unwrap(), None);
    let misfit = async |network: Network, signers: Signers| {
        let stellar = Stellar::new(network, signers, client(), rng()).unwrap();
        stellar.misfit().await.unwrap().unwrap()
    };
    let other =
        Network { passphrase: "Public Global Stellar Network ; September 2015".into(), ..right.clone() };
    assert!(misfit(other, signers()).await.starts_with("the network is"));
    let other = Network { contract: right.token.clone(), ..right.clone() };
    assert!(misfit(other, signers()).await.contains("is not our contract"));
    let other = Network { token: right.contract.clone(), ..right.clone() };
    assert!(misfit(other, signers()).await.starts_with("the contract's token is"));
    let other = Network { exponent: 0, ..right.clone() };
    assert!(misfit(other, signers()).await.starts_with("the contract's unit is"));
    let stranger = Signers { operator: keypair("stranger"), ..signers() };
    assert!(misfit(right, stranger).await.starts_with("the contract's operator is"));
    chain.net.shutdown().await.unwrap();
}
