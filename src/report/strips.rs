//! The data of the strips' browser: strips, maps and what the networks said, small enough to stand in the page.
//!
//! Numbers are base64: a signal of little-endian 16-bit integers times a unit (-32768: a gap), a target or a map of bytes
//! over 254 (255: a gap). A strip that several runs have is there once, with the maps of each.

use crate::plot::color_maps::viridis;
use crate::plot::ecg_paper::gain_of;
use crate::plot::style::{Rgb, class_color};
use crate::run::examples::{Example, Examples};
use crate::run::read::Run;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

/// Colours of the ramp.
const LEVELS: usize = 49;

/// What the browser shows.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Strips {
    /// Names of all classes, in the order in which runs name them.
    pub classes: Vec<String>,
    /// Their colours.
    pub colors: Vec<String>,
    /// Colours of a map, from 0 to 1.
    pub ramp: Vec<String>,
    /// Variants that have maps.
    pub variants: Vec<String>,
    /// Strips, each once.
    pub strips: Vec<Strip>,
    /// What runs made of them.
    pub maps: Vec<Maps>,
    /// How many of those the runs have.
    pub kept: usize,
    /// Most right and most wrong strips of a class and variant.
    pub per_class: usize,
}

/// A strip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Strip {
    record: String,
    fs: f64,
    truth: Option<usize>,
    unit: f64,
    signal: String,
    /// What 10 mm of paper are of a strip without a unit; `None`: it is in mV, of which they are 1.
    gain: Option<f64>,
    target: Option<String>,
    peaks: Vec<u32>,
    expert: bool,
}

/// What a run made of a strip.
#[derive(Debug, Clone, Serialize)]
pub struct Maps {
    strip: usize,
    variant: usize,
    run: String,
    fold: Option<usize>,
    layer: String,
    predicted: Option<usize>,
    /// Probability of every class; `None` for one that the run does not know.
    p: Vec<Option<f32>>,
    /// Non-finite: `null`.
    ncc: f32,
    /// The map for every class, over its maximum; `None` where the run did not keep it.
    maps: Vec<Option<String>>,
}

/// Chooses `per_class` right and `per_class` wrong strips of each true class and variant, the first ones of every run before
/// the second ones: what is shown is not picked by its looks. Every run that kept a chosen strip shows what it made of it.
pub fn strips(runs: &[Run], per_class: usize) -> Strips {
    let kept = || runs.iter().filter_map(|run| Some((run, run.examples.as_ref()?)));
    let mut all = Strips { per_class, ramp: (0..LEVELS).map(level).collect(), ..Strips::default() };
    let mut ranked = Vec::new();
    for (run, shown) in kept() {
        if !all.variants.contains(&run.variant) {
            all.variants.push(run.variant.clone());
        }
        for class in &shown.classes {
            if !all.classes.contains(class) {
                all.classes.push(class.clone());
            }
        }
        let mut ranks: HashMap<(usize, bool), usize> = HashMap::new();
        for strip in shown.strips.iter().filter(|s| s.class < shown.classes.len()) {
            let rank = ranks.entry((strip.class, strip.is_right())).or_default();
            ranked.push((*rank, &run.variant, &shown.classes[strip.class], strip));
            *rank += 1;
        }
    }
    all.kept = ranked.len();
    ranked.sort_by_key(|(rank, ..)| *rank);
    let (mut taken, mut chosen) = (HashMap::new(), HashSet::new());
    for (_, variant, class, strip) in ranked {
        let n = taken.entry((variant, class, strip.is_right())).or_insert(0);
        if *n < per_class {
            *n += 1;
            chosen.insert(&strip.record);
        }
    }
    for (run, shown) in kept() {
        shown.strips.iter().filter(|s| chosen.contains(&s.record)).for_each(|strip| all.add(run, shown, strip));
    }
    all.colors = all.classes.iter().enumerate().map(|(i, c)| hex(class_color(c, i))).collect();
    all
}

impl Strips {
    fn add(&mut self, run: &Run, shown: &Examples, strip: &Example) {
        // the classes of the run among all
        let names = shown.classes.iter();
        let places: Vec<_> = names.map(|name| self.classes.iter().position(|known| known == name)).collect();
        let place = |class: usize| places.get(class).copied().flatten();
        let known = |class: usize| places.iter().position(|at| *at == Some(class));
        let (unit, signal) = words(&strip.signal);
        let one = Strip {
            record: strip.record.clone(),
            fs: shown.fs,
            truth: place(strip.class),
            unit,
            signal,
            gain: (!strip.in_mv).then(|| gain_of(&strip.signal)),
            target: strip.target.iter().any(|v| *v > 0.0).then(|| bytes(&strip.target)),
            peaks: strip.r_peaks.clone(),
            expert: strip.expert_beats,
        };
        let at = self.strips.iter().position(|s| *s == one).unwrap_or_else(|| {
            self.strips.push(one);
            self.strips.len() - 1
        });
        let all = 0..self.classes.len();
        let map = |class| strip.maps.get(known(class)?).filter(|map| !map.is_empty()).map(|map| scaled(map));
        self.maps.push(Maps {
            strip: at,
            variant: self.variants.iter().position(|v| *v == run.variant).unwrap_or_default(),
            run: run.cell(),
            fold: run.fold_and_seed().map(|(fold, _)| fold),
            layer: shown.layer.clone(),
            predicted: place(strip.predicted),
            p: all.clone().map(|class| strip.probabilities.get(known(class)?).copied()).collect(),
            ncc: strip.ncc,
            maps: all.map(map).collect(),
        });
    }
}

fn level(i: usize) -> String {
    hex(viridis(i as f64 / (LEVELS - 1) as f64))
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn top(values: &[f32]) -> f32 {
    values.iter().filter(|v| v.is_finite()).fold(0.0, |top, v| v.abs().max(top))
}

/// Values as 16-bit integers, and their unit.
fn words(values: &[f32]) -> (f64, String) {
    let top = f64::from(top(values));
    let unit = if top > 0.0 { top / f64::from(i16::MAX) } else { 1.0 };
    let one = |v: &f32| if v.is_finite() { (f64::from(*v) / unit).round() as i16 } else { i16::MIN };
    (unit, base64(&values.iter().flat_map(|v| one(v).to_le_bytes()).collect::<Vec<u8>>()))
}

/// A map over its maximum as bytes: it is shown so.
fn scaled(map: &[f32]) -> String {
    let top = top(map);
    bytes(&map.iter().map(|v| if top > 0.0 { v / top } else { *v }).collect::<Vec<f32>>())
}

/// Values of 0 to 1 as bytes.
fn bytes(values: &[f32]) -> String {
    let one = |v: &f32| if v.is_finite() { (v.clamp(0.0, 1.0) * 254.0).round() as u8 } else { 255 };
    base64(&values.iter().map(one).collect::<Vec<u8>>())
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
    fn non_finite_numbers_are_gaps() {
        assert_eq!(words(&[f32::NAN, 0.0, f32::INFINITY]).1, base64(&[0, 0x80, 0, 0, 0, 0x80]));
        let (unit, text) = words(&[2.0, -2.0]);
        assert_eq!((unit, text), (2.0 / 32767.0, base64(&[0xff, 0x7f, 0x01, 0x80])));
        assert_eq!(bytes(&[0.0, 1.0, f32::NAN, 7.0, 0.5]), base64(&[0, 254, 255, 254, 127]));
        assert_eq!(scaled(&[0.0, 3.0, f32::NAN, 1.5]), base64(&[0, 254, 255, 127]));
        assert_eq!(scaled(&[0.0, 0.0]), base64(&[0, 0]));
    }
}
