//! The auditor's view: every escrow of a book, what our books say of it, and what the contract says when the
//! auditor asks it.
//!
//! Invariant: our side is read in one snapshot and is the same from the database and from a file. What the
//! chain changed after our books were read is said to be so, and is neither agreement nor difference.
//! Absent: keys, and rights beyond reading.

use std::collections::HashMap;

use amana_adapters::stellar::{Cursor, EscrowState, MOST_KEYS, Observer};
use amana_ledger::balance::{self, Wanted};
use amana_ledger::chart::{Account, BookId};
use amana_ledger::id::EscrowRef;
use amana_ledger::money::decimal;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::breaks::told;
use super::compare::{Difference, Words, state_word};
use super::{proof, store};
use crate::config::Site;
use crate::db::{Db, Tx};
use crate::error::{Fault, Result};
use crate::flows::index::known::Known;
use crate::flows::store::{chain, entries};

/// Lines of an escrow's account that are shown at most: a deposit is one, and so is each way out.
const MOST_LINES: u32 = 1_000;

/// Our side of all escrows of a book.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Books {
    /// The book.
    pub book: BookId,
    /// Which network.
    pub passphrase: String,
    /// The escrow contract.
    pub contract: String,
    /// The token.
    pub token: String,
    /// The contract that keeps the book's checkpoints.
    pub anchor: Option<String>,
    /// The ledger up to which events were heard.
    pub heard_until: u32,
    /// Tokens by the ledger (`onchain:supply`), minor units.
    pub supply: i64,
    /// Tokens by the token's own events.
    pub told: i64,
    /// Every escrow, in order of its reference.
    pub escrows: Vec<Ours>,
}

/// Our side of one escrow. Amounts are minor units.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Ours {
    /// Its reference.
    pub reference: EscrowRef,
    /// The whole amount.
    pub amount: i64,
    /// The product's word for where it stands.
    pub status: String,
    /// What the ledger holds in it.
    pub balance: i64,
    /// What of that the chain has still to mint.
    pub minting: i64,
    /// What its events told.
    pub known: Known,
    /// Its ledger transfers.
    pub transfers: Vec<Posted>,
    /// Its chain transactions.
    pub transactions: Vec<OnChain>,
}

/// A ledger transfer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posted {
    /// Its id.
    pub id: String,
    /// The business event.
    pub event: String,
    /// How much of it concerned the escrow's account, minor units; 0 for one that did not.
    pub amount: i64,
}

/// A chain transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnChain {
    /// Its hash, or `rebuilt:…` where the network forgot it before it was heard.
    pub tx_hash: String,
    /// Its ledger.
    pub ledger: i64,
    /// What it did.
    pub kind: String,
}

/// Reads our side.
///
/// # Errors
/// A fault.
pub async fn read(db: &Db, site: &Site) -> Result<Books> {
    let mut tx = db.snapshot().await?;
    let position = chain::cursor(&mut tx, &site.contract).await?;
    let cursor: Option<Cursor> = position.map(|(at, _)| serde_json::from_value(at)).transpose()?;
    // A ledger whose end was not reached is not heard yet.
    let heard_until = cursor.and_then(|cursor| cursor.ledger()).unwrap_or(0);
    let accounts = proof::accounts(&balance::trial_balance(&mut tx, &site.book).await?.lines);
    let sums = store::sums(&mut tx, &site.contract, i64::MAX).await?;
    let mut escrows = Vec::new();
    let mut after = String::new();
    loop {
        let page = entries::page(&mut tx, &site.book, &after, MOST_KEYS as i64).await?;
        let Some(last) = page.last() else { break };
        after = last.reference.to_string();
        let references: Vec<EscrowRef> = page.into_iter().map(|heard| heard.reference).collect();
        escrows.extend(page_of(&mut tx, &site.book, references).await?);
    }
    let Site { book, passphrase, contract, token, anchor } = site.clone();
    let (supply, told) = (accounts.supply, sums.told);
    Ok(Books { book, passphrase, contract, token, anchor, heard_until, supply, told, escrows })
}

async fn page_of(tx: &mut Tx, book: &BookId, references: Vec<EscrowRef>) -> Result<Vec<Ours>> {
    let names: Vec<String> = references.iter().map(ToString::to_string).collect();
    let told = told(tx, &names, i64::MAX).await?;
    let funding = super::breaks::funding(tx, &names).await?;
    let heads: HashMap<_, _> = entries::heads(tx, &names)
        .await?
        .into_iter()
        .map(|(reference, amount, status)| (reference, (amount, status)))
        .collect();
    let mut trails: HashMap<String, Vec<entries::Trail>> = HashMap::new();
    for step in entries::trail(tx, &names).await? {
        trails.entry(step.escrow.clone()).or_default().push(step);
    }
    let mut escrows = Vec::new();
    for (reference, name) in references.into_iter().zip(names) {
        let known = told.get(&name).cloned().unwrap_or_default();
        let trail = trails.remove(&name).unwrap_or_default();
        let (amount, status) = heads.get(&name).cloned().unwrap_or_default();
        let account = Account::Escrow(reference.clone());
        let wanted = Wanted {
            from: DateTime::<Utc>::UNIX_EPOCH,
            to: DateTime::<Utc>::MAX_UTC,
            newest_first: false,
            beyond: None,
            limit: MOST_LINES,
        };
        let statement = balance::page(tx, book, &account, &wanted).await?;
        let mut transfers: Vec<Posted> = Vec::new();
        for line in &statement.lines {
            let (id, event) = (line.transfer.to_string(), line.event.word().to_string());
            transfers.push(Posted { id, event, amount: line.amount.minor() });
        }
        for step in &trail {
            let id = step.transfer.map(|id| id.to_string());
            if let Some(id) = id.filter(|id| transfers.iter().all(|known| known.id != *id)) {
                transfers.push(Posted { id, event: step.kind.clone(), amount: 0 });
            }
        }
        let on_chain =
            |step: entries::Trail| OnChain { tx_hash: step.tx_hash, ledger: step.ledger, kind: step.kind };
        escrows.push(Ours {
            minting: super::breaks::minting(&funding, &name, &known),
            balance: statement.closing,
            transactions: trail.into_iter().map(on_chain).collect(),
            reference,
            amount,
            status,
            known,
            transfers,
        });
    }
    Ok(escrows)
}

/// Both sides of one escrow.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Its reference.
    pub escrow: String,
    /// The whole amount, in decimals.
    pub amount: String,
    /// Where it stands on the chain.
    pub state: String,
    /// The product's word for where it stands.
    pub status: String,
    /// What the ledger holds in it, in decimals.
    pub ledger: String,
    /// What the chain holds in it, in decimals.
    pub chain: String,
    /// Its ledger transfers.
    pub transfers: Vec<Posted>,
    /// Its chain transactions.
    pub transactions: Vec<OnChain>,
    /// Whether both say the same; null if the chain changed it after our books were read.
    pub agrees: Option<bool>,
    /// What does not agree: the name, our side, the chain's.
    pub differences: Vec<[String; 3]>,
}

/// A contract's code on the chain, and in this binary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Code {
    /// `escrow` or `anchor`.
    pub name: &'static str,
    /// SHA-256 of what the contract on the chain runs, hex; `absent` if there is none.
    pub deployed: String,
    /// SHA-256 of what this binary was built with, hex.
    pub built: String,
    /// Whether they are one.
    pub same: bool,
}

/// What the auditor is told.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The book.
    pub book: BookId,
    /// Its currency.
    pub currency: &'static str,
    /// The escrow contract.
    pub contract: String,
    /// The network.
    pub network: String,
    /// The ledger up to which our books heard the chain.
    pub heard_until: u32,
    /// The chain's newest ledger when it was asked.
    pub newest: u32,
    /// Every escrow.
    pub escrows: Vec<Line>,
    /// How many agree.
    pub agree: usize,
    /// How many differ.
    pub differ: usize,
    /// How many the chain changed after our books were read.
    pub moved: usize,
    /// What all escrows hold together: by the ledger less what is still to be minted, and by the chain.
    pub held: [String; 2],
    /// Tokens: by the ledger, by the token's events, by the contract's counters.
    pub supply: [String; 3],
    /// Whether those three are one; null if the chain changed them after our books were read.
    pub supply_agrees: Option<bool>,
    /// The code that runs.
    pub code: Vec<Code>,
}

impl Report {
    /// Whether nothing differs.
    pub fn is_clean(&self) -> bool {
        self.differ == 0 && self.supply_agrees != Some(false) && self.code.iter().all(|code| code.same)
    }
}

/// Asks the contract about every escrow of our books. `code` is what each contract should run.
///
/// # Errors
/// The chain cannot be asked, or it is another network.
pub async fn compare(books: Books, observer: &Observer, code: &[(&'static str, [u8; 32])]) -> Result<Report> {
    let outside = |fault: amana_adapters::stellar::ChainFault| Fault::Outside(fault.to_string());
    let theirs = observer.passphrase().await.map_err(outside)?;
    if theirs != books.passphrase {
        return Err(Fault::Outside(format!("the network is {theirs:?}, not {:?}", books.passphrase)).into());
    }
    let asset = books.book.asset();
    let money = |minor| decimal(asset, minor);
    let mut lines = Vec::new();
    let (mut by_ledger, mut by_chain) = (0, 0);
    let mut changes = Vec::new();
    for page in books.escrows.chunks(MOST_KEYS) {
        let keys: Vec<_> = page.iter().map(|ours| ours.reference.key()).collect();
        changes.extend(observer.escrows(&keys).await.map_err(outside)?.1);
    }
    for (ours, entry) in books.escrows.into_iter().zip(changes) {
        let key = ours.reference.key();
        let changed = entry.is_some_and(|entry| entry.modified > books.heard_until);
        let (_, shown) = observer.escrow(&key).await.map_err(outside)?;
        let name = ours.reference.to_string();
        let words = Words(asset);
        let of_balance = words.of_balance(&name, ours.balance, (ours.known.held(), ours.minting));
        let mut differences: Vec<Difference> = of_balance.into_iter().collect();
        let of_escrow = words.of_escrow(&name, &ours.known, shown.as_ref());
        let moved = changed && of_escrow.is_some();
        differences.extend(of_escrow.filter(|_| !moved));
        let held = shown.as_ref().map_or(0, |shown| match shown.state {
            EscrowState::Open | EscrowState::Funded => shown.funded,
            _ => 0,
        });
        by_ledger += ours.balance - ours.minting;
        by_chain += held;
        lines.push(Line {
            escrow: name,
            amount: money(ours.amount),
            state: shown.as_ref().map_or("absent", |shown| state_word(shown.state)).into(),
            status: ours.status,
            ledger: money(ours.balance - ours.minting),
            chain: money(held),
            transfers: ours.transfers,
            transactions: ours.transactions,
            agrees: if differences.is_empty() { (!moved).then_some(true) } else { Some(false) },
            differences: differences.into_iter().map(|it| [it.kind.into(), it.ledger, it.chain]).collect(),
        });
    }
    let (newest, totals) = observer.totals().await.map_err(outside)?;
    let equal = books.supply == books.told && books.told == totals.supply();
    let (_, pillars) = observer.pillars().await.map_err(outside)?;
    let instance = pillars.iter().find(|it| it.name == "contract").and_then(|it| it.entry);
    let moved = instance.is_some_and(|entry| entry.modified > books.heard_until);
    let count = |agrees| lines.iter().filter(|line| line.agrees == agrees).count();
    Ok(Report {
        currency: asset.code(),
        contract: books.contract.clone(),
        network: books.passphrase,
        heard_until: books.heard_until,
        newest,
        agree: count(Some(true)),
        differ: count(Some(false)),
        moved: count(None),
        held: [money(by_ledger), money(by_chain)],
        supply: [books.supply, books.told, totals.supply()].map(money),
        supply_agrees: if equal { Some(true) } else { (!moved).then_some(false) },
        code: codes(observer, (books.contract, books.anchor), code).await?,
        book: books.book,
        escrows: lines,
    })
}

async fn codes(
    observer: &Observer,
    (contract, anchor): (String, Option<String>),
    built: &[(&'static str, [u8; 32])],
) -> Result<Vec<Code>> {
    let mut codes = Vec::new();
    for (name, built) in built {
        let Some(contract) = (if *name == "anchor" { anchor.clone() } else { Some(contract.clone()) }) else {
            continue;
        };
        let deployed = observer.code(&contract).await.map_err(|fault| Fault::Outside(fault.to_string()))?;
        codes.push(Code {
            name,
            same: deployed == Some(*built),
            deployed: deployed.map_or("absent".into(), hex::encode),
            built: hex::encode(built),
        });
    }
    Ok(codes)
}
