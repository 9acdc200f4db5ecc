//! Whose recording it is: windows of one person must never lie on both sides of a split.

use crate::error::{Error, Result};
use regex_lite::Regex;

/// Setting of [`PatientNames`] for the record names that public databases use, and for none.
pub const AUTO: &str = "auto";
const NONE: &str = "none";

/// Record names that hold their patient, with the databases they are from. Each has one group: the patient.
const KNOWN: [&str; 5] = [
    // p00000_s02 (Icentia11k), p000020-2183-04-28-17-47 (MIMIC-III)
    r"^(p\d{3,})[-_]",
    // patient001/s0010_re (PTB), patient001_2, subject-12-a
    r"(?i)(?:^|/)((?:patient|subject|subj|pat)[-_]?\d+)(?:[-_./]|$)",
    // sub-01_ses-2 (BIDS)
    r"(?:^|/)(sub-[A-Za-z0-9]+)(?:[_/]|$)",
    // data_39_4 (China Physiological Signal Challenge 2021)
    r"^(data_\d+)_\d+$",
    // p1000/p10000032/s40689238/40689238 (MIMIC-IV)
    r"(?:^|/)(p\d{6,})/",
];

/// How record names give patients.
#[derive(Debug, Clone)]
pub struct PatientNames {
    patterns: Vec<Regex>,
    /// The pattern is the user's: it goes before what a header says.
    pub(super) own: bool,
}

impl PatientNames {
    /// `auto`: the names of public databases. `none`: no name gives a patient. Else a regular expression with one group,
    /// the patient, that is looked for in the record's name and, where it does not fit, in its path below the source's
    /// folder, without extension: `^([^_]+)_` for `p00000_s02`, `(\w+)/` for `ann/day1`.
    pub fn parse(text: &str) -> Result<Self> {
        let compile = |pattern: &&str| Regex::new(pattern).ok();
        match text {
            AUTO => return Ok(Self { patterns: KNOWN.iter().filter_map(compile).collect(), own: false }),
            NONE => return Ok(Self { patterns: Vec::new(), own: false }),
            _ => {}
        }
        let fail = |what: String| {
            Err(Error::config(
                format!("patient_pattern: found `{text}`, {what}"),
                "write auto, none or a pattern whose one group is the patient, e.g. ^([^_]+)_ for p00000_s02",
            ))
        };
        match Regex::new(text) {
            Err(e) => fail(format!("which is no regular expression: {e}")),
            Ok(pattern) => match pattern.captures_len() - 1 {
                1 => Ok(Self { patterns: vec![pattern], own: true }),
                0 => fail("a pattern without a group, expected one (...) around the patient".into()),
                n => fail(format!("a pattern of {n} groups, expected one; write (?:...) for the others")),
            },
        }
    }

    /// The patient of a record by its path below the source's folder, with slashes and without extension.
    pub fn of<'a>(&self, path: &'a str) -> Option<&'a str> {
        let name = path.rsplit('/').next().unwrap_or(path);
        let found = |text: &'a str| {
            let group = |pattern: &Regex| Some(pattern.captures(text)?.get(1)?.as_str()).filter(|p| !p.is_empty());
            self.patterns.iter().find_map(group)
        };
        found(name).or_else(|| found(path))
    }
}

/// The one person of the records 201 and 202 of the MIT-BIH arrhythmia database.
pub(super) fn same_person(name: &str) -> Option<&'static str> {
    matches!(name, "201" | "202").then_some("201+202")
}

/// The patient that a header's comment names: `Patient: 17`, or `patient 17` (INCART).
pub(super) fn in_comment(comment: &str) -> Option<&str> {
    let keys = ["patient", "patient id", "patient_id", "subject", "subject id", "subject_id"];
    let bare = comment.trim_start_matches('#').trim();
    let (key, value) = bare.split_once(':').or_else(|| bare.split_once(' '))?;
    let (key, value) = (key.trim(), value.trim());
    let numbered = bare.contains(':') || value.bytes().all(|b| b.is_ascii_digit());
    let known = keys.iter().any(|k| key.eq_ignore_ascii_case(k)) && numbered;
    let said = !["", "unknown", "n/a", "none", "nan"].iter().any(|w| value.eq_ignore_ascii_case(w));
    (known && said).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
        PatientNames::parse(pattern).unwrap().of(path)
    }

    #[test]
    fn every_known_pattern_is_a_pattern_with_a_group() {
        assert!(KNOWN.iter().all(|p| Regex::new(p).unwrap().captures_len() == 2));
        assert_eq!(PatientNames::parse(AUTO).unwrap().patterns.len(), KNOWN.len());
    }

    #[test]
    fn names_of_public_databases() {
        for (path, patient) in [
            ("p00/p00000/p00000_s02", "p00000"),
            ("p10999_s49", "p10999"),
            ("p00/p000020/p000020-2183-04-28-17-47", "p000020"),
            ("patient001/s0010_re", "patient001"),
            ("Patient001_2", "Patient001"),
            ("x/subject_12/day-3", "subject_12"),
            ("sub-A01/ses-1/sub-A01_ses-1_ecg", "sub-A01"),
            ("data_39_4", "data_39"),
            ("p1000/p10000032/s40689238/40689238", "p10000032"),
        ] {
            assert_eq!(of(AUTO, path), Some(patient), "{path}");
            assert_eq!(of("none", path), None);
        }
        for path in
            ["100", "A0001", "JS00001", "g1/HR06000", "p02c", "s0010_re", "row-000001", "000001", "sub/x", "I01"]
        {
            assert_eq!(of(AUTO, path), None, "{path}");
        }
    }

    #[test]
    fn patterns_of_the_user() {
        assert_eq!(of("^([^_]+)_", "a/ann_2"), Some("ann"));
        assert_eq!(of(r"(\w+)/", "ann/day1"), Some("ann"));
        assert_eq!(of("^x()", "x"), None);
        for (bad, part) in
            [("(", "no regular expression"), ("abc", "without a group"), ("(a)(b)", "2 groups"), ("", "")]
        {
            let e = PatientNames::parse(bad).unwrap_err().to_string();
            assert!(e.contains(part) && e.contains("HINT") && e.contains("patient_pattern"), "{bad}: {e}");
        }
    }

    #[test]
    fn comments_that_name_a_patient() {
        let of = |line: &str| in_comment(line).map(str::to_string);
        assert_eq!(of("#Patient: 17 "), Some("17".into()));
        assert_eq!(of("subject_id: a:b"), Some("a:b".into()));
        assert_eq!(of("# patient 12"), Some("12".into()));
        let none = ["patient: unknown", "Patient:", "patient is well", "patient 72 years", "x: patient 3"];
        assert_eq!(none.map(of), [const { None }; 5]);
        assert_eq!((same_person("202"), same_person("203")), (Some("201+202"), None));
    }
}
