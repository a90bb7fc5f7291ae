//! Moments as PHP writes them into JSON (contract §1.8).

use jiff::civil::{Date, DateTime};
use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;
use utoipa::ToSchema;

/// A local time with six decimals and the zone that it is local to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PhpDate {
    /// `2020-04-02 22:43:26.000000`
    date: String,
    /// Always 3: the zone is given by its name.
    timezone_type: u8,
    /// `Asia/Riyadh`
    timezone: String,
}

impl PhpDate {
    /// A moment, shown in `zone`.
    pub(crate) fn moment(at: Timestamp, zone: &TimeZone) -> Self {
        Self::local(zone.to_datetime(at), zone)
    }

    /// A day: its midnight.
    pub(crate) fn day(day: Date, zone: &TimeZone) -> Self {
        Self::local(day.to_datetime(jiff::civil::Time::midnight()), zone)
    }

    fn local(at: DateTime, zone: &TimeZone) -> Self {
        // Salla keeps whole seconds: the decimals are there, and always zero.
        let date = at.strftime("%Y-%m-%d %H:%M:%S.000000").to_string();
        Self { date, timezone_type: 3, timezone: zone.iana_name().unwrap_or("UTC").to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_local_and_of_whole_seconds() {
        let zone = TimeZone::get("Asia/Riyadh").unwrap();
        let moment = PhpDate::moment("2020-04-02T19:43:26.789Z".parse().unwrap(), &zone);
        assert_eq!(moment.date, "2020-04-02 22:43:26.000000");
        assert_eq!(PhpDate::day("2001-02-02".parse().unwrap(), &zone).date, "2001-02-02 00:00:00.000000");
    }
}
