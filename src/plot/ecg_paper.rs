//! ECG paper: 25 mm/s and 10 mm/mV times a factor, with squares of 1 and 5 mm, a calibration pulse, marks of the R peaks and a
//! trace that a map may colour; and what stands around it: classes, legend, colour bar, axis of time.

mod drawing;

pub use drawing::{class_name, map_bar, time_axis};

use crate::error::{Error, Result};
use crate::plot::axes::{nice, number};
use crate::plot::heading::Fact;
use crate::plot::style::{INK_SOFT, Look, WARN};
use std::ops::Range;

/// Paper before the start of a strip, s: room for the calibration pulse.
const LEAD_IN: f64 = 0.4;
/// Least and most paper above and below the baseline, mV; what exceeds it is cut, and counted.
const ABOVE: (f64, f64) = (1.5, 4.0);
const BELOW: (f64, f64) = (0.5, 4.0);

/// The scale of the paper: a factor on 25 mm/s and 10 mm/mV, 1 being true.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    factor: f64,
    /// How much larger the page is drawn than it is laid out.
    enlarged: f64,
}

impl Scale {
    /// The largest scale, in whole percent and at most true, at which `seconds` and the lead-in are no wider than `width` mm
    /// as laid out.
    pub fn fitting(look: &Look, width: f64, seconds: f64) -> Self {
        let enlarged = look.theme.scale();
        let most = width * enlarged / ((seconds + LEAD_IN) * 25.0);
        Self { factor: ((most * 100.0 + 1e-6).floor() / 100.0).clamp(0.05, 1.0) / enlarged, enlarged }
    }

    /// mm per second, as laid out.
    pub fn time(self) -> f64 {
        25.0 * self.factor
    }

    /// mm per mV, as laid out.
    pub fn gain(self) -> f64 {
        10.0 * self.factor
    }

    /// Paper before the start of a strip, mm.
    pub fn lead_in(self) -> f64 {
        LEAD_IN * self.time()
    }

    /// Speed and gain of the paper, and how much smaller it is drawn; squares measure 0.2 s and 0.5 mV.
    pub fn text(self) -> String {
        format!("25 mm/s, 10 mm/mV{}", self.reduced())
    }

    /// The same of the paper of several strips. Those without a unit have a gain each, see [`Trace::own_gain`].
    pub fn text_of(self, strips: &[Strip]) -> String {
        let some = |in_mv| strips.iter().any(|s| s.in_mv == in_mv);
        match (some(true), some(false)) {
            (_, false) => self.text(),
            (true, true) => format!("25 mm/s, 10 mm/mV where no other gain is named{}", self.reduced()),
            (false, true) => format!("25 mm/s, gain as named{}", self.reduced()),
        }
    }

    /// The paper of several strips, as a caption says it.
    pub fn caption(self, strips: &[Strip]) -> String {
        let (large, unit) = match strips.iter().all(|s| s.in_mv) {
            true => ("0.2 s × 0.5 mV", ""),
            false => (
                "0.2 s × 5 mm of true paper",
                " Where the source of a strip states no unit its gain is named above it.",
            ),
        };
        format!("Paper: {}; large squares of {large}.{unit}", self.text_of(strips))
    }

    fn reduced(self) -> String {
        let percent = (self.factor * self.enlarged * 100.0).round();
        if percent < 100.0 { format!(", drawn at {percent} %") } else { String::new() }
    }

    /// Size of marks and lines, those of true paper being 1.
    fn pen(self) -> f64 {
        self.factor.clamp(0.7, 1.0)
    }

    /// Seconds of paper that hold the longest of several strips, as whole large squares; at most 10 s, and 6 s on paper of less
    /// than 90 mm, where more would be too small to be read.
    pub fn window<'a>(strips: impl IntoIterator<Item = &'a Strip<'a>>, width: f64) -> f64 {
        let seconds = strips.into_iter().map(Strip::seconds).filter(|s| s.is_finite());
        let longest = seconds.fold(1.0, f64::max).min(if width < 90.0 { 6.0 } else { 10.0 });
        (longest / 0.2 - 1e-6).ceil() * 0.2
    }
}

/// A strip of an ECG, as it is given to a figure.
#[derive(Debug, Clone, Copy)]
pub struct Strip<'a> {
    /// Name of the record.
    pub record: &'a str,
    /// The samples, in mV if `in_mv`; what is not finite is a gap.
    pub signal: &'a [f32],
    /// Sampling rate, Hz.
    pub fs: f64,
    /// False: the signal is in arbitrary units; the paper picks a gain and says so.
    pub in_mv: bool,
    /// R peaks, samples from the start of the strip.
    pub r_peaks: &'a [u32],
    /// The R peaks are an expert's beats, not a detector's.
    pub expert_beats: bool,
}

impl<'a> Strip<'a> {
    /// What the marks of the R peaks mean that strips have.
    pub fn legend(strips: &[Self]) -> impl Iterator<Item = Fact> {
        let there = |full: &bool| strips.iter().any(|s| !s.r_peaks.is_empty() && s.expert_beats == *full);
        [true, false].into_iter().filter(there).map(Fact::beats)
    }

    /// Duration, s.
    pub fn seconds(&self) -> f64 {
        self.signal.len() as f64 / self.fs
    }

    /// Checks that `values` (0 to 1, called `what`) are those of this strip's samples.
    ///
    /// # Errors
    /// If their number is not that of the samples, or they leave 0..1.
    pub fn check(&self, what: &str, values: &[f32]) -> Result<()> {
        if values.len() != self.signal.len() {
            let found = format!("{what} has {} values, the signal {} samples", values.len(), self.signal.len());
            return Err(self.fault(found, "give one value a sample"));
        }
        match values.iter().find(|v| v.is_finite() && !(-1e-3..=1.001).contains(*v)) {
            Some(v) => Err(self.fault(format!("{what} holds {v}, expected 0 to 1"), "divide it by its maximum")),
            None => Ok(()),
        }
    }

    fn fault(&self, what: String, hint: &str) -> Error {
        Error::data(if self.record.trim().is_empty() { "the strip" } else { self.record }, what, hint)
    }
}

/// A strip, checked, with the paper that it needs.
#[derive(Debug, Clone)]
pub struct Trace<'a> {
    strip: Strip<'a>,
    scale: Scale,
    /// Samples drawn, from the first.
    shown: usize,
    /// Value drawn at the baseline: the median.
    baseline: f64,
    /// What is drawn as 1 mV is: 1 of a signal in mV.
    unit: f64,
    /// Paper above the baseline, mV.
    pub above: f64,
    /// Paper below the baseline, mV.
    pub below: f64,
    /// Samples that the paper cuts off.
    cut: usize,
    /// The farthest sample from the baseline, in the signal's unit.
    largest: f64,
    /// Colours the trace and tints the paper, 0 to 1.
    map: Option<&'a [f32]>,
}

impl<'a> Trace<'a> {
    /// Checks a strip and fits paper to its first `most` seconds.
    ///
    /// # Errors
    /// If no drawn sample is finite, the sampling rate is not positive or an R peak lies outside.
    pub fn new(strip: Strip<'a>, scale: Scale, most: f64) -> Result<Self> {
        let Strip { signal, fs, r_peaks, .. } = strip;
        if !(1e-3..=1e7).contains(&fs) {
            return Err(strip.fault(format!("a sampling rate of {fs} Hz"), "give the sampling rate in Hz"));
        }
        let shown = ((most * fs).round() as usize).clamp(1, signal.len().max(1)).min(signal.len());
        let Some((baseline, finite)) = centred(&signal[..shown]) else {
            return Err(strip.fault(format!("none of its {shown} samples is a number"), "leave this record out"));
        };
        if let Some(r) = r_peaks.iter().find(|r| **r as usize >= signal.len()) {
            let what = format!("an R peak at sample {r} of a strip of {} samples", signal.len());
            return Err(
                strip.fault(what, "count R peaks in samples from the start of the strip, at the strip's own rate")
            );
        }
        let largest = finite.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
        let unit = if strip.in_mv { 1.0 } else { gain(&finite) };
        let mv = || finite.iter().map(|v| v / unit);
        let room = if r_peaks.is_empty() { 0.05 } else { 3.3 * scale.pen() / scale.gain() };
        let squares = |need: f64, (least, most): (f64, f64)| ((need / 0.5).ceil() * 0.5).clamp(least, most);
        // what the paper cannot hold at all has no say in its height
        let above = squares(mv().filter(|v| *v <= ABOVE.1).fold(0.0, f64::max) + room, ABOVE);
        let below = squares(0.05 - mv().filter(|v| *v >= -BELOW.1).fold(0.0, f64::min), BELOW);
        let cut = mv().filter(|v| *v > above || *v < -below).count();
        Ok(Self { strip, scale, shown, baseline, unit, above, below, cut, largest, map: None })
    }

    /// The same, coloured by a map, 0 to 1; grey where it has no value.
    ///
    /// # Errors
    /// If it is not as long as the strip or leaves 0..1.
    pub fn with_map(self, map: &'a [f32]) -> Result<Self> {
        self.strip.check("the map", map)?;
        Ok(Self { map: Some(map), ..self })
    }

    /// The strip.
    pub fn strip(&self) -> &Strip<'a> {
        &self.strip
    }

    /// Samples drawn, from the first.
    pub fn shown(&self) -> usize {
        self.shown
    }

    /// Height of the paper, mm.
    pub fn height(&self) -> f64 {
        (self.above + self.below) * self.scale.gain()
    }

    /// The drawn samples in rows of `seconds`.
    pub fn rows(&self, seconds: f64) -> Vec<Range<usize>> {
        let length = ((seconds * self.strip.fs).round() as usize).max(1);
        (0..self.shown).step_by(length).map(|from| from..(from + length).min(self.shown)).collect()
    }

    /// The gain of a strip without a unit, in words; nothing of one in mV.
    pub fn own_gain(&self) -> Option<String> {
        (!self.strip.in_mv).then(|| format!("10 mm = {} arbitrary units (not mV)", number(self.unit)))
    }

    /// Speed and gain, as printed beside the strip.
    pub fn scale_text(&self) -> String {
        match self.own_gain() {
            Some(gain) => format!("25 mm/s, {gain}{}", self.scale.reduced()),
            None => self.scale.text(),
        }
    }

    /// What is said of one strip among several: its gain where that is its own, and [`Self::warnings`].
    pub fn remarks(&self) -> impl Iterator<Item = Fact> {
        self.own_gain().into_iter().map(|gain| Fact::words(gain, INK_SOFT)).chain(self.warnings())
    }

    /// What is not drawn, and what the colours of a map do not say, in words.
    pub fn notes(&self) -> Vec<String> {
        let mut out = Vec::new();
        let Strip { signal, fs, in_mv, .. } = self.strip;
        if self.shown < signal.len() {
            let (part, all) = (self.shown as f64 / fs, self.strip.seconds());
            out.push(format!(
                "first {} s of {} s",
                number((part * 10.0).round() / 10.0),
                number((all * 10.0).round() / 10.0)
            ));
        }
        if self.cut > 0 {
            let unit = if in_mv { "mV" } else { "units" };
            let largest = format!("{:.2e}", self.largest).parse().map_or_else(|_| "?".into(), number);
            let samples = if self.cut == 1 { "1 sample".to_owned() } else { format!("{} samples", self.cut) };
            out.push(format!("{samples} cut at the paper's edge (up to {largest} {unit} from the baseline)"));
        }
        let Some(map) = self.map else { return out };
        if map.iter().all(|v| *v == 0.0) {
            out.push("dead map: zero everywhere".into());
        }
        if signal.iter().zip(map).any(|(s, m)| s.is_finite() && !m.is_finite()) {
            out.push("grey: the map has no value".into());
        }
        out
    }

    /// [`Self::notes`] as facts, in a warning's colour.
    pub fn warnings(&self) -> impl Iterator<Item = Fact> {
        self.notes().into_iter().map(|note| Fact::words(note, WARN))
    }

    /// R peaks that are drawn: their x on paper whose start of time is at `x0`, mm.
    pub fn peaks(&self, x0: f64) -> impl Iterator<Item = f64> + '_ {
        let drawn = self.strip.r_peaks.iter().filter(|r| (**r as usize) < self.shown);
        drawn.map(move |r| x0 + f64::from(*r) / self.strip.fs * self.scale.time())
    }
}

/// The median of the samples that are numbers, and these less it; `None` where there is none.
fn centred(signal: &[f32]) -> Option<(f64, Vec<f64>)> {
    let mut values: Vec<f64> = signal.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).collect();
    values.sort_by(f64::total_cmp);
    let median = *values.get(values.len() / 2)?;
    values.iter_mut().for_each(|v| *v -= median);
    Some((median, values))
}

/// What 10 mm of true paper are of a signal without a unit, from its [`centred`] samples: its tallest beats measure 10 to 25 mm.
fn gain(centred: &[f64]) -> f64 {
    let mut sizes: Vec<f64> = centred.iter().map(|v| v.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    nice(sizes.get((sizes.len().saturating_sub(1) as f64 * 0.995) as usize).copied().unwrap_or(0.0) / 2.5)
}

/// [`gain`] of a signal.
pub(crate) fn gain_of(signal: &[f32]) -> f64 {
    gain(&centred(signal).map_or_else(Vec::new, |(_, values)| values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip<'a>(signal: &'a [f32], r_peaks: &'a [u32]) -> Strip<'a> {
        Strip { record: "r", signal, fs: 100.0, in_mv: true, r_peaks, expert_beats: true }
    }

    #[test]
    fn scales_are_whole_percent_of_true_paper() {
        let look = Look::default();
        let scale = |width: f64, seconds| Scale::fitting(&look, width, seconds);
        assert_eq!((scale(400.0, 10.0).time(), scale(400.0, 10.0).gain()), (25.0, 10.0));
        assert_eq!(scale(400.0, 10.0).text(), "25 mm/s, 10 mm/mV");
        assert_eq!(scale(168.0, 10.0).text(), "25 mm/s, 10 mm/mV, drawn at 64 %");
        assert!((scale(168.0, 10.0).time() - 16.0).abs() < 1e-9);
        let slides = Look { theme: crate::plot::Theme::Slides, ..look };
        let large = Scale::fitting(&slides, 400.0, 10.0);
        assert!((large.time() - 25.0 / 1.5).abs() < 1e-9 && large.text().ends_with("mV"), "25 mm on the page");
    }

    #[test]
    fn paper_fits_the_strip() {
        let mut signal = vec![0.0f32; 2000];
        (signal[50], signal[70], signal[1500]) = (1.6, -0.7, 99.0);
        let scale = Scale::fitting(&Look::default(), 180.0, 10.0);
        let trace = Trace::new(strip(&signal, &[50, 1500]), scale, 10.0).unwrap();
        assert_eq!((trace.above, trace.below, trace.cut, trace.shown()), (2.0, 1.0, 0, 1000));
        assert_eq!((trace.peaks(0.0).count(), trace.notes()), (1, vec!["first 10 s of 20 s".to_owned()]));
        assert_eq!(trace.rows(4.0), [0..400, 400..800, 800..1000]);
        signal[60] = f32::MAX;
        let trace = Trace::new(strip(&signal[..1000], &[]), scale, 10.0).unwrap();
        assert_eq!((trace.above, trace.cut), (2.0, 1), "an outlier is cut and does not stretch the paper");
        assert!(
            trace.notes()[0].starts_with("1 sample cut at the paper's edge (up to 3.4e38 mV"),
            "{:?}",
            trace.notes()
        );
        let units = Strip { in_mv: false, ..strip(&signal[..50], &[]) };
        assert!(Trace::new(units, scale, 10.0).unwrap().scale_text().contains("arbitrary units (not mV)"));
        let mv = strip(&signal, &[]);
        assert!(scale.text_of(&[mv]) == scale.text() && scale.caption(&[mv]).ends_with("0.2 s × 0.5 mV."));
        assert!(!scale.text_of(&[units, units]).contains("mV") && !scale.caption(&[units]).contains("mV"));
        assert!(scale.text_of(&[units, mv]).contains("10 mm/mV where"));
    }

    #[test]
    fn windows_are_whole_squares() {
        let signal = [0.0; 3000];
        for (samples, width, expected) in [(0, 170.0, 1.0), (3000, 170.0, 10.0), (805, 170.0, 8.2), (800, 80.0, 6.0)] {
            let window = Scale::window(&[strip(&signal[..samples], &[]), strip(&signal[..9], &[])], width);
            assert!((window - expected).abs() < 1e-9, "{expected}");
        }
    }
}
