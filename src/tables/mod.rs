//! A small table of results, written as Markdown, CSV, LaTeX and HTML. What is missing is `-` (CSV: empty), never 0.
//!
//! May use: `ecg`, `error`, `explain`, `run`, `stats`.

pub mod by_database;
pub mod collect;
pub(crate) mod contents;
pub mod latex;
pub(crate) mod methods;
mod render;

use crate::error::{Error, Result};

pub use render::escape_html;

/// Most decimals that mean anything for an f64.
const MOST_DECIMALS: usize = 17;

/// Rows of results under named columns.
///
/// ```
/// use exgnet::tables::{Best, Cell, Column, Table};
/// let columns = vec![Column::new("F1", 1).unit("%").best(Best::Largest), Column::new("p", 3)];
/// let mut table = Table::new("Guidance", "method", columns);
/// table.push("plain", vec![Cell::MeanSd { mean: 95.52, sd: 0.61 }, Cell::Missing])?;
/// table.push("guided", vec![Cell::MeanSd { mean: 96.04, sd: 0.58 }, Cell::PValue(0.0625)])?;
/// assert!(table.markdown().contains("| **96.0 ± 0.6** | 0.062 |"));
/// assert!(table.csv().contains("guided,96.04,0.58,0.0625"));
/// # Ok::<(), exgnet::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    title: String,
    labels: String,
    columns: Vec<Column>,
    rows: Vec<Row>,
    /// Notes, and the columns that they are on; none: the table.
    notes: Vec<(Vec<String>, String)>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    label: String,
    cells: Vec<Cell>,
    baseline: bool,
}

/// A column: its head, and how its numbers are printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Head over several columns.
    group: String,
    name: String,
    unit: String,
    decimals: usize,
    best: Option<Best>,
}

/// Which number of a column is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Best {
    /// The largest, as of F1.
    Largest,
    /// The smallest, as of an error.
    Smallest,
}

/// What stands in a cell. Numbers that are not finite are missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Not computed, not applicable.
    Missing,
    /// A number.
    Value(f64),
    /// Mean and standard deviation.
    MeanSd {
        /// Mean.
        mean: f64,
        /// Standard deviation; not finite where there is none, as over one fold: then the mean stands alone.
        sd: f64,
    },
    /// A number and its interval, as [`Bootstrap`](crate::stats::Bootstrap) has them.
    Interval {
        /// The number.
        value: f64,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// A p-value: `<0.001` where it would print as less than one unit of the last decimal. Never the best of a column.
    PValue(f64),
    /// Words; empty ones are missing.
    Text(String),
}

impl Column {
    /// A column of numbers with `decimals` (at most 17), without a unit and without a best value.
    pub fn new(name: impl Into<String>, decimals: usize) -> Self {
        let decimals = decimals.min(MOST_DECIMALS);
        Self { group: String::new(), name: name.into(), unit: String::new(), decimals, best: None }
    }

    /// What it has in common with the columns beside it: a head over all of them in LaTeX, before the name elsewhere.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = group.into();
        self
    }

    /// The unit, printed in parentheses behind the name. Numbers are printed as they are: percentages come in per cent.
    #[must_use]
    pub fn unit(mut self, unit: impl Into<String>) -> Self {
        self.unit = unit.into();
        self
    }

    /// Prints the best number bold in Markdown and LaTeX, with all that print the same as it; none of them where there
    /// is nothing that it could be better than. Baselines do not compete.
    #[must_use]
    pub fn best(mut self, best: Best) -> Self {
        self.best = Some(best);
        self
    }

    /// Group, name with a suffix, and unit.
    fn head(&self, suffix: &str) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!("{}, ", self.group) };
        let unit = self.in_parentheses();
        format!("{group}{}{suffix}{}{unit}", self.name, if unit.is_empty() { "" } else { " " })
    }

    fn in_parentheses(&self) -> String {
        if self.unit.is_empty() { String::new() } else { format!("({})", self.unit) }
    }

    /// The printed number, without a minus sign before nothing but zeros.
    fn number(&self, value: f64) -> Option<String> {
        let text = value.is_finite().then(|| format!("{value:.*}", self.decimals))?;
        let zero = !text.contains(|c: char| ('1'..='9').contains(&c));
        Some(if zero { text.trim_start_matches('-').to_string() } else { text })
    }
}

impl Cell {
    /// The number that stands for the cell.
    fn centre(&self) -> Option<f64> {
        let value = match *self {
            Self::Value(v) | Self::PValue(v) => v,
            Self::MeanSd { mean, .. } => mean,
            Self::Interval { value, .. } => value,
            Self::Missing | Self::Text(_) => return None,
        };
        value.is_finite().then_some(value)
    }
}

impl Table {
    /// A table without rows; `labels` is the head of the column of row labels.
    pub fn new(title: impl Into<String>, labels: impl Into<String>, columns: Vec<Column>) -> Self {
        Self { title: title.into(), labels: labels.into(), columns, rows: Vec::new(), notes: Vec::new() }
    }

    /// Adds a row, which has a cell for every column.
    pub fn push(&mut self, label: impl Into<String>, cells: Vec<Cell>) -> Result<()> {
        self.push_row(label, cells, false)
    }

    /// [`Table::push`]; a `baseline` is what the others are compared with: never bold, and below a rule in LaTeX.
    pub fn push_row(&mut self, label: impl Into<String>, cells: Vec<Cell>, baseline: bool) -> Result<()> {
        let label = label.into();
        if cells.len() != self.columns.len() {
            let what = format!("row {label:?}: found {} cells, expected {}", cells.len(), self.columns.len());
            let hint = "give a cell for every column, Cell::Missing where there is nothing";
            return Err(Error::data(format!("table {:?}", self.title), what, hint));
        }
        self.rows.push(Row { label, cells, baseline });
        Ok(())
    }

    /// Rows so far.
    pub fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Adds a note, a paragraph below the table (not in CSV).
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push((Vec::new(), note.into()));
    }

    /// Adds a sentence on columns, printed where the table has one of them. Those of one table are one paragraph, the last.
    pub fn note_on(&mut self, columns: &[&str], note: impl Into<String>) {
        self.notes.push((columns.iter().map(ToString::to_string).collect(), note.into()));
    }

    /// The notes by paragraph.
    fn paragraphs(&self) -> Vec<String> {
        let (on_columns, on_table): (Vec<_>, Vec<_>) = self.notes.iter().partition(|(names, _)| !names.is_empty());
        let shown = |names: &[String]| self.columns.iter().any(|c| names.contains(&c.name));
        let sentences: Vec<&str> =
            on_columns.into_iter().filter(|(names, _)| shown(names)).map(|(_, text)| text.as_str()).collect();
        let mut paragraphs: Vec<String> = on_table.into_iter().map(|(_, text)| text.clone()).collect();
        paragraphs.extend((!sentences.is_empty()).then(|| sentences.join(" ")));
        paragraphs
    }

    /// The cells of a column that are printed bold, by row.
    fn bold(&self, c: usize) -> Vec<bool> {
        let column = &self.columns[c];
        let contest =
            |row: &Row| row.cells[c].centre().filter(|_| !row.baseline && !matches!(row.cells[c], Cell::PValue(_)));
        let values: Vec<Option<f64>> = self.rows.iter().map(contest).collect();
        let numbers = values.iter().copied().flatten();
        let best = match column.best {
            Some(Best::Largest) => numbers.max_by(f64::total_cmp),
            Some(Best::Smallest) => numbers.min_by(f64::total_cmp),
            None => None,
        };
        let best = best.and_then(|v| column.number(v));
        let printed: Vec<Option<String>> = values.iter().map(|v| v.and_then(|v| column.number(v))).collect();
        let beaten = printed.iter().any(|text| text.is_some() && *text != best);
        printed.iter().map(|text| beaten && text.is_some() && *text == best).collect()
    }
}
