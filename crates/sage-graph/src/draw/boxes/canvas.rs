//! The characters of a drawing.

use std::collections::BTreeMap;

use super::text;

const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;
const UP_DOWN: u8 = UP | DOWN;
const SIDEWAYS: u8 = LEFT | RIGHT;

/// A grid that grows downwards and to the right.
#[derive(Default)]
pub(super) struct Canvas {
    rows: Vec<Vec<Cell>>,
}

/// One column of one line.
#[derive(Clone, Default)]
enum Cell {
    #[default]
    Blank,
    /// A character, with any marks that combine with it.
    Text(String),
    /// The right half of a wide character.
    Covered,
    /// Part of a line between boxes: the sides it goes to. Where two cross, the vertical one.
    Wire(u8),
}

impl Canvas {
    fn cell(&mut self, x: usize, y: usize) -> &mut Cell {
        if self.rows.len() <= y {
            self.rows.resize_with(y + 1, Vec::new);
        }
        let row = &mut self.rows[y];
        if row.len() <= x {
            row.resize(x + 1, Cell::Blank);
        }
        &mut row[x]
    }

    fn put(&mut self, x: usize, y: usize, c: char) {
        *self.cell(x, y) = Cell::Text(c.to_string());
    }

    /// A box with its lines of text, each at most `width` less the frame wide.
    pub(super) fn frame(
        &mut self,
        left: usize,
        top: usize,
        width: usize,
        height: usize,
        lines: &[String],
    ) {
        let (right, bottom) = (left + width - 1, top + height - 1);
        for x in left + 1..right {
            self.put(x, top, '─');
            self.put(x, bottom, '─');
        }
        for y in top + 1..bottom {
            self.put(left, y, '│');
            self.put(right, y, '│');
        }
        for (x, y, corner) in
            [(left, top, '┌'), (right, top, '┐'), (left, bottom, '└'), (right, bottom, '┘')]
        {
            self.put(x, y, corner);
        }
        for (idx, line) in lines.iter().enumerate() {
            self.text(left + 2, top + 1 + idx, line);
        }
    }

    fn text(&mut self, left: usize, y: usize, line: &str) {
        let mut x = left;
        for c in line.chars() {
            match text::char_width(c) {
                0 if x == left => {}
                0 => {
                    let before =
                        (left..x).rev().find(|&x| !matches!(self.cell(x, y), Cell::Covered));
                    if let Some(Cell::Text(text)) = before.map(|x| self.cell(x, y)) {
                        text.push(c);
                    }
                }
                width => {
                    self.put(x, y, c);
                    for covered in x + 1..x + width {
                        *self.cell(covered, y) = Cell::Covered;
                    }
                    x += width;
                }
            }
        }
    }

    /// A line that passes a row of boxes.
    pub(super) fn vertical_line(&mut self, x: usize, top: usize, height: usize) {
        for y in top..top + height {
            *self.cell(x, y) = Cell::Wire(UP_DOWN);
        }
    }

    /// The place in a box's lower edge where a line begins.
    pub(super) fn leave(&mut self, x: usize, y: usize) {
        self.put(x, y, '┬');
    }

    /// The end of a line above a box.
    pub(super) fn arrow(&mut self, x: usize, y: usize) {
        self.put(x, y, '▼');
    }

    /// A line that comes down at `from`, runs sideways on a level, and goes down at `to`.
    pub(super) fn wire(
        &mut self,
        (top, height): (usize, usize),
        level: usize,
        from: &[usize],
        to: &[usize],
    ) {
        let across = top + level;
        let mut sides = BTreeMap::<(usize, usize), u8>::new();
        let mut join = |x: usize, y: usize, new: u8| *sides.entry((x, y)).or_default() |= new;
        for &x in from {
            (top..across).for_each(|y| join(x, y, UP | DOWN));
            join(x, across, UP);
        }
        for &x in to {
            join(x, across, DOWN);
            (across + 1..top + height).for_each(|y| join(x, y, UP | DOWN));
        }
        let xs = || from.iter().chain(to).copied();
        let (Some(left), Some(right)) = (xs().min(), xs().max()) else { return };
        for x in left..right {
            join(x, across, RIGHT);
            join(x + 1, across, LEFT);
        }
        for ((x, y), new) in sides {
            let cell = self.cell(x, y);
            *cell = match cell {
                Cell::Wire(old) => {
                    // Columns and levels are chosen so that lines meet at right angles only.
                    debug_assert!(matches!((*old, new), (UP_DOWN, SIDEWAYS) | (SIDEWAYS, UP_DOWN)));
                    Cell::Wire(UP_DOWN)
                }
                _ => Cell::Wire(new),
            };
        }
    }

    pub(super) fn into_text(self) -> String {
        let mut out = String::new();
        for row in self.rows {
            let start = out.len();
            for cell in row {
                match cell {
                    Cell::Blank => out.push(' '),
                    Cell::Text(text) => out.push_str(&text),
                    Cell::Covered => {}
                    Cell::Wire(sides) => out.push(glyph(sides)),
                }
            }
            out.truncate(start + out[start..].trim_end().len());
            out.push('\n');
        }
        out
    }
}

fn glyph(sides: u8) -> char {
    match (sides & UP_DOWN, sides & LEFT != 0, sides & RIGHT != 0) {
        (UP, true, false) => '╯',
        (UP, false, true) => '╰',
        (UP, true, true) => '┴',
        (DOWN, true, false) => '╮',
        (DOWN, false, true) => '╭',
        (DOWN, true, true) => '┬',
        (UP_DOWN, true, false) => '┤',
        (UP_DOWN, false, true) => '├',
        (UP_DOWN, true, true) => '┼',
        (0, _, _) => '─',
        _ => '│',
    }
}
