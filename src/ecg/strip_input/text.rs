//! A strip as text: one number a line, or all numbers in one row.

use crate::ecg::wfdb::read_limited;
use crate::error::{Error, Result};
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_TEXT: u64 = 1 << 28;

pub(super) fn read(path: &Path) -> Result<Vec<f64>> {
    parse(path, &read_limited(path, MAX_TEXT, "text file")?)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<f64>> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
        Error::file(path, format!("line {line} is no UTF-8 text"), "give a plain text file, one number a line")
    })?;
    let lines: Vec<(usize, &str)> = text
        .trim_start_matches('\u{feff}')
        .lines()
        .enumerate()
        .map(|(i, l)| (i + 1, l.trim()))
        .filter(|(_, l)| !l.is_empty() && !l.starts_with('#'))
        .collect();
    let layout = Layout::of(&lines);
    let mut samples = Vec::new();
    for &(number, line) in &lines {
        let fault = |what: String, hint: &str| Error::file(path, format!("line {number} {what}"), hint);
        // one separator may end a line
        let line = line.strip_suffix([',', ';']).unwrap_or(line);
        let before = samples.len();
        for field in layout.fields(line) {
            let shown = || field.chars().take(30).collect::<String>();
            let value = layout.number(field).map_err(|why| {
                fault(format!("holds `{}`, {why}", shown()), "separate numbers by semicolons, with one decimal sign")
            })?;
            let Some(value) = value.filter(|v| (*v as f32).is_finite()) else {
                return Err(fault(
                    format!("holds `{}`, expected a number", shown()),
                    "leave headings away and cut out gaps; decimals take a point, or a comma between semicolons",
                ));
            };
            samples.push(value);
        }
        let columns = samples.len() - before;
        if columns > 1 && lines.len() > 1 {
            return Err(fault(
                format!("holds {columns} numbers, expected one number a line or a single row"),
                "give one lead only; decimals take a point, or a comma where semicolons separate",
            ));
        }
    }
    if samples.is_empty() {
        return Err(Error::file(path, "holds no number", "give one number a line, or one row"));
    }
    Ok(samples)
}

/// How the numbers of a file are separated and written. It is the same for all lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Semicolons separate, a point is the decimal sign.
    Semicolons,
    /// This separates, a semicolon or a tab, and a comma is the decimal sign: as spreadsheets write in half of Europe.
    DecimalCommas(char),
    /// Commas separate.
    Commas,
    /// Blanks separate.
    Blanks,
}

impl Layout {
    fn of(lines: &[(usize, &str)]) -> Self {
        let has = |text: &str| lines.iter().any(|(_, l)| l.contains(text));
        // beside a comma that separates, a tab is a blank
        let tabs = has("\t") && !has(",\t") && !has("\t,") && !has(", ");
        match (has(","), has(";")) {
            (true, true) => Self::DecimalCommas(';'),
            (true, false) if tabs => Self::DecimalCommas('\t'),
            (true, false) => Self::Commas,
            (false, true) => Self::Semicolons,
            (false, false) => Self::Blanks,
        }
    }

    /// The numbers of a line, as text; an empty field is kept, it is a gap.
    fn fields(self, line: &str) -> Vec<&str> {
        let split = |separator: char| line.split(separator).map(str::trim).collect();
        match self {
            Self::Semicolons => split(';'),
            Self::DecimalCommas(separator) => split(separator),
            Self::Commas => split(','),
            Self::Blanks => line.split_whitespace().collect(),
        }
    }

    /// The number that a field is, or none; the error says why it may be two different ones.
    fn number(self, field: &str) -> Result<Option<f64>, &'static str> {
        let plain = |text: &str| text.parse::<f64>().ok();
        match self {
            Self::DecimalCommas(_) if field.contains('.') => {
                Err("a decimal point where other numbers have commas; a comma may separate or be the decimal sign")
            }
            Self::DecimalCommas(_) if field.matches(',').count() > 1 => {
                Err("several commas between two separators; a comma may separate or be the decimal sign")
            }
            Self::DecimalCommas(_) => Ok(plain(&field.replace(',', "."))),
            // of `1,05,1,07` every second field is the rest of a number
            Self::Commas if field.len() > 1 && field.starts_with('0') && field.bytes().all(|b| b.is_ascii_digit()) => {
                Err(
                    "which looks like the decimals of the number before it; a comma may separate or be the decimal sign",
                )
            }
            Self::Semicolons | Self::Commas | Self::Blanks => Ok(plain(field)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<f64>> {
        parse(Path::new("x.csv"), text.as_bytes())
    }

    #[test]
    fn columns_and_rows() {
        for text in
            ["1\n-2.5\n3e1\n", "\u{feff}1,-2.5,30\n", "1; -2.5 ;30", "1 -2.5\t30", "# mV\r\n1,\r\n-2.5,\r\n\r\n30,"]
        {
            assert_eq!(of(text).unwrap(), [1.0, -2.5, 30.0], "{text:?}");
        }
    }

    #[test]
    fn decimal_commas_are_read_where_they_can_be_nothing_else() {
        for text in [
            "0,12;0,15",
            "0,12; 0,15;",
            "0,12\n0,15;\n",
            "0,12\t0,15",
            "0.12;0.15",
            "0.12\t0.15",
            "0.12, 0.15",
            "0.12,\t0.15",
            "1,2e-1;15e-2",
        ] {
            assert_eq!(of(text).unwrap(), [0.12, 0.15], "{text:?}");
        }
        assert_eq!(of("-0,5;1;+2,25").unwrap(), [-0.5, 1.0, 2.25]);
        for (text, part) in [
            ("0.12;0,15", "`0.12`, a decimal point"),
            ("1.234,56;1.200,00", "`1.234,56`"),
            ("1,2,3;4,5,6", "`1,2,3`, several commas"),
            ("1,05,1,07", "`05`"),
            ("0,12 0,15", "`12 0`, expected a number"),
            ("0,12\n0,15", "line 1 holds 2 numbers"),
            ("0,12;0,15\n0,16;0,17", "line 1 holds 2 numbers"),
        ] {
            let e = of(text).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{text:?}: {e}");
        }
    }

    #[test]
    fn names_the_line() {
        for (text, part) in [
            ("", "no number"),
            ("# x\n", "no number"),
            ("1\nlead\n", "line 2 holds `lead`"),
            ("1\n\nNaN\n", "line 3 holds `NaN`"),
            ("1\ninf\n", "line 2"),
            ("1e99\n", "line 1"),
            ("1,2\n3,4\n", "line 1 holds 2 numbers"),
            ("1\n3,4\n", "line 2 holds 2 numbers"),
            ("1,,2\n", "line 1 holds ``"),
        ] {
            let e = of(text).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{text:?}: {e}");
        }
        assert!(parse(Path::new("x"), b"1\n\xff").unwrap_err().to_string().contains("line 2"));
    }
}
