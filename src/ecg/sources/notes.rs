//! What is said about records: notes of one kind over many records become one line that names a few of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Records that a line names before it counts the rest.
pub(crate) const NAMED: usize = 5;

/// A number of something: `1 record`, `3 records`.
pub(crate) fn count(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// What is said of files that state no rate and are taken at `fs`; `option` gives another.
pub(crate) fn rate_assumed(fs: f64, option: &str) -> String {
    format!("no sampling rate in the file, {fs} Hz assumed; {option} gives it")
}

/// Something to report about a record.
#[derive(Debug)]
pub(super) enum Note {
    /// The lead asked for is not there; the one used.
    OtherLead { record: String, used: String },
    /// The record names several rhythms.
    Conflict,
    /// An integrity check failed.
    Integrity { record: String, what: String },
    /// Anything else that may be true of many records: one line for all with the same `what`.
    Record { record: String, what: String },
    /// How the patient of a record of a source was found.
    Patient { source: String, record: String, patient: String, how: How },
    /// Any other line.
    Line(String),
}

/// Where a record's patient is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum How {
    /// A comment of its header.
    Header,
    /// The record's name.
    Name,
    /// The table of labels.
    Table,
    /// Known of the database.
    Database,
    /// From nowhere: the record is taken as a patient of its own.
    Own,
}

/// A list of which the first few are kept, and the number of all.
#[derive(Debug, Default)]
pub(crate) struct Some5 {
    first: Vec<String>,
    /// How many there are.
    pub count: usize,
}

impl Some5 {
    /// Adds one.
    pub fn push(&mut self, item: String) {
        self.count += 1;
        if self.first.len() < NAMED {
            self.first.push(item);
        }
    }
}

impl fmt::Display for Some5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        if self.count > self.first.len() {
            write!(f, " and {} more", self.count - self.first.len())?;
        }
        Ok(())
    }
}

/// The notes of all sources so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    lines: Vec<String>,
    leads: BTreeMap<String, Some5>,
    by_what: BTreeMap<String, Some5>,
    patients: BTreeMap<(String, How), Patients>,
    conflicts: usize,
    integrity: Some5,
}

#[derive(Debug, Default)]
struct Patients {
    records: usize,
    patients: BTreeSet<String>,
    example: String,
}

impl Notes {
    pub fn add(&mut self, note: Note) {
        match note {
            Note::OtherLead { record, used } => self.leads.entry(used).or_default().push(record),
            Note::Conflict => self.conflicts += 1,
            Note::Integrity { record, what } => self.integrity.push(format!("{record}: {what}")),
            Note::Record { record, what } => self.by_what.entry(what).or_default().push(record),
            Note::Patient { source, record, patient, how } => {
                let group = self.patients.entry((source, how)).or_default();
                group.records += 1;
                if how != How::Own {
                    if group.patients.is_empty() {
                        group.example = format!("{record} is of {patient}");
                    }
                    group.patients.insert(patient);
                }
            }
            Note::Line(line) => self.lines.push(line),
        }
    }

    /// True where a name gave a patient.
    pub fn names_gave_patients(&self) -> bool {
        self.patients.keys().any(|(_, how)| *how == How::Name)
    }

    /// Names of patients that differ by case or blanks alone: most often one person, written in two ways.
    fn written_twice(&self) -> Some5 {
        let mut spellings: BTreeMap<String, BTreeSet<&String>> = BTreeMap::new();
        for patient in self.patients.values().flat_map(|group| &group.patients) {
            let bare = patient.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect();
            spellings.entry(bare).or_default().insert(patient);
        }
        let mut found = Some5::default();
        for names in spellings.into_values().filter(|names| names.len() > 1) {
            found.push(names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and "));
        }
        found
    }

    /// The notes as lines.
    pub fn words(self, lead: &str) -> Vec<String> {
        let twice = self.written_twice();
        let mut lines = self.lines;
        for (used, records) in self.leads {
            lines.push(format!("lead {lead} is missing, {used} used instead: {records}"));
        }
        lines.extend(self.by_what.into_iter().map(|(what, records)| format!("{what}: {records}")));
        let groups: Vec<_> = self.patients.into_iter().collect();
        lines.extend(groups.chunk_by(|(a, _), (b, _)| a.0 == b.0).map(patient_line));
        if twice.count > 0 {
            lines.push(format!(
                "warning: names of patients that differ by case or blanks alone are taken as different patients, of whom one \
                 may be in training and the other in test: {twice}; write one person in one way"
            ));
        }
        if self.conflicts > 0 {
            lines.push(format!(
                "{} labels of more than one rhythm; one outside the classes (ventricular, paced, ...), SVT/AT, \
                 AFIB/AFL, ST, SB, SI, SR decide in this order",
                count(self.conflicts, "record carries", "records carry")
            ));
        }
        if self.integrity.count > 0 {
            let fails = count(self.integrity.count, "integrity check fails", "integrity checks fail");
            lines.push(format!("warning: {fails}: {}", self.integrity));
        }
        lines
    }
}

/// How the patients of one source were found.
fn patient_line(groups: &[((String, How), Patients)]) -> String {
    let records = |group: &Patients| count(group.records, "record", "records");
    let part = |((_, how), group): &((String, How), Patients)| {
        let found = match how {
            How::Header => "by their headers",
            How::Name => "by record names",
            How::Table => "by the table",
            How::Database => "with several records",
            How::Own => return format!("{} each taken as one patient", records(group)),
        };
        let patients = count(group.patients.len(), "patient", "patients");
        format!("{patients} {found} ({}; {})", records(group), group.example)
    };
    let source = groups.first().map_or("", |((source, _), _)| source);
    match groups {
        [((_, How::Own), group)] => {
            format!("{source}: the data does not identify patients: {}, each taken as one patient", records(group))
        }
        _ => format!("{source}: {}", groups.iter().map(part).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(notes: impl IntoIterator<Item = Note>) -> Vec<String> {
        let mut all = Notes::default();
        notes.into_iter().for_each(|note| all.add(note));
        all.words("II")
    }

    #[test]
    fn a_line_names_five_records_and_counts_the_rest() {
        let name = |i: usize| format!("r{i:03}");
        let lines = words((0..300).flat_map(|i| {
            [
                Note::OtherLead { record: name(i), used: "V5".into() },
                Note::Integrity { record: name(i), what: format!("checksum {i}, its header says 7") },
                Note::Record { record: name(i), what: "its annotations cannot be read".into() },
                Note::Conflict,
            ]
        }));
        assert_eq!(lines.len(), 4, "{lines:#?}");
        assert_eq!(lines[0], "lead II is missing, V5 used instead: r000, r001, r002, r003, r004 and 295 more");
        assert_eq!(lines[1], "its annotations cannot be read: r000, r001, r002, r003, r004 and 295 more");
        assert!(lines[2].starts_with("300 records carry labels"));
        assert!(lines[3].starts_with("warning: 300 integrity checks fail: r000: checksum 0") && lines[3].len() < 250);
        assert!(lines[3].ends_with("header says 7 and 295 more"));
        let mut five = Some5::default();
        (0..5).for_each(|i| five.push(name(i)));
        assert_eq!(five.to_string(), "r000, r001, r002, r003, r004");
    }

    /// Whoever names the patients: headers, record names, tables.
    #[test]
    fn names_that_differ_by_case_or_blanks_are_warned_of() {
        let of = |patient: &str, how| Note::Patient {
            source: "a".into(),
            record: format!("a/{patient}"),
            patient: patient.into(),
            how,
        };
        let warning = |notes: Vec<Note>| words(notes).into_iter().find(|line| line.starts_with("warning"));
        let found =
            warning(vec![of("p1", How::Table), of("P1", How::Header), of("Ann B", How::Name), of("annb", How::Name)]);
        let found = found.expect("a warning");
        assert!(found.contains("test: `Ann B` and `annb`, `P1` and `p1`; write"), "{found}");
        // records of their own are no names of patients
        assert_eq!(warning(vec![of("p1", How::Table), of("p2", How::Table), of("P1", How::Own)]), None);
    }

    #[test]
    fn every_source_has_its_line_of_patients() {
        let of = |source: &str, record: &str, patient: &str, how| Note::Patient {
            source: source.into(),
            record: record.into(),
            patient: patient.into(),
            how,
        };
        let lines = words([
            of("b", "b/1", "b/1", How::Own),
            of("a", "a/p1_1", "a/p1", How::Name),
            of("a", "a/p1_2", "a/p1", How::Name),
            of("a", "a/x", "a/x", How::Own),
            of("b", "b/2", "b/2", How::Own),
        ]);
        let own = "b: the data does not identify patients: 2 records, each taken as one patient";
        let named = "a: 1 patient by record names (2 records; a/p1_1 is of a/p1), 1 record each taken as one patient";
        assert_eq!(lines, [named, own]);
    }
}
