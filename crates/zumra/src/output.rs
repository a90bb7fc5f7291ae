//! What commands print on standard output: whole texts, tables, times.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write};

use jiff::Timestamp;

/// Prints a text. A reader who has gone away, such as `head`, is no mistake.
pub(crate) fn say(text: impl AsRef<str>) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_ref().as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(anyhow::Error::from(error).context("output"))
        }
        _ => Ok(()),
    }
}

/// Prints a line.
pub(crate) fn say_line(line: impl std::fmt::Display) -> anyhow::Result<()> {
    say(format!("{line}\n"))
}

/// Prints JSON over several lines, for scripts and people alike.
pub(crate) fn say_json(value: &serde_json::Value) -> anyhow::Result<()> {
    say_line(format_args!("{value:#}"))
}

/// Rows below a heading, in columns. The last column is not padded, so texts of any script and length belong there.
pub(crate) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> String {
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

/// A time as tables show it.
pub(crate) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// A time as JSON shows it: to the microsecond, which is how exactly databases keep it.
pub(crate) fn exact(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// A number with its noun: `1 customer`, `12 customers`.
pub(crate) fn count(number: impl TryInto<u64>, noun: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cut_not_rounded() {
        let time = "2026-11-23T07:45:00.630415937Z".parse().unwrap();
        assert_eq!(exact(time), "2026-11-23T07:45:00.630415Z");
    }

    #[test]
    fn columns_line_up_and_lines_do_not_trail() {
        let rows = [["1".to_owned(), "متجر".to_owned()], ["1234".to_owned(), String::new()]];
        assert_eq!(table(["ID", "NAME"], &rows), "ID    NAME\n1     متجر\n1234\n");
    }
}
