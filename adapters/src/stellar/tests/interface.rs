//! What we write and read, held against the contract's committed interface.

use serde_json::Value;
use stellar_xdr::ScVal;

use super::super::event::meaning;
use super::super::{CONTRACT_ERRORS, Effect};
use super::{key, network, ops};

fn interface() -> Value {
    serde_json::from_str(include_str!("../../../../contracts/escrow/interface.json")).unwrap()
}

fn named<'a>(interface: &'a Value, section: &str, name: &str) -> &'a Value {
    let found = interface[section].as_array().unwrap().iter().find(|item| item["name"] == name);
    found.unwrap_or_else(|| panic!("the interface has no {section} {name}"))
}

fn fits(value: &ScVal, declared: &str) -> bool {
    match declared {
        "BytesN<32>" => matches!(value, ScVal::Bytes(bytes) if bytes.len() == 32),
        "Address" => matches!(value, ScVal::Address(_)),
        "Option<Address>" => matches!(value, ScVal::Address(_) | ScVal::Void),
        "i128" => matches!(value, ScVal::I128(_)),
        "u64" => matches!(value, ScVal::U64(_)),
        "u32" => matches!(value, ScVal::U32(_)),
        "Terms" => fits_struct(value, declared),
        "Vec<i128>" => matches!(value, ScVal::Vec(Some(list)) if list.iter().all(|one| fits(one, "i128"))),
        other => panic!("type {other} is new to this test"),
    }
}

/// Every field there is, by name and type, and no other.
fn fits_struct(value: &ScVal, declared: &str) -> bool {
    let interface = interface();
    let wanted = named(&interface, "structs", declared)["fields"].as_array().unwrap();
    let ScVal::Map(Some(found)) = value else { return false };
    let fits = |field: &Value| {
        let found = super::super::wire::field(value, field["name"].as_str().unwrap());
        found.is_some_and(|found| fits(found, field["type"].as_str().unwrap()))
    };
    found.len() == wanted.len() && wanted.iter().all(fits)
}

#[test]
fn every_call_fits_the_interface() {
    let (interface, network) = (interface(), network());
    for (_, op) in ops() {
        let call = op.call(&network, &key(2).address()).unwrap();
        let inputs = named(&interface, "functions", op.function())["inputs"].as_array().unwrap();
        assert_eq!(call.args.len(), inputs.len(), "{}", op.function());
        for (value, input) in call.args.iter().zip(inputs) {
            assert!(fits(value, input["type"].as_str().unwrap()), "{} {input}", op.function());
        }
    }
}

#[test]
fn every_error_of_the_interface_has_our_name_and_no_other() {
    let interface = interface();
    let mut theirs = Vec::new();
    for error in interface["errors"].as_array().unwrap() {
        let number = u32::try_from(error["number"].as_u64().unwrap()).unwrap();
        theirs.push((number, error["name"].as_str().unwrap().to_owned()));
    }
    theirs.sort();
    let ours: Vec<_> = CONTRACT_ERRORS.iter().map(|(number, name)| (*number, (*name).to_owned())).collect();
    assert_eq!(ours, theirs);
    for (_, op) in ops() {
        let done = ours.iter().filter(|(_, name)| op.looks_done(name)).count();
        // A milestone of several is refused by a name of its own.
        let names = if op.function() == "release" { 2 } else { 1 };
        assert_eq!(done, names, "{} is refused as done by so many errors", op.function());
    }
}

#[test]
fn every_event_of_the_interface_is_understood() {
    let interface = interface();
    let network = network();
    for event in interface["events"].as_array().unwrap() {
        assert_eq!(event["format"], "map");
        let fields = event["fields"].as_array().unwrap();
        let pairs = fields
            .iter()
            .map(|field| (symbol(field["name"].as_str().unwrap()), sample(field["type"].as_str().unwrap())));
        let value = ScVal::Map(Some(stellar_xdr::ScMap::sorted_from_pairs(pairs).unwrap()));
        let verbs: &[&str] = match event["name"].as_str().unwrap() {
            "Changed" => CHANGED,
            "Governed" => &["paused", "proposed", "accepted", "upgraded"],
            _ => &[""],
        };
        for verb in verbs {
            let topics = event["topics"].as_array().unwrap().iter().map(|topic| sample_topic(topic, verb));
            let topics: Vec<ScVal> = topics.collect();
            let effect = meaning(&network, &network.contract, &topics, &value).unwrap();
            assert!(!matches!(effect, Effect::Other { .. }), "{} {verb}", event["name"]);
        }
    }
}

/// As `contracts/README.md` lists them.
const CHANGED: &[&str] = &[
    "paid_in",
    "released",
    "auto_released",
    "refunded",
    "cancelled",
    "disputed",
    "resolved",
    "claimed",
    "burned",
];

fn symbol(text: &str) -> ScVal {
    ScVal::Symbol(super::super::wire::symbol(text).unwrap())
}

fn sample_topic(topic: &Value, verb: &str) -> ScVal {
    match topic.as_str().unwrap() {
        "{verb: Symbol}" => symbol(verb),
        "{reference: BytesN<32>}" => sample("BytesN<32>"),
        word => symbol(word),
    }
}

fn sample(declared: &str) -> ScVal {
    match declared {
        "BytesN<32>" => super::super::wire::bytes32(&[5; 32]).unwrap(),
        "Option<BytesN<32>>" => ScVal::Void,
        "bool" => ScVal::Bool(true),
        "Address" | "Option<Address>" => {
            ScVal::Address(super::super::wire::address(&network().token).unwrap())
        }
        "i128" => 100_000_i128.into(),
        "u64" => 1_u64.into(),
        "u32" => 0_u32.into(),
        other => panic!("type {other} is new to this test"),
    }
}

#[test]
fn the_escrow_and_the_sums_are_read_by_the_interfaces_fields() {
    let interface = interface();
    let fields = |name: &str| -> Vec<String> {
        let found = named(&interface, "structs", name)["fields"].as_array().unwrap();
        found.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    };
    let read = "state payer payee to amount funded to_payee fee vault expiry milestones due_payee release_at \
                dispute_until";
    let left = "listing amounts due_payer fee_cap default_to_payee dispute_s";
    let mut theirs = fields("EscrowView");
    theirs.sort();
    let mut ours: Vec<_> = read.split(' ').chain(left.split(' ')).map(str::to_owned).collect();
    ours.sort();
    assert_eq!(theirs, ours);
    let mut totals = fields("Totals");
    totals.sort();
    assert_eq!(totals, ["burned", "came", "fees", "paid"]);
    let phases = named(&interface, "enums", "Phase")["cases"].as_array().unwrap();
    let phases: Vec<_> = phases
        .iter()
        .map(|case| (case["number"].as_u64().unwrap(), case["name"].as_str().unwrap()))
        .collect();
    let first = [(0, "Open"), (1, "Funded"), (2, "Released"), (3, "Refunded"), (4, "Cancelled")];
    assert_eq!(phases, [&first[..], &[(5, "Disputed"), (6, "Resolved")]].concat());
}
