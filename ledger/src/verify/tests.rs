//! Every way we know to falsify a journal, and its reason.
#![allow(clippy::unwrap_used)]

mod issuer;

use uuid::Uuid;

use super::line::*;
use super::*;
use crate::chart::BookId;
use crate::seal::note::{BadNote, Checkpoint};
use crate::seal::tree::root;
use issuer::{EMPLOYEE, EMPLOYER, ESCROW, FLOAT, Issuer, RAIL, at, book, leg, moved, place, transfer};

/// The honest lines, changed; the transfer that is named, and the reason.
#[track_caller]
fn changed(change: impl FnOnce(&mut Vec<Line>)) -> (Option<u64>, Reason) {
    let issuer = Issuer::honest();
    let mut lines = issuer.lines(1);
    change(&mut lines);
    let failure = issuer.judged(&lines);
    (failure.transfer.map(|(_, no)| no), failure.reason)
}

#[test]
fn an_honest_journal_passes() {
    let issuer = Issuer::honest();
    let verified = issuer.told().unwrap();
    assert_eq!((verified.batches, verified.counts), ((1, 7), [9, 11, 8]));
    assert_eq!((verified.checkpoints, verified.anchors.0), (3, 2));
    assert_eq!(verified.owed, Some((750, 1000 + 50 + 5000 - 300)));
    assert_eq!(verified.root.0, root(&issuer.roots()));
    let key = issuer.signer().key().clone();
    assert!(verify(issuer.signed(&issuer.lines(1)).as_bytes(), Some(&key)).is_ok());
}

#[test]
fn so_does_each_later_part_of_it() {
    let issuer = Issuer::honest();
    for from in 2..=4 {
        let verified = verify(issuer.signed(&issuer.lines(from)).as_bytes(), None).unwrap();
        assert_eq!((verified.batches, verified.root.0), ((from, 7), root(&issuer.roots())));
    }
}

#[test]
fn amount_account_time_and_every_other_field() {
    type Change = fn(&mut Moved);
    let changes: [Change; 12] = [
        |moved| moved.legs[0].3 += 1,
        |moved| moved.legs[0].1 = FLOAT.replace('6', "7"),
        |moved| moved.legs[0].2 = EMPLOYER.to_owned(),
        |moved| moved.legs[0].0 = 'h',
        |moved| moved.effective_at = Some(at(-4)),
        |moved| moved.effective_at = None,
        |moved| moved.event = "capital_in".to_owned(),
        |moved| moved.key.push('x'),
        |moved| moved.id = Uuid::from_u128(99),
        |moved| moved.fingerprint.0[0] ^= 1,
        |moved| moved.external = None,
        |moved| moved.metadata.push(("a".to_owned(), "b".to_owned())),
    ];
    for change in changes {
        assert_eq!(changed(|lines| change(transfer(lines, 0))), (Some(1), Reason::Leaf));
    }
    let link = changed(|lines| transfer(lines, 6).link = None);
    assert_eq!(link, (Some(9), Reason::Leaf));
    let hold = changed(|lines| transfer(lines, 4).hold.as_mut().unwrap().2 = None);
    assert_eq!(hold, (Some(6), Reason::Leaf));
}

#[test]
fn a_change_with_its_leaf() {
    let resealed = |moved: &mut Moved| {
        moved.legs[0].3 += 1;
        moved.leaf = Hex(bytes::transfer(&book(), moved));
    };
    assert_eq!(changed(|lines| resealed(transfer(lines, 0))), (None, Reason::Block));
}

#[test]
fn order_dropped_and_doubled_leaves() {
    let number = |expected| Reason::PostingNumber { expected };
    let swapped = changed(|lines| {
        let (one, two) = (place(lines, "transfer", 0), place(lines, "transfer", 1));
        lines.swap(one, two);
    });
    assert_eq!(swapped, (Some(3), number(1)));
    let dropped = changed(|lines| {
        lines.remove(place(lines, "transfer", 0));
    });
    assert_eq!(dropped, (Some(3), number(1)));
    let last = changed(|lines| {
        lines.remove(place(lines, "transfer", 1));
    });
    assert_eq!(last.1, Reason::Count { what: "transfers", found: 1, claimed: 2 });
    let doubled = changed(|lines| {
        let at = place(lines, "transfer", 0);
        lines.insert(at, lines[at].clone());
    });
    assert_eq!(doubled, (Some(1), number(3)));
    // In the same order, but with their contents exchanged under the numbers.
    let exchanged = changed(|lines| {
        let (one, two) = (transfer(lines, 6).clone(), transfer(lines, 7).clone());
        *transfer(lines, 6) = Moved { no: one.no, ..two.clone() };
        *transfer(lines, 7) = Moved { no: two.no, ..one };
    });
    assert_eq!(exchanged, (Some(9), Reason::Leaf));
}

#[test]
fn batches_dropped_swapped_and_changed() {
    let heading = |lines: &mut Vec<Line>, nth, change: fn(&mut Heading)| {
        let at = place(lines, "batch", nth);
        let Line::Batch(heading) = &mut lines[at] else { unreachable!() };
        change(heading);
    };
    let swapped = changed(|lines| {
        let (one, two) = (place(lines, "batch", 0), place(lines, "batch", 1));
        let (Line::Batch(first), Line::Batch(second)) = (lines[one].clone(), lines[two].clone()) else {
            unreachable!()
        };
        lines[one] = Line::Batch(Heading { root: second.root, ..first.clone() });
        lines[two] = Line::Batch(Heading { root: first.root, ..second });
    });
    assert_eq!(swapped.1, Reason::Root);
    assert_eq!(changed(|lines| heading(lines, 0, |batch| batch.block.0[0] ^= 1)).1, Reason::Block);
    assert_eq!(changed(|lines| heading(lines, 1, |batch| batch.recorded_at = at(0))).1, Reason::Backwards);
    assert_eq!(changed(|lines| heading(lines, 2, |batch| batch.recorded_at = at(4))).1, Reason::Root);
    let counted = changed(|lines| heading(lines, 0, |batch| batch.accounts = 5)).1;
    assert_eq!(counted, Reason::Count { what: "accounts", found: 6, claimed: 5 });
    let dropped = changed(|lines| {
        let (one, two) = (place(lines, "batch", 1), place(lines, "batch", 2));
        lines.drain(one..two);
    });
    assert_eq!(dropped.1, Reason::BatchNumber { expected: 2 });
    let empty = changed(|lines| {
        lines.remove(place(lines, "limit", 0));
    });
    assert_eq!(empty.1, Reason::Empty);
    let late = changed(|lines| {
        let (at, last) = (place(lines, "batch", 6), lines.len());
        let again: Vec<Line> = lines[at..last].to_vec();
        lines.truncate(place(lines, "liability", 0));
        lines.extend(again);
    });
    assert_eq!(late.1, Reason::BatchNumber { expected: 8 });
}

#[test]
fn limits_and_closes() {
    let limit = changed(|lines| {
        let at = place(lines, "limit", 0);
        let Line::Limit(limited) = &mut lines[at] else { unreachable!() };
        limited.velocity[0].3 += 1;
    });
    assert_eq!(limit.1, Reason::Leaf);
    let close = changed(|lines| {
        let place = place(lines, "close", 0);
        let Line::Close(closed) = &mut lines[place] else { unreachable!() };
        closed.closed_before = at(1);
    });
    assert_eq!(close.1, Reason::Leaf);
}

#[test]
fn checkpoints_forged_left_out_and_misplaced() {
    let honest = Issuer::honest();
    let put = |nth: usize, noted: Noted| {
        changed(|lines| {
            let at = place(lines, "checkpoint", nth);
            lines[at] = Line::Checkpoint(noted);
        })
    };
    let stranger = Issuer { secret: [8; 32], ..honest.clone() };
    let what = "the checkpoint";
    assert_eq!(put(0, stranger.checkpoint(3)).1, Reason::Note { what, why: BadNote::Unsigned });
    assert_eq!(put(0, honest.checkpoint(5)).1, Reason::CheckpointSize { found: 5, at: 3 });
    let forged = Checkpoint { book: book(), size: 3, root: [9; 32] };
    assert_eq!(put(0, honest.note(&forged.text())).1, Reason::CheckpointRoot);
    let other = Checkpoint { book: BookId::parse("egypt:EGP").unwrap(), size: 3, root: [9; 32] };
    assert_eq!(put(0, honest.note(&other.text())).1, Reason::Note { what, why: BadNote::Text });
    let mut bent = honest.checkpoint(3);
    bent.note = bent.note.replacen("\n3\n", "\n4\n", 1);
    assert_eq!(put(0, bent).1, Reason::Note { what, why: BadNote::Signature });
    let none = changed(|lines| {
        lines.remove(place(lines, "checkpoint", 2));
    });
    assert_eq!(none.1, Reason::NoCheckpoint);
}

#[test]
fn a_past_written_anew_does_not_meet_its_anchor() {
    let honest = Issuer::honest();
    let mut liar = honest.clone();
    let Line::Transfer(moved) = &mut liar.batches[0][0] else { unreachable!() };
    moved.legs[0].3 += 1;
    liar.owed[0].1 += 1;
    // All hashes, checkpoints and signatures are as they should be; the anchor is the chain's.
    assert_eq!(liar.told().unwrap_err().reason, Reason::AnchorRoot);
    liar.anchors.clear();
    assert_eq!(liar.told().unwrap().anchors, (0, None));
    let mut forger = honest.clone();
    forger.anchors[0].root.0[0] ^= 1;
    assert_eq!(forger.told().unwrap_err().reason, Reason::AnchorRoot);
    let early = changed(|lines| {
        let anchor = lines.remove(place(lines, "anchor", 0));
        lines.insert(place(lines, "batch", 1), anchor);
    });
    assert_eq!(early.1, Reason::AnchorSize { found: 3, at: 1 });
    let mut shorter = honest;
    shorter.batches.truncate(6);
    shorter.checkpoints = vec![6];
    shorter.owed = vec![(ESCROW, 120), (EMPLOYEE, 600), (EMPLOYER, 30)];
    let mut lines = shorter.lines(1);
    lines.insert(place(&lines, "liability", 0), Line::Anchor(shorter.anchors[1].clone()));
    assert_eq!(shorter.judged(&lines).reason, Reason::AnchorSize { found: 7, at: 6 });
}

#[test]
fn a_journal_cut() {
    let issuer = Issuer::honest();
    let text = issuer.signed(&issuer.lines(1));
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for count in 0..lines.len() {
        let cut = lines[..count].concat();
        assert_eq!(verify(cut.as_bytes(), None).unwrap_err().reason, Reason::NoEnd);
        // The tail is cut and the end kept.
        let closed = cut + lines[lines.len() - 1];
        assert!(count == lines.len() - 1 || verify(closed.as_bytes(), None).is_err(), "{count}");
    }
    let tail = changed(|lines| lines.truncate(place(lines, "batch", 5)));
    assert_eq!(tail.1, Reason::Truncated { found: 5, claimed: 7 });
    let more = text.clone() + "\n";
    assert_eq!(verify(more.as_bytes(), None).unwrap_err().reason, Reason::NoEnd);
    assert_eq!(verify(text.trim_end().as_bytes(), None).unwrap_err().reason, Reason::NotALine);
    // Changed and not signed again, where nothing else is wrong: the anchor's transaction.
    let bent = text.replacen(&"ab".repeat(32), &"cd".repeat(32), 1);
    assert_eq!(verify(bent.as_bytes(), None).unwrap_err().reason, Reason::Changed);
    let spaced = text.replacen("{\"batch\":", "{\"batch\": ", 1);
    assert_eq!(verify(spaced.as_bytes(), None).unwrap_err().reason, Reason::NotCanonical);
}

#[test]
fn keys() {
    let honest = Issuer::honest();
    let stranger = Issuer { secret: [8; 32], ..honest.clone() };
    let key = honest.signer().key().clone();
    // Everything is signed anew with another key: only who knows the right one notices, or reads the anchors.
    let text = stranger.signed(&stranger.lines(1));
    assert_eq!(verify(text.as_bytes(), Some(&key)).unwrap_err().reason, Reason::OtherKey);
    let pinned = changed(|lines| {
        let Line::Header(header) = &mut lines[0] else { unreachable!() };
        header.key = Issuer { secret: [8; 32], ..Issuer::honest() }.signer().key().to_string();
    });
    assert_eq!(pinned.1, Reason::Note { what: "the checkpoint", why: BadNote::Unsigned });
    let egypt = BookId::parse("egypt:EGP").unwrap();
    let other = changed(|lines| {
        let Line::Header(header) = &mut lines[0] else { unreachable!() };
        header.book = egypt;
    });
    assert_eq!(other.1, Reason::Key);
}

#[test]
fn liabilities_left_out_made_smaller_and_made_up() {
    let told = |owed: &[(&'static str, u64)]| {
        Issuer { owed: owed.to_vec(), ..Issuer::honest() }.told().unwrap_err().reason
    };
    let left_out = |account: &str, sum| Reason::LeftOut { account: account.to_owned(), sum };
    assert_eq!(told(&[(ESCROW, 121), (EMPLOYEE, 600)]), left_out(EMPLOYER, 29));
    assert_eq!(told(&[(ESCROW, 121), (EMPLOYEE, 599), (EMPLOYER, 29)]), left_out(EMPLOYEE, 600));
    let more = [(ESCROW, 121), (EMPLOYEE, 600), (EMPLOYER, 29), (FLOAT, 3)];
    assert_eq!(told(&more), Reason::OwedToNobody { sum: 3 });
    let dropped = changed(|lines| {
        lines.remove(place(lines, "liability", 0));
    });
    assert_eq!(dropped.1, Reason::OwedRoot);
    let swapped = changed(|lines| {
        let at = place(lines, "liability", 0);
        lines.swap(at, at + 1);
    });
    assert_eq!(swapped.1, Reason::OwedOrder);
    let unsigned = changed(|lines| {
        lines.pop();
    });
    assert_eq!(unsigned.1, Reason::OwedRoot);
}

#[test]
fn an_issuer_who_breaks_the_rules_of_a_ledger() {
    let told = |id, legs| {
        let mut liar = Issuer::honest();
        liar.batches.push(vec![Line::Transfer(moved(id, legs))]);
        liar.told().unwrap_err().reason
    };
    let floor = Reason::Floor { account: EMPLOYEE.to_owned(), available: -1, floor: 0 };
    assert_eq!(told(20, vec![leg('p', EMPLOYEE, ESCROW, 601)]), floor);
    let credit = Reason::Floor { account: "equity:capital".to_owned(), available: -101, floor: -100 };
    assert_eq!(told(20, vec![leg('p', "equity:capital", ESCROW, 5101)]), credit);
    assert_eq!(told(20, vec![leg('v', EMPLOYEE, RAIL, 1)]), Reason::Totals(EMPLOYEE.to_owned()));
    let most = vec![leg('p', FLOAT, ESCROW, i64::MAX)];
    assert_eq!(told(20, most), Reason::Totals(FLOAT.to_owned()));
    assert_eq!(told(20, vec![leg('p', FLOAT, ESCROW, 0)]), Reason::Amount(0));
    assert_eq!(told(20, vec![leg('p', FLOAT, ESCROW, -5)]), Reason::Amount(-5));
    assert_eq!(told(20, vec![leg('x', FLOAT, ESCROW, 5)]), Reason::Phase('x'));
    assert_eq!(told(20, vec![leg('p', FLOAT, FLOAT, 5)]), Reason::SameAccount(FLOAT.to_owned()));
    assert_eq!(told(20, vec![leg('p', FLOAT, "wallet", 5)]), Reason::NoAccount("wallet".to_owned()));
    assert_eq!(told(20, vec![]), Reason::Empty);
    let mut late = Issuer::honest();
    let Line::Transfer(moved) = &mut late.batches[6][0] else { unreachable!() };
    moved.effective_at = Some(at(-1));
    assert_eq!(late.told().unwrap_err().reason, Reason::PeriodClosed);
}

#[test]
fn openings_that_lead_elsewhere() {
    let issuer = Issuer::honest();
    type Change = fn(&mut Opening);
    let opened = |change: Change| {
        let mut lines = issuer.lines(4);
        let Line::Opening(opening) = &mut lines[1] else { unreachable!() };
        change(opening);
        issuer.judged(&lines).reason
    };
    assert_eq!(opened(|opening| opening.peaks[0].0[0] ^= 1), Reason::OpeningLog);
    assert_eq!(opened(|opening| opening.peaks.truncate(1)), Reason::OpeningLog);
    assert_eq!(opened(|opening| opening.prev.0[0] ^= 1), Reason::OpeningLog);
    assert_eq!(opened(|opening| opening.path[0].0[0] ^= 1), Reason::OpeningLog);
    assert_eq!(opened(|opening| opening.note = Issuer::honest().checkpoint(2).note), Reason::OpeningLog);
    assert_eq!(opened(|opening| opening.first_posting += 1), Reason::PostingNumber { expected: 10 });
    let mut lines = issuer.lines(4);
    lines.remove(1);
    assert_eq!(issuer.judged(&lines).reason, Reason::Misplaced("an account"));
    let mut lines = issuer.lines(4);
    lines.remove(2);
    assert_eq!(issuer.judged(&lines).reason, Reason::Unbalanced);
    let mut lines = issuer.lines(4);
    lines.insert(2, lines[2].clone());
    assert!(matches!(issuer.judged(&lines).reason, Reason::Opening(_)));
    for totals in [[i64::MAX, 0, 1, 0], [0, i64::MAX, 0, i64::MAX], [0, -1, 0, 0], [i64::MIN; 4]] {
        let mut lines = issuer.lines(4);
        let Line::Account(standing) = &mut lines[2] else { unreachable!() };
        standing.totals = totals;
        assert!(matches!(issuer.judged(&lines).reason, Reason::Opening(_)), "{totals:?}");
    }
    let last = Reason::PostingNumber { expected: u64::MAX };
    assert_eq!(opened(|opening| opening.first_posting = u64::MAX), last);
    let mut lines = issuer.lines(1);
    lines.insert(1, issuer.lines(4)[1].clone());
    assert_eq!(issuer.judged(&lines).reason, Reason::Misplaced("an opening of the first batch"));
}

#[test]
fn every_flipped_bit_is_found() {
    let mut issuer = Issuer::honest();
    issuer.batches.truncate(3);
    issuer.checkpoints = vec![2, 3];
    issuer.anchors.truncate(1);
    issuer.owed = vec![(ESCROW, 100), (EMPLOYEE, 600), (EMPLOYER, 50)];
    for from in [1, 3] {
        let mut file = issuer.signed(&issuer.lines(from)).into_bytes();
        assert!(verify(&file[..], None).is_ok());
        for at in 0..file.len() {
            for bit in 0..8 {
                file[at] ^= 1 << bit;
                assert!(verify(&file[..], None).is_err(), "bit {bit} of byte {at}");
                file[at] ^= 1 << bit;
            }
        }
    }
}
