//! A table for a paper: the columns that fit a page, set in LaTeX.

use super::render::{LATEX, escape_latex, one_line};
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

    /// The table with these columns alone, in this order, and with the notes that are on them.
    ///
    /// # Errors
    /// [`Error::Data`] for a name that no column has.
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

    /// The columns that fit [`TEXT_WIDTH`], taken by importance; those without a number are left out.
    #[must_use]
    pub fn fitted<S: AsRef<str>>(&self, by_importance: &[S]) -> Self {
        let mut chosen: Vec<usize> = Vec::new();
        for name in by_importance {
            let place = self.columns.iter().position(|c| c.name == name.as_ref());
            if let Some(c) = place.filter(|&c| self.rows.iter().any(|row| row.cells[c] != Cell::Missing)) {
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
        let rows = self.rows.iter().map(|row| {
            let cells = columns.iter().map(|&c| row.cells[c].clone()).collect();
            Row { label: row.label.clone(), cells, baseline: row.baseline }
        });
        let columns: Vec<Column> = columns.iter().map(|&c| self.columns[c].clone()).collect();
        let is_on = |names: &[String]| names.is_empty() || columns.iter().any(|c| names.contains(&c.name));
        let notes = self.notes.iter().filter(|(names, _)| is_on(names)).cloned().collect();
        Self { title: self.title.clone(), labels: self.labels.clone(), rows: rows.collect(), notes, columns }
    }

    /// About how wide the table is in LaTeX, pt.
    pub fn latex_width(&self) -> f64 {
        let widest = |texts: &mut dyn Iterator<Item = &str>| texts.map(width).fold(0.0, f64::max);
        let labels = widest(&mut self.rows.iter().map(|row| row.label.as_str()).chain([self.labels.as_str()]));
        let of = |(c, column): (usize, &Column)| {
            let texts: Vec<String> = self.rows.iter().map(|row| super::render::PLAIN.cell(&row.cells[c], column, false)).collect();
            let bold = if self.bold(c).contains(&true) { BOLD } else { 1.0 };
            // the heading of a group is as wide as its columns, or makes them wider
            let own = self.columns.iter().filter(|other| other.group == column.group).count() as f64;
            let head = width(&column.name).max(width(&column.in_parentheses())).max(width(&column.group) / own);
            head.max(bold * widest(&mut texts.iter().map(String::as_str)))
        };
        labels + self.columns.iter().enumerate().map(of).map(|w| w + 2.0 * GAP).sum::<f64>()
    }

    /// A LaTeX `table` with its caption, its label `tab:LABEL` and its notes, or a `table*` where it is wider than a column of
    /// two; several of them where there are more rows than a page has. Needs `\usepackage{booktabs}`, and says so.
    pub fn latex(&self, label: &str) -> String {
        let star = if self.latex_width() > COLUMN_WIDTH { "*" } else { "" };
        let (head, rows, pages) = (self.latex_head(), self.latex_rows(), self.pages());
        let mut text = String::from("% needs \\usepackage{booktabs}\n");
        for (p, page) in pages.iter().enumerate() {
            let _ = writeln!(text, "\\begin{{table{star}}}\n\\centering\\footnotesize\\setlength{{\\tabcolsep}}{{{GAP}pt}}");
            let caption = escape_latex(&self.title);
            let part = if pages.len() > 1 { format!(" ({} of {})", p + 1, pages.len()) } else { String::new() };
            match p {
                0 => {
                    let label: String =
                        label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
                    let _ = writeln!(text, "\\caption{{{caption}{part}}}\n\\label{{tab:{label}}}");
                }
                _ => {
                    let _ = writeln!(text, "\\addtocounter{{table}}{{-1}}\n\\caption{{{caption}{part}}}");
                }
            }
            let kinds: String = (0..self.columns.len()).map(|c| if self.words(c) { 'l' } else { 'r' }).collect();
            let _ = write!(text, "\\begin{{tabular}}{{@{{}}l{kinds}@{{}}}}\n\\toprule\n{head}\\midrule\n");
            for r in page.clone() {
                let above = r.checked_sub(1).filter(|_| r > page.start).map(|above| &self.rows[above]);
                let row = &self.rows[r];
                let same = above.is_some_and(|above| above.label == row.label);
                if above.is_some_and(|above| above.baseline != row.baseline) {
                    text += "\\midrule\n";
                } else if above.is_some() && !same && self.has_groups() {
                    text += "\\addlinespace\n";
                }
                // a label stands at the first of its rows
                let own = if same { "" } else { rows[r][0].as_str() };
                let _ = writeln!(text, "{own} & {} \\\\", rows[r][1..].join(" & "));
            }
            text += "\\bottomrule\n\\end{tabular}\n";
            if p + 1 == pages.len() && !self.notes.is_empty() {
                let notes: Vec<String> = self.paragraphs().iter().map(|note| escape_latex(note)).collect();
                let _ = writeln!(
                    text,
                    "\n\\smallskip\n\\begin{{minipage}}{{\\linewidth}}\\footnotesize\\raggedright\n{}\n\\end{{minipage}}",
                    notes.join("\\par\n")
                );
            }
            let _ = writeln!(text, "\\end{{table{star}}}");
        }
        text
    }

    /// Several rows in a row have the same label.
    fn has_groups(&self) -> bool {
        self.rows.windows(2).any(|two| two[0].label == two[1].label)
    }

    /// Rows of each page: about as many on every one, and all that have one label on one.
    fn pages(&self) -> Vec<Range<usize>> {
        let all = self.rows.len();
        let each = all.div_ceil(all.div_ceil(PAGE_ROWS).max(1));
        let mut pages = vec![0..0];
        let mut start = 0;
        for own in self.rows.chunk_by(|a, b| a.label == b.label) {
            // rows of one label that no page has room for are parted
            for part in own.chunks(PAGE_ROWS) {
                let end = start + part.len();
                let last = pages.len() - 1;
                if end - pages[last].start > each && !pages[last].is_empty() {
                    pages.push(start..end);
                } else {
                    pages[last].end = end;
                }
                start = end;
            }
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

    fn latex_rows(&self) -> Vec<Vec<String>> {
        LATEX.cells(self).split_off(1)
    }
}
