//! Columns for people: aligned by display width, two spaces apart, the last one as it is.

use unicode_width::UnicodeWidthStr;

/// Lines of aligned columns. Cells may hold ANSI styles.
pub fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width_of = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| shown_width(cell))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..n_columns).map(width_of).collect();
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (column, cell) in row.iter().enumerate() {
        line.push_str(cell);
        if column + 1 < row.len() {
            let room = widths.get(column).copied().unwrap_or(0) + 2;
            line.push_str(&" ".repeat(room.saturating_sub(shown_width(cell))));
        }
    }
    line.trim_end().to_owned()
}

fn shown_width(cell: &str) -> usize {
    anstream::adapter::strip_str(cell).to_string().width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_what_is_seen() {
        let rows = [
            vec!["a".to_owned(), crate::ui::style::good("ok"), "x".to_owned()],
            vec!["日本".to_owned(), String::new(), "y".to_owned()],
            vec!["long one".to_owned()],
        ];
        let lines = columns(&rows).join("\n");
        let plain = anstream::adapter::strip_str(&lines).to_string();
        assert_eq!(plain, "a         ok  x\n日本          y\nlong one");
    }
}
