//! Who must sign: the operator, exactly this call; anyone else's signature is refused, also for what is done.

extern crate std;

use soroban_sdk::testutils::{AuthorizedFunction, AuthorizedInvocation, MockAuth, MockAuthInvoke};
use soroban_sdk::xdr::{ScErrorCode, ScErrorType};
use soroban_sdk::{Address, Error, IntoVal, InvokeError, Symbol, Val};

use super::world::{Code, World};

fn arguments(world: &World, size: u64) -> soroban_sdk::Vec<Val> {
    (world.book(), size, world.root(size)).into_val(&world.env)
}

/// Anchors `asked` with a signature of `signer` for `signed`.
fn invoke(
    world: &World,
    signer: &Address,
    (signed, asked): (u64, u64),
) -> Result<(), Result<Error, InvokeError>> {
    let invoke = MockAuthInvoke {
        contract: &world.contract,
        fn_name: "anchor",
        args: arguments(world, signed),
        sub_invokes: &[],
    };
    world.env.mock_auths(&[MockAuth { address: signer, invoke: &invoke }]);
    let function = Symbol::new(&world.env, "anchor");
    let answer =
        world.env.try_invoke_contract::<(), Error>(&world.contract, &function, arguments(world, asked));
    answer.map(|done| done.unwrap())
}

/// How the host refuses a call that lacks a signature: not by a number of the contract's.
fn unsigned() -> Result<Error, InvokeError> {
    Ok(Error::from_type_and_code(ScErrorType::Context, ScErrorCode::InvalidAction))
}

#[test]
fn the_operator_signs_one_call_and_nothing_else() {
    for sizes in [&[][..], &[5], &[6]] {
        let world = World::at(Code::Native, sizes);
        invoke(&world, &world.operator, (6, 6)).unwrap();
        let function = Symbol::new(&world.env, "anchor");
        let call = AuthorizedFunction::Contract((world.contract.clone(), function, arguments(&world, 6)));
        let tree = AuthorizedInvocation { function: call, sub_invocations: std::vec![] };
        assert_eq!(world.env.auths(), [(world.operator.clone(), tree)], "after {sizes:?}");
    }
}

#[test]
fn no_one_else_can_sign_and_no_signature_covers_another_checkpoint() {
    for sizes in [&[][..], &[5], &[6]] {
        let world = World::at(Code::Native, sizes);
        let before = world.client().latest(&world.book());
        assert_eq!(invoke(&world, &world.stranger, (6, 6)).unwrap_err(), unsigned(), "after {sizes:?}");
        assert_eq!(invoke(&world, &world.operator, (6, 7)).unwrap_err(), unsigned());
        assert_eq!(world.client().latest(&world.book()), before);
    }
}
