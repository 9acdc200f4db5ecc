//! From what databases write about a rhythm to the classes of the network.

use super::wfdb::Annotation;
use crate::error::{Error, Result};

/// The rhythms that are told apart; every class scheme is a grouping of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rhythm {
    /// Sinus rhythm.
    Sinus,
    /// Sinus bradycardia.
    Bradycardia,
    /// Sinus tachycardia.
    Tachycardia,
    /// Sinus irregularity (sinus arrhythmia).
    Irregularity,
    /// Atrial fibrillation or flutter: always one class, some databases label no fibrillation at all.
    Fibrillation,
    /// Supraventricular or atrial tachycardia, the re-entry tachycardias included.
    Supraventricular,
    /// Any other rhythm (paced, ventricular, bigeminy, ...); only the scheme `af3` has a class for it.
    Other,
}

/// When a record carries several rhythms, the first of these that it carries decides.
pub const PRIORITY: [Rhythm; 6] = [
    Rhythm::Supraventricular,
    Rhythm::Fibrillation,
    Rhythm::Tachycardia,
    Rhythm::Bradycardia,
    Rhythm::Irregularity,
    Rhythm::Sinus,
];

/// A named grouping of rhythms into classes.
#[derive(Debug, PartialEq, Eq)]
pub struct Scheme {
    /// Name used in experiment files.
    pub name: &'static str,
    /// Class names in their fixed order.
    pub classes: &'static [&'static str],
    /// Class of each rhythm, in the order of [`Rhythm`].
    of_rhythm: [Option<usize>; 7],
}

/// The EXGnet classes.
pub static RHYTHM6: Scheme = Scheme {
    name: "rhythm6",
    classes: &["SR", "SB", "ST", "SI", "AFIB/AFL", "SVT/AT"],
    of_rhythm: [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), None],
};

/// Four merged groups, after Zheng et al. 2020: GSVT holds every tachycardia from above the ventricles.
pub static RHYTHM4: Scheme = Scheme {
    name: "rhythm4",
    classes: &["SB", "AFIB", "GSVT", "SR"],
    of_rhythm: [Some(3), Some(0), Some(2), Some(3), Some(1), Some(2), None],
};

/// Normal sinus rhythm, atrial fibrillation (or flutter), any other rhythm: the rhythm classes of the
/// PhysioNet/CinC Challenge 2017.
pub static AF3: Scheme = Scheme {
    name: "af3",
    classes: &["N", "A", "O"],
    of_rhythm: [Some(0), Some(2), Some(2), Some(2), Some(1), Some(2), Some(2)],
};

/// Every scheme.
pub static SCHEMES: [&Scheme; 3] = [&RHYTHM6, &RHYTHM4, &AF3];

impl Scheme {
    /// The scheme of that name: `rhythm6`, `rhythm4` or `af3`.
    ///
    /// # Errors
    /// [`Error::Config`] for another name.
    pub fn by_name(name: &str) -> Result<&'static Self> {
        SCHEMES.into_iter().find(|s| s.name == name).ok_or_else(|| {
            Error::config(
                format!("classes: found the scheme `{name}`, expected rhythm6, rhythm4 or af3"),
                "choose rhythm6 (six rhythms), rhythm4 (four groups) or af3 (normal, fibrillation, other)",
            )
        })
    }

    /// The scheme that a model's classes come from, if it is a known one.
    pub fn of_classes(classes: &[String]) -> Option<&'static Self> {
        SCHEMES.into_iter().find(|s| classes.iter().all(|c| s.classes.contains(&c.as_str())))
    }

    /// Class index of a rhythm, if the scheme has a class for it.
    pub fn class_of(&self, rhythm: Rhythm) -> Option<usize> {
        self.of_rhythm[rhythm as usize]
    }
}

/// The rhythm of a SNOMED CT code, if it names one.
pub fn snomed(code: &str) -> Option<Rhythm> {
    Some(match code {
        "426783006" => Rhythm::Sinus,
        "426177001" => Rhythm::Bradycardia,
        "427084000" => Rhythm::Tachycardia,
        "427393009" => Rhythm::Irregularity,
        "164889003" | "164890007" => Rhythm::Fibrillation,
        // SVT, AT, AVNRT, AVRT, sinus atrium to atrial wandering rhythm
        "426761007" | "713422000" | "251166008" | "233897008" | "195101003" => Rhythm::Supraventricular,
        _ => return None,
    })
}

/// The SNOMED CT code of a class of [`RHYTHM6`], that of its first rhythm.
pub fn snomed_of_class(class: &str) -> Option<&'static str> {
    Some(match class {
        "SR" => "426783006",
        "SB" => "426177001",
        "ST" => "427084000",
        "SI" => "427393009",
        "AFIB/AFL" => "164889003",
        "SVT/AT" => "426761007",
        _ => return None,
    })
}

/// The codes of `Dx:` comment lines (with any blanks, case, trailing commas), each once, in order.
pub fn dx_codes(comments: &[String]) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    for value in comments.iter().filter_map(|c| after_key(c, "dx")) {
        for code in value.split([',', ';']).map(str::trim).filter(|c| !c.is_empty()) {
            if !codes.iter().any(|c| c == code) {
                codes.push(code.to_string());
            }
        }
    }
    codes
}

/// The value of a `Key: value` comment, key without regard to case.
pub(crate) fn after_key<'a>(comment: &'a str, key: &str) -> Option<&'a str> {
    let (found, value) = comment.trim_start_matches('#').split_once(':')?;
    found.trim().eq_ignore_ascii_case(key).then(|| value.trim())
}

/// What a header says about the rhythm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderLabel {
    /// One rhythm; `conflict` when the header names several classes of rhythm.
    Rhythm {
        /// The deciding rhythm.
        rhythm: Rhythm,
        /// More than one rhythm was named.
        conflict: bool,
    },
    /// No known rhythm; what was written instead.
    None(String),
}

/// The rhythm from a header's comments: SNOMED codes after `Dx:`, or words after `Rhythm:` (LUDB).
pub fn header_label(comments: &[String]) -> HeaderLabel {
    let codes = dx_codes(comments);
    let words: Vec<&str> = comments.iter().filter_map(|c| after_key(c, "rhythm")).collect();
    let mut found: Vec<Rhythm> = codes.iter().filter_map(|c| snomed(c)).collect();
    found.extend(words.iter().filter_map(|w| rhythm_words(w)));
    match PRIORITY.into_iter().find(|r| found.contains(r)) {
        Some(rhythm) => HeaderLabel::Rhythm { rhythm, conflict: found.iter().any(|&r| r != rhythm) },
        None if words.is_empty() && codes.is_empty() => HeaderLabel::None("no diagnosis in the header".into()),
        None => HeaderLabel::None("no code or word of a known rhythm in the header".into()),
    }
}

/// LUDB's `Rhythm:` comment, e.g. `Atrial flutter, typical.`
pub fn rhythm_words(text: &str) -> Option<Rhythm> {
    let text = text.trim().trim_end_matches('.').to_lowercase();
    Some(match text.as_str() {
        "sinus rhythm" => Rhythm::Sinus,
        "sinus bradycardia" => Rhythm::Bradycardia,
        "sinus tachycardia" => Rhythm::Tachycardia,
        "irregular sinus rhythm" | "sinus arrhythmia" => Rhythm::Irregularity,
        t if t.starts_with("atrial fibrillation") || t.starts_with("atrial flutter") => Rhythm::Fibrillation,
        "supraventricular tachycardia" | "atrial tachycardia" => Rhythm::Supraventricular,
        _ => return None,
    })
}

/// What a rhythm note of a long record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteRhythm {
    /// A rhythm by name.
    Named(Rhythm),
    /// `(N`: normal, to be split by the rate with [`by_rate`].
    ByRate,
    /// Any other rhythm (paced, bigeminy, ventricular, ...).
    Other,
}

/// The meaning of a rhythm note such as `(AFIB`.
pub fn rhythm_note(aux: &str) -> NoteRhythm {
    match aux.trim().trim_end_matches('\0') {
        "(N" => NoteRhythm::ByRate,
        "(SBR" => NoteRhythm::Named(Rhythm::Bradycardia),
        "(AFIB" | "(AFL" => NoteRhythm::Named(Rhythm::Fibrillation),
        "(SVTA" => NoteRhythm::Named(Rhythm::Supraventricular),
        _ => NoteRhythm::Other,
    }
}

/// Sinus rhythm, bradycardia (below 60 per minute) or tachycardia (above 100) from the mean interval of
/// beats given in samples at `fs` Hz; `None` with fewer than two beats.
pub fn by_rate(beats: &[i64], fs: f64) -> Option<Rhythm> {
    let (first, last) = (beats.first()?, beats.last()?);
    let span = last.checked_sub(*first).filter(|&d| d > 0)? as f64;
    let rate = 60.0 * fs * (beats.len() - 1) as f64 / span;
    Some(match rate {
        r if r < 60.0 => Rhythm::Bradycardia,
        r if r > 100.0 => Rhythm::Tachycardia,
        _ => Rhythm::Sinus,
    })
}

/// True for a beat that makes a window fall out with `ectopic = "drop"`: ectopic, paced or unclassifiable.
pub fn is_abnormal_beat(a: &Annotation) -> bool {
    a.is_beat() && !a.is_normal()
}

/// The rhythm that decides among several: the first of [`PRIORITY`], [`Rhythm::Other`] last; and whether there was more
/// than one.
pub fn deciding(found: &[Rhythm]) -> Option<(Rhythm, bool)> {
    let first = PRIORITY.into_iter().chain([Rhythm::Other]).find(|r| found.contains(r))?;
    Some((first, found.iter().any(|&r| r != first)))
}

/// The rhythm of a one-hot class column of the EXGnet authors' files, e.g. `Sinus Rhythm`; only letters count, in any
/// case.
pub fn class_column(name: &str) -> Option<Rhythm> {
    let letters: String = name.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect();
    Some(match letters.as_str() {
        "sinusrhythm" => Rhythm::Sinus,
        "sinusbradycardia" => Rhythm::Bradycardia,
        "sinustachycardia" => Rhythm::Tachycardia,
        "sinusirregularity" => Rhythm::Irregularity,
        "atrialfibrillationatrialflutter" => Rhythm::Fibrillation,
        "supraventriculartachycardiaatrialtachycardia" => Rhythm::Supraventricular,
        "others" | "other" => Rhythm::Other,
        _ => return None,
    })
}

/// The rhythm of an acronym in Chapman's `Diagnostics.xlsx`, where AF is atrial flutter and SA sinus irregularity.
pub fn chapman_acronym(text: &str) -> Option<Rhythm> {
    Some(match text.trim().to_ascii_uppercase().as_str() {
        "SR" => Rhythm::Sinus,
        "SB" => Rhythm::Bradycardia,
        "ST" => Rhythm::Tachycardia,
        "SA" | "SI" => Rhythm::Irregularity,
        "AFIB" | "AF" => Rhythm::Fibrillation,
        "SVT" | "AT" | "AVNRT" | "AVRT" | "SAAWR" => Rhythm::Supraventricular,
        _ => return None,
    })
}

/// The rhythm of a label of the Challenge 2017: `N`, `A` or `O`; `~` (noisy) is none.
pub fn challenge_2017(label: &str) -> Option<Rhythm> {
    Some(match label {
        "N" => Rhythm::Sinus,
        "A" => Rhythm::Fibrillation,
        "O" => Rhythm::Other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn label(lines: &[&str]) -> HeaderLabel {
        header_label(&lines.iter().map(|s| (*s).to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn dx_lines_in_every_published_shape() {
        let comments: Vec<String> = ["Age: 3", "Dx: 1, 2,,2,", "dx:3;"].iter().map(|s| (*s).to_string()).collect();
        assert_eq!(dx_codes(&comments), ["1", "2", "3"]);
        assert!(dx_codes(&["Dx:".into(), "Dx: ,".into()]).is_empty());
    }

    #[test]
    fn codes_of_classes_lead_back_to_them() {
        for (i, class) in RHYTHM6.classes.iter().enumerate() {
            assert_eq!(RHYTHM6.class_of(snomed(snomed_of_class(class).unwrap()).unwrap()), Some(i));
        }
    }

    #[test]
    fn several_codes_go_by_priority() {
        use Rhythm::*;
        let of = |rhythm, conflict| HeaderLabel::Rhythm { rhythm, conflict };
        assert_eq!(label(&["Dx: 426783006,426177001,"]), of(Bradycardia, true));
        assert_eq!(label(&["Dx: 427393009,426177001"]), of(Bradycardia, true));
        assert_eq!(label(&["Dx: 164889003,164890007"]), of(Fibrillation, false));
        assert_eq!(label(&["Dx: 427084000,713422000,164890007"]), of(Supraventricular, true));
        assert_eq!(label(&["Rhythm: Irregular sinus rhythm."]), of(Irregularity, false));
        assert_eq!(label(&["Rhythm: Atrial flutter, typical."]), of(Fibrillation, false));
        assert!(matches!(label(&["Dx: 59118001"]), HeaderLabel::None(t) if t.contains("known rhythm")));
        assert!(matches!(label(&["Rhythm: Wandering pacemaker"]), HeaderLabel::None(_)));
        assert!(matches!(label(&[]), HeaderLabel::None(t) if t.contains("no diagnosis")));
    }

    #[test]
    fn schemes() {
        assert_eq!(Scheme::by_name("rhythm6").unwrap().classes[4], "AFIB/AFL");
        let four = Scheme::by_name("rhythm4").unwrap();
        let names: Vec<_> = PRIORITY.iter().map(|&r| four.classes[four.class_of(r).unwrap()]).collect();
        assert_eq!(names, ["GSVT", "AFIB", "GSVT", "SB", "SR", "SR"]);
        assert_eq!(PRIORITY.map(|r| AF3.classes[AF3.class_of(r).unwrap()]), ["O", "A", "O", "O", "O", "N"]);
        assert_eq!((RHYTHM6.class_of(Rhythm::Other), AF3.class_of(Rhythm::Other)), (None, Some(2)));
        assert!(Scheme::by_name("rhythm7").unwrap_err().to_string().contains("rhythm6"));
    }

    #[test]
    fn rate_rule_is_strict_at_60_and_100() {
        assert_eq!(by_rate(&[0, 360, 720], 360.0), Some(Rhythm::Sinus));
        assert_eq!(by_rate(&[0, 361, 721], 360.0), Some(Rhythm::Bradycardia));
        assert_eq!(by_rate(&[0, 216, 432], 360.0), Some(Rhythm::Sinus));
        assert_eq!(by_rate(&[0, 215, 431], 360.0), Some(Rhythm::Tachycardia));
        assert_eq!(by_rate(&[5], 360.0), None);
        assert_eq!(by_rate(&[5, 5], 360.0), None);
        assert_eq!(rhythm_note("(AFL\0"), NoteRhythm::Named(Rhythm::Fibrillation));
        assert_eq!(rhythm_note("(B"), NoteRhythm::Other);
    }

    #[test]
    fn names_of_tables() {
        use Rhythm::*;
        let columns = [
            "Sinus Rhythm",
            "Sinus Bradycardia",
            "sinus_tachycardia ",
            "Sinus Irregularity",
            "Atrial Fibrillation_Atrial Flutter",
            "Supraventricular Tachycardia_Atrial Tachycardia",
            "Others",
        ];
        let all = [Sinus, Bradycardia, Tachycardia, Irregularity, Fibrillation, Supraventricular, Other];
        assert_eq!(columns.map(|c| class_column(c).unwrap()), all);
        assert_eq!((class_column("Sinus"), class_column("17"), class_column("")), (None, None, None));
        let words = ["SB", "SR", "AFIB", "ST", "SVT", "AF", "SA", "SI", "AT", "AVNRT", "AVRT", "SAAWR"];
        let of = [Bradycardia, Sinus, Fibrillation, Tachycardia, Supraventricular, Fibrillation, Irregularity];
        assert_eq!(words.map(|w| chapman_acronym(w).unwrap())[..7], of);
        assert!(words[8..].iter().all(|w| chapman_acronym(w) == Some(Supraventricular)));
        assert_eq!(chapman_acronym("VT"), None);
        assert_eq!(["N", "A", "O", "~"].map(challenge_2017), [Some(Sinus), Some(Fibrillation), Some(Other), None]);
        assert_eq!(deciding(&[Sinus, Other, Irregularity]), Some((Irregularity, true)));
        assert_eq!(deciding(&[Other]), Some((Other, false)));
        assert_eq!(deciding(&[]), None);
    }
}
