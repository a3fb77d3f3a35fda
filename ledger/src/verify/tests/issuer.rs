//! An issuer of bundles, honest unless told otherwise.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::chart::{BookId, Side};
use crate::seal::liability::{self, Liabilities, Sum};
use crate::seal::note::{Checkpoint, Ending, Signer};
use crate::seal::proof;
use crate::seal::tree::{Edge, Hash, root};
use crate::verify::line::*;
use crate::verify::{Failure, Verified, bytes, verify};

pub(super) const FLOAT: &str = "float:mpesa:600111";
pub(super) const ESCROW: &str = "escrow:ESCROW_000000000";
pub(super) const EMPLOYEE: &str = "employee:00000000-0000-0000-0000-000000000007";
pub(super) const EMPLOYER: &str = "employer:00000000-0000-0000-0000-000000000009";
pub(super) const RAIL: &str = "float:intersend";

pub(super) fn book() -> BookId {
    BookId::parse("kenya:KES").unwrap()
}

pub(super) fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
}

pub(super) fn leg(phase: char, debit: &str, credit: &str, amount: i64) -> Leg {
    (phase, debit.to_owned(), credit.to_owned(), amount)
}

pub(super) fn moved(id: u128, legs: Vec<Leg>) -> Moved {
    Moved {
        no: 0,
        id: Uuid::from_u128(id),
        event: "collection_booked".to_owned(),
        key: String::new(),
        fingerprint: Hex([3; 16]),
        effective_at: None,
        legs,
        hold: None,
        reverses: None,
        external: None,
        link: None,
        metadata: vec![],
        leaf: Hex([0; 32]),
    }
}

/// A journal from which a bundle is made: what the issuer knows, and may falsify before signing.
#[derive(Clone)]
pub(super) struct Issuer {
    pub(super) secret: [u8; 32],
    pub(super) batches: Vec<Vec<Line>>,
    /// After these batches there is a checkpoint.
    pub(super) checkpoints: Vec<u64>,
    /// Where the chain has a root. Kept as they are when the journal is written anew.
    pub(super) anchors: Vec<Anchor>,
    pub(super) owed: Vec<(&'static str, u64)>,
}

impl Issuer {
    /// Seven batches with all there is: a hold, its settlement, a fact, a link, metadata, a limit, a close.
    pub(super) fn honest() -> Self {
        let mut collected =
            moved(1, vec![leg('p', FLOAT, ESCROW, 1000), leg('p', "clearing:mint", "onchain:issued", 1000)]);
        collected.external = Some(["mpesa", "600111", "RKTQDM7W6S"].map(str::to_owned));
        collected.key = "mpesa:600111:RKTQDM7W6S".to_owned();
        collected.effective_at = Some(at(-3));
        let capital = moved(2, vec![leg('p', RAIL, "equity:capital", 5000)]);
        let released = moved(3, vec![leg('p', ESCROW, EMPLOYEE, 900)]);
        let mut excess = moved(4, vec![leg('p', FLOAT, EMPLOYER, 50)]);
        excess.metadata = vec![("job".to_owned(), "41".to_owned())];
        let mut held = moved(5, vec![leg('h', EMPLOYEE, RAIL, 400)]);
        held.hold = Some(("held".to_owned(), Uuid::from_u128(5), Some(at(900))));
        let mut paid = moved(6, vec![leg('s', EMPLOYEE, RAIL, 300), leg('v', EMPLOYEE, RAIL, 100)]);
        paid.hold = Some(("settled".to_owned(), Uuid::from_u128(5), None));
        let linked =
            |id| Moved { link: Some(Uuid::from_u128(7)), ..moved(id, vec![leg('p', EMPLOYER, ESCROW, 10)]) };
        let limit = Limited {
            path: "equity:capital".to_owned(),
            floor: Some(-100),
            velocity: vec![("gross".to_owned(), Side::Debit, "day".to_owned(), 77)],
            leaf: Hex([0; 32]),
        };
        let close = Closed { closed_before: at(0), leaf: Hex([0; 32]) };
        let mut issuer = Self {
            secret: [7; 32],
            batches: vec![
                vec![Line::Transfer(collected), Line::Transfer(capital)],
                vec![Line::Transfer(released), Line::Transfer(excess), Line::Transfer(held)],
                vec![Line::Transfer(paid)],
                vec![Line::Limit(limit)],
                vec![Line::Transfer(linked(7)), Line::Transfer(linked(8))],
                vec![Line::Close(close)],
                vec![Line::Transfer(moved(9, vec![leg('p', EMPLOYER, ESCROW, 1)]))],
            ],
            checkpoints: vec![3, 5, 7],
            anchors: vec![],
            owed: vec![(ESCROW, 121), (EMPLOYEE, 600), (EMPLOYER, 29)],
        };
        let roots = issuer.roots();
        issuer.anchors = [3usize, 7].map(|size| anchor(size, &roots)).to_vec();
        issuer
    }

    pub(super) fn signer(&self) -> Signer {
        Signer::new(&book(), &self.secret).unwrap()
    }

    pub(super) fn note(&self, text: &str) -> Noted {
        Noted { note: self.signer().sign(text) }
    }

    /// Every batch with its hashes, as an honest writer gives them.
    pub(super) fn sealed(&self) -> Vec<(Heading, Vec<Line>)> {
        let (mut next, mut prev, mut paths) = (1u64, [0; 32], HashSet::new());
        let mut sealed = Vec::new();
        for (lines, no) in self.batches.iter().zip(1u64..) {
            let (mut lines, mut leaves, first_posting, mut transfers) = (lines.clone(), vec![], next, 0);
            for line in &mut lines {
                match line {
                    Line::Transfer(moved) => {
                        moved.no = next;
                        moved.leaf = Hex(bytes::transfer(&book(), moved));
                        next += moved.legs.len() as u64;
                        transfers += 1;
                        let touched = moved.legs.iter().flat_map(|(_, debit, credit, _)| [debit, credit]);
                        paths.extend(touched.cloned());
                        leaves.push(moved.leaf.0);
                    }
                    Line::Limit(limited) => {
                        limited.leaf = Hex(bytes::limit(&book(), limited));
                        paths.insert(limited.path.clone());
                        leaves.push(limited.leaf.0);
                    }
                    Line::Close(closed) => {
                        closed.leaf = Hex(bytes::close(&book(), closed));
                        leaves.push(closed.leaf.0);
                    }
                    _ => unreachable!(),
                }
            }
            let mut heading = Heading {
                no,
                first_posting,
                postings: next - first_posting,
                transfers,
                accounts: paths.len() as u64,
                recorded_at: at(no as i64),
                block: Hex(root(&leaves)),
                root: Hex([0; 32]),
            };
            heading.root = Hex(bytes::batch(&book(), &heading, &prev));
            prev = heading.root.0;
            sealed.push((heading, lines));
        }
        sealed
    }

    pub(super) fn roots(&self) -> Vec<Hash> {
        self.sealed().iter().map(|(heading, _)| heading.root.0).collect()
    }

    pub(super) fn checkpoint(&self, size: usize) -> Noted {
        let root = root(&self.roots()[..size]);
        self.note(&Checkpoint { book: book(), size: size as u64, root }.text())
    }

    /// All lines but the last, from a batch on.
    pub(super) fn lines(&self, from: u64) -> Vec<Line> {
        let (sealed, key) = (self.sealed(), self.signer().key().to_string());
        let to = sealed.len() as u64;
        let mut lines = vec![Line::Header(Header { format: FORMAT.to_owned(), book: book(), from, to, key })];
        if from > 1 {
            lines.extend(self.opening(from as usize - 1));
        }
        for (heading, leaves) in sealed {
            let no = heading.no;
            if no < from {
                continue;
            }
            lines.push(Line::Batch(heading));
            lines.extend(leaves);
            if self.checkpoints.contains(&no) {
                lines.push(Line::Checkpoint(self.checkpoint(no as usize)));
            }
            lines.extend(self.anchors.iter().filter(|anchor| anchor.size == no).cloned().map(Line::Anchor));
        }
        lines.extend(self.liabilities(to));
        lines
    }

    pub(super) fn liabilities(&self, batches: u64) -> Vec<Line> {
        let leaf = |(path, sum): &(&str, u64)| liability::leaf(&self.signer().salt(path), path, *sum);
        let mut leaves: Vec<Sum> = self.owed.iter().map(leaf).collect();
        leaves.sort_unstable();
        let root = liability::root(&leaves).unwrap();
        let text = Liabilities { book: book(), leaves: leaves.len() as u64, batches, root }.text();
        let lines = leaves.iter().map(|leaf| Line::Liability(Owed { hash: Hex(leaf.hash), sum: leaf.sum }));
        lines.chain([Line::Liabilities(self.note(&text))]).collect()
    }

    pub(super) fn opening(&self, size: usize) -> Vec<Line> {
        let (sealed, roots) = (self.sealed(), self.roots());
        let (mut edge, mut standing) = (Edge::new(), BTreeMap::<String, [i64; 4]>::new());
        roots[..size].iter().for_each(|root| edge.push(*root));
        for line in sealed[..size].iter().flat_map(|(_, lines)| lines) {
            if let Line::Limit(limited) = line {
                standing.entry(limited.path.clone()).or_default();
            }
            let Line::Transfer(moved) = line else { continue };
            for (phase, debit, credit, amount) in &moved.legs {
                for (path, posted, pending) in [(debit, 0, 2), (credit, 1, 3)] {
                    let totals = standing.entry(path.clone()).or_default();
                    totals[posted] += if "ps".contains(*phase) { *amount } else { 0 };
                    totals[pending] += match phase {
                        'h' => *amount,
                        's' | 'v' => -*amount,
                        _ => 0,
                    };
                }
            }
        }
        let last = &sealed[size - 1].0;
        let hashes = |range: &Range<u64>| Hex(root(&roots[range.start as usize..range.end as usize]));
        let opening = Opening {
            note: self.checkpoint(size).note,
            peaks: edge.peaks().iter().copied().map(Hex).collect(),
            prev: last.root,
            path: proof::inclusion(size as u64 - 1, size as u64).iter().map(hashes).collect(),
            first_posting: last.first_posting + last.postings,
            recorded_at: last.recorded_at,
            closed_before: None,
        };
        let account = |(path, totals)| Line::Account(Standing { path, totals, floor: None });
        [Line::Opening(opening)].into_iter().chain(standing.into_iter().map(account)).collect()
    }

    /// The file, signed.
    pub(super) fn signed(&self, lines: &[Line]) -> String {
        let mut text = String::new();
        for line in lines {
            text += &serde_json::to_string(line).unwrap();
            text.push('\n');
        }
        let ending =
            Ending { book: book(), lines: lines.len() as u64, hash: crate::id::sha256(&[text.as_bytes()]) };
        let end = Line::End(self.note(&ending.text()));
        format!("{text}{}\n", serde_json::to_string(&end).unwrap())
    }

    /// What the verifier says of these lines, signed by the issuer.
    pub(super) fn judged(&self, lines: &[Line]) -> Failure {
        verify(self.signed(lines).as_bytes(), None).unwrap_err()
    }

    /// What the verifier says of the journal written down by the issuer, with all hashes as they should be.
    pub(super) fn told(&self) -> Result<Verified, Failure> {
        verify(self.signed(&self.lines(1)).as_bytes(), None)
    }
}

pub(super) fn anchor(size: usize, roots: &[Hash]) -> Anchor {
    Anchor {
        size: size as u64,
        root: Hex(root(&roots[..size])),
        contract: "CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD2KM".to_owned(),
        tx_hash: "ab".repeat(32),
        ledger: 1234,
        at: at(60) + TimeDelta::microseconds(1),
        envelope: Some("AAAA".to_owned()),
    }
}

/// The place of the nth line of a kind.
pub(super) fn place(lines: &[Line], kind: &str, nth: usize) -> usize {
    let is =
        |line: &&(usize, &Line)| serde_json::to_string(line.1).unwrap().starts_with(&format!("{{\"{kind}\""));
    lines.iter().enumerate().collect::<Vec<_>>().iter().filter(is).nth(nth).unwrap().0
}

pub(super) fn transfer(lines: &mut [Line], nth: usize) -> &mut Moved {
    let place = place(lines, "transfer", nth);
    match &mut lines[place] {
        Line::Transfer(moved) => moved,
        _ => unreachable!(),
    }
}
