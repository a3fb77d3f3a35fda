//! Tells the story of one escrow as the API knows it: the steps, the accounts, the trial balance, the proof.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::api::{Api, DemoError, list, text};
use super::show::{Movement, TAccount, t_account, table};

/// The whole story as text.
///
/// # Errors
/// The API cannot be read, the books do not balance, or the sides do not agree.
pub(super) async fn story(auditor: &Api, reference: &str) -> Result<String, DemoError> {
    let trace = auditor.get(&format!("/v1/escrows/{reference}/trace")).await?;
    let trial = auditor.get("/v1/ledger/trial-balance").await?;
    let proof = auditor.get("/v1/proof").await?;
    let mut out = String::new();
    let _ = writeln!(out, "\nThe story of {reference}\n");
    out.push_str(&steps(&trace)?);
    let _ = writeln!(out, "\nThe accounts (KES)\n");
    for account in list(&trial, "/accounts")? {
        out.push_str(&drawn(auditor, account).await?);
        out.push('\n');
    }
    let _ = writeln!(out, "Trial balance (KES)\n");
    out.push_str(&trial_balance(&trial)?);
    let _ = writeln!(out, "\nFloat, ledger and chain (KES)\n");
    out.push_str(&proven(&proof)?);
    if trial["balanced"] != true {
        return Err(DemoError(format!("{out}\nthe trial balance does not balance")));
    }
    if proof["agrees"] != true || trace["sides"]["agrees"] != true {
        return Err(DemoError(format!(
            "{out}\nfloat, ledger and chain do not agree: {}",
            proof["differences"]
        )));
    }
    let supply = list(&proof, "/lines")?.last().map(|line| line["amount"].clone()).unwrap_or_default();
    let supply = supply.as_str().unwrap_or_default().to_owned();
    let _ = writeln!(
        out,
        "\n  Float, ledger and on-chain supply agree to the cent: KES {supply} owed in tokens."
    );
    Ok(out)
}

/// The proof in one line, while money lies in escrow.
pub(super) fn in_between(proof: &Value) -> Result<String, DemoError> {
    let lines = list(proof, "/lines")?;
    let amount = |term: &str| {
        let line =
            lines.iter().find(|line| line["term"].as_str().is_some_and(|found| found.starts_with(term)));
        line.and_then(|line| line["amount"].as_str()).unwrap_or("?")
    };
    if proof["agrees"] != true {
        return Err(DemoError(format!("float, ledger and chain do not agree: {}", proof["differences"])));
    }
    let (float, own) = (amount("float on the rails"), amount("the platform's own cash"));
    let (owed, exist) = (amount("owed in tokens"), amount("tokens on chain"));
    Ok(format!("float {float} less our own {own} is {owed} owed in tokens; on chain are {exist}"))
}

/// The newest anchor in one line.
pub(super) fn anchored(anchors: &Value) -> Result<String, DemoError> {
    let newest = &anchors["data"][0];
    let (size, hash) = (&newest["size"], short(text(newest, "/tx_hash")?));
    let (contract, root) = (short(text(newest, "/contract")?), short(text(newest, "/root")?));
    Ok(format!("the books' checkpoint is on chain: size {size}, root {root}, in {contract}, by {hash}"))
}

fn steps(trace: &Value) -> Result<String, DemoError> {
    let mut rows = Vec::new();
    for step in list(trace, "/steps")? {
        let at = text(step, "/at")?.get(11..19).unwrap_or_default().to_owned();
        let what = text(step, "/step")?.to_owned();
        let proof = [("transfer", "transfer"), ("tx_hash", "chain"), ("receipt", "receipt")];
        let proof = proof.iter().filter_map(|(field, name)| Some((name, step[*field].as_str()?)));
        let proof: Vec<String> = proof.map(|(name, value)| format!("{name} {}", short(value))).collect();
        rows.push(vec![at, what, proof.join("  ")]);
    }
    let widths = rows.iter().map(|row| row[1].chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for row in rows {
        let _ = writeln!(out, "  {}  {:<widths$}  {}", row[0], row[1], row[2]);
    }
    Ok(out.lines().map(|line| format!("{}\n", line.trim_end())).collect())
}

/// Ids are recognised by both ends; receipts are shown whole.
fn short(id: &str) -> String {
    match (id.get(..8), id.len() > 16, id.get(id.len().saturating_sub(4)..)) {
        (Some(head), true, Some(tail)) => format!("{head}…{tail}"),
        _ => id.to_owned(),
    }
}

async fn drawn(auditor: &Api, account: &Value) -> Result<String, DemoError> {
    let path = text(account, "/account")?;
    let statement = auditor.get(&format!("/v1/ledger/accounts/{path}/statement")).await?;
    // A settled hold is one movement; the hold itself moves nothing.
    let lines =
        list(&statement, "/lines")?.iter().filter(|line| line["phase"] != "hold" && line["phase"] != "void");
    let mut movements = Vec::new();
    for line in lines {
        let (what, amount) = (text(line, "/event")?.replace('_', " "), text(line, "/amount")?.to_owned());
        let debit = line["side"] == "debit";
        let (debit, credit) = if debit { (Some(amount), None) } else { (None, Some(amount)) };
        movements.push(Movement { what, debit, credit });
    }
    let side = if account["side"] == "debit" { "Dr" } else { "Cr" };
    let balance = format!("{} {side}", text(account, "/balance")?);
    Ok(t_account(&TAccount { path: named(path), movements, balance }))
}

/// Parties are shown by the head of their id: the story needs no more.
fn named(path: &str) -> String {
    match path.split_once(':') {
        Some((kind @ ("employer" | "employee"), id)) => format!("{kind}:{}…", id.get(..8).unwrap_or(id)),
        _ => path.to_owned(),
    }
}

fn trial_balance(trial: &Value) -> Result<String, DemoError> {
    let mut rows = BTreeMap::new();
    for account in list(trial, "/accounts")? {
        let (path, balance) = (text(account, "/account")?, text(account, "/balance")?.to_owned());
        let (debit, credit) = match account["side"] == "debit" {
            true => (balance, String::new()),
            false => (String::new(), balance),
        };
        rows.insert(path.to_owned(), vec![named(path), debit, credit]);
    }
    let mut rows: Vec<Vec<String>> = rows.into_values().collect();
    rows.push(vec!["total".into(), text(trial, "/debits")?.into(), text(trial, "/credits")?.into()]);
    Ok(table(&["account", "debit", "credit"], &rows))
}

fn proven(proof: &Value) -> Result<String, DemoError> {
    let mut rows = Vec::new();
    for line in list(proof, "/lines")? {
        let term = format!("{} {}", text(line, "/sign")?, text(line, "/term")?);
        rows.push(vec![term, text(line, "/amount")?.to_owned()]);
    }
    Ok(table(&["term", "amount"], &rows))
}
