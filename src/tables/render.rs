//! The forms of a table; that of LaTeX is put together in [`super::latex`].

use crate::tables::{Cell, Column, Row, Table};

/// What a missing cell looks like.
const MISSING: &str = "-";

/// A form of a table: how words are escaped and the parts of a cell put together.
pub(super) struct Form {
    escape: fn(&str) -> String,
    plus_minus: &'static str,
    less: &'static str,
    /// A number within a cell, and in its stead.
    missing: &'static str,
    /// Around numbers, and around bold ones.
    plain: [&'static str; 2],
    bold: [&'static str; 2],
}

const MARKDOWN: Form =
    Form {
        escape: escape_markdown, plus_minus: "±", less: "<", missing: MISSING, plain: ["", ""], bold: ["**", "**"]
    };

/// Nothing but the characters, to measure.
pub(super) const PLAIN: Form = Form { escape: one_line, plain: ["", ""], bold: ["", ""], ..MARKDOWN };

pub(super) const LATEX: Form = Form {
    escape: escape_latex,
    plus_minus: r"\pm",
    less: "<",
    missing: r"\mbox{-}",
    plain: ["$", "$"],
    bold: [r"$\mathbf{", "}$"],
};

const HTML: Form = Form {
    escape: escape_html,
    plus_minus: "±",
    less: "&lt;",
    missing: MISSING,
    plain: ["", ""],
    bold: ["<b>", "</b>"],
};

impl Form {
    pub(super) fn cell(&self, cell: &Cell, column: &Column, bold: bool) -> String {
        let part = |v: f64| column.number(v).unwrap_or_else(|| self.missing.to_string());
        let Some(centre) = cell.centre().and_then(|v| column.number(v)) else {
            return match cell {
                Cell::Text(words) if !words.trim().is_empty() => (self.escape)(words),
                _ => MISSING.to_string(),
            };
        };
        let text = match *cell {
            Cell::MeanSd { sd, .. } if sd.is_finite() => format!("{centre} {} {}", self.plus_minus, part(sd)),
            Cell::Interval { low, high, .. } => format!("{centre} [{}, {}]", part(low), part(high)),
            Cell::PValue(p) => {
                let unit = 10_f64.powi(-(column.decimals as i32));
                if (0.0..unit).contains(&p) { format!("{}{}", self.less, part(unit)) } else { centre }
            }
            _ => centre,
        };
        let [before, after] = if bold { self.bold } else { self.plain };
        format!("{before}{text}{after}")
    }

    /// Heads and rows, labels first.
    pub(super) fn cells(&self, table: &Table) -> Vec<Vec<String>> {
        let bold: Vec<Vec<bool>> = (0..table.columns.len()).map(|c| table.bold(c)).collect();
        let heads = table.columns.iter().map(|c| (self.escape)(&c.head("")));
        let mut all = vec![std::iter::once((self.escape)(&table.labels)).chain(heads).collect::<Vec<_>>()];
        for (r, Row { label, cells, .. }) in table.rows.iter().enumerate() {
            let cells = cells.iter().zip(&table.columns).enumerate();
            let cells = cells.map(|(c, (cell, column))| self.cell(cell, column, bold[c][r]));
            all.push(std::iter::once((self.escape)(label)).chain(cells).collect());
        }
        all
    }
}

impl Table {
    /// A GitHub-flavoured Markdown table under its title and above its notes, columns padded so that it reads well as it is.
    pub fn markdown(&self) -> String {
        let rows = MARKDOWN.cells(self);
        let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0).max(3);
        let widths: Vec<usize> = (0..=self.columns.len()).map(width).collect();
        let left: Vec<bool> = (0..=self.columns.len()).map(|c| c == 0 || self.words(c - 1)).collect();
        let line = |cells: &[String]| {
            let padded = cells.iter().enumerate().map(|(c, text)| {
                let width = widths[c];
                if left[c] { format!(" {text:<width$} |") } else { format!(" {text:>width$} |") }
            });
            format!("|{}\n", padded.collect::<String>())
        };
        let rule = |c: usize| if left[c] { "-".repeat(widths[c]) } else { format!("{}:", "-".repeat(widths[c] - 1)) };
        let title = escape_markdown(&self.title);
        let title = if title.is_empty() { title } else { format!("**{title}**\n\n") };
        let rules: Vec<String> = (0..widths.len()).map(rule).collect();
        let body: String = rows[1..].iter().map(|row| line(row)).collect();
        let notes: String = self.paragraphs().iter().map(|note| format!("\n{}\n", escape_markdown(note))).collect();
        format!("{title}{}{}{body}{notes}", line(&rows[0]), line(&rules))
    }

    /// The numbers with all their digits, comma-separated, for reading by programs. Title and notes are left out.
    ///
    /// A column `NAME` becomes one of the values, named `NAME_mean` where one of its cells is a mean, and where its
    /// cells have them `NAME_sd`, `NAME_low` and `NAME_high`. The unit follows in parentheses. Missing: empty.
    pub fn csv(&self) -> String {
        let has = |c: usize, of: fn(&Cell) -> bool| self.rows.iter().any(|row| of(&row.cells[c]));
        // the number of a cell, its sd, its interval: those that a column has
        let kinds = |c: usize| {
            let interval = has(c, |cell| matches!(cell, Cell::Interval { .. }));
            [true, has(c, |cell| matches!(cell, Cell::MeanSd { .. })), interval, interval]
        };
        let kinds: Vec<[bool; 4]> = (0..self.columns.len()).map(kinds).collect();
        let line = |first: &String, of: &dyn Fn(usize) -> [String; 4]| -> Vec<String> {
            let parts = (0..kinds.len()).flat_map(|c| of(c).into_iter().zip(kinds[c]));
            std::iter::once(first.clone()).chain(parts.filter(|(_, has)| *has).map(|(part, _)| part)).collect()
        };
        let number = |v: f64| if v.is_finite() { v.to_string() } else { String::new() };
        let mut rows = vec![line(&self.labels, &|c| {
            [if kinds[c][1] { "_mean" } else { "" }, "_sd", "_low", "_high"].map(|end| self.columns[c].head(end))
        })];
        rows.extend(self.rows.iter().map(|row| {
            line(&row.label, &|c| {
                let own = match &row.cells[c] {
                    Cell::Text(words) => words.clone(),
                    cell => cell.centre().map_or(String::new(), number),
                };
                let [sd, low, high] = match row.cells[c] {
                    Cell::MeanSd { sd, .. } => [sd, f64::NAN, f64::NAN],
                    Cell::Interval { low, high, .. } => [f64::NAN, low, high],
                    _ => [f64::NAN; 3],
                };
                [own, number(sd), number(low), number(high)]
            })
        }));
        let mut csv = csv::Writer::from_writer(Vec::new());
        rows.iter().for_each(|row| csv.write_record(row).expect("rows of one length, in memory"));
        String::from_utf8(csv.into_inner().expect("in memory")).expect("text")
    }

    /// An HTML table with its title as caption, and its notes below; also well-formed XML. Numbers are of the class `n`.
    pub fn html(&self) -> String {
        let rows = HTML.cells(self);
        let numbers: Vec<bool> = (0..=self.columns.len()).map(|c| c > 0 && !self.words(c - 1)).collect();
        let class = |c: usize| if numbers[c] { " class=\"n\"" } else { "" };
        let head = |(c, text): (usize, &String)| {
            format!("<th scope=\"col\"{}>{}</th>", class(c), text.replace(" %", "\u{a0}%"))
        };
        // a narrow page shows each cell under its head, and none that is missing; a broken line begins with the sign
        let cell = |(c, text): (usize, &String)| match c {
            0 => format!("<th scope=\"row\">{text}</th>"),
            _ if text == MISSING => format!("<td{}>{text}</td>", class(c)),
            _ => {
                let text =
                    if numbers[c] { text.replace("± ", "±\u{a0}").replace(", ", ",\u{a0}") } else { text.clone() };
                format!("<td{} data-head=\"{}\">{text}</td>", class(c), rows[0][c])
            }
        };
        let heads: String = rows[0].iter().enumerate().map(head).collect();
        let line = |row: &Vec<String>| format!("<tr>{}</tr>\n", row.iter().enumerate().map(cell).collect::<String>());
        let body: String = rows[1..].iter().map(line).collect();
        let title = escape_html(&self.title);
        let title = if title.is_empty() { title } else { format!("<caption>{title}</caption>\n") };
        let note = |note: &String| format!("<p class=\"note\">{}</p>\n", escape_html(note));
        let notes: String = self.paragraphs().iter().map(note).collect();
        format!("<table>\n{title}<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n{notes}")
    }

    /// A column of words, to be set from the left.
    pub(super) fn words(&self, c: usize) -> bool {
        let cells = || self.rows.iter().map(|row| &row.cells[c]);
        let word = |cell: &Cell| matches!(cell, Cell::Text(_));
        cells().any(word) && cells().all(|cell| word(cell) || *cell == Cell::Missing)
    }
}

/// Line breaks and other control characters would end the row.
pub(super) fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    text.replace(breaks, " ").trim().to_string()
}

fn escape_markdown(text: &str) -> String {
    let mut escaped = String::new();
    for c in one_line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '~' | '$' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Words for HTML and XML, in a text or in a quoted attribute; control characters, which XML has none of, are blanks.
pub fn escape_html(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => escaped.push(' '),
            _ => escaped.push(c),
        }
    }
    escaped
}

pub(super) fn escape_latex(text: &str) -> String {
    let mut escaped = String::new();
    for c in one_line(text).chars() {
        match c {
            '\\' => escaped.push_str(r"\textbackslash{}"),
            '~' => escaped.push_str(r"\textasciitilde{}"),
            '^' => escaped.push_str(r"\textasciicircum{}"),
            '<' => escaped.push_str(r"\textless{}"),
            '>' => escaped.push_str(r"\textgreater{}"),
            '|' => escaped.push_str(r"\textbar{}"),
            // \textquotedbl needs another font encoding than the default one
            '"' => escaped.push_str(r"{\char34}"),
            '±' => escaped.push_str(r"$\pm$"),
            '$' | '&' | '#' | '%' | '_' | '{' | '}' => escaped.extend(['\\', c]),
            // after \\ and \toprule these begin an option
            '[' | ']' | '*' => escaped.extend(['{', c, '}']),
            _ => escaped.push(c),
        }
    }
    escaped
}
