//! ECG paper at its true scale: 25 mm/s and 10 mm/mV, squares of 1 and 5 mm, a calibration pulse, and a trace that
//! is coloured by a map.

use crate::error::{Error, Result};
use crate::figures::gradcam::GradCamFigure;
use crate::plot::axes::{nice, number};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::style::{INK, PAPER, PAPER_LARGE, PAPER_SMALL, mix, viridis};

/// Paper speed, mm per second.
pub const SPEED: f64 = 25.0;
/// Paper left of the strip's start, for the calibration pulse, mm.
pub const LEAD_IN: f64 = 10.0;
/// One large square, mm.
pub const LARGE: f64 = 5.0;
/// Longest strip in one row, s; longer ones are broken into rows of [`ROW`].
pub const ONE_ROW: f64 = 12.0;
/// A row of a broken strip, s.
pub const ROW: f64 = 10.0;
/// Most paper above and below the baseline, mm; what exceeds it is cut, and counted.
const MOST: f64 = 40.0;
/// Room for the marks of the R peaks above the highest beat, mm.
const MARK_ROOM: f64 = 4.0;
/// Width of the coloured trace and of the dark rim behind it, pt.
const TRACE: (f64, f64) = (1.5, 2.5);
/// How strongly the map tints the paper at its maximum, 0..1.
const TINT: f64 = 0.55;
/// Colours in which the map is drawn.
const LEVELS: f64 = 48.0;

/// A checked strip: its gain, baseline and the paper that it needs.
#[derive(Debug, Clone)]
pub struct Strip<'a> {
    signal: &'a [f32],
    map: &'a [f32],
    r_peaks: &'a [u32],
    expert_beats: bool,
    /// Sampling rate, Hz.
    pub fs: f64,
    /// Value drawn at the baseline: the median.
    baseline: f64,
    /// Signal units per 10 mm.
    pub per_10_mm: f64,
    /// The signal is in mV.
    pub in_mv: bool,
    /// Paper above the baseline, mm.
    pub above: f64,
    /// Paper below the baseline, mm.
    pub below: f64,
    /// Samples that the paper cuts off.
    pub cut: usize,
    /// Largest deviation from the baseline, signal units.
    pub largest: f64,
}

impl<'a> Strip<'a> {
    /// Checks a figure's strip and fits the paper to it, with at least `least` mm above and below the baseline.
    ///
    /// # Errors
    /// If there is no finite sample, the map is not as long as the signal or leaves 0..1, the sampling rate is not
    /// positive, or an R peak lies outside of the strip.
    pub fn new(fig: &GradCamFigure<'a>, least: (f64, f64)) -> Result<Self> {
        let name = fig.title.unwrap_or("the strip");
        let fail = |what: String, hint: &str| Err(Error::data(name, what, hint));
        if !(1e-3..=1e7).contains(&fig.fs) {
            return fail(format!("a sampling rate of {} Hz", fig.fs), "give the sampling rate in Hz");
        }
        if fig.map.len() != fig.signal_mv.len() {
            let what = format!("the map has {} values, the signal {} samples", fig.map.len(), fig.signal_mv.len());
            return fail(what, "interpolate the map to the length of the signal");
        }
        let mut finite: Vec<f64> = fig.signal_mv.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).collect();
        if finite.is_empty() {
            return fail(format!("none of its {} samples is a number", fig.signal_mv.len()), "leave this record out");
        }
        if let Some(v) = fig.map.iter().find(|v| v.is_finite() && !(-1e-3..=1.001).contains(*v)) {
            return fail(format!("the map holds {v}, expected 0 to 1"), "divide the map by its maximum");
        }
        if let Some(r) = fig.r_peaks.iter().find(|r| **r as usize >= fig.signal_mv.len()) {
            let what = format!("an R peak at sample {r} of a strip of {} samples", fig.signal_mv.len());
            return fail(what, "count R peaks in samples from the start of the strip, at the strip's own rate");
        }
        finite.sort_by(f64::total_cmp);
        let baseline = finite[finite.len() / 2];
        let mut deviations: Vec<f64> = finite.iter().map(|v| (v - baseline).abs()).collect();
        deviations.sort_by(f64::total_cmp);
        let robust = deviations[((deviations.len() - 1) as f64 * 0.995) as usize];
        // An unknown gain is chosen so that the tallest beats measure 10 to 25 mm.
        let per_10_mm = if fig.in_mv { 1.0 } else { nice(robust / 2.5) };
        let mm = |v: f64| (v - baseline) * 10.0 / per_10_mm;
        let room = if fig.r_peaks.is_empty() { 0.5 } else { MARK_ROOM };
        let squares = |need: f64, least: f64| ((need / LARGE).ceil() * LARGE).clamp(least, MOST);
        // What the paper cannot hold at all has no say in its height.
        let held = || finite.iter().map(|v| mm(*v)).filter(|v| v.abs() <= MOST);
        let above = squares(held().fold(0.0, f64::max) + room, least.0);
        let below = squares(0.5 - held().fold(0.0, f64::min), least.1);
        let cut = finite.iter().filter(|v| mm(**v) > above || mm(**v) < -below).count();
        Ok(Self {
            signal: fig.signal_mv,
            map: fig.map,
            r_peaks: fig.r_peaks,
            expert_beats: fig.expert_beats,
            fs: fig.fs,
            baseline,
            per_10_mm,
            in_mv: fig.in_mv,
            above,
            below,
            cut,
            largest: deviations[deviations.len() - 1],
        })
    }

    /// Duration, s.
    pub fn seconds(&self) -> f64 {
        self.signal.len() as f64 / self.fs
    }

    /// Height of the paper, mm.
    pub fn height(&self) -> f64 {
        self.above + self.below
    }

    /// Speed and gain, as printed beside the strip.
    pub fn scale_text(&self) -> String {
        match self.in_mv {
            true => "25 mm/s, 10 mm/mV".into(),
            false => format!("25 mm/s, 10 mm = {} arbitrary units (not mV)", number(self.per_10_mm)),
        }
    }

    /// What the paper cuts off, in words.
    pub fn cut_text(&self) -> Option<String> {
        let unit = if self.in_mv { "mV" } else { "units" };
        let largest = format!("{:.2e}", self.largest).parse().map_or_else(|_| "?".into(), number);
        let samples = if self.cut == 1 { "1 sample is".to_owned() } else { format!("{} samples are", self.cut) };
        (self.cut > 0).then(|| format!("{samples} cut at the paper's edge (up to {largest} {unit} from the baseline)"))
    }

    /// True if a drawn sample has no value on the map.
    pub fn has_holes(&self) -> bool {
        self.signal.iter().zip(self.map).any(|(s, m)| s.is_finite() && !m.is_finite())
    }

    /// Height of a sample above the baseline, mm, within the paper; nothing for a gap.
    fn height_of(&self, i: usize) -> Option<f64> {
        let v = f64::from(*self.signal.get(i)?);
        let mm = (v - self.baseline) * 10.0 / self.per_10_mm;
        v.is_finite().then_some(mm.clamp(-self.below, self.above))
    }

    /// The map at a sample, as one of the drawn levels; NaN where it has no value.
    fn level(&self, i: usize) -> f64 {
        let v = f64::from(self.map[i]);
        if v.is_finite() { (v.clamp(0.0, 1.0) * LEVELS).round() / LEVELS } else { f64::NAN }
    }

    /// Draws the samples `from..to` on paper `width` mm wide behind the lead-in. `origin` is the point of the row's
    /// start on the baseline.
    pub fn draw(&self, c: &mut Canvas, origin: Point, from: usize, to: usize, width: f64) {
        let (left, right) = (origin.0 - LEAD_IN, origin.0 + width);
        let (top, bottom) = (origin.1 - self.above, origin.1 + self.below);
        c.rect((left, top), (right, bottom), PAPER);
        let x = |i: usize| origin.0 + (i - from) as f64 / self.fs * SPEED;
        for (start, end) in runs(from, to, |i| self.level(i)) {
            let (level, edge) = (self.level(start), x(end).min(right));
            if level > 0.0 {
                c.rect((x(start), top), (edge, bottom), mix(PAPER, viridis(level), TINT * level));
            }
        }
        grid(c, (left, top), (right, bottom), 1.0, 0.2, PAPER_SMALL);
        grid(c, (left, top), (right, bottom), LARGE, 0.6, PAPER_LARGE);
        self.pulse(c, origin);

        let points = |start: usize, end: usize| -> Vec<Point> {
            (start..end).filter_map(|i| self.height_of(i).map(|mm| (x(i), origin.1 - mm))).collect()
        };
        for (start, end) in runs(from, to, |i| if self.height_of(i).is_some() { 1.0 } else { f64::NAN }) {
            if self.height_of(start).is_none() {
                continue;
            }
            c.polyline(&points(start, end), TRACE.1, INK);
            for (a, b) in runs(start, end, |i| self.level(i)) {
                // Each colour runs on to the next one's first sample.
                c.polyline(&points(a, (b + 1).min(end)), TRACE.0, viridis(self.level(a)));
            }
        }
        for &r in self.r_peaks.iter().filter(|r| (from..to).contains(&(**r as usize))) {
            let near = (0.06 * self.fs) as usize;
            let (first, last) = ((r as usize).saturating_sub(near).max(from), (r as usize + near).min(to - 1));
            // In a gap the mark stands above the baseline.
            let highest = (first..=last).filter_map(|i| self.height_of(i)).reduce(f64::max).unwrap_or(0.0);
            let tip = (highest + 1.3).min(self.above - 2.0);
            mark(c, (x(r as usize), origin.1 - tip), 1.0, self.expert_beats);
        }
    }

    /// The calibration pulse: 10 mm high and 0.2 s long.
    fn pulse(&self, c: &mut Canvas, (x, y): Point) {
        let (low, high) = (y, y - 10f64.min(self.above));
        let points = [(-9.0, low), (-7.5, low), (-7.5, high), (-2.5, high), (-2.5, low), (-1.0, low)];
        c.polyline(&points.map(|(dx, py)| (x + dx, py)), 0.9, INK);
    }
}

/// Stretches of equal value in `from..to`; values that are not numbers are equal to each other.
fn runs(from: usize, to: usize, value: impl Fn(usize) -> f64) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    for i in from..to {
        match out.last_mut() {
            Some((start, end)) if value(*start).to_bits() == value(i).to_bits() => *end = i + 1,
            _ => out.push((i, i + 1)),
        }
    }
    out
}

fn grid(c: &mut Canvas, (x0, y0): Point, (x1, y1): Point, every: f64, pt: f64, color: crate::plot::style::Rgb) {
    for i in 0..=((x1 - x0) / every + 1e-6) as usize {
        let x = x0 + i as f64 * every;
        c.line((x, y0), (x, y1), pt, color);
    }
    for i in 0..=((y1 - y0) / every + 1e-6) as usize {
        let y = y0 + i as f64 * every;
        c.line((x0, y), (x1, y), pt, color);
    }
}

/// The mark of an R peak, pointing down at `tip`: full for an expert's beat, open for a detector's.
pub fn mark(c: &mut Canvas, tip: Point, scale: f64, full: bool) {
    let triangle = |s: f64, drop: f64| {
        [(-0.95, -1.7), (0.95, -1.7), (0.0, 0.0)].map(|(x, y)| (tip.0 + x * s, tip.1 + y * s - drop))
    };
    c.convex(&triangle(scale, 0.0), INK);
    if !full {
        c.convex(&triangle(scale * 0.5, scale * 0.5), crate::plot::style::WHITE);
    }
}

/// Numbers under the seconds of a row that starts at `start` s, and under them, `name` mm to the right, the axis' name.
pub fn seconds(c: &mut Canvas, (x, y): Point, start: f64, seconds: f64, pt: f64, name: Option<f64>) {
    let style = Type::new(pt).middle();
    let step = if seconds <= 1.5 { 0.2 } else { 1.0 };
    let count = (seconds / step + 1e-6) as usize;
    for i in 0..=count {
        let (t, at) = (i as f64 * step, x + i as f64 * step * SPEED);
        c.line((at, y), (at, y + 1.0), 0.6, INK);
        let shown = ((start + t) * 1000.0).round() / 1000.0;
        c.text((at, y + 1.8 + 2.0 * style.drop()), &number(shown), &style);
    }
    if let Some(right) = name {
        c.text((x + right, y + 3.6 + 4.0 * style.drop()), "time (s)", &style);
    }
}
