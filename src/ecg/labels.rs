//! From what databases write about a rhythm to the classes of the network.

pub mod snomed;

use crate::error::{Error, Result};
use snomed::Meaning;

/// The rhythms that are distinguished; every class scheme is a grouping of them.
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
    /// Any other rhythm (paced, ventricular, junctional, ...); only the scheme `af3` has a class for it.
    Other,
}

/// When a record carries several rhythms, the first of these that it carries decides. A rhythm outside the classes goes
/// before all: a run of ventricular tachycardia makes no strip of sinus rhythm, whatever else is written beside it.
pub const PRIORITY: [Rhythm; 7] = [
    Rhythm::Other,
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
    /// What they stand for.
    pub meanings: &'static [&'static str],
    /// Whether its classes of sinus rhythm differ in the rate: a normal rhythm of unknown rate is then of the class of its
    /// rate. (`N` of `af3` is whatever is called normal.)
    pub by_rate: bool,
    /// Class of each rhythm, in the order of [`Rhythm`].
    of_rhythm: [Option<usize>; 7],
}

/// The EXGnet classes.
pub static RHYTHM6: Scheme = Scheme {
    name: "rhythm6",
    classes: &["SR", "SB", "ST", "SI", "AFIB/AFL", "SVT/AT"],
    meanings: &[
        "sinus rhythm",
        "sinus bradycardia",
        "sinus tachycardia",
        "sinus irregularity",
        "atrial fibrillation or flutter",
        "supraventricular or atrial tachycardia",
    ],
    by_rate: true,
    of_rhythm: [Some(0), Some(1), Some(2), Some(3), Some(4), Some(5), None],
};

/// Four merged groups, after Zheng et al. 2020: GSVT holds every tachycardia from above the ventricles.
pub static RHYTHM4: Scheme = Scheme {
    name: "rhythm4",
    classes: &["SB", "AFIB", "GSVT", "SR"],
    meanings: &[
        "sinus bradycardia",
        "atrial fibrillation or flutter",
        "tachycardia from above the ventricles",
        "sinus rhythm or irregularity",
    ],
    by_rate: true,
    of_rhythm: [Some(3), Some(0), Some(2), Some(3), Some(1), Some(2), None],
};

/// Normal sinus rhythm, atrial fibrillation (or flutter), any other rhythm: the rhythm classes of the
/// PhysioNet/CinC Challenge 2017.
pub static AF3: Scheme = Scheme {
    name: "af3",
    classes: &["N", "A", "O"],
    meanings: &["normal rhythm", "atrial fibrillation or flutter", "any other rhythm"],
    by_rate: false,
    of_rhythm: [Some(0), Some(2), Some(2), Some(2), Some(1), Some(2), Some(2)],
};

/// Every scheme.
pub static SCHEMES: [&Scheme; 3] = [&RHYTHM6, &RHYTHM4, &AF3];

impl Scheme {
    /// The scheme of that name: `rhythm6`, `rhythm4` or `af3`.
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

    /// What the classes stand for, `SR: sinus rhythm; SB: ...`, if they come from a known scheme.
    pub fn spelled(classes: &[String]) -> Option<String> {
        let scheme = Self::of_classes(classes)?;
        let names = scheme.classes.iter().zip(scheme.meanings).filter(|(name, _)| classes.iter().any(|c| c == *name));
        Some(names.map(|(name, meaning)| format!("{name}: {meaning}")).collect::<Vec<_>>().join("; "))
    }

    /// Class index of a rhythm, if the scheme has a class for it.
    pub fn class_of(&self, rhythm: Rhythm) -> Option<usize> {
        self.of_rhythm[rhythm as usize]
    }
}

/// The SNOMED CT code of a class of [`RHYTHM6`], that of its first rhythm.
pub fn snomed_of_class(class: &str) -> Option<&'static str> {
    let of = |row: &&snomed::Code| matches!(row.meaning, Meaning::Is(rhythm) if RHYTHM6.class_of(rhythm).is_some_and(|c| RHYTHM6.classes[c] == class));
    snomed::CODES.iter().find(of).map(|row| row.code)
}

/// The codes of `Dx:` comment lines (with any blanks, case, trailing commas; `Unknown` is none), each once, in order.
pub fn dx_codes(comments: &[String]) -> Vec<String> {
    let mut codes: Vec<String> = Vec::new();
    let nothing = |c: &str| c.is_empty() || ["unknown", "none", "nan", "n/a"].iter().any(|w| c.eq_ignore_ascii_case(w));
    for value in comments.iter().filter_map(|c| after_key(c, "dx")) {
        for code in value.split(|c: char| c == ',' || c == ';' || c.is_whitespace()).filter(|c| !nothing(c)) {
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

/// The rhythm that a header names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRhythm {
    /// The deciding rhythm.
    pub rhythm: Rhythm,
    /// More than one rhythm was named.
    pub conflict: bool,
    /// How the header names the deciding one, e.g. `VTach (164895002)`.
    pub named: String,
}

/// The rhythm from a header's comments: SNOMED codes after `Dx:`, or words after `Rhythm:` (LUDB).
///
/// A code or word that is in no list may name a rhythm that goes before those that are known: it leaves the record
/// without a label, as does a code that names a rhythm without saying which.
pub fn header_label(comments: &[String]) -> Result<HeaderRhythm, String> {
    let codes = dx_codes(comments);
    let words: Vec<&str> = comments.iter().filter_map(|c| after_key(c, "rhythm")).filter(|w| !w.is_empty()).collect();
    if codes.is_empty() && words.is_empty() {
        return Err("no diagnosis in the header".into());
    }
    let mut found: Vec<(Rhythm, String)> = Vec::new();
    for code in &codes {
        let Some(row) = snomed::find(code) else {
            let shown: String = code.chars().take(30).collect();
            return Err(format!("the code {} is not known and may name a rhythm", shown.escape_debug()));
        };
        let named = format!("{} ({code})", row.abbreviation);
        match row.meaning {
            Meaning::Is(rhythm) => found.push((rhythm, named)),
            Meaning::Open => return Err(format!("{named}, {}, may be of several classes", row.name)),
            Meaning::Not => {}
        }
    }
    for text in words {
        let shown = format!("`{}`", text.chars().take(60).collect::<String>().escape_debug());
        match rhythm_words(text) {
            Some(rhythm) => found.push((rhythm, shown)),
            None => return Err(format!("the rhythm {shown} is not known")),
        }
    }
    let rhythms: Vec<Rhythm> = found.iter().map(|(rhythm, _)| *rhythm).collect();
    let (rhythm, conflict) = deciding(&rhythms).ok_or("no code of a rhythm in the header")?;
    let named = found.into_iter().find(|(r, _)| *r == rhythm).map_or(String::new(), |(_, named)| named);
    Ok(HeaderRhythm { rhythm, conflict, named })
}

/// A `Rhythm:` comment, e.g. LUDB's `Atrial flutter, typical.`, or a name of [`snomed::CODES`].
pub fn rhythm_words(text: &str) -> Option<Rhythm> {
    let text = text.trim().trim_end_matches('.').to_lowercase();
    match text.as_str() {
        "irregular sinus rhythm" => Some(Rhythm::Irregularity),
        t if t.starts_with("atrial fibrillation") || t.starts_with("atrial flutter") => Some(Rhythm::Fibrillation),
        t => match snomed::find_name(t)?.meaning {
            Meaning::Is(rhythm) => Some(rhythm),
            Meaning::Open | Meaning::Not => None,
        },
    }
}

/// What a rhythm note of a long record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteRhythm {
    /// A rhythm by name.
    Named(Rhythm),
    /// `(N`: normal, to be split by the rate with [`by_rate`].
    ByRate,
    /// A text that is not known; it may be any rhythm.
    Unknown,
}

/// The meaning of a rhythm note such as `(AFIB`: those of PhysioNet's databases.
pub fn rhythm_note(aux: &str) -> NoteRhythm {
    match aux.trim().trim_end_matches('\0') {
        "(N" => NoteRhythm::ByRate,
        "(SBR" => NoteRhythm::Named(Rhythm::Bradycardia),
        "(AFIB" | "(AFL" => NoteRhythm::Named(Rhythm::Fibrillation),
        "(SVTA" => NoteRhythm::Named(Rhythm::Supraventricular),
        // bigeminy of the atria or ventricles, trigeminy, block, idioventricular, nodal, paced, pre-excited, ventricular
        "(AB" | "(B" | "(T" | "(BII" | "(IVR" | "(NOD" | "(J" | "(P" | "(PREX" | "(VT" | "(VFL" | "(VF" | "(VFIB" => {
            NoteRhythm::Named(Rhythm::Other)
        }
        _ => NoteRhythm::Unknown,
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

/// The rhythm that decides among several, the first of [`PRIORITY`]; and whether there was more than one.
pub fn deciding(found: &[Rhythm]) -> Option<(Rhythm, bool)> {
    let first = PRIORITY.into_iter().find(|r| found.contains(r))?;
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

/// The rhythm of a class in a table of labels: a class of `scheme` or of [`RHYTHM6`] or a part of one (`AFIB`, `AFL`), an
/// acronym of Chapman's, a rhythm in words, a SNOMED CT code. What a scheme merges counts as the first rhythm of its class.
///
/// # Errors
/// What is wrong, in words: the class is not known, or the scheme has none for it.
pub fn of_table(scheme: &Scheme, text: &str) -> Result<Rhythm, String> {
    let text = text.trim();
    let named = |scheme: &Scheme| {
        let part =
            |class: &&str| class.eq_ignore_ascii_case(text) || class.split('/').any(|p| p.eq_ignore_ascii_case(text));
        let class = scheme.classes.iter().position(part)?;
        let of = |r: &Rhythm| scheme.class_of(*r) == Some(class);
        PRIORITY.into_iter().filter(of).min()
    };
    let code = || match snomed::find(text)?.meaning {
        Meaning::Is(rhythm) => Some(rhythm),
        Meaning::Open | Meaning::Not => None,
    };
    let words = || rhythm_words(text).or_else(|| class_column(text)).or_else(|| chapman_acronym(text));
    let Some(rhythm) = named(scheme).or_else(|| named(&RHYTHM6)).or_else(words).or_else(code) else {
        let shown: String = text.chars().take(60).collect();
        return Err(format!(
            "the class `{}` is not known, expected {}, a rhythm in words or its SNOMED CT code",
            shown.escape_debug(),
            scheme.classes.join(", ")
        ));
    };
    scheme
        .class_of(rhythm)
        .map(|_| rhythm)
        .ok_or_else(|| format!("the class `{text}` is in no class of {}", scheme.name))
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
mod tests;
