//! Dates and times as PHP serializes them to JSON (contract §1.8).

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use utoipa::ToSchema;

/// A local time with the name of its time zone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PhpDate {
    /// Local time, in PHP's form.
    #[schema(example = "2020-04-02 22:43:26.000000", pattern = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}$")]
    date: String,
    /// Always 3: the time zone is given by name.
    timezone_type: u8,
    #[schema(example = "Asia/Riyadh")]
    timezone: String,
}

impl PhpDate {
    /// Returns a point in time as local time in `zone`.
    pub(crate) fn from_timestamp(at: Timestamp, zone: &TimeZone) -> Self {
        Self::from_local(zone.to_datetime(at), zone)
    }

    /// Returns the midnight of a day.
    pub(crate) fn from_day(day: Date, zone: &TimeZone) -> Self {
        Self::from_local(day.to_datetime(jiff::civil::Time::midnight()), zone)
    }

    fn from_local(at: DateTime, zone: &TimeZone) -> Self {
        // Salla stores whole seconds, so the six decimals are always zero.
        let date = at.strftime("%Y-%m-%d %H:%M:%S.000000").to_string();
        Self { date, timezone_type: 3, timezone: zone.iana_name().unwrap_or("UTC").to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_local_and_have_whole_seconds() {
        let zone = TimeZone::get("Asia/Riyadh").unwrap();
        let moment = PhpDate::from_timestamp("2020-04-02T19:43:26.789Z".parse().unwrap(), &zone);
        assert_eq!(moment.date, "2020-04-02 22:43:26.000000");
        let day = PhpDate::from_day("2001-02-02".parse().unwrap(), &zone);
        assert_eq!(day.date, "2001-02-02 00:00:00.000000");
    }
}
