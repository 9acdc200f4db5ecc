//! Annotations in MIT format (`.atr` and others), after the format's manual page `annot(5)`.

use super::definitions::{Definitions, Label};
use super::{Header, read_limited};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// The largest annotation file that is read, in bytes.
const MAX_ANNOTATIONS: u64 = 1 << 28;

/// Code of a rhythm change, whose text is in [`Annotation::aux`].
pub const RHYTHM: u8 = 28;
/// Code of a comment.
pub const NOTE: u8 = 22;

pub(super) const SKIP: u16 = 59;
pub(super) const NUM: u16 = 60;
pub(super) const SUB: u16 = 61;
pub(super) const CHN: u16 = 62;
pub(super) const AUX: u16 = 63;

/// Symbols of the codes 0 to 41; a blank where the code is unused.
const SYMBOLS: &[u8; 42] = b" NLRaVFJASEj/Q~ | sT*D\"=pB^t+u?![]en@xf()r";

/// The code whose usual symbol is `symbol`.
pub(super) fn code_of_symbol(symbol: &str) -> Option<u8> {
    let [symbol @ b'!'..=b'~'] = symbol.as_bytes() else { return None };
    SYMBOLS.iter().position(|s| s == symbol).and_then(|code| u8::try_from(code).ok())
}

/// True for a code with a usual meaning.
pub(super) fn is_usual(code: u8) -> bool {
    SYMBOLS.get(usize::from(code)).is_some_and(|s| *s != b' ')
}

/// One annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Annotation {
    /// Time in samples, from the record's start.
    pub sample: i64,
    /// The annotation code, 1 to 49, in its usual meaning; 0 for a meaning of the file's own.
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
    /// An annotation of subtype, channel and `num` 0.
    pub fn new(sample: i64, code: u8, aux: &str) -> Self {
        Self { sample, code, sub: 0, channel: 0, num: 0, aux: aux.into() }
    }

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

    /// The rhythm that begins or ends here, if one does.
    pub fn rhythm(&self) -> Option<RhythmChange<'_>> {
        if self.code != RHYTHM {
            return None;
        }
        match self.aux.as_bytes().first() {
            Some(b'(') => Some(RhythmChange::Begin(self.aux.trim_end_matches(')').trim_end())),
            Some(b')') => Some(RhythmChange::End),
            _ => None,
        }
    }
}

/// A change of rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RhythmChange<'a> {
    /// A rhythm begins: its name, e.g. `(AFIB`.
    Begin(&'a str),
    /// `)`: the rhythm ends, and what follows has no label (Icentia11k).
    End,
}

/// What an annotation file says.
#[derive(Debug, Clone, PartialEq)]
pub struct AnnotationFile {
    /// Times a second in Hz, where the file counts in another unit than the record's frames
    /// (`## time resolution: 360`).
    pub fs: Option<f64>,
    /// Codes that the file gives a meaning of its own.
    pub labels: Vec<Label>,
    /// The annotations with times and codes as in the file, ordered by time. Comments at time 0, which describe the
    /// file, are not among them.
    pub annotations: Vec<Annotation>,
}

impl AnnotationFile {
    /// The annotations of a record of `frames` frames a second with times in samples at `fs` Hz (both above 0), and
    /// codes in their usual meaning: a code that the file defines means what its symbol does.
    pub fn at_rate(self, frames: f64, fs: f64) -> Vec<Annotation> {
        let Self { fs: own, labels, mut annotations } = self;
        let ratio = fs / own.unwrap_or(frames);
        for a in &mut annotations {
            if ratio != 1.0 {
                a.sample = (a.sample as f64 * ratio).round() as i64;
            }
            if let Some(label) = labels.iter().rev().find(|l| l.code == a.code) {
                a.code = label.meaning();
            }
        }
        annotations
    }
}

/// Reads the annotations of a record of `frames` frames a second, with times in samples at `fs` Hz; ordered by sample.
/// See [`AnnotationFile::at_rate`].
pub fn read_annotations(path: &Path, frames: f64, fs: f64) -> Result<Vec<Annotation>> {
    let bytes = read_limited(path, MAX_ANNOTATIONS, "annotation file")?;
    Ok(parse_annotations(path, &bytes)?.at_rate(frames, fs))
}

/// Parses the bytes of an annotation file; `path` is for the messages. The end mark may be missing.
pub fn parse_annotations(path: &Path, bytes: &[u8]) -> Result<AnnotationFile> {
    let fault = |at: usize, what: &str| {
        Error::file(path, format!("{what} at byte {at} of {}", bytes.len()), "fetch the annotation file again")
    };
    if bytes.is_empty() {
        return Err(fault(0, "is empty"));
    }
    let mut list: Vec<Annotation> = Vec::new();
    let mut time = 0_i64;
    let mut at = 0_usize;
    loop {
        let start = at;
        let Some(word) = word_at(bytes, at) else {
            if at < bytes.len() {
                return Err(fault(start, "is truncated: half a word"));
            }
            break;
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
            NUM | SUB | CHN | AUX => {
                let Some(last) = list.last_mut() else {
                    return Err(fault(start, "a NUM, SUB, CHN or AUX field before the first annotation"));
                };
                match code {
                    NUM => last.num = value as i8,
                    SUB => last.sub = value as i8,
                    CHN => last.channel = value as u8,
                    _ => {
                        let length = usize::from(value);
                        let Some(text) = bytes.get(at..at + length) else {
                            return Err(fault(start, &format!("is truncated in a text of {length} bytes")));
                        };
                        at += length + length % 2;
                        let end = text.iter().position(|&b| b == 0).unwrap_or(length);
                        last.aux = String::from_utf8_lossy(&text[..end]).trim().to_string();
                    }
                }
            }
            0 if value == 0 => break,
            // code 0 with an interval only moves time on
            0 => time += i64::from(value),
            1..=49 => {
                time += i64::from(value);
                // channel and num hold until they change
                let (channel, num) = list.last().map_or((0, 0), |last| (last.channel, last.num));
                list.push(Annotation { channel, num, ..Annotation::new(time, code as u8, "") });
            }
            _ => return Err(fault(start, &format!("unknown annotation code {code}"))),
        }
    }
    let mut definitions = Definitions::default();
    for text in list.iter().filter(|a| describes_file(a)).map(|a| a.aux.as_str()) {
        definitions.read(text).map_err(|what| Error::file(path, what, "fetch the annotation file again"))?;
    }
    list.retain(|a| !describes_file(a));
    list.sort_by_key(|a| a.sample);
    let Definitions { fs, labels, .. } = definitions;
    Ok(AnnotationFile { fs, labels, annotations: list })
}

/// A comment at time 0 is about the file: its time resolution, its codes, the program that wrote it.
fn describes_file(a: &Annotation) -> bool {
    a.sample == 0 && a.code == NOTE
}

/// Beats of a record in samples of signal `index`, ascending: from the annotation file named after the lead
/// (`1.ii` of LUDB, whose beats stand between the onsets and ends of waves), else from `.atr`. `None` without
/// such a file or with fewer than two beats in it. LUDB leaves the first and last beat of a strip unmarked.
pub fn beats_of_lead(header: &Header, index: usize) -> Result<Option<Vec<i64>>> {
    let Some(path) = annotation_file(header, index) else { return Ok(None) };
    let annotations = read_annotations(&path, header.fs, header.rate(index))?;
    Ok(Some(beats_of(&annotations)).filter(|beats| beats.len() >= 2))
}

/// The annotations beside a record in the file of that extension, times in samples of signal `index`; `None` without such a
/// file or with fewer than two beats in it.
pub(crate) fn with_beats(header: &Header, index: usize, extension: &str) -> Result<Option<Vec<Annotation>>> {
    let path = header.path.with_extension(extension);
    if !path.is_file() {
        return Ok(None);
    }
    let annotations = read_annotations(&path, header.fs, header.rate(index))?;
    Ok(Some(annotations).filter(|a| beats_of(a).len() >= 2))
}

/// Times of the beats among annotations, each once.
pub(crate) fn beats_of(annotations: &[Annotation]) -> Vec<i64> {
    let mut beats: Vec<i64> = annotations.iter().filter(|a| a.is_beat()).map(|a| a.sample).collect();
    beats.dedup();
    beats
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

#[cfg(test)]
mod tests {
    use super::*;

    fn word(code: u16, value: u16) -> [u8; 2] {
        (code << 10 | value).to_le_bytes()
    }

    fn parse(bytes: &[u8]) -> AnnotationFile {
        parse_annotations(Path::new("x.atr"), bytes).unwrap()
    }

    fn aux(text: &str) -> Vec<u8> {
        [&word(AUX, text.len() as u16), text.as_bytes(), &[0][..text.len() % 2]].concat()
    }

    /// A comment at time 0.
    fn about(text: &str) -> Vec<u8> {
        [&word(u16::from(NOTE), 0)[..], &aux(text)].concat()
    }

    /// What wfdb writes after such comments: back by one, and on by one.
    fn again() -> [u8; 8] {
        [0, 236, 255, 255, 255, 255, 1, 0]
    }

    #[test]
    fn a_time_resolution_is_turned_into_samples() {
        let beats = [word(1, 100), word(1, 100), word(28, 3), word(0, 0)].concat();
        let file = parse(&[about("## time resolution: 250"), again().to_vec(), beats.clone()].concat());
        assert_eq!((file.fs, file.annotations.len()), (Some(250.0), 3));
        let samples = |file: AnnotationFile, frames, fs| -> Vec<i64> {
            file.at_rate(frames, fs).iter().map(|a| a.sample).collect()
        };
        assert_eq!(samples(file.clone(), 360.0, 360.0), [144, 288, 292]);
        assert_eq!(samples(file, 250.0, 1000.0), [400, 800, 812]);
        // without one times count frames, of which each may hold several samples
        assert_eq!(samples(parse(&beats), 360.0, 360.0), [100, 200, 203]);
        assert_eq!(samples(parse(&beats), 360.0, 720.0), [200, 400, 406]);
        for (text, fs) in [("129.87", 129.87), ("360 Hz", 360.0), ("1e3", 1000.0)] {
            let own = about(&format!("## time resolution: {text}"));
            assert_eq!(parse(&[own, beats.clone()].concat()).fs, Some(fs));
        }
        for bad in ["0", "-1", "nan", "1e300", ""] {
            let e = parse_annotations(Path::new("x"), &about(&format!("## time resolution: {bad}"))).unwrap_err();
            assert!(e.to_string().contains("time resolution"), "{e}");
        }
    }

    #[test]
    fn codes_mean_what_the_file_says() {
        let lines = ["42 N Normal beat", "43 X something else\n", "1 T T wave", "2 zz", "12 V"];
        let beats = [word(42, 5), word(43, 5), word(1, 5), word(2, 5), word(12, 5), word(5, 5), word(0, 0)].concat();
        let block: Vec<u8> = lines.iter().flat_map(|l| about(l)).collect();
        let (begin, end) = (about("## annotation type definitions"), about("## end of definitions"));
        let file = parse(&[begin, block, end, again().to_vec(), beats.clone()].concat());
        let named: Vec<_> = file.labels.iter().map(|l| (l.code, l.symbol.as_str())).collect();
        assert_eq!(named[..2], [(42, "N"), (43, "X")]);
        let a = file.at_rate(360.0, 360.0);
        assert_eq!(a.iter().map(|a| a.symbol()).collect::<String>(), "N T VV");
        assert_eq!(a.iter().map(|a| a.code).collect::<Vec<_>>(), [1, 43, 19, 0, 5, 5]);
        assert_eq!(a.iter().map(|a| a.is_beat()).collect::<Vec<_>>(), [true, false, false, false, true, true]);
        assert!(!a[4].is_normal() && !a[4].is_paced());
        // comments that only look like definitions redefine nothing that has a meaning
        let loose: Vec<u8> =
            ["12 leads were used", "42 A as the library writes it"].iter().flat_map(|l| about(l)).collect();
        let a = parse(&[loose, beats].concat()).at_rate(360.0, 360.0);
        assert_eq!(a.iter().map(|a| a.symbol()).collect::<String>(), "A NL/V");
    }

    #[test]
    fn rhythms_begin_and_end() {
        use RhythmChange::{Begin, End};
        let texts = ["(AFIB", ")", "(AFIB)", ")AFIB", "text", ""].map(|aux| Annotation::new(0, RHYTHM, aux));
        let expected = [Some(Begin("(AFIB")), Some(End), Some(Begin("(AFIB")), Some(End), None, None];
        assert_eq!(texts.each_ref().map(Annotation::rhythm), expected);
        assert_eq!(Annotation::new(0, 1, "(N").rhythm(), None);
    }

    #[test]
    fn a_file_may_end_between_words_and_nowhere_else() {
        let long = [&word(SKIP, 0)[..], &[0x01, 0x00, 0x70, 0x11]].concat();
        let begin = [&word(28, 18)[..], &aux("(AFIB"), &word(1, 59), &word(SUB, 1), &word(CHN, 1), &long].concat();
        let end =
            [&word(5, 3)[..], &word(NUM, 0x3ff), &word(28, 1), &aux("(N\0\0"), &word(12, 1), &word(0, 0)].concat();
        let good = [begin, end].concat();
        // bytes with which an annotation or one of its fields is complete; the one that fills a text's word may miss
        let ends = [2, 9, 10, 12, 14, 16, 22, 24, 26, 28, 34, 36];
        for n in 0..good.len() {
            match parse_annotations(Path::new("x.atr"), &good[..n]) {
                Ok(file) => {
                    assert!(ends.contains(&n), "{n}");
                    assert_eq!(file.annotations.iter().filter(|a| a.sample == 77).count(), usize::from(n >= 12));
                }
                Err(e) => {
                    let e = e.to_string();
                    assert!(!ends.contains(&n) && e.contains("x.atr") && e.contains("HINT"), "{n}: {e}");
                }
            }
        }
        assert_eq!(parse(&good[..good.len() - 2]), parse(&good));
        assert!(parse_annotations(Path::new("x"), &[word(55, 1), word(0, 0)].concat()).is_err());
        assert!(parse_annotations(Path::new("x"), &[word(AUX, 0), word(0, 0)].concat()).is_err());
    }
}
