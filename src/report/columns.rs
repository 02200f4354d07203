//! Rows in columns, for people.

/// Writes rows whose columns are aligned, two spaces apart. Rows may have columns of nothing at their end.
pub(crate) fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|column| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).min(MAX_WIDTH)
    });
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        let cells: Vec<_> = cells.collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The widest column: a cell that is wider moves the rest of its own row alone.
const MAX_WIDTH: usize = 56;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |a: &str, b: &str, c: &str| [a.to_owned(), b.to_owned(), c.to_owned()];
        let rows = [row("a", "bb", ""), row("\u{e9}\u{e9}\u{e9}", "b", "c c"), row("", "", "d")];
        assert_eq!(aligned(&rows), "a    bb\n\u{e9}\u{e9}\u{e9}  b   c c\n         d\n");
        assert_eq!(aligned::<2>(&[]), "");
    }

    #[test]
    fn a_wide_cell_moves_only_its_own_row() {
        let wide = "w".repeat(MAX_WIDTH + 9);
        let text = aligned(&[[wide.clone(), "x".to_owned()], ["a".to_owned(), "x".to_owned()]]);
        let lines: Vec<_> = text.lines().map(str::len).collect();
        assert_eq!(lines, [wide.len() + 3, MAX_WIDTH + 3]);
    }
}
