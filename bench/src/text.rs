//! Text for terminals: aligned tables and the names of measured systems.

use std::fmt::Write;

/// Formats a Markdown table whose columns are aligned in a terminal too. The first row is the header.
pub(crate) fn aligned_table(rows: &[Vec<String>]) -> String {
    let column_width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(column_width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(text, "| {cell:width$} ");
        }
        text += "|\n";
        if index == 0 {
            for width in &widths {
                let _ = write!(text, "|{}", "-".repeat(width + 2));
            }
            text += "|\n";
        }
    }
    text
}

/// Returns the name of a system, followed by its number of processes if it has several: `zumra × 3`.
pub(crate) fn system_label(system: &str, processes: usize) -> String {
    if processes == 1 { system.to_owned() } else { format!("{system} × {processes}") }
}

/// Returns a row of a table.
pub(crate) fn text_row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_columns_are_aligned() {
        let table = aligned_table(&[text_row(["a", "b"]), text_row(["10", "µs"])]);
        assert_eq!(table, "| a  | b  |\n|----|----|\n| 10 | µs |\n");
    }
}
