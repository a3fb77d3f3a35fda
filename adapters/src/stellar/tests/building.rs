//! What is signed, what is paid: whatever the server would like.

use amana_ledger::id::Rng;
use stellar_xdr::{
    ContractDataDurability, HostFunction, InvokeContractArgs, LedgerFootprint, LedgerKey,
    LedgerKeyContractData, ScAddress, ScVal, SorobanAddressCredentials, SorobanAuthorizationEntry,
    SorobanAuthorizedFunction, SorobanAuthorizedInvocation, SorobanCredentials, SorobanResources,
    SorobanTransactionData, SorobanTransactionDataExt,
};

use super::super::Keypair;
use super::super::build::{Desk, Leeway, Limits, authorise, resources};
use super::super::rpc::{RestorePreamble, Rpc, Simulation};
use super::super::wire::{address, encode, network_id};
use super::{key, network, ops};
use crate::http::Client;

struct Fixed;

impl Rng for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

fn ours(name: &str) -> InvokeContractArgs {
    let (_, op) = ops().into_iter().find(|(known, _)| *known == name).unwrap();
    op.call(&network(), &key(2).address()).unwrap()
}

fn asked(who: &Keypair, call: InvokeContractArgs) -> SorobanAuthorizationEntry {
    SorobanAuthorizationEntry {
        credentials: SorobanCredentials::Address(SorobanAddressCredentials {
            address: address(&who.address()).unwrap(),
            nonce: 99,
            signature_expiration_ledger: 0,
            signature: ScVal::Void,
        }),
        root_invocation: SorobanAuthorizedInvocation {
            function: SorobanAuthorizedFunction::ContractFn(call),
            sub_invocations: Default::default(),
        },
    }
}

fn authorised(
    function: &HostFunction,
    asked: &[SorobanAuthorizationEntry],
) -> Result<Vec<SorobanAuthorizationEntry>, String> {
    let http = Client::new(crate::http::Limits::default(), std::sync::Arc::new(Fixed)).unwrap();
    let rpc = Rpc::new(http, "http://127.0.0.1:1");
    let id = network_id(&network().passphrase);
    let (operator, delegate) = (key(1), key(2));
    let signers = [&operator, &delegate];
    let desk = Desk {
        rpc: &rpc,
        network: &id,
        signers: &signers,
        limits: Limits::default(),
        rng: &Fixed,
        seen: &Default::default(),
        leeway: Leeway::default(),
    };
    authorise(&desk, function, asked, 1_000).unwrap()
}

#[test]
fn the_operators_call_is_signed_with_our_nonce_and_an_end() {
    let function = HostFunction::InvokeContract(ours("fund_deposit"));
    let signed = authorised(&function, &[asked(&key(1), ours("fund_deposit"))]).unwrap();
    let SorobanCredentials::Address(credentials) = &signed[0].credentials else { panic!("{signed:?}") };
    assert_eq!(credentials.nonce, i64::from_be_bytes([7; 8]));
    assert_eq!(credentials.signature_expiration_ledger, 1_360);
    assert!(matches!(credentials.signature, ScVal::Vec(_)));
}

#[test]
fn nothing_but_our_own_call_is_ever_signed() {
    let function = HostFunction::InvokeContract(ours("fund_deposit"));
    let other_call = asked(&key(1), ours("burn"));
    assert!(authorised(&function, &[other_call]).is_err(), "another call");
    let mut other_contract = ours("fund_deposit");
    other_contract.contract_address = address(&network().token).unwrap();
    assert!(authorised(&function, &[asked(&key(1), other_contract)]).is_err(), "another contract");
    let mut below = asked(&key(1), ours("fund_deposit"));
    let inner = below.root_invocation.clone();
    below.root_invocation.sub_invocations = vec![inner].try_into().unwrap();
    assert!(authorised(&function, &[below.clone()]).is_err(), "a call below ours");
    below.credentials = SorobanCredentials::SourceAccount;
    assert!(authorised(&function, &[below]).is_err(), "under the channel's own signature");
    let stranger = authorised(&function, &[asked(&key(9), ours("fund_deposit"))]).unwrap_err();
    assert!(stranger.contains(&key(9).address()), "{stranger}");
}

fn entry(byte: u8) -> LedgerKey {
    LedgerKey::ContractData(LedgerKeyContractData {
        contract: ScAddress::Contract(stellar_xdr::ContractId(stellar_xdr::Hash([byte; 32]))),
        key: ScVal::Void,
        durability: ContractDataDurability::Persistent,
    })
}

fn needs(reads: &[u8], writes: &[u8]) -> SorobanTransactionData {
    let keys = |bytes: &[u8]| bytes.iter().map(|byte| entry(*byte)).collect::<Vec<_>>().try_into().unwrap();
    SorobanTransactionData {
        ext: SorobanTransactionDataExt::V0,
        resources: SorobanResources {
            footprint: LedgerFootprint { read_only: keys(reads), read_write: keys(writes) },
            instructions: 1_000,
            disk_read_bytes: 10,
            write_bytes: 20,
        },
        resource_fee: 5_000,
    }
}

fn run(data: &SorobanTransactionData, restore: Option<&SorobanTransactionData>) -> Simulation {
    Simulation {
        error: None,
        transaction_data: Some(encode(data).unwrap()),
        min_resource_fee: Some(6_000),
        results: None,
        restore_preamble: restore
            .map(|data| RestorePreamble { transaction_data: encode(data).unwrap(), min_resource_fee: 400 }),
        latest_ledger: Some(1),
    }
}

#[test]
fn the_fee_has_a_tenth_to_spare_and_the_rest_is_as_simulated() {
    let data = needs(&[1, 2], &[3]);
    let soroban = resources(&run(&data, None), Leeway::default()).unwrap();
    assert_eq!(soroban.resource_fee, 6_600);
    assert_eq!(soroban.resources, data.resources);
    assert!(
        resources(&Simulation { transaction_data: None, ..run(&data, None) }, Leeway::default()).is_err()
    );
}

#[test]
fn what_was_short_before_is_more_the_next_time() {
    let data = needs(&[1, 2], &[3]);
    let short = Leeway { resources: 1, rent: 0 };
    let soroban = resources(&run(&data, None), short).unwrap();
    assert_eq!(soroban.resources.instructions, data.resources.instructions / 4 * 5);
    assert_eq!(soroban.resource_fee, 6_600 + 1_500);
    let soroban = resources(&run(&data, None), Leeway { resources: 0, rent: 2 }).unwrap();
    assert_eq!((soroban.resources.instructions, soroban.resource_fee), (data.resources.instructions, 26_400));
    let soroban = resources(&run(&data, None), Leeway { resources: 99, rent: 99 }).unwrap();
    assert_eq!(soroban.resources.instructions, data.resources.instructions * 2, "never without end");
    assert_eq!(soroban.resource_fee, (6_600 + 6_000) * 16);
}

#[test]
fn what_must_be_restored_first_is_restored_by_the_call() {
    let restored = run(&needs(&[1, 2], &[3]), Some(&needs(&[], &[2, 3, 4])));
    let soroban = resources(&restored, Leeway::default()).unwrap();
    let footprint = &soroban.resources.footprint;
    assert_eq!(footprint.read_only.to_vec(), [entry(1)]);
    assert_eq!(footprint.read_write.to_vec(), [entry(3), entry(2), entry(4)]);
    let SorobanTransactionDataExt::V1(ext) = &soroban.ext else { panic!("{soroban:?}") };
    assert_eq!(ext.archived_soroban_entries.to_vec(), [0, 1, 2]);
    assert_eq!((soroban.resources.disk_read_bytes, soroban.resources.write_bytes), (20, 40));
    assert_eq!(soroban.resource_fee, 6_600);
}
