//! Values of the files that pages state: rows of CSV files and of Markdown tables, and JSON.

use crate::common::markdown;
use crate::common::root;
use regex_lite::Regex;
use serde_json::Value;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A number as it is printed: sign, thousands, decimals.
pub const NUMBER: &str = r"[-+]?\d+(?:,\d{3})*(?:\.\d+)?";

/// What a template takes its values from: a file, and conditions that one of its rows fulfils.
#[derive(Debug, Clone, Default)]
pub struct Place {
    file: String,
    conditions: Vec<(String, String)>,
}

impl Place {
    /// This place with `text` added, `@FILE; COLUMN=VALUE; ...`; and what of it is neither: the name of a column.
    pub fn and<'a>(&self, text: &'a str) -> (Self, Option<&'a str>) {
        let (mut place, mut column) = (self.clone(), None);
        for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
            if let Some(file) = part.strip_prefix('@') {
                place.file = file.into();
            } else if let Some((of, value)) = part.split_once('=') {
                place = place.with(of, value);
            } else {
                column = Some(part);
            }
        }
        (place, column)
    }

    /// This place with one more condition, in the place of one on the same column.
    pub fn with(mut self, column: &str, value: &str) -> Self {
        self.conditions.retain(|(c, _)| c != column);
        self.conditions.push((column.into(), value.into()));
        self
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "@{}", self.file)?;
        self.conditions.iter().try_for_each(|(column, value)| write!(f, "; {column}={value}"))
    }
}

/// A part of a template: text as it is, or `{PLACE; COLUMN|FORMAT}`.
pub enum Part<'a> {
    Text(&'a str),
    Of(&'a str),
}

/// The parts of a template.
pub fn parts(template: &str) -> Vec<Part<'_>> {
    let mut all = Vec::new();
    let mut rest = template;
    while let Some((text, of)) = rest.split_once('{') {
        let (of, after) = of.split_once('}').unwrap_or_else(|| panic!("{template}: found {{ without }}"));
        all.extend([Part::Text(text), Part::Of(of)]);
        rest = after;
    }
    all.push(Part::Text(rest));
    all
}

enum File {
    Rows(Vec<BTreeMap<String, String>>),
    Json(Value),
}

/// The files by their short names, read once.
pub struct Files {
    names: BTreeMap<String, String>,
    read: RefCell<BTreeMap<String, Rc<File>>>,
}

impl Files {
    pub fn new(names: BTreeMap<String, String>) -> Self {
        Self { names, read: RefCell::default() }
    }

    fn file(&self, name: &str) -> Result<Rc<File>, String> {
        let path = self.names.get(name).ok_or_else(|| format!("no file has the short name {name:?}"))?;
        if let Some(file) = self.read.borrow().get(name) {
            return Ok(file.clone());
        }
        let text = std::fs::read_to_string(root(path));
        let text = text.map_err(|e| format!("{path}: {e}"))?;
        let bad = |e: String| format!("{path}: {e}");
        let file = match path.rsplit_once('.') {
            Some((_, "csv")) => {
                let mut csv = csv::Reader::from_reader(text.as_bytes());
                File::Rows(csv.deserialize().collect::<Result<_, _>>().map_err(|e| bad(e.to_string()))?)
            }
            Some((_, "json")) => File::Json(serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?),
            _ => File::Rows(markdown::rows(&text)),
        };
        let file = Rc::new(file);
        self.read.borrow_mut().insert(name.into(), file.clone());
        Ok(file)
    }

    /// The text of a cell, `None` where it is missing. `COLUMN#N` is the N-th number in it, from 0; of JSON a pointer,
    /// in which `*` stands for every entry of a list, with `min` or `max` before it.
    fn cell(&self, place: &Place, column: &str) -> Result<Option<String>, String> {
        let (column, nth) = match column.rsplit_once('#') {
            Some((column, n)) => (column, Some(n.parse::<usize>().map_err(|e| format!("{column}#{n}: {e}"))?)),
            None => (column, None),
        };
        let text = match &*self.file(&place.file)? {
            File::Json(value) => json_text(value, column)?,
            File::Rows(rows) => {
                let fits =
                    |row: &&BTreeMap<String, String>| place.conditions.iter().all(|(c, v)| row.get(c) == Some(v));
                let found: Vec<_> = rows.iter().filter(fits).collect();
                let [row] = found[..] else { return Err(format!("found {} rows, expected one", found.len())) };
                row.get(column).ok_or_else(|| format!("no column {column:?}"))?.clone()
            }
        };
        let text = match nth {
            Some(n) => {
                let number = Regex::new(NUMBER).expect("a pattern");
                let nth = number.find_iter(&text).nth(n).map(|m| m.as_str().to_owned());
                nth.ok_or_else(|| format!("{text:?} has no number {n}"))?
            }
            None => text,
        };
        Ok(Some(text).filter(|t| !matches!(t.as_str(), "" | "-" | "null")))
    }

    /// What `{of}` stands for.
    pub fn value(&self, place: &Place, of: &str) -> Result<Option<String>, String> {
        let (of, format) = of.rsplit_once('|').unwrap_or((of, ""));
        let (place, column) = place.and(of);
        let column = column.ok_or_else(|| format!("{{{of}}} names no column"))?;
        let at = |e: String| format!("{e} ({place}; {column})");
        let text = self.cell(&place, column).map_err(at)?;
        text.map(|text| formatted(&text, format).map_err(at)).transpose()
    }

    /// A template with its values; `None` where all of them are missing.
    pub fn render(&self, place: &Place, template: &str) -> Result<Option<String>, String> {
        let (mut text, mut missing, mut there) = (String::new(), None, 0);
        for part in parts(template) {
            match part {
                Part::Text(t) => text += t,
                Part::Of(of) => match self.value(place, of)? {
                    Some(value) => (text, there) = (text + &value, there + 1),
                    None => missing = Some(of),
                },
            }
        }
        match (missing, there) {
            (None, _) => Ok(Some(text)),
            (Some(_), 0) => Ok(None),
            (Some(of), _) => Err(format!("{{{of}}} is missing, others of {template:?} are not ({place})")),
        }
    }

    /// The values where `A > B` or `A < B`, templates both, does not hold.
    pub fn holds(&self, place: &Place, claim: &str) -> Result<Option<String>, String> {
        let shown = self.render(place, claim)?.ok_or_else(|| format!("{claim}: missing ({place})"))?;
        let sides = |sign: char| shown.split_once(sign).map(|(a, b)| (parsed(a.trim()), parsed(b.trim())));
        let holds = match (sides('>'), sides('<')) {
            (Some((a, b)), None) => a? > b?,
            (None, Some((a, b))) => a? < b?,
            _ => return Err(format!("{claim}: expected A > B or A < B")),
        };
        Ok((!holds).then_some(shown))
    }
}

/// The least or the largest of two.
type Take = fn(f64, f64) -> f64;

fn json_text(value: &Value, pointer: &str) -> Result<String, String> {
    let (take, pointer): (Option<Take>, &str) = match pointer.split_once(' ') {
        Some(("min", rest)) => (Some(f64::min), rest),
        Some(("max", rest)) => (Some(f64::max), rest),
        _ => (None, pointer),
    };
    let none = || format!("no {pointer:?}");
    let Some(take) = take else {
        return Ok(value.pointer(pointer).ok_or_else(none)?.to_string().trim_matches('"').into());
    };
    let (list, rest) = pointer.split_once("/*").ok_or_else(none)?;
    let list = value.pointer(list).and_then(Value::as_array).ok_or_else(none)?;
    let numbers: Option<Vec<f64>> = list.iter().map(|v| v.pointer(rest)?.as_f64()).collect();
    numbers.ok_or_else(none)?.into_iter().reduce(take).map(|v| v.to_string()).ok_or_else(none)
}

fn parsed(text: &str) -> Result<f64, String> {
    text.replace(',', "").parse().map_err(|e| format!("{text:?}: {e}"))
}

/// `.3`: decimals; `+.3`: with a sign; `,`: thousands; `x0.001 .1`: times 0.001 before; nothing: as it is.
fn formatted(text: &str, format: &str) -> Result<String, String> {
    let (factor, format) = match format.strip_prefix('x').and_then(|f| f.split_once(' ')) {
        Some((factor, format)) => (parsed(factor)?, format),
        None => (1.0, format),
    };
    let number = || Ok::<f64, String>(factor * parsed(text)?);
    let decimals = |d: &str| d.parse::<usize>().map_err(|e| format!("format {format:?}: {e}"));
    if format.is_empty() {
        return Ok(text.into());
    }
    if format == "," {
        let digits = format!("{:.0}", number()?);
        let groups: Vec<&str> =
            digits.as_bytes().rchunks(3).rev().map(|g| std::str::from_utf8(g).expect("digits")).collect();
        return Ok(groups.join(","));
    }
    match (format.strip_prefix("+."), format.strip_prefix('.')) {
        (Some(d), _) => Ok(format!("{:+.*}", decimals(d)?, number()?)),
        (None, Some(d)) => Ok(format!("{:.*}", decimals(d)?, number()?)),
        (None, None) => Err(format!("found the format {format:?}, expected .N, +.N or a comma")),
    }
}
