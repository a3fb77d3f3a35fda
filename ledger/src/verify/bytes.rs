//! The canonical bytes of what a bundle shows, written down a second time: from the description, not with the
//! writer's code, so that an error of the one is noticed by the other.
//!
//! Every word is preceded by its length in eight bytes; numbers are eight bytes, times microseconds; what is
//! not there is an empty word. `leaf(…)` is SHA-256(0 ‖ words).
//!
//! - transfer: `amana:transfer:v2`, book, number of its first posting, id, event, key, fingerprint, effective
//!   time, number of legs, each leg's phase, debited and credited path and amount; the hold's verb, id and
//!   expiry; the reversed id; the fact's provider, account and id; the link; number of pairs, each name and
//!   value
//! - limit: `amana:limit:v1`, book, path, floor, number of velocities, each measure, side, period and amount
//! - close: `amana:close:v1`, book, time
//! - batch: `amana:batch:v2`, book, number, first posting, postings, transfers, accounts, time, block, the
//!   predecessor's root

use super::line::{Closed, Heading, Limited, Moved};
use crate::chart::BookId;
use crate::seal::tree::{self, Hash};
use crate::transfer::Words;

pub(super) fn transfer(book: &BookId, moved: &Moved) -> Hash {
    let mut words = begun("amana:transfer:v2", book);
    words.bytes(&moved.no.to_be_bytes()).bytes(moved.id.as_bytes()).text(&moved.event).text(&moved.key);
    words.bytes(&moved.fingerprint.0).time(moved.effective_at).number(moved.legs.len() as i64);
    for (phase, debit, credit, amount) in &moved.legs {
        words.text(phase.encode_utf8(&mut [0; 4])).text(debit).text(credit).number(*amount);
    }
    match &moved.hold {
        Some((verb, hold, expires_at)) => words.text(verb).bytes(hold.as_bytes()).time(*expires_at),
        None => words.text(""),
    };
    words.bytes(moved.reverses.as_ref().map_or(&[], |id| id.as_bytes()));
    match &moved.external {
        Some([provider, account, id]) => words.text(provider).text(account).text(id),
        None => words.text(""),
    };
    words.bytes(moved.link.as_ref().map_or(&[], |id| id.as_bytes()));
    words.number(moved.metadata.len() as i64);
    for (name, value) in &moved.metadata {
        words.text(name).text(value);
    }
    tree::leaf(&words.0)
}

pub(super) fn limit(book: &BookId, limited: &Limited) -> Hash {
    let mut words = begun("amana:limit:v1", book);
    words.text(&limited.path);
    match limited.floor {
        Some(floor) => words.number(floor),
        None => words.text(""),
    };
    words.number(limited.velocity.len() as i64);
    for (measure, side, period, amount) in &limited.velocity {
        words.text(measure).text(side.word()).text(period).number(*amount);
    }
    tree::leaf(&words.0)
}

pub(super) fn close(book: &BookId, closed: &Closed) -> Hash {
    tree::leaf(&begun("amana:close:v1", book).time(Some(closed.closed_before)).0)
}

pub(super) fn batch(book: &BookId, heading: &Heading, prev: &Hash) -> Hash {
    let mut words = begun("amana:batch:v2", book);
    for number in [heading.no, heading.first_posting, heading.postings, heading.transfers, heading.accounts] {
        words.bytes(&number.to_be_bytes());
    }
    words.time(Some(heading.recorded_at)).bytes(&heading.block.0).bytes(prev);
    tree::leaf(&words.0)
}

fn begun(domain: &str, book: &BookId) -> Words {
    let mut words = Words::new(domain);
    words.text(book.as_str());
    words
}
