//! A moment as a statement writes it: day first, year first, Excel's own date, or the bare serial it left
//! behind.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use super::sheet::Cell;
use crate::mpesa::of_nairobi;

const SHAPES: [&str; 8] = [
    "%d-%m-%Y %H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%d/%m/%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%Y-%m-%d %H:%M",
    "%d/%m/%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
];

/// The moment in a cell; statements are written in Nairobi's time.
pub(super) fn moment(cell: &Cell) -> Option<DateTime<Utc>> {
    let at = match cell {
        Cell::Moment(at) => *at,
        Cell::Text(text) => {
            let shaped = SHAPES.iter().find_map(|shape| NaiveDateTime::parse_from_str(text, shape).ok());
            shaped.or_else(|| serial(text))?
        }
    };
    of_nairobi(at)
}

/// Days since the end of 1899, the time of day behind the point; taken digit by digit.
fn serial(text: &str) -> Option<NaiveDateTime> {
    let (days, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| (1..=18).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(days) || !digits(rest) {
        return None;
    }
    let days: i64 = days.parse().ok()?;
    // From 1982 to 2119: anything else is a number, not a day.
    if !(30_000..80_000).contains(&days) {
        return None;
    }
    let whole = 10i128.pow(u32::try_from(rest.len()).ok()?);
    let seconds = (rest.parse::<i128>().ok()? * 86_400 + whole / 2) / whole;
    let midnight = NaiveDate::from_ymd_opt(1899, 12, 30)?.and_hms_opt(0, 0, 0)?;
    Some(midnight + TimeDelta::days(days) + TimeDelta::seconds(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_moment_is_written_in_many_ways() {
        let at = moment(&Cell::Text("20-11-2026 15:00:11".into())).unwrap();
        assert_eq!(at.to_rfc3339(), "2026-11-20T12:00:11+00:00");
        for text in
            ["2026-11-20 15:00:11", "2026-11-20T15:00:11", "20/11/2026 15:00:11", "46346.625127314815"]
        {
            assert_eq!(moment(&Cell::Text(text.into())), Some(at), "{text}");
        }
        for text in ["", "20-13-2026 15:00:11", "1500.00", "46346.x", "99999999999999999999.1"] {
            assert_eq!(moment(&Cell::Text(text.into())), None, "{text}");
        }
    }
}
