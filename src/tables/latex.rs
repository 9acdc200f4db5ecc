//! A table for a paper: the columns that fit a page, set in LaTeX.

use super::render::{LATEX, PLAIN, escape_latex};
use super::{Cell, Column, Row, Table};
use crate::error::{Error, Result};
use std::fmt::Write;
use std::ops::Range;

/// `\textwidth` of LaTeX's `article` at its default of 10 pt, pt; with two columns it is more.
pub const TEXT_WIDTH: f64 = 345.0;
/// `\columnwidth` of the same with two columns on A4 paper, pt.
const COLUMN_WIDTH: f64 = 221.0;
/// `\tabcolsep`, pt: on both sides of every column but the outer ones.
const GAP: f64 = 4.0;
/// Rows of a page, with room for caption and notes.
const PAGE_ROWS: usize = 40;
/// Widths of Computer Modern Roman's characters from blank to `~` at `\footnotesize`, 8 pt, in pt / 100. Signs that it does not
/// have are as wide as those of mathematics.
const WIDTHS: [u16; 95] = [
    283, 236, 425, 708, 425, 708, 661, 236, 331, 331, 425, 661, 236, 661, 236, 425, 425, 425, 425, 425, 425, 425, 425,
    425, 425, 425, 236, 236, 661, 661, 661, 401, 661, 637, 602, 614, 649, 578, 554, 667, 637, 306, 436, 660, 531, 778,
    637, 661, 578, 661, 625, 472, 614, 637, 637, 873, 637, 637, 519, 236, 425, 236, 425, 425, 236, 425, 472, 378, 472,
    378, 260, 425, 472, 236, 260, 449, 236, 708, 472, 425, 472, 449, 331, 335, 331, 472, 449, 614, 449, 449, 378, 425,
    236, 425, 425,
];
/// How much wider bold digits are.
const BOLD: f64 = 1.16;

/// Width of a text at `\footnotesize`, pt.
fn width(text: &str) -> f64 {
    let of = |c: char| WIDTHS.get((c as usize).wrapping_sub(32)).map_or(661, |w| *w);
    text.chars().map(|c| f64::from(of(c)) / 100.0).sum()
}

impl Table {
    /// Names of the columns, as [`select`](Self::select) takes them.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|c| c.name.as_str()).collect()
    }

    /// The table with these columns alone, in this order, with the rows that have something in them and the notes on them.
    pub fn select<S: AsRef<str>>(&self, names: &[S]) -> Result<Self> {
        let place = |name: &S| {
            let found = self.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name.as_ref().trim()));
            found.ok_or_else(|| {
                let what = format!("found no column '{}'", name.as_ref());
                Error::data(format!("table '{}'", self.title), what, format!("there are {}", self.names().join(", ")))
            })
        };
        Ok(self.with(&names.iter().map(place).collect::<Result<Vec<_>>>()?))
    }

    /// The table with those of these columns that it has.
    #[must_use]
    pub fn only(&self, names: &[&str]) -> Self {
        self.with(
            &(0..self.columns.len()).filter(|&c| names.contains(&self.columns[c].name.as_str())).collect::<Vec<_>>(),
        )
    }

    /// The table without these columns.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        self.only(&self.names().into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>())
    }

    /// The columns that fit [`TEXT_WIDTH`], taken by importance; those without a number are left out.
    #[must_use]
    pub fn fitted<'a>(&self, by_importance: impl IntoIterator<Item = &'a str>) -> Self {
        let mut chosen: Vec<usize> = Vec::new();
        for name in by_importance {
            let place = self.columns.iter().position(|c| c.name == name);
            let filled = |&c: &usize| self.rows.iter().any(|row| row.cells[c] != Cell::Missing) && !chosen.contains(&c);
            if let Some(c) = place.filter(filled) {
                let mut more = chosen.clone();
                more.push(c);
                more.sort_unstable();
                if self.with(&more).latex_width() <= TEXT_WIDTH {
                    chosen = more;
                }
            }
        }
        self.with(&chosen)
    }

    fn with(&self, columns: &[usize]) -> Self {
        // a row that says nothing in these columns is none of theirs
        let rows = self.rows.iter().filter(|row| columns.iter().any(|&c| row.cells[c] != Cell::Missing)).map(|row| {
            let cells = columns.iter().map(|&c| row.cells[c].clone()).collect();
            Row { label: row.label.clone(), cells, baseline: row.baseline }
        });
        let columns: Vec<Column> = columns.iter().map(|&c| self.columns[c].clone()).collect();
        let (title, labels, notes) = (self.title.clone(), self.labels.clone(), self.notes.clone());
        Self { title, labels, columns, rows: rows.collect(), notes }
    }

    /// About how wide the table is in LaTeX, pt.
    pub fn latex_width(&self) -> f64 {
        let labels = self.rows.iter().map(|row| width(&row.label)).fold(width(&self.labels), f64::max);
        let of = |(c, column): (usize, &Column)| {
            // the head of a group is as wide as its columns, or makes them wider
            let own = self.columns.iter().filter(|other| other.group == column.group).count() as f64;
            let head = width(&column.name).max(width(&column.in_parentheses())).max(width(&column.group) / own);
            let cells =
                self.rows.iter().zip(self.bold(c)).map(|(row, bold)| {
                    width(&PLAIN.cell(&row.cells[c], column, false)) * if bold { BOLD } else { 1.0 }
                });
            cells.fold(head, f64::max)
        };
        labels + self.columns.iter().enumerate().map(of).map(|w| w + 2.0 * GAP).sum::<f64>()
    }

    /// A LaTeX `table` with its caption, its label `tab:LABEL` and its notes, or a `table*` where it is wider than a column of
    /// two; several of them where there are more rows than a page has. Needs `\usepackage{booktabs}`, and says so.
    pub fn latex(&self, label: &str) -> String {
        let star = if self.latex_width() > COLUMN_WIDTH { "*" } else { "" };
        let (head, pages, caption) = (self.latex_head(), self.pages(), escape_latex(&self.title));
        let label: String = label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let kinds: String = (0..self.columns.len()).map(|c| if self.words(c) { 'l' } else { 'r' }).collect();
        let mut text = String::from("% needs \\usepackage{booktabs}\n");
        for (p, page) in pages.iter().enumerate() {
            let part = if pages.len() > 1 { format!(" ({} of {})", p + 1, pages.len()) } else { String::new() };
            // the parts are one table, which the first one's label is of
            let [before, after] = match p {
                0 => [String::new(), format!("\n\\label{{tab:{label}}}")],
                _ => ["\\addtocounter{table}{-1}\n".to_owned(), String::new()],
            };
            let _ = write!(
                text,
                "\\begin{{table{star}}}\n\\centering\\footnotesize\\setlength{{\\tabcolsep}}{{{GAP}pt}}\n\
                 {before}\\caption{{{caption}{part}}}{after}\n\\smallskip\n\
                 \\begin{{tabular}}{{@{{}}l{kinds}@{{}}}}\n\\toprule\n{head}\\midrule\n{}\\bottomrule\n\\end{{tabular}}\n",
                self.latex_rows(page)
            );
            if p + 1 == pages.len() && !self.paragraphs().is_empty() {
                let notes: Vec<String> = self.paragraphs().iter().map(|note| escape_latex(note)).collect();
                let notes = notes.join("\\par\n");
                let _ = writeln!(
                    text,
                    "\n\\smallskip\n\\begin{{minipage}}{{\\linewidth}}\\footnotesize\\raggedright\n{notes}\n\\end{{minipage}}"
                );
            }
            let _ = writeln!(text, "\\end{{table{star}}}");
        }
        text
    }

    /// Some rows, set off by rules and space; a label stands at the first of its rows.
    fn latex_rows(&self, page: &Range<usize>) -> String {
        let cells = LATEX.cells(self).split_off(1);
        let grouped = self.rows.windows(2).any(|two| two[0].label == two[1].label);
        let mut text = String::new();
        for r in page.clone() {
            let above = (r > page.start).then(|| &self.rows[r - 1]);
            let same = above.is_some_and(|above| above.label == self.rows[r].label);
            if above.is_some_and(|above| above.baseline != self.rows[r].baseline) {
                text += "\\midrule\n";
            } else if grouped && above.is_some() && !same {
                text += "\\addlinespace\n";
            }
            let label = if same { "" } else { cells[r][0].as_str() };
            let _ = writeln!(text, "{label} & {} \\\\", cells[r][1..].join(" & "));
        }
        text
    }

    /// Rows of each page: about the same number on every one, and all that have one label on one.
    fn pages(&self) -> Vec<Range<usize>> {
        let all = self.rows.len();
        let each = all.div_ceil(all.div_ceil(PAGE_ROWS).max(1));
        let mut pages: Vec<Range<usize>> = Vec::new();
        let mut start = 0;
        for own in self.rows.chunk_by(|a, b| a.label == b.label) {
            // rows of one label that no page has room for are parted
            for part in own.chunks(PAGE_ROWS) {
                let end = start + part.len();
                match pages.last_mut().filter(|page| page.len() < each && end - page.start <= PAGE_ROWS) {
                    Some(page) => page.end = end,
                    None => pages.push(start..end),
                }
                start = end;
            }
        }
        // a table without a row has its heads
        if pages.is_empty() {
            pages.push(Range::default());
        }
        pages
    }

    /// Heads: those over several columns, the columns' own, and their units, each where there are any.
    fn latex_head(&self) -> String {
        let mut text = String::new();
        if self.columns.iter().any(|c| !c.group.is_empty()) {
            let (mut rules, mut at) = (String::new(), 1);
            for own in self.columns.chunk_by(|a, b| a.group == b.group) {
                let (from, to) = (at + 1, at + own.len());
                if own[0].group.is_empty() {
                    text += &" &".repeat(own.len());
                } else {
                    let _ = write!(text, " & \\multicolumn{{{}}}{{c}}{{{}}}", own.len(), escape_latex(&own[0].group));
                    let _ = write!(rules, "\\cmidrule(lr){{{from}-{to}}}");
                }
                at = to;
            }
            let _ = writeln!(text, " \\\\\n{rules}");
        }
        let mut line = |first: &str, of: &dyn Fn(&Column) -> String| {
            let heads: Vec<String> = self.columns.iter().map(|c| escape_latex(&of(c))).collect();
            let _ = writeln!(text, "{} & {} \\\\", escape_latex(first), heads.join(" & "));
        };
        line(&self.labels, &|c| c.name.clone());
        if self.columns.iter().any(|c| !c.unit.is_empty()) {
            line("", &Column::in_parentheses);
        }
        text
    }
}
