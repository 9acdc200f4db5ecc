//! A strip as text: one number a line, or all numbers in one row.

use crate::ecg::wfdb::read_limited;
use crate::error::{Error, Result};
use std::path::Path;

/// The largest file that is read, in bytes.
const MAX_TEXT: u64 = 1 << 28;

/// Reads the samples of a `.csv` or `.txt` file.
pub(super) fn read(path: &Path) -> Result<Vec<f32>> {
    parse(path, &read_limited(path, MAX_TEXT, "text file")?)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Vec<f32>> {
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
    let mut samples = Vec::new();
    for &(number, line) in &lines {
        // one separator may end a line
        let line = line.strip_suffix([',', ';']).unwrap_or(line);
        let before = samples.len();
        for field in fields(line) {
            let value: Option<f32> = field.parse().ok().filter(|v: &f32| v.is_finite());
            let Some(value) = value else {
                let shown: String = field.chars().take(30).collect();
                return Err(Error::file(
                    path,
                    format!("line {number} holds `{shown}`, expected a number"),
                    "leave headings away and cut out gaps; decimals take a point",
                ));
            };
            samples.push(value);
        }
        let columns = samples.len() - before;
        if columns > 1 && lines.len() > 1 {
            return Err(Error::file(
                path,
                format!("line {number} holds {columns} numbers, expected one number a line or a single row"),
                "give one lead only; decimals take a point",
            ));
        }
    }
    if samples.is_empty() {
        return Err(Error::file(path, "holds no number", "give one number a line, or one row"));
    }
    Ok(samples)
}

/// Fields between commas or semicolons, else between blanks; an empty field is kept, it is a gap.
fn fields(line: &str) -> Vec<&str> {
    if line.contains([',', ';']) {
        line.split([',', ';']).map(str::trim).collect()
    } else {
        line.split_whitespace().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Result<Vec<f32>> {
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

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80), text in "[0-9,;\\. e#N\n-]{0,60}") {
            let _ = parse(Path::new("x"), &bytes);
            let _ = of(&text);
        }
    }
}
