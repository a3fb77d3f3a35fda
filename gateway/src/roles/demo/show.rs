//! What the demo prints: steps, T-accounts, a trial balance, the proof. Plain text, as wide as a terminal.
//!
//! Invariant: every figure printed was read from the API; nothing is computed here but the width of a column.

use std::fmt::Write;

/// One movement of a T-account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Movement {
    /// What happened.
    pub(super) what: String,
    /// Debited, if it was a debit.
    pub(super) debit: Option<String>,
    /// Credited, if it was a credit.
    pub(super) credit: Option<String>,
}

/// One account drawn as a T.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TAccount {
    /// Its path.
    pub(super) path: String,
    /// Its movements in order.
    pub(super) movements: Vec<Movement>,
    /// Its balance with the side it stands on, already in words: `50000.00 Cr`.
    pub(super) balance: String,
}

const HALF: usize = 44;

/// Draws a T: debits on the left, credits on the right, the balance beneath.
pub(super) fn t_account(account: &TAccount) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "  {}", account.path);
    let _ = writeln!(out, "  {}┬{}", "─".repeat(HALF), "─".repeat(HALF));
    let side = |wanted: fn(&Movement) -> &Option<String>| -> Vec<String> {
        let of = account.movements.iter().filter_map(|movement| Some((movement, wanted(movement).as_ref()?)));
        of.map(|(movement, amount)| cell(&movement.what, amount)).collect()
    };
    let (left, right) = (side(|movement| &movement.debit), side(|movement| &movement.credit));
    for row in 0..left.len().max(right.len()) {
        let blank = " ".repeat(HALF);
        let (debit, credit) = (left.get(row).unwrap_or(&blank), right.get(row).unwrap_or(&blank));
        let _ = writeln!(out, "  {debit}│{}", credit.trim_end());
    }
    let _ = writeln!(out, "  {:>width$}", format!("balance {}", account.balance), width = 2 * HALF + 1);
    out
}

fn cell(what: &str, amount: &str) -> String {
    let room = HALF - 2 - amount.chars().count() - 1;
    let mut text: String = what.chars().take(room).collect();
    let gap = HALF - 2 - text.chars().count() - amount.chars().count();
    text.push_str(&" ".repeat(gap));
    format!(" {text}{amount} ")
}

/// Draws a table: the first column to the left, the others to the right.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let columns = head.len();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    let line = |out: &mut String, cells: Vec<&str>| {
        let mut text = String::from("  ");
        for (column, cell) in cells.iter().enumerate() {
            let pad = " ".repeat(widths[column] - cell.chars().count());
            match column {
                0 => text.push_str(&format!("{cell}{pad}")),
                _ => text.push_str(&format!("   {pad}{cell}")),
            }
        }
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line(&mut out, head.to_vec());
    let rule: usize = widths.iter().sum::<usize>() + 3 * (columns.saturating_sub(1));
    let _ = writeln!(out, "  {}", "─".repeat(rule));
    for row in rows {
        line(&mut out, row.iter().map(String::as_str).collect());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_t_has_two_sides_and_a_balance() {
        let account = TAccount {
            path: "escrow:ESCROW_ABC123XYZ".into(),
            movements: vec![
                Movement { what: "deposit".into(), debit: None, credit: Some("50000.00".into()) },
                Movement { what: "release".into(), debit: Some("50000.00".into()), credit: None },
            ],
            balance: "0.00".into(),
        };
        let drawn = t_account(&account);
        let row = drawn.lines().nth(2).unwrap();
        assert!(row.contains("release") && row.contains("deposit") && row.contains('│'), "{drawn}");
        assert!(drawn.lines().last().unwrap().ends_with("balance 0.00"), "{drawn}");
    }

    #[test]
    fn a_long_text_is_cut_and_the_amount_stays() {
        let cell = cell(&"x".repeat(200), "12345678.90");
        assert_eq!(cell.chars().count(), HALF);
        assert!(cell.ends_with("12345678.90 "));
    }

    #[test]
    fn columns_line_up() {
        let drawn = table(
            &["account", "debit"],
            &[vec!["a".into(), "1.00".into()], vec!["bb".into(), "10.00".into()]],
        );
        let ends: Vec<usize> = drawn.lines().skip(2).map(|line| line.chars().count()).collect();
        assert_eq!(ends[0], ends[1], "{drawn}");
    }
}
