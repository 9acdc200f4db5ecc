//! The data of the strips' browser: strips, maps and what the networks said, small enough to stand in the page.
//!
//! Numbers are base64 of little-endian 16-bit integers times a unit (-32768: a gap) or of bytes over 254 (255: a gap). A
//! strip that several variants have is there once, with a map of each.

use crate::plot::style::{Rgb, class_color, viridis};
use crate::run::examples::{Example, Examples};
use crate::run::read::Run;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;

/// Colours of the ramp.
const LEVELS: usize = 49;

/// What the browser shows.
#[derive(Debug, Clone, Default)]
pub struct Strips {
    /// Names of all classes, in the order in which runs name them.
    pub classes: Vec<String>,
    /// Variants that have maps.
    pub variants: Vec<String>,
    /// Strips, each once.
    pub strips: Vec<Value>,
    /// Maps of those strips.
    pub maps: Vec<Value>,
    /// Maps that the runs have.
    pub kept: usize,
    /// Most strips of a class and variant.
    pub per_class: usize,
}

/// Chooses `per_class` strips of each true class and variant, the same records for each: the first ones of every run
/// before the second ones. The first, not the best: what is shown is not picked by its looks.
pub fn strips(runs: &[Run], per_class: usize) -> Strips {
    let mut all = Strips { per_class, ..Strips::default() };
    let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
    for own in runs.chunk_by(|a, b| a.variant == b.variant) {
        let shown: Vec<(&Run, &Examples)> = own.iter().filter_map(|r| Some((r, r.examples.as_ref()?))).collect();
        if shown.is_empty() {
            continue;
        }
        all.variants.push(own[0].variant.clone());
        // by class and place in its run
        let mut ranked: Vec<(String, usize, &Run, &Examples, &Example)> = Vec::new();
        for (run, shown) in shown {
            let mut seen = vec![0; shown.classes.len()];
            for strip in &shown.strips {
                let Some(class) = shown.classes.get(strip.class) else { continue };
                ranked.push((class.clone(), seen[strip.class], run, shown, strip));
                seen[strip.class] += 1;
            }
            for class in &shown.classes {
                if !all.classes.contains(class) {
                    all.classes.push(class.clone());
                }
            }
        }
        all.kept += ranked.len();
        ranked.sort_by_key(|(_, rank, ..)| *rank);
        let mut taken: HashMap<String, usize> = HashMap::new();
        for (class, _, run, shown, strip) in ranked {
            let n = taken.entry(class).or_default();
            if *n < per_class {
                *n += 1;
                all.add(run, shown, strip, &mut known);
            }
        }
    }
    all
}

impl Strips {
    fn add(&mut self, run: &Run, shown: &Examples, strip: &Example, known: &mut HashMap<Vec<u8>, usize>) {
        let place = |c: usize| {
            let name = shown.classes.get(c);
            name.and_then(|name| self.classes.iter().position(|known| known == name))
        };
        let (truth, predicted) = (place(strip.class), place(strip.predicted));
        // probabilities in the order of all classes; `null` for one that this run does not know
        let mut p = vec![Value::Null; self.classes.len()];
        for (c, value) in strip.probabilities.iter().enumerate() {
            if let Some(c) = place(c) {
                p[c] = number(f64::from(*value));
            }
        }
        let mut key = format!("{}\n{}\n", strip.record, shown.fs).into_bytes();
        for values in [&strip.signal, &strip.target] {
            key.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        }
        key.extend(strip.r_peaks.iter().flat_map(|v| v.to_le_bytes()));
        let next = self.strips.len();
        let at = *known.entry(key).or_insert(next);
        if at == next {
            let (unit, signal) = words(&strip.signal);
            let target = strip.target.iter().any(|v| *v > 0.0).then(|| base64(&bytes(&strip.target)));
            self.strips.push(json!({
                "record": strip.record, "fs": shown.fs, "truth": truth, "unit": unit, "signal": signal,
                "target": target, "peaks": strip.r_peaks, "expert": strip.expert_beats,
            }));
        }
        let (unit, map) = words(strip.map());
        let variant = self.variants.len() - 1;
        self.maps.push(json!({
            "strip": at, "variant": variant, "run": run.cell(), "layer": shown.layer, "predicted": predicted, "p": p,
            "ncc": number(f64::from(strip.ncc)), "unit": unit, "map": map,
        }));
    }

    /// The data as JSON that may stand in a `<script>`: without `<`, `>` and `&`.
    pub fn json(&self) -> String {
        let colors: Vec<String> = self.classes.iter().enumerate().map(|(i, c)| hex(class_color(c, i))).collect();
        let ramp: Vec<String> = (0..LEVELS).map(level).collect();
        let all = json!({
            "classes": self.classes, "colors": colors, "ramp": ramp, "variants": self.variants, "kept": self.kept,
            "perClass": self.per_class, "strips": self.strips, "maps": self.maps,
        });
        let mut text = String::new();
        for c in all.to_string().chars() {
            match c {
                '<' | '>' | '&' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{FFFE}' | '\u{FFFF}' => {
                    let _ = write!(text, "\\u{:04x}", u32::from(c));
                }
                _ => text.push(c),
            }
        }
        text
    }
}

fn level(i: usize) -> String {
    hex(viridis(i as f64 / (LEVELS - 1) as f64))
}

/// The colours of a map, from 0 to 1, as stops of a CSS gradient.
pub fn ramp() -> String {
    (0..LEVELS).step_by(4).map(level).collect::<Vec<_>>().join(", ")
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A number with six decimals; `null` where it is none.
fn number(v: f64) -> Value {
    if v.is_finite() { Value::from((v * 1e6).round() / 1e6) } else { Value::Null }
}

/// Values as 16-bit integers, and their unit.
fn words(values: &[f32]) -> (f64, String) {
    let top = values.iter().filter(|v| v.is_finite()).fold(0.0_f64, |top, v| top.max(f64::from(v.abs())));
    let unit = if top > 0.0 { top / f64::from(i16::MAX) } else { 1.0 };
    let one = |v: &f32| if v.is_finite() { (f64::from(*v) / unit).round() as i16 } else { i16::MIN };
    (unit, base64(&values.iter().flat_map(|v| one(v).to_le_bytes()).collect::<Vec<u8>>()))
}

/// Values of 0 to 1 as bytes.
fn bytes(values: &[f32]) -> Vec<u8> {
    let one = |v: &f32| if v.is_finite() { (v.clamp(0.0, 1.0) * 254.0).round() as u8 } else { 255 };
    values.iter().map(one).collect()
}

/// Base64 of RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let bits = three.iter().enumerate().fold(0_u32, |bits, (i, b)| bits | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * i)) as usize & 63];
            text.push(if i <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_standard() {
        let all = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|s| base64(s.as_bytes()));
        assert_eq!(all, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
        assert_eq!(base64(&[0xff, 0xfe, 0xfd]), "//79");
    }

    #[test]
    fn numbers_that_are_none_are_gaps() {
        assert_eq!(words(&[f32::NAN, 0.0, f32::INFINITY]).1, base64(&[0, 0x80, 0, 0, 0, 0x80]));
        let (unit, text) = words(&[2.0, -2.0]);
        assert_eq!((unit, text), (2.0 / 32767.0, base64(&[0xff, 0x7f, 0x01, 0x80])));
        assert_eq!(bytes(&[0.0, 1.0, f32::NAN, 7.0, 0.5]), [0, 254, 255, 254, 127]);
        assert_eq!((number(f64::NAN), number(0.25)), (Value::Null, Value::from(0.25)));
    }

    #[test]
    fn nothing_in_the_data_ends_its_element() {
        let classes = vec!["</script><script>alert(1)</script>".to_string(), "a & \"b\" \u{2028} \u{85}".into()];
        let text = Strips { classes: classes.clone(), ..Strips::default() }.json();
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{85}']));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["classes"], json!(classes));
    }
}
