//! A statement as ISO 20022 camt.053.001.08, as a bank would send it to who keeps the account with it: what
//! makes the account grow on its normal side is credited there.
//!
//! Invariant: opening, lines and closing add up, as they do in the report they are made from.
//! Absent: names. Parties are ids, and the other account stands in a line's additional information.

use std::io;

use amana_ledger::chart::{Account, Side};
use amana_ledger::money::decimal;
use chrono::{DateTime, Utc};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::stamp;
use crate::reports::{Cell, Report};

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08";

type Xml = Writer<Vec<u8>>;
/// What stands in an element.
type Content<'a> = Box<dyn FnOnce(&mut Xml) -> io::Result<()> + 'a>;

/// The whole document; `None` for a report that is no statement of an account.
pub(super) fn statement(report: &Report, account: &Account, now: DateTime<Utc>) -> Option<String> {
    let total = |key: &str| report.totals.iter().find(|total| total.0 == key).map(|total| total.2);
    let balances =
        [("OPBD", report.when.from, total("opening")?), ("CLBD", report.when.as_of, total("closing")?)];
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 1);
    document(&mut xml, report, account, (balances, now)).ok()?;
    String::from_utf8(xml.into_inner()).ok()
}

type Balance = (&'static str, DateTime<Utc>, i128);

fn document(
    xml: &mut Xml,
    report: &Report,
    account: &Account,
    (balances, now): ([Balance; 2], DateTime<Utc>),
) -> io::Result<()> {
    let path = account.path();
    // An identification has at most 35 letters.
    let name = format!("{}-{}", now.timestamp(), report.when.as_of.timestamp());
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = xml.create_element("Document").with_attribute(("xmlns", NAMESPACE));
    within(root, |xml| {
        group(xml, &["BkToCstmrStmt"], |xml| {
            group(xml, &["GrpHdr"], |xml| {
                text(xml, "MsgId", &name)?;
                text(xml, "CreDtTm", &stamp(now))
            })?;
            group(xml, &["Stmt"], |xml| {
                text(xml, "Id", &name)?;
                text(xml, "CreDtTm", &stamp(now))?;
                group(xml, &["FrToDt"], |xml| {
                    text(xml, "FrDtTm", &stamp(report.when.from))?;
                    text(xml, "ToDtTm", &stamp(report.when.as_of))
                })?;
                group(xml, &["Acct"], |xml| {
                    // The place for an identification that is no IBAN holds 34 letters; a path may be longer.
                    group(xml, &["Id", "Othr"], |xml| text(xml, "Id", &shortened(&path)))?;
                    text(xml, "Ccy", report.asset().code())?;
                    text(xml, "Nm", &path)
                })?;
                for (code, at, minor) in balances {
                    balance(xml, report, (code, at, minor))?;
                }
                report.rows.iter().try_for_each(|row| line(xml, report, account, row))
            })
        })
    })
}

fn balance(xml: &mut Xml, report: &Report, (code, at, minor): Balance) -> io::Result<()> {
    group(xml, &["Bal"], |xml| {
        group(xml, &["Tp", "CdOrPrtry"], |xml| text(xml, "Cd", code))?;
        amount(xml, report, minor)?;
        group(xml, &["Dt"], |xml| text(xml, "DtTm", &stamp(at)))
    })
}

fn line(xml: &mut Xml, report: &Report, account: &Account, row: &[Cell]) -> io::Result<()> {
    let [
        Cell::Count(no),
        Cell::Text(transfer),
        Cell::Text(event),
        Cell::At(happened),
        Cell::At(heard),
        Cell::Text(other),
        debit,
        credit,
        _,
    ] = row
    else {
        return Err(io::Error::other("not a row of a statement"));
    };
    let grows = match account.kind().side() {
        Side::Debit => [debit, credit],
        Side::Credit => [credit, debit],
    };
    let minor = match grows {
        [Cell::Money(minor), _] => *minor,
        [_, Cell::Money(minor)] => -minor,
        _ => 0,
    };
    group(xml, &["Ntry"], |xml| {
        text(xml, "NtryRef", &no.to_string())?;
        amount(xml, report, minor)?;
        group(xml, &["Sts"], |xml| text(xml, "Cd", "BOOK"))?;
        group(xml, &["BookgDt"], |xml| text(xml, "DtTm", &stamp(*heard)))?;
        group(xml, &["ValDt"], |xml| text(xml, "DtTm", &stamp(*happened)))?;
        text(xml, "AcctSvcrRef", &transfer.replace('-', ""))?;
        group(xml, &["BkTxCd", "Prtry"], |xml| text(xml, "Cd", event))?;
        text(xml, "AddtlNtryInf", other)
    })
}

/// An amount, which is never negative, and on which side it is.
fn amount(xml: &mut Xml, report: &Report, minor: i128) -> io::Result<()> {
    let asset = report.asset();
    let size = i64::try_from(minor.abs()).map_err(io::Error::other)?;
    xml.create_element("Amt")
        .with_attribute(("Ccy", asset.code()))
        .write_text_content(BytesText::new(&decimal(asset, size)))?;
    text(xml, "CdtDbtInd", if minor < 0 { "DBIT" } else { "CRDT" })
}

/// The end of a long path names it as well as the whole.
fn shortened(path: &str) -> String {
    path.chars().skip(path.chars().count().saturating_sub(34)).collect()
}

fn text(xml: &mut Xml, name: &str, content: &str) -> io::Result<()> {
    xml.create_element(name).write_text_content(BytesText::new(content)).map(drop)
}

/// Elements one in the other, and what stands in the innermost.
fn group(xml: &mut Xml, names: &[&str], content: impl FnOnce(&mut Xml) -> io::Result<()>) -> io::Result<()> {
    let Some((first, rest)) = names.split_first() else { return content(xml) };
    let inner: Content<'_> = Box::new(content);
    within(xml.create_element(*first), |xml| group(xml, rest, inner))
}

fn within(
    element: quick_xml::writer::ElementWriter<'_, Vec<u8>>,
    content: impl FnOnce(&mut Xml) -> io::Result<()>,
) -> io::Result<()> {
    element.write_inner_content(content).map(drop)
}
