//! Standard output of commands: text, JSON, tables, times.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};

use jiff::Timestamp;

/// Prints text. A closed pipe, such as that of `head`, is not an error.
pub(crate) fn print(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_ref().as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::from(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}

/// Prints text and a line break.
pub(crate) fn print_line(line: impl std::fmt::Display) -> anyhow::Result<()> {
    print(format!("{line}\n"))
}

/// Writes a line to standard error, where it does not disturb programs that read the output. Failures are ignored.
pub(crate) fn note(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "zumra: {line}");
}

/// Prints indented JSON.
pub(crate) fn print_json(value: &serde_json::Value) -> anyhow::Result<()> {
    print_line(format_args!("{value:#}"))
}

/// Formats rows as aligned columns below a heading. The last column is not padded: put text of any script and length there.
pub(crate) fn format_table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = heading.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in std::iter::once(&heading.map(str::to_owned)).chain(rows) {
        for (i, (cell, width)) in row.iter().zip(widths).enumerate() {
            if i + 1 == N {
                text.push_str(cell);
            } else {
                let _ = write!(text, "{cell:<width$}  "); // writing to a String cannot fail
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Formats a time for tables, to the minute.
pub(crate) fn format_minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Formats a time for JSON, to the microsecond: the precision of the databases.
pub(crate) fn format_micros(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// Formats a number with its noun: `1 customer`, `12 customers`.
pub(crate) fn format_count(number: impl TryInto<u64>, noun: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_truncated_to_microseconds() {
        let time = "2026-11-23T07:45:00.630415937Z".parse().unwrap();
        assert_eq!(format_micros(time), "2026-11-23T07:45:00.630415Z");
    }

    #[test]
    fn columns_are_aligned_without_trailing_spaces() {
        let rows = [["1".to_owned(), "متجر".to_owned()], ["1234".to_owned(), String::new()]];
        assert_eq!(format_table(["ID", "NAME"], &rows), "ID    NAME\n1     متجر\n1234\n");
    }
}
