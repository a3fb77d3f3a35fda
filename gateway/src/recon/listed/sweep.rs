//! Pulls the rail's lists of payments when that is due: every quarter of an hour what the last two hours
//! brought, every night all that the rail still lists.
//!
//! Invariant: a page is stored raw before it is read. Of several processes one sweeps. A sweep that breaks
//! off is made up for by the next: its window is eight times as long as the pause.

use amana_adapters::mpesa::daraja::{Daraja, read_pulled};
use amana_adapters::port::Outcome;
use chrono::{DateTime, FixedOffset, NaiveTime, TimeDelta, Utc};
use serde_json::json;

use super::store;
use crate::app::App;
use crate::error::Result;
use crate::flows::collection::rail;
use crate::inbox;

/// Minutes from one sweep to the next, and how far one reaches back.
const EVERY_MIN: i64 = 15;
const BACK_MIN: i64 = 120;
/// How far the rail's lists reach back at all, hours; the nightly sweep asks for all of it.
const REACH_H: i64 = 48;
/// When the night's sweep is due, hours of Nairobi's day: after the day is over, before anybody works.
const NIGHT_H: u32 = 2;
/// Nairobi is three hours ahead of UTC all year.
const NAIROBI_S: i32 = 3 * 60 * 60;
/// Pages of one sweep, at most; a rail that never ends its list is not followed for ever.
const MOST_PAGES: usize = 2_000;

/// Sweeps if a sweep is due. `false`: there is never more to do at once.
///
/// # Errors
/// A fault; the next one is due at its time.
pub async fn if_due(app: &App) -> Result<bool> {
    let Some(daraja) = &app.daraja else { return Ok(false) };
    let now = app.clock.now();
    if begins(app, "night", last_night(now)).await? {
        // A minute less, as the rail counts from when it hears us.
        pull(app, daraja, (now - TimeDelta::hours(REACH_H) + TimeDelta::minutes(1), now)).await?;
    }
    if begins(app, "day", now - TimeDelta::minutes(EVERY_MIN)).await? {
        pull(app, daraja, (now - TimeDelta::minutes(BACK_MIN), now)).await?;
    }
    Ok(false)
}

async fn begins(app: &App, kind: &str, before: DateTime<Utc>) -> Result<bool> {
    let mut tx = app.db.begin().await?;
    let shortcode = app.config.mpesa.shortcode.as_str();
    let begun = store::begin(&mut tx, (kind, shortcode), (app.clock.now(), before)).await?;
    tx.commit().await?;
    Ok(begun)
}

/// The last moment at which a night's sweep was due; one that began before it has to be made again.
fn last_night(now: DateTime<Utc>) -> DateTime<Utc> {
    let Some(zone) = FixedOffset::east_opt(NAIROBI_S) else { return now };
    let local = now.with_timezone(&zone).naive_local();
    let due = NaiveTime::from_hms_opt(NIGHT_H, 0, 0).unwrap_or_default();
    let day = if local.time() >= due { local.date() } else { local.date() - TimeDelta::days(1) };
    day.and_time(due).and_local_timezone(zone).single().map_or(now, |at| at.to_utc())
}

/// Pulls all pages of a window; how many rows they had.
async fn pull(app: &App, daraja: &Daraja, window: (DateTime<Utc>, DateTime<Utc>)) -> Result<usize> {
    let mut rows = 0;
    for _ in 0..MOST_PAGES {
        let page = rail::under_token(app, daraja, |token| {
            Box::pin(async move { daraja.pull(&token, window, rows).await })
        })
        .await?;
        let raw = match page {
            Outcome::Done(raw) => raw,
            Outcome::Refused { code, reason } => {
                tracing::error!(code, reason, "a list is refused");
                return Ok(rows);
            }
            Outcome::NotSent { why } | Outcome::Unknown { why } => {
                tracing::warn!(why, "a list was not pulled");
                return Ok(rows);
            }
        };
        let read = read_pulled(&raw).map(|pulled| pulled.rows.len());
        if !matches!(read, Ok(0)) {
            inbox::hear(app, inbox::PULL, "daraja", json!({}), &raw).await?;
        }
        match read {
            Ok(many) if many > 0 => rows += many,
            _ => return Ok(rows),
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;

    #[test]
    fn a_night_is_nairobi_s() {
        let at = |hour, minute| Utc.with_ymd_and_hms(2026, 11, 20, hour, minute, 0).unwrap();
        assert_eq!(last_night(at(23, 0)), at(23, 0), "two in the morning of the next day there");
        assert_eq!(last_night(at(22, 59)), Utc.with_ymd_and_hms(2026, 11, 19, 23, 0, 0).unwrap());
    }
}
