//! Who must sign what: exact trees of authorisation, and everyone else's signature refused.

extern crate std;

use std::vec::Vec;

use soroban_sdk::testutils::{
    AuthorizedFunction, AuthorizedInvocation, Ledger as _, MockAuth, MockAuthInvoke,
};
use soroban_sdk::xdr::{ScErrorCode, ScErrorType};
use soroban_sdk::{Address, Error, IntoVal, InvokeError, Symbol, Val};

use super::world::{AMOUNT, Code, EXPIRY, FEE, Stage, TO_PAYEE, UNIT, World};

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
    let call = |stage, function, signer, arguments| Signed { stage, function, arguments, signer };
    Vec::from([
        call(Stage::Absent, "create", delegate, |w| {
            (&w.reference, &w.delegate, &w.token, AMOUNT, EXPIRY).into_val(&w.env)
        }),
        call(Stage::Open, "fund_deposit", operator, |w| {
            (&w.reference, w.bytes("first"), AMOUNT).into_val(&w.env)
        }),
        call(Stage::Open, "assign", delegate, |w| {
            (&w.reference, w.bytes("person"), None::<Address>).into_val(&w.env)
        }),
        call(Stage::Funded, "assign", delegate, |w| {
            (&w.reference, w.bytes("person"), Some(&w.payee)).into_val(&w.env)
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
        call(Stage::Refunded, "burn", operator, |w| (&w.reference, UNIT, AMOUNT).into_val(&w.env)),
    ])
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
    match world.env.try_invoke_contract::<(), Error>(&world.contract, &function, arguments) {
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
        let look = || (world.client().get(&world.reference), world.client().totals(), world.held());
        let before = look();
        let signer = (call.signer)(&world).clone();
        let World { admin, operator, delegate, arbiter, payee, stranger, .. } = &world;
        for other in
            [admin, operator, delegate, arbiter, payee, stranger].into_iter().filter(|one| **one != signer)
        {
            let refusal = invoke(&world, &call, other).unwrap_err();
            assert_eq!(refusal, unsigned(), "{} when {:?}", call.function, call.stage);
        }
        assert_eq!(look(), before, "{} when {:?}", call.function, call.stage);
    }
}

/// A stranger may name themselves as payer, and gets an escrow that no deposit funds and no one else's money
/// is in.
#[test]
fn a_payer_signs_for_themselves() {
    let world = World::new();
    let call = Signed {
        stage: Stage::Absent,
        function: "create",
        arguments: |w| (&w.reference, &w.stranger, &w.token, AMOUNT, EXPIRY).into_val(&w.env),
        signer: |w| &w.stranger,
    };
    assert_eq!(invoke(&world, &call, &world.delegate).unwrap_err(), unsigned());
    invoke(&world, &call, &world.stranger).unwrap();
    assert_eq!(world.escrow().payer, world.stranger);
}

/// After expiry nobody's signature is asked for, not even of a payee with an address.
#[test]
fn a_late_refund_needs_no_signature() {
    let world = World::at(Code::Native, Stage::FundedAccount);
    world.env.ledger().set_timestamp(EXPIRY);
    world.env.set_auths(&[]);
    world.client().refund(&world.reference);
    assert_eq!(world.env.auths(), []);
}
