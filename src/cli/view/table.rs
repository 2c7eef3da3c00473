//! Tables without lines.

use std::io::{self, Write};

use anstyle::Style;
use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ColumnConstraint, Table, Width};

use super::paint::DIM;
use super::prose::Page;
use super::short;

/// Columns between one and the next.
const GAP: u16 = 2;

/// A column of a fixed width.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// In columns of a terminal.
    pub width: usize,
    /// Numbers stand at the right.
    pub right: bool,
}

/// One row in columns of fixed width; cells wrap, and may have lines of their own.
pub fn row(columns: &[Column], cells: &[String]) -> Vec<String> {
    let mut table = empty();
    table.add_row(cells.iter().zip(columns).map(|(text, column)| aligned(text, column.right)));
    for (at, column) in columns.iter().enumerate() {
        let padding = if at + 1 == columns.len() { 0 } else { GAP };
        if let Some(made) = table.column_mut(at) {
            made.set_padding((0, padding));
            made.set_constraint(ColumnConstraint::Absolute(Width::Fixed(narrow(column.width) + padding)));
        }
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Writes rows under a header, columns as wide as they need to be.
pub fn write<const N: usize>(
    out: &mut impl Write,
    page: Page,
    header: [&str; N],
    rows: &[[String; N]],
) -> io::Result<()> {
    let mut table = empty();
    table.set_header(header);
    for cells in rows {
        table.add_row(cells);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    for (at, line) in table.lines().enumerate() {
        let style = if at == 0 { DIM } else { Style::new() };
        writeln!(out, "{:indent$}{}", "", page.paint.text(style, line.trim_end()), indent = page.indent)?;
    }
    Ok(())
}

/// Do rows fit into that width without breaking a cell?
pub fn fits<const N: usize>(width: usize, rows: &[[String; N]]) -> bool {
    let cell = |text: &String| text.lines().map(short::width).max().unwrap_or_default();
    let column = |at: usize| rows.iter().filter_map(|row| row.get(at).map(cell)).max().unwrap_or_default();
    (0..N).map(column).sum::<usize>() + usize::from(GAP) * N.saturating_sub(1) <= width
}

fn empty() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

fn aligned(text: &str, right: bool) -> Cell {
    Cell::new(text).set_alignment(if right { CellAlignment::Right } else { CellAlignment::Left })
}

fn narrow(width: usize) -> u16 {
    u16::try_from(width).unwrap_or(u16::MAX)
}
