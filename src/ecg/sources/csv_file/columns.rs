//! What the columns of a table of strips hold; their names decide.

use crate::ecg::features;
use crate::ecg::labels::{self, Rhythm};
use crate::ecg::sources::notes::{Some5, count};
use crate::ecg::sources::separated_by;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// A sample of the strip.
    Sample(u32),
    /// A feature, as an index into [`features::NAMES`].
    Feature(u8),
    /// One-hot: 1 where the strip has this rhythm.
    Class(Rhythm),
    /// The row's index, or something unknown.
    Ignored,
}

/// The columns of a file.
#[derive(Debug)]
pub struct Columns {
    /// What each column holds.
    pub kinds: Vec<Column>,
    /// Names as in the file, without blanks around them.
    pub names: Vec<String>,
    /// Samples of a row.
    pub samples: usize,
}

impl Columns {
    /// From the header row.
    pub fn parse(path: &Path, line: &[u8]) -> Result<Self> {
        let hint = "expected a header row: 0, 1, 2, ... for the samples, the features, one column for each class";
        let fail = |what: String| Error::file(path, what, hint);
        let text = String::from_utf8_lossy(line);
        let text = text.trim_start_matches('\u{feff}');
        if text.trim().is_empty() {
            return Err(fail("is empty".into()));
        }
        let cells = cells(text.as_bytes()).ok_or_else(|| fail("the header row cannot be split".into()))?;
        let names: Vec<String> = cells.iter().map(|name| bare(name).to_string()).collect();
        let kinds: Vec<Column> = names.iter().map(|name| kind(name)).collect();
        let samples = kinds.iter().filter(|k| matches!(k, Column::Sample(_))).count();
        let first: Vec<String> = names.iter().take(3).map(|n| shown(n)).collect();
        if let Some(sign) = separated_by(text) {
            let hint = "write the file with commas between the cells, and decimals with a point";
            return Err(Error::file(path, format!("its cells are separated by {sign}, expected commas"), hint));
        }
        if samples == 0 {
            return Err(fail(format!("no column is named 0, 1, 2, ...; the first are {}", first.join(", "))));
        }
        let mut seen = vec![false; samples];
        let mut others = BTreeSet::new();
        for (kind, name) in kinds.iter().zip(&names) {
            let twice = match *kind {
                Column::Sample(i) => match seen.get_mut(i as usize) {
                    Some(place) => std::mem::replace(place, true),
                    None => {
                        let range = format!("{samples} sample columns, expected them to be 0 to {}", samples - 1);
                        return Err(fail(format!("{range}, but one is {}", shown(name))));
                    }
                },
                Column::Feature(i) => !others.insert((0, usize::from(i))),
                Column::Class(rhythm) => !others.insert((1, rhythm as usize)),
                Column::Ignored => false,
            };
            if twice {
                return Err(fail(format!("column {} comes twice", shown(name))));
            }
        }
        if !kinds.iter().any(|k| matches!(k, Column::Class(_))) {
            return Err(fail("no class column (`Sinus Rhythm`, `Sinus Bradycardia`, ...)".into()));
        }
        Ok(Self { kinds, names, samples })
    }

    /// What there is to report about the file.
    pub fn notes(&self, whole_rows: bool) -> Vec<String> {
        let mut notes = vec!["the file names neither unit nor patient".to_string()];
        let names = features::NAMES.iter().zip(0..);
        let missing: Vec<&str> =
            names.filter(|(_, i)| !self.kinds.contains(&Column::Feature(*i))).map(|(name, _)| *name).collect();
        if !whole_rows && missing.len() < features::NAMES.len() {
            notes.push("strips are not whole rows, features computed from detected R peaks".into());
        } else if !missing.is_empty() {
            notes.push(format!("features computed from detected R peaks: {}", missing.join(", ")));
        }
        let columns = self.kinds.iter().zip(&self.names);
        let unknown = columns.filter(|(kind, name)| **kind == Column::Ignored && !is_index(name));
        let mut some = Some5::default();
        unknown.for_each(|(_, name)| some.push(shown(name)));
        if some.count > 0 {
            notes.push(format!("{} not read: {some}", count(some.count, "unknown column", "unknown columns")));
        }
        notes
    }
}

/// The cells of one line, without blanks around them and quotes.
pub fn cells(line: &[u8]) -> Option<csv::StringRecord> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(line);
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record).ok()?.then_some(record)
}

/// A cell without blanks around it and quotes that stand between blanks.
pub fn bare(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('"').and_then(|c| c.strip_suffix('"')).map_or(cell, str::trim)
}

fn shown(name: &str) -> String {
    format!("`{}`", name.chars().take(30).collect::<String>().escape_debug())
}

/// The index column that pandas writes.
fn is_index(name: &str) -> bool {
    name.is_empty() || name.starts_with("Unnamed:")
}

fn kind(name: &str) -> Column {
    // 07 and +7 are no names of samples
    let plain = name.bytes().all(|b| b.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    if let Some(i) = name.parse().ok().filter(|_| plain) {
        return Column::Sample(i);
    }
    if let Some(rhythm) = labels::class_column(name) {
        return Column::Class(rhythm);
    }
    feature(name).map_or(Column::Ignored, Column::Feature)
}

fn feature(name: &str) -> Option<u8> {
    let lower = name.to_ascii_lowercase();
    let bare = lower.strip_prefix("hrv_").or_else(|| lower.strip_prefix("ecg_")).unwrap_or(&lower);
    if matches!(bare, "rate" | "heartrate" | "heart_rate" | "heart rate") {
        return Some(0);
    }
    features::NAMES.iter().position(|known| known.eq_ignore_ascii_case(bare)).map(|i| i as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Columns> {
        Columns::parse(Path::new("x.csv"), line.as_bytes())
    }

    #[test]
    fn names_decide() {
        use Column::*;
        let c = parse("\u{feff},Others,1, \"HRV_MeanNN\" ,0,ECG_Rate,hrv_htI,age,Sinus Rhythm\r").unwrap();
        let expected = [
            Ignored,
            Class(Rhythm::Other),
            Sample(1),
            Feature(1),
            Sample(0),
            Feature(0),
            Feature(16),
            Ignored,
            Class(Rhythm::Sinus),
        ];
        assert_eq!((c.kinds.as_slice(), c.samples), (&expected[..], 2));
        let notes = c.notes(true).join("\n");
        assert!(notes.contains("1 unknown column not read: `age`") && notes.contains("SDNN"), "{notes}");
        assert!(!notes.contains("MeanNN"), "{notes}");
        assert!(c.notes(false).join("\n").contains("not whole rows"));
        let bpm = ["bpm", "BPM", "HeartRate", "ECG_bpm"].map(feature);
        assert_eq!(bpm, [Some(0); 4]);
    }

    #[test]
    fn headers_that_cannot_be_used() {
        for (line, part) in [
            ("a,b,Sinus Rhythm", "no column is named 0"),
            ("0.12,-0.5,0.7", "no column is named 0"),
            ("0,1,3,Sinus Rhythm", "but one is `3`"),
            ("0,4294967295,Sinus Rhythm", "but one is `4294967295`"),
            ("0,1,1,Sinus Rhythm", "`1` comes twice"),
            ("0,bpm,ECG_Rate,Sinus Rhythm", "`ECG_Rate` comes twice"),
            ("0,1,bpm", "no class column"),
            ("0,Others,other", "comes twice"),
        ] {
            let e = parse(line).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT"), "{line}: {e}");
        }
    }
}
