//! What is told about records: notes of one kind over many records become one line.

use std::collections::BTreeMap;

/// Something to tell about a record.
#[derive(Debug)]
pub(super) enum Note {
    /// The lead asked for is not there; the one used.
    OtherLead { record: String, used: String },
    /// The record names several rhythms.
    Conflict,
    /// An integrity check failed.
    Integrity { record: String, what: String },
    /// Any other line.
    Line(String),
}

/// The notes as lines.
pub(super) fn words(notes: Vec<Note>, lead: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut leads: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut conflicts = 0;
    let mut integrity = Vec::new();
    for note in notes {
        match note {
            Note::OtherLead { record, used } => leads.entry(used).or_default().push(record),
            Note::Conflict => conflicts += 1,
            Note::Integrity { record, what } => integrity.push(format!("{record}: {what}")),
            Note::Line(line) => lines.push(line),
        }
    }
    for (used, records) in leads {
        lines.push(format!("lead {lead} is missing, {used} used instead: {}", records.join(", ")));
    }
    if conflicts > 0 {
        lines.push(format!(
            "{conflicts} records carry labels of more than one rhythm; SVT/AT, AFIB/AFL, ST, SB, SI, SR decide in this order"
        ));
    }
    lines.extend(integrity.into_iter().map(|i| format!("warning: {i}")));
    lines
}
