//! Statements in all their dresses, and such as were altered.

use proptest::prelude::*;

use super::*;
use crate::mpesa::sim::receipt as minted;

const PAYBILL: &[u8] = include_bytes!("../../../../tests/fixtures/daraja/org_statement_paybill.csv");
const UTILITY: &[u8] = include_bytes!("../../../../tests/fixtures/daraja/org_statement_b2c_utility.csv");
const WORKBOOK: &[u8] = include_bytes!("../../../../tests/fixtures/daraja/org_statement_paybill.xlsx");

fn text() -> String {
    String::from_utf8(PAYBILL.to_vec()).unwrap()
}

#[test]
fn the_portal_s_export_is_read() {
    let statement = read(PAYBILL).unwrap();
    assert_eq!(
        (statement.shortcode.as_deref(), statement.account.as_str()),
        (Some("600111"), "Utility Account")
    );
    let receipts: Vec<_> = statement.rows.iter().map(|row| row.receipt.as_str()).collect();
    assert_eq!(
        receipts,
        ["UKK01FAIL3", "UKK71XQ4ZD", "UKK71XQ5AB", "UKK11LOST2", "UKK41STK9P", "UKK61RV0AA"]
    );
    let [failed, first, .., lost, _, back] = &statement.rows[..] else { panic!("six rows") };
    assert!(!failed.completed && failed.came().is_none());
    assert_eq!((first.kind, first.came().unwrap().decimal().as_str()), (Kind::Collection, "1500.00"));
    assert_eq!((lost.paid_in, lost.typed_ref.as_str()), (25_050, "482"));
    assert_eq!(
        (back.kind, back.linked.as_deref(), back.withdrawn),
        (Kind::Reversal, Some("UKK71XQ5AB"), 150_000)
    );
    assert_eq!(back.left().unwrap().decimal(), "1500.00");
    assert!(matches!(first.party, Payer::Masked(_)));
    assert!(!format!("{statement:?}").contains("254712345126"));
}

#[test]
fn payouts_and_transfers_between_own_accounts_are_told_apart() {
    let rows = read(UTILITY).unwrap().rows;
    assert_eq!([rows[0].kind, rows[1].kind], [Kind::Other, Kind::Payout]);
    assert_eq!((rows[0].paid_in, rows[1].withdrawn), (35_000_000, 120_000));
}

#[test]
fn a_workbook_holds_the_same_rows() {
    let bare = |statement: Statement| {
        statement.rows.into_iter().map(|row| Row { line: 0, ..row }).collect::<Vec<_>>()
    };
    assert_eq!(bare(read(WORKBOOK).unwrap()), bare(read(PAYBILL).unwrap()));
}

#[test]
fn order_dates_signs_and_marks_do_not_matter() {
    let plain = read(PAYBILL).unwrap().rows;
    let bare = |raw: &[u8]| {
        let rows = read(raw).unwrap().rows;
        rows.into_iter().zip(&plain).map(|(row, like)| Row { line: like.line, ..row }).collect::<Vec<_>>()
    };
    let text = text();
    let (head, body) = text.split_at(text.find("UKK61RV0AA").unwrap());
    let oldest_first: Vec<&str> = body.trim_end().lines().rev().collect();
    assert_eq!(bare(format!("{head}{}", oldest_first.join("\r\n")).as_bytes()), plain);
    assert_eq!(bare(text.replace(",-1500.00,", ",1500.00,").as_bytes()), plain);
    assert_eq!(bare(text.replace("20-11-2026", "2026-11-20").as_bytes()), plain);
    assert_eq!(bare(&[b"\xef\xbb\xbf", text.as_bytes()].concat()), plain);
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(bare(&[b"\xff\xfe".to_vec(), wide].concat()), plain);
    assert_eq!(bare(format!("Anything,above\n,,,\n{text}").as_bytes()), plain);
    let older = text.replace("Completion Time", "Date").replace("Transaction Status", "Status");
    assert_eq!(bare(older.replace("Reason Type", "Transaction Type").as_bytes()), plain);
}

#[test]
fn what_does_not_follow_is_refused_with_its_line() {
    let text = text();
    // A row taken out, an amount altered, a balance altered.
    let cut: Vec<&str> = text.lines().filter(|line| !line.starts_with("UKK11LOST2")).collect();
    let balance = "the balance does not follow from the row before it";
    for (raw, line) in [
        (cut.join("\n"), 8),
        (text.replace("Completed,250.50", "Completed,2500.50"), 9),
        (text.replace("45,960.50", "45,960.51"), 8),
    ] {
        assert_eq!(read(raw.as_bytes()), Err(BadStatement { line, reason: balance.into() }));
    }
    for (from, to, reason) in [
        ("\"45,960.50\"", "\"459,60.50\"", "balance: has a comma where no thousands end"),
        ("Completed,250.50", "Completed,250.505", "paidin: is not an amount in shillings and cents"),
        ("20-11-2026 11:02:00,20", "soon,20", "completiontime: is no time"),
        ("UKK11LOST2,", "not a receipt,", "receiptno: is no receipt"),
    ] {
        let bad = read(text.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!((bad.line, bad.reason.as_str()), (9, reason));
    }
    for raw in
        [&b""[..], b"PK\x03\x04 no archive", b"\xd0\xcf\x11\xe0", b"Receipt No.,Details\n", b"a,b\n\"c"]
    {
        assert!(read(raw).is_err());
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(raw in proptest::collection::vec(any::<u8>(), 0..400), lead in 0..4usize) {
        let lead: &[u8] = [&b""[..], b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", PAYBILL][lead];
        let _read = read(&[lead, &raw].concat());
    }

    #[test]
    fn a_spoilt_file_does_not_panic(at in 0..20_000usize, byte in any::<u8>(), which in any::<bool>()) {
        let mut raw = if which { WORKBOOK.to_vec() } else { PAYBILL.to_vec() };
        let at = at % raw.len();
        raw[at] = byte;
        let _read = read(&raw);
    }

    #[test]
    fn any_run_of_rows_is_read_back(
        moves in proptest::collection::vec(-500_000i64..500_000, 1..40),
        down in any::<bool>(),
    ) {
        let mut balance = 1_000_000_000i64;
        let at = chrono::DateTime::from_timestamp(1_795_161_600, 0).unwrap();
        let mut rows = Vec::new();
        for (n, step) in moves.iter().enumerate() {
            balance += step;
            let amount = amana_ledger::money::decimal(Asset::Kes, step.abs());
            let none = String::new();
            let (paid_in, withdrawn) = if *step >= 0 { (amount, none) } else { (none, amount) };
            rows.push(format!("{},20-11-2026 10:00:00,,x,Completed,{paid_in},{withdrawn},{},true,Pay Bill,,,",
                minted(at, u32::try_from(n).unwrap()), amana_ledger::money::decimal(Asset::Kes, balance)));
        }
        if down {
            rows.reverse();
        }
        let head = "Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,\
            Withdrawn,Balance";
        let raw = format!("{head}\n{}\n", rows.join("\n"));
        let read = read(raw.as_bytes()).unwrap().rows;
        prop_assert_eq!(read.len(), moves.len());
        let sum: i64 = read.iter().map(|row| row.paid_in - row.withdrawn).sum();
        prop_assert_eq!(sum, moves.iter().sum::<i64>());
    }
}
