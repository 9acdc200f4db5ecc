//! Annotations in MIT format (`.atr` and others), after the format's manual page `annot(5)`.

use super::{Header, read_limited};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The largest annotation file that is read, in bytes.
const MAX_ANNOTATIONS: u64 = 1 << 28;

/// Code of a rhythm change, whose text is in [`Annotation::aux`].
pub const RHYTHM: u8 = 28;

pub(super) const SKIP: u16 = 59;
pub(super) const NUM: u16 = 60;
pub(super) const SUB: u16 = 61;
pub(super) const CHN: u16 = 62;
pub(super) const AUX: u16 = 63;

/// Symbols of the codes 0 to 41; a blank where the code is unused.
const SYMBOLS: &[u8; 42] = b" NLRaVFJASEj/Q~ | sT*D\"=pB^t+u?![]en@xf()r";

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Sample at the record's rate, from the record's start.
    pub sample: i64,
    /// The annotation code, 1 to 49.
    pub code: u8,
    /// Subtype.
    pub sub: i8,
    /// Channel.
    pub channel: u8,
    /// The `num` field.
    pub num: i8,
    /// Text without its trailing NUL, e.g. `(AFIB` of a rhythm change.
    pub aux: String,
}

impl Annotation {
    /// The usual symbol of the code, e.g. `N`, `V`, `+`; a blank for codes without one.
    pub fn symbol(&self) -> char {
        SYMBOLS.get(usize::from(self.code)).map_or(' ', |&b| char::from(b))
    }

    /// A heart beat of any kind (a QRS complex), not a comment, wave or rhythm change.
    pub fn is_beat(&self) -> bool {
        matches!(self.code, 1..=13 | 25 | 30 | 34 | 35 | 38 | 41)
    }

    /// A beat that is conducted as usual from the sinus node or the atria: normal, or with bundle branch block.
    pub fn is_normal(&self) -> bool {
        matches!(self.code, 1..=3 | 25)
    }

    /// A beat of a pacemaker, or a fusion of a paced and a normal beat.
    pub fn is_paced(&self) -> bool {
        matches!(self.code, 12 | 38)
    }

    /// A beat that could not be classified, or was not.
    pub fn is_unclassifiable(&self) -> bool {
        matches!(self.code, 13 | 30)
    }

    /// A premature, escape or fusion beat: every beat that is not normal, paced or unclassifiable.
    pub fn is_ectopic(&self) -> bool {
        self.is_beat() && !self.is_normal() && !self.is_paced() && !self.is_unclassifiable()
    }

    /// A change of rhythm (`+`).
    pub fn is_rhythm(&self) -> bool {
        self.code == RHYTHM
    }
}

/// Reads an annotation file; the result is ordered by sample.
///
/// # Errors
/// [`Error::File`] for a missing, truncated or damaged file.
pub fn read_annotations(path: &Path) -> Result<Vec<Annotation>> {
    parse_annotations(path, &read_limited(path, MAX_ANNOTATIONS, "annotation file")?)
}

/// Parses the bytes of an annotation file; `path` is for the messages.
///
/// # Errors
/// As [`read_annotations`].
pub fn parse_annotations(path: &Path, bytes: &[u8]) -> Result<Vec<Annotation>> {
    let fault = |at: usize, what: &str| {
        Error::file(path, format!("{what} at byte {at} of {}", bytes.len()), "fetch the annotation file again")
    };
    let mut list: Vec<Annotation> = Vec::new();
    let mut time = 0_i64;
    let (mut num, mut channel) = (0_i8, 0_u8);
    let mut at = 0_usize;
    loop {
        let start = at;
        let Some(word) = word_at(bytes, at) else {
            return Err(fault(start, "is truncated: no end mark (two zero bytes)"));
        };
        at += 2;
        let (code, value) = (word >> 10, word & 0x3ff);
        match code {
            // an interval of up to 32 bits before the next annotation, high half first
            SKIP => {
                let (Some(high), Some(low)) = (word_at(bytes, at), word_at(bytes, at + 2)) else {
                    return Err(fault(start, "is truncated in a SKIP"));
                };
                at += 4;
                let skip = (u32::from(high) << 16 | u32::from(low)) as i32;
                // at most 2^28 / 6 of them with 32 bits each: the sum cannot overflow
                time += i64::from(skip);
            }
            NUM | SUB | CHN | AUX if list.is_empty() => {
                return Err(fault(start, "a NUM, SUB, CHN or AUX field before the first annotation"));
            }
            NUM => {
                num = value as i8;
                set_last(&mut list, |a| a.num = num);
            }
            SUB => set_last(&mut list, |a| a.sub = value as i8),
            CHN => {
                channel = value as u8;
                set_last(&mut list, |a| a.channel = channel);
            }
            AUX => {
                let length = usize::from(value);
                let Some(text) = bytes.get(at..at + length) else {
                    return Err(fault(start, &format!("is truncated in a text of {length} bytes")));
                };
                at += length + length % 2;
                let end = text.iter().position(|&b| b == 0).unwrap_or(length);
                let text = String::from_utf8_lossy(&text[..end]).trim().to_string();
                set_last(&mut list, |a| a.aux = text);
            }
            0 if value == 0 => break,
            // code 0 with an interval only moves time on
            0 => time += i64::from(value),
            1..=49 => {
                time += i64::from(value);
                list.push(Annotation { sample: time, code: code as u8, sub: 0, channel, num, aux: String::new() });
            }
            _ => return Err(fault(start, &format!("unknown annotation code {code}"))),
        }
    }
    list.sort_by_key(|a| a.sample);
    Ok(list)
}

/// Beats of a record in samples at its own rate, ascending: from the annotation file named after the lead
/// (`1.ii` of LUDB, whose beats stand between the onsets and ends of waves), else from `.atr`. `None` without
/// such a file or with fewer than two beats in it. LUDB leaves the first and last beat of a strip unmarked.
///
/// # Errors
/// As [`read_annotations`].
pub fn beats_of_lead(header: &Header, index: usize) -> Result<Option<Vec<i64>>> {
    let Some(path) = annotation_file(header, index) else { return Ok(None) };
    let mut beats: Vec<i64> = read_annotations(&path)?.iter().filter(|a| a.is_beat()).map(|a| a.sample).collect();
    beats.dedup();
    Ok((beats.len() >= 2).then_some(beats))
}

/// The annotation file that holds the beats of signal `index`, if there is one: named after its lead, or `.atr`.
pub(crate) fn annotation_file(header: &Header, index: usize) -> Option<PathBuf> {
    let lead = header.signals.get(index).map_or(String::new(), |s| s.description.trim().to_lowercase());
    // a lead's name may hold anything; only a plain word can be a file's extension
    let named = !lead.is_empty() && lead.chars().all(char::is_alphanumeric) && lead != "hea" && lead != "dat";
    let names = [if named { lead.as_str() } else { "atr" }, "atr"];
    names.into_iter().map(|n| header.path.with_extension(n)).find(|p| p.is_file())
}

fn word_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

fn set_last(list: &mut [Annotation], change: impl FnOnce(&mut Annotation)) {
    if let Some(last) = list.last_mut() {
        change(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn word(code: u16, value: u16) -> [u8; 2] {
        (code << 10 | value).to_le_bytes()
    }

    fn sample_file() -> Vec<u8> {
        let mut b = Vec::new();
        b.extend(word(28, 18));
        b.extend(word(AUX, 5));
        b.extend(b"(AFIB\0");
        b.extend(word(1, 59));
        b.extend(word(SUB, 1));
        b.extend(word(CHN, 1));
        b.extend(word(SKIP, 0));
        b.extend([0x01, 0x00, 0x70, 0x11]);
        b.extend(word(5, 3));
        b.extend(word(NUM, 0x3ff));
        b.extend(word(28, 1));
        b.extend(word(AUX, 4));
        b.extend(b"(N\0\0");
        b.extend(word(12, 1));
        b.extend(word(0, 0));
        b
    }

    #[test]
    fn reads_every_kind_of_field() {
        let a = parse_annotations(Path::new("x.atr"), &sample_file()).unwrap();
        assert_eq!(a.len(), 5);
        assert_eq!((a[0].sample, a[0].symbol(), a[0].aux.as_str()), (18, '+', "(AFIB"));
        assert_eq!((a[1].sample, a[1].symbol(), a[1].sub, a[1].channel), (77, 'N', 1, 1));
        assert_eq!((a[2].sample, a[2].symbol(), a[2].sub, a[2].channel, a[2].num), (77 + 0x11170 + 3, 'V', 0, 1, -1));
        assert_eq!((a[3].aux.as_str(), a[4].symbol()), ("(N", '/'));
        assert!(a[0].is_rhythm() && !a[0].is_beat());
        assert!(a[1].is_normal() && a[2].is_ectopic() && a[4].is_paced() && !a[4].is_ectopic());
    }

    #[test]
    fn a_cut_file_is_refused_at_every_length() {
        let good = sample_file();
        for n in 0..good.len() {
            let e = parse_annotations(Path::new("x.atr"), &good[..n]).unwrap_err().to_string();
            assert!(e.contains("x.atr") && e.contains("HINT"), "{n}: {e}");
        }
        assert!(parse_annotations(Path::new("x"), &[word(55, 1), word(0, 0)].concat()).is_err());
        assert!(parse_annotations(Path::new("x"), &[word(AUX, 0), word(0, 0)].concat()).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(edits in proptest::collection::vec((0usize..64, any::<u8>()), 0..8), junk in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = sample_file();
            for (at, b) in edits {
                let n = bytes.len();
                bytes[at % n] = b;
            }
            let _ = parse_annotations(Path::new("x"), &bytes);
            let _ = parse_annotations(Path::new("x"), &junk);
        }
    }
}
