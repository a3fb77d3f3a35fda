//! Who must sign what: exact trees of authorisation, and everyone else's signature refused.

extern crate std;

use std::vec::Vec;

use soroban_sdk::testutils::{
    AuthorizedFunction, AuthorizedInvocation, Ledger as _, MockAuth, MockAuthInvoke,
};
use soroban_sdk::xdr::{ScErrorCode, ScErrorType};
use soroban_sdk::{Address, Error, IntoVal, InvokeError, Symbol, Val};

use super::world::{AMOUNT, Code, DEADLINE, EXPIRY, FEE, FIRST, Stage, TO_PAYEE, UNIT, World};

type Arguments = soroban_sdk::Vec<Val>;

/// A call that is right in every way but for who signs it.
struct Signed {
    stage: Stage,
    function: &'static str,
    arguments: fn(&World) -> Arguments,
    signer: fn(&World) -> &Address,
}

fn calls() -> Vec<Signed> {
    let delegate: fn(&World) -> &Address = |w| &w.delegate;
    let operator: fn(&World) -> &Address = |w| &w.operator;
    let payee: fn(&World) -> &Address = |w| &w.payee;
    let owner: fn(&World) -> &Address = |w| &w.owner;
    let arbiter: fn(&World) -> &Address = |w| &w.arbiter;
    let admin: fn(&World) -> &Address = |w| &w.admin;
    let call = |stage, function, signer, arguments| Signed { stage, function, arguments, signer };
    Vec::from([
        call(Stage::Absent, "create", delegate, |w| (&w.reference, &w.delegate, w.terms()).into_val(&w.env)),
        call(Stage::Open, "fund_deposit", operator, |w| {
            (&w.reference, w.bytes("first"), AMOUNT).into_val(&w.env)
        }),
        call(Stage::Open, "assign", delegate, |w| {
            (&w.reference, w.bytes("person"), None::<Address>).into_val(&w.env)
        }),
        call(Stage::FundedMobile, "release", delegate, |w| {
            (&w.reference, 0_u32, TO_PAYEE, FEE).into_val(&w.env)
        }),
        call(Stage::FundedAccount, "release", delegate, |w| {
            (&w.reference, 0_u32, TO_PAYEE, FEE).into_val(&w.env)
        }),
        call(Stage::FundedAccount, "refund", payee, |w| (&w.reference,).into_val(&w.env)),
        call(Stage::OpenInPart, "cancel", delegate, |w| (&w.reference,).into_val(&w.env)),
        call(Stage::ReleasedMobile, "burn", operator, |w| (&w.reference, UNIT, TO_PAYEE).into_val(&w.env)),
        call(Stage::OwnOpen, "assign", owner, |w| {
            (&w.reference, w.bytes("person"), Some(&w.payee)).into_val(&w.env)
        }),
        call(Stage::OwnAssigned, "release", owner, |w| (&w.reference, 0_u32, TO_PAYEE, FEE).into_val(&w.env)),
        call(Stage::OwnAssigned, "refund", payee, |w| (&w.reference,).into_val(&w.env)),
        call(Stage::OwnRung, "refund", payee, |w| (&w.reference,).into_val(&w.env)),
        call(Stage::OwnOpen, "cancel", owner, |w| (&w.reference,).into_val(&w.env)),
        call(Stage::FundedMobile, "dispute", operator, |w| (&w.reference, &w.operator).into_val(&w.env)),
        call(Stage::FundedMobile, "dispute", delegate, |w| (&w.reference, &w.delegate).into_val(&w.env)),
        call(Stage::OwnAssigned, "dispute", payee, |w| (&w.reference, &w.payee).into_val(&w.env)),
        call(Stage::OwnAssigned, "dispute", owner, |w| (&w.reference, &w.owner).into_val(&w.env)),
        call(Stage::DisputedMobile, "resolve", arbiter, |w| (&w.reference, FIRST).into_val(&w.env)),
        call(Stage::OwnDisputed, "resolve", arbiter, |w| (&w.reference, FIRST).into_val(&w.env)),
        call(Stage::Resolved, "burn", operator, |w| (&w.reference, UNIT, AMOUNT).into_val(&w.env)),
        call(Stage::FirstReleased, "burn", operator, |w| (&w.reference, UNIT, FIRST - UNIT).into_val(&w.env)),
        call(Stage::Absent, "list", admin, |w| (&w.token, UNIT, &w.till).into_val(&w.env)),
        call(Stage::Absent, "unlist", admin, |w| (1_u32,).into_val(&w.env)),
        call(Stage::Absent, "pause", admin, |w| (true,).into_val(&w.env)),
        call(Stage::Absent, "propose_admin", admin, |w| (Some(&w.stranger),).into_val(&w.env)),
        call(Stage::Absent, "propose_upgrade", admin, |w| (Some(w.bytes("code")),).into_val(&w.env)),
        call(Stage::Refunded, "burn", operator, |w| (&w.reference, UNIT, AMOUNT).into_val(&w.env)),
    ])
}

/// Each call and each role that signs it, or nobody, as the tests below prove it.
pub(super) fn signers() -> Vec<(&'static str, &'static str)> {
    let world = World::new();
    let World { admin, operator, delegate, arbiter, payee, owner, .. } = &world;
    let roles = [(admin, "admin"), (operator, "operator"), (arbiter, "arbiter"), (payee, "payee")];
    let roles = roles.into_iter().chain([(delegate, "payer"), (owner, "payer")]);
    let role = |signer: &Address| roles.clone().find(|(one, _)| *one == signer).unwrap().1;
    let alone = calls().into_iter().map(|call| (call.function, role((call.signer)(&world))));
    let late = late().into_iter().map(|(_, _, function, _)| (function, "nobody"));
    let others =
        [("assign", "operator"), ("fund", "payer"), ("accept_admin", "candidate"), ("upgrade", "admin")];
    alone.chain(late).chain(others).collect()
}

type Late = (Stage, u64, &'static str, fn(&World));

/// What anyone may do once its time has come.
fn late() -> [Late; 9] {
    [
        (Stage::FundedAccount, EXPIRY, "refund", |w| w.client().refund(&w.reference)),
        (Stage::OwnAssigned, EXPIRY, "refund", |w| w.client().refund(&w.reference)),
        (Stage::OpenInPart, EXPIRY, "cancel", |w| w.client().cancel(&w.reference)),
        (Stage::OwnOpen, EXPIRY, "cancel", |w| w.client().cancel(&w.reference)),
        (Stage::FundedMobileRung, EXPIRY, "auto_release", |w| w.client().auto_release(&w.reference)),
        (Stage::OwnRung, EXPIRY, "auto_release", |w| w.client().auto_release(&w.reference)),
        (Stage::DisputedAccount, DEADLINE, "resolve_timeout", |w| w.client().resolve_timeout(&w.reference)),
        (Stage::OwnReleased, EXPIRY, "sweep", |w| w.client().sweep(&1)),
        (Stage::OwnDue, EXPIRY, "claim", |w| {
            w.env.mock_all_auths();
            w.trust(&w.escrow().to.unwrap());
            w.env.set_auths(&[]);
            w.client().claim(&w.reference);
        }),
    ]
}

fn invoke(world: &World, call: &Signed, signer: &Address) -> Result<(), Result<Error, InvokeError>> {
    let arguments = (call.arguments)(world);
    let invoke = MockAuthInvoke {
        contract: &world.contract,
        fn_name: call.function,
        args: arguments.clone(),
        sub_invokes: &[],
    };
    world.env.mock_auths(&[MockAuth { address: signer, invoke: &invoke }]);
    let function = Symbol::new(&world.env, call.function);
    match world.env.try_invoke_contract::<Val, Error>(&world.contract, &function, arguments) {
        Ok(answer) => {
            answer.unwrap();
            Ok(())
        }
        Err(refusal) => Err(refusal),
    }
}

/// How the host refuses a call that lacks a signature: not by a number of the contract's.
fn unsigned() -> Result<Error, InvokeError> {
    Ok(Error::from_type_and_code(ScErrorType::Context, ScErrorCode::InvalidAction))
}

fn tree(world: &World, call: &Signed) -> AuthorizedInvocation {
    let function = Symbol::new(&world.env, call.function);
    AuthorizedInvocation {
        function: AuthorizedFunction::Contract((world.contract.clone(), function, (call.arguments)(world))),
        sub_invocations: Vec::new(),
    }
}

/// One signature a call, over exactly its arguments, and nothing signed beneath it: the token's calls are the
/// contract's own, so a signature for the escrow can never move a signer's tokens.
#[test]
fn the_signer_signs_one_call_and_nothing_else() {
    for call in calls() {
        let world = World::at(Code::Native, call.stage);
        let signer = (call.signer)(&world).clone();
        invoke(&world, &call, &signer).unwrap();
        let expected = (signer, tree(&world, &call));
        assert_eq!(world.env.auths(), [expected], "{} when {:?}", call.function, call.stage);
    }
}

/// A signature by anyone else, the house's other roles included, is worth nothing.
#[test]
fn no_one_else_can_sign() {
    for call in calls() {
        let world = World::at(Code::Native, call.stage);
        let config = || (world.client().config(), world.client().listing(&1));
        let look =
            || (world.client().get(&world.reference), world.client().totals(&0), world.held(), config());
        let before = look();
        let signer = (call.signer)(&world).clone();
        let World { admin, operator, delegate, arbiter, payee, owner, till, stranger, .. } = &world;
        let all = [admin, operator, delegate, arbiter, payee, owner, till, stranger];
        for other in all.into_iter().filter(|one| **one != signer) {
            let refusal = invoke(&world, &call, other).unwrap_err();
            assert_eq!(refusal, unsigned(), "{} when {:?}", call.function, call.stage);
        }
        assert_eq!(look(), before, "{} when {:?}", call.function, call.stage);
    }
}

/// Anyone with listed tokens may name themselves as payer, and gets an escrow that no deposit funds and no
/// one else's money is in.
#[test]
fn a_payer_signs_for_themselves() {
    let world = World::new();
    let call = Signed {
        stage: Stage::Absent,
        function: "create",
        arguments: |w| (&w.reference, &w.stranger, w.own_terms()).into_val(&w.env),
        signer: |w| &w.stranger,
    };
    assert_eq!(invoke(&world, &call, &world.delegate).unwrap_err(), unsigned());
    invoke(&world, &call, &world.stranger).unwrap();
    assert_eq!(world.escrow().payer, world.stranger);
}

/// Funding from own tokens is the one call with something signed beneath it: the transfer of exactly the
/// whole amount to the contract.
#[test]
fn a_payer_signs_the_transfer_too() {
    let world = World::at(Code::Native, Stage::OwnFunded);
    let function = |contract: &Address, name: &str, arguments: Arguments| {
        AuthorizedFunction::Contract((contract.clone(), Symbol::new(&world.env, name), arguments))
    };
    let transfer = (&world.owner, &world.contract, AMOUNT).into_val(&world.env);
    let beneath = AuthorizedInvocation {
        function: function(&world.coin, "transfer", transfer),
        sub_invocations: Vec::new(),
    };
    let fund = AuthorizedInvocation {
        function: function(&world.contract, "fund", (&world.reference, AMOUNT).into_val(&world.env)),
        sub_invocations: Vec::from([beneath]),
    };
    assert_eq!(world.env.auths(), [(world.owner.clone(), fund)]);
}

/// The delegate alone cannot name an address and release to it: the operator signs the address, too.
#[test]
fn two_keys_name_an_address_for_the_delegate() {
    let call = Signed {
        stage: Stage::Funded,
        function: "assign",
        arguments: |w| (&w.reference, w.bytes("person"), Some(&w.stranger)).into_val(&w.env),
        signer: |w| &w.delegate,
    };
    let world = World::at(Code::Native, call.stage);
    for alone in [&world.delegate, &world.operator, &world.admin, &world.arbiter, &world.stranger] {
        assert_eq!(invoke(&world, &call, alone).unwrap_err(), unsigned());
    }
    world.env.mock_all_auths();
    world.client().assign(&world.reference, &world.bytes("person"), &Some(world.stranger.clone()));
    let tree = tree(&world, &call);
    assert_eq!(world.env.auths(), [(world.operator.clone(), tree.clone()), (world.delegate.clone(), tree)]);
}

/// What time decides asks for nobody's signature, not even of a payee with an address.
#[test]
fn what_is_late_needs_no_signature() {
    for (stage, time, function, call) in late() {
        let world = World::at(Code::Native, stage);
        world.env.ledger().set_timestamp(time);
        world.env.set_auths(&[]);
        call(&world);
        assert_eq!(world.env.auths(), [], "{function} when {stage:?}");
    }
}
