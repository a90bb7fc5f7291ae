//! The filter of a list of customers, read from the query string.
//!
//! A parameter that is absent or blank is no filter. One that cannot be understood never widens the list: a client
//! that writes to the first match would write to the wrong customer.

use jiff::civil::DateTime;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use zumra_core::{MessageCode, SearchQuery};
use zumra_storage::CustomerFilter;
use zumra_validation::FieldErrors;

use crate::problem::Problem;
use crate::request::{FilterParameter, ListRequest};

/// Reads the filter. Dates without an offset are in the time zone of the shop.
///
/// # Errors
///
/// [`Problem::InvalidFields`] if `date_from` or `date_to` is not a date.
pub(crate) fn read_filter(request: &ListRequest, zone: &TimeZone) -> Result<CustomerFilter, Problem> {
    let [from, to] = ["date_from", "date_to"].map(|name| TimeRange::read(request.filter(name), zone));
    let dates = [("date_from", from.is_err()), ("date_to", to.is_err())];
    let invalid = dates.into_iter().filter(|(_, is_invalid)| *is_invalid);
    FieldErrors::from_codes(invalid.map(|(name, _)| (name, MessageCode::Date)))
        .map_err(Problem::InvalidFields)?;
    let (from, to) = (from.ok().flatten(), to.ok().flatten());
    Ok(CustomerFilter {
        keyword: match request.filter("keyword") {
            FilterParameter::Absent => None,
            FilterParameter::Text(text) => SearchQuery::parse(text),
            FilterParameter::Unreadable => Some(SearchQuery::unsatisfiable()),
        },
        created_from: from.as_ref().map(|range| range.start),
        created_before: to.as_ref().and_then(|range| range.end),
    })
}

/// The value of a parameter is not a date.
#[derive(Debug, PartialEq, Eq)]
struct NotADate;

/// The time that a date parameter covers.
#[derive(Debug, PartialEq, Eq)]
struct TimeRange {
    start: Timestamp,
    /// Exclusive; `None` after the last time that can be represented.
    end: Option<Timestamp>,
}

impl TimeRange {
    /// Reads a parameter. `Ok(None)` if it is absent or blank.
    fn read(parameter: FilterParameter<'_>, zone: &TimeZone) -> Result<Option<Self>, NotADate> {
        match parameter {
            FilterParameter::Absent => Ok(None),
            FilterParameter::Text(text) => Self::parse(text, zone).map(Some).ok_or(NotADate),
            FilterParameter::Unreadable => Err(NotADate),
        }
    }

    /// Parses a day, `2026-11-29`, or a date with time, which covers one second. An offset is optional.
    fn parse(text: &str, zone: &TimeZone) -> Option<Self> {
        // In a query string, a plus sign that is not encoded arrives as a space.
        let with_plus = || text.rsplit_once(' ').map(|(before, offset)| format!("{before}+{offset}"));
        Self::parse_iso(text, zone).or_else(|| Self::parse_iso(&with_plus()?, zone))
    }

    fn parse_iso(text: &str, zone: &TimeZone) -> Option<Self> {
        let pieces = Pieces::parse(text).ok()?;
        if pieces.time_zone_annotation().is_some() {
            return None;
        }
        let zone = pieces.to_numeric_offset().map_or_else(|| zone.clone(), TimeZone::fixed);
        let date = pieces.date();
        if let Some(time) = pieces.time() {
            let start = timestamp(&zone, date.to_datetime(time));
            return Some(Self { start, end: start.checked_add(SignedDuration::from_secs(1)).ok() });
        }
        let end = date.tomorrow().ok().map(|next| timestamp(&zone, next.into()));
        Some(Self { start: timestamp(&zone, date.into()), end })
    }
}

/// Returns the time of a date and time in a zone, or the nearest time that can be represented.
fn timestamp(zone: &TimeZone, at: DateTime) -> Timestamp {
    let nearest = if at.year() > 0 { Timestamp::MAX } else { Timestamp::MIN };
    zone.to_timestamp(at).unwrap_or(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<(String, Option<String>)> {
        let zone = TimeZone::get("Asia/Riyadh").unwrap();
        let range = TimeRange::parse(text, &zone)?;
        Some((range.start.to_string(), range.end.map(|end| end.to_string())))
    }

    #[test]
    fn dates_and_times_are_read_with_and_without_offset() {
        for (text, start, end) in [
            ("2026-11-29", "2026-11-28T21:00:00Z", "2026-11-29T21:00:00Z"),
            ("2026-11-29 10:00:00", "2026-11-29T07:00:00Z", "2026-11-29T07:00:01Z"),
            ("2026-11-29T10:00", "2026-11-29T07:00:00Z", "2026-11-29T07:00:01Z"),
            ("2026-11-29T10:00:00Z", "2026-11-29T10:00:00Z", "2026-11-29T10:00:01Z"),
            ("2026-11-29T10:00:00+05:00", "2026-11-29T05:00:00Z", "2026-11-29T05:00:01Z"),
            ("2026-11-29T10:00:00 05:00", "2026-11-29T05:00:00Z", "2026-11-29T05:00:01Z"),
            ("2026-11-29 10:00:00 0500", "2026-11-29T05:00:00Z", "2026-11-29T05:00:01Z"),
            ("2026-11-29T10:00:00-02:30", "2026-11-29T12:30:00Z", "2026-11-29T12:30:01Z"),
            ("2026-11-29T10:00:00.250Z", "2026-11-29T10:00:00.25Z", "2026-11-29T10:00:01.25Z"),
        ] {
            assert_eq!(parse(text), Some((start.to_owned(), Some(end.to_owned()))), "{text}");
        }
    }

    #[test]
    fn the_last_day_has_no_end() {
        assert_eq!(parse("9999-12-31").map(|(_, end)| end), Some(None));
        assert_eq!(parse("0001-01-01").map(|(start, _)| start).as_deref(), Some("0000-12-31T20:53:08Z"));
    }

    #[test]
    fn other_texts_are_not_dates() {
        for text in [
            "29/11/2026",
            "11-29-2026",
            "2026-13-01",
            "2026-02-30",
            "2026-11",
            "2026",
            "tomorrow",
            "1764374400",
            "2026-11-29T25:00",
            "2026-11-29T10:00:00+99:00",
            "2026-11-29T10:00[Asia/Dubai]",
            "2026-11-29 x",
            "x 05:00",
            "٢٠٢٦-١١-٢٩",
            "2026-11-29T10:00:00+03:00 03:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
