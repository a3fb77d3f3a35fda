//! Every state against every call, what is read afterwards, and what is said.

extern crate std;

use soroban_sdk::testutils::{Events as _, Ledger as _};
use soroban_sdk::xdr::{ContractEventBody, ScVal};
use soroban_sdk::{Event as _, IntoVal as _, Symbol, TryFromVal as _};

use super::world::{BOOK, Code, START, World};
use crate::Error::{BadBook, NotGrown, OtherRoot};
use crate::{Anchor, AnchorContract, Anchored, Error};

const MOST: u64 = u64::MAX;

/// What a book was anchored at, the call (size, number of the root), and its answer.
type Row = (&'static [u64], (u64, u64), Result<(), Error>);

const TABLE: [Row; 14] = [
    (&[], (0, 0), Err(NotGrown)),
    (&[], (1, 1), Ok(())),
    (&[], (MOST, 1), Ok(())),
    (&[5], (5, 5), Ok(())),
    (&[5], (5, 6), Err(OtherRoot)),
    (&[5], (4, 4), Err(NotGrown)),
    (&[5], (0, 0), Err(NotGrown)),
    (&[5], (6, 6), Ok(())),
    (&[5], (6, 5), Ok(())),
    (&[5, 9], (5, 5), Ok(())),
    (&[5, 9], (5, 9), Err(OtherRoot)),
    (&[5, 9], (7, 7), Err(NotGrown)),
    (&[5, 9], (9, 9), Ok(())),
    (&[MOST], (MOST - 1, 1), Err(NotGrown)),
];

#[test]
fn every_call_in_every_state() {
    for code in [Code::Native, Code::Wasm] {
        for (sizes, (size, root), answer) in TABLE {
            let world = World::at(code, sizes);
            let look = || {
                let (client, book) = (world.client(), world.book());
                (client.latest(&book), client.at(&book, &size))
            };
            let before = look();
            let case = std::format!("{code:?}: {size} with root {root} after {sizes:?}");
            assert_eq!(world.anchor(BOOK, size, root), answer, "{case}");
            let said = world.env.events().all().filter_by_contract(&world.contract).events().len();
            let news = answer.is_ok() && !sizes.contains(&size);
            assert_eq!(said, usize::from(news), "{case}");
            if news {
                let found = look().0.unwrap();
                assert_eq!((found.size, found.root), (size, world.root(root)), "{case}");
            } else {
                assert_eq!(look(), before, "{case}");
            }
        }
    }
}

#[test]
fn anyone_reads_every_checkpoint_and_when_it_was_written() {
    let world = World::of(Code::Wasm);
    let mut written = std::vec::Vec::new();
    for (n, size) in (0..).zip([3, 8, 1_000]) {
        world.env.ledger().with_mut(|ledger| {
            ledger.sequence_number = 100 + n;
            ledger.timestamp = START + u64::from(n) * 900;
        });
        world.anchor(BOOK, size, size).unwrap();
        let (root, timestamp) = (world.root(size), START + u64::from(n) * 900);
        written.push(Anchor { size, root, ledger: 100 + n, timestamp });
    }
    world.env.set_auths(&[]);
    let (client, book) = (world.client(), world.book());
    for anchor in &written {
        assert_eq!(client.at(&book, &anchor.size).as_ref(), Some(anchor));
    }
    assert_eq!(client.latest(&book).as_ref(), written.last());
    for size in [0, 1, 4, 1_001] {
        assert_eq!(client.at(&book, &size), None);
    }
    assert_eq!((client.operator(), client.version()), (world.operator.clone(), 1));
}

#[test]
fn books_do_not_touch_each_other() {
    let world = World::at(Code::Native, &[9]);
    assert_eq!(world.anchor("uganda:UGX", 2, 2), Ok(()));
    assert_eq!(world.anchor("kenya:KE", 1, 1), Ok(()));
    let client = world.client();
    assert_eq!(client.latest(&world.book()).unwrap().size, 9);
    assert_eq!(client.latest(&world.text("uganda:UGX")).unwrap().size, 2);
    assert_eq!(client.latest(&world.text("tanzania:TZS")), None);
}

#[test]
fn a_name_has_1_to_64_bytes() {
    let world = World::new();
    assert_eq!(world.anchor("", 1, 1), Err(BadBook));
    assert_eq!(world.anchor(&"b".repeat(65), 1, 1), Err(BadBook));
    assert_eq!(world.anchor(&"b".repeat(64), 1, 1), Ok(()));
}

#[test]
fn one_without_an_operator_answers_nobody() {
    let world = World::new();
    let contract = world.env.register(AnchorContract, (&world.operator,));
    world
        .env
        .as_contract(&contract, || world.env.storage().instance().remove(&crate::storage::Key::Operator));
    let client = crate::AnchorContractClient::new(&world.env, &contract);
    let answer = super::world::outcome(client.try_anchor(&world.book(), &1, &world.root(1)));
    assert_eq!(answer, Err(Error::NotConfigured));
}

#[test]
fn a_checkpoint_is_said_under_its_book() {
    let world = World::at(Code::Native, &[5]);
    let said = world.env.events().all().filter_by_contract(&world.contract);
    let event = Anchored { book: world.book(), size: 5, root: world.root(5) };
    assert_eq!(said, [event.to_xdr(&world.env, &world.contract)]);
    let ContractEventBody::V0(body) = &said.events()[0].body;
    let topics = (Symbol::new(&world.env, "anchor"), Symbol::new(&world.env, "anchored"), world.book());
    let expected: soroban_sdk::Vec<soroban_sdk::Val> = topics.into_val(&world.env);
    let expected: std::vec::Vec<ScVal> =
        expected.iter().map(|v| ScVal::try_from_val(&world.env, &v).unwrap()).collect();
    assert_eq!(body.topics.as_slice(), expected);
}
