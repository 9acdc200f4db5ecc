//! ECG paper at a reduced scale, for several strips on a page of [`Page::WIDTH_MM`](crate::plot::style::Page::WIDTH_MM), and
//! what stands around it: classes in their colours and the axis of time.

use crate::error::{Error, Result};
use crate::plot::axes::number;
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::paper::mark;
use crate::plot::style::{INK, MM_PER_PT, PAPER, PAPER_LARGE, PAPER_SMALL, Rgb, class_color, mix, viridis};

/// Longest stretch that is drawn of a strip, s.
pub const SHOWN: f64 = 10.0;
/// Shortest stretch for which paper is kept, s: no paper is wider than it is in truth.
const SHORTEST: f64 = 6.8;
/// A large square: seconds, mV.
const LARGE: (f64, f64) = (0.2, 0.5);
/// Squares in a large one, along one side.
const SMALL: f64 = 5.0;
/// Paper before the start of a strip, s: room for the calibration pulse.
pub const LEAD_IN: f64 = 0.4;
/// Small squares below this would run together, mm.
const FINEST: f64 = 0.45;
/// Least and most paper above and below the baseline, mV; what exceeds it is cut, and counted.
const ABOVE: (f64, f64) = (1.5, 4.0);
const BELOW: (f64, f64) = (0.5, 4.0);
/// Size of the marks of R peaks, that of a true strip being 1, and the room that they need above a beat, mm.
const MARK: f64 = 0.75;
const MARK_ROOM: f64 = 2.3;
/// The trace, pt.
const TRACE: f64 = 0.8;
/// By how much the drawn curve may leave the true one, mm.
pub(crate) const TOLERANCE: f64 = 0.02;
/// A trace that is coloured by a map, and the rim behind it, pt; and those of the smallest scales.
const MAPPED: (f64, f64) = (0.9, 1.7);
const MAPPED_FINE: (f64, f64) = (0.7, 1.2);
/// Colours in which a map is drawn.
const LEVELS: f64 = 16.0;
/// How strongly a map tints the paper at its maximum, 0..1.
const TINT: f64 = 0.55;
/// Of the samples within this width the lowest and the highest are drawn, mm.
const COLUMN: f64 = 0.1;

/// The scale of a paper.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// mm per second.
    pub time: f64,
    /// mm per mV.
    pub gain: f64,
}

impl Scale {
    /// Whether 1 mm squares of true paper can still be drawn.
    fn has_small(&self) -> bool {
        (self.time * LARGE.0 / SMALL).min(self.gain * LARGE.1 / SMALL) >= FINEST
    }

    /// What the squares measure.
    pub fn text(&self) -> String {
        match self.has_small() {
            true => "squares: 0.04 s × 0.1 mV and 0.2 s × 0.5 mV".into(),
            false => "squares: 0.2 s × 0.5 mV".into(),
        }
    }
}

/// Seconds of paper that hold the longest of several strips, as whole large squares.
pub fn window(seconds: impl IntoIterator<Item = f64>) -> f64 {
    let longest = seconds.into_iter().filter(|s| s.is_finite()).fold(SHORTEST, f64::max).min(SHOWN);
    (longest / LARGE.0 - 1e-6).ceil() * LARGE.0
}

/// A strip in mV, checked, with the paper that it needs.
#[derive(Debug, Clone)]
pub struct Trace<'a> {
    signal: &'a [f32],
    r_peaks: &'a [u32],
    fs: f64,
    /// Samples drawn, from the first.
    shown: usize,
    /// Value drawn at the baseline, mV: the median.
    baseline: f64,
    scale: Scale,
    /// Paper above the baseline, mV.
    pub above: f64,
    /// Paper below the baseline, mV.
    pub below: f64,
    /// Samples that the paper cuts off.
    pub cut: usize,
    /// Colours the trace and tints the paper, 0 to 1.
    map: Option<&'a [f32]>,
}

impl<'a> Trace<'a> {
    /// Checks a strip of `signal` (mV) at `fs` Hz and fits paper to its first [`SHOWN`] seconds. Samples that are not
    /// finite are gaps.
    ///
    /// # Errors
    /// Naming `record`, if no drawn sample is finite, the sampling rate is not positive or an R peak lies outside.
    pub fn new(record: &str, signal: &'a [f32], fs: f64, r_peaks: &'a [u32], scale: Scale) -> Result<Self> {
        let name = if record.trim().is_empty() { "the strip" } else { record };
        let fail = |what: String, hint: &str| Err(Error::data(name, what, hint));
        if !(1e-3..=1e7).contains(&fs) {
            return fail(format!("a sampling rate of {fs} Hz"), "give the sampling rate in Hz");
        }
        let shown = ((SHOWN * fs).round() as usize).clamp(1, signal.len().max(1)).min(signal.len());
        let mut finite: Vec<f64> = signal[..shown].iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).collect();
        if finite.is_empty() {
            return fail(format!("none of its {shown} samples is a number"), "leave this record out");
        }
        if let Some(r) = r_peaks.iter().find(|r| **r as usize >= signal.len()) {
            let what = format!("an R peak at sample {r} of a strip of {} samples", signal.len());
            return fail(what, "count R peaks in samples from the start of the strip, at the strip's own rate");
        }
        finite.sort_by(f64::total_cmp);
        let baseline = finite[finite.len() / 2];
        let room = if r_peaks.is_empty() { 0.0 } else { MARK_ROOM / scale.gain };
        let squares = |need: f64, (least, most): (f64, f64)| ((need / LARGE.1).ceil() * LARGE.1).clamp(least, most);
        let of = |v: &f64| v - baseline;
        // What the paper cannot hold at all has no say in its height.
        let highest = finite.iter().map(of).filter(|v| *v <= ABOVE.1).fold(0.0, f64::max);
        let lowest = finite.iter().map(of).filter(|v| *v >= -BELOW.1).fold(0.0, f64::min);
        let (above, below) = (squares(highest + room, ABOVE), squares(0.05 - lowest, BELOW));
        let cut = finite.iter().map(of).filter(|v| *v > above || *v < -below).count();
        Ok(Self { signal, r_peaks, fs, shown, baseline, scale, above, below, cut, map: None })
    }

    /// The same, coloured by a map, 0 to 1, as long as the strip; one of another length is left out.
    pub fn with_map(self, map: &'a [f32]) -> Self {
        Self { map: (map.len() == self.signal.len()).then_some(map), ..self }
    }

    /// The same on `above` and `below` mV of paper, where that is more than its own.
    pub fn on_paper(self, above: f64, below: f64) -> Self {
        Self { above: self.above.max(above), below: self.below.max(below), ..self }
    }

    /// Duration of the whole strip, s.
    pub fn seconds(&self) -> f64 {
        self.signal.len() as f64 / self.fs
    }

    /// Samples drawn.
    pub fn shown(&self) -> usize {
        self.shown
    }

    /// R peaks that are drawn, samples.
    pub fn peaks(&self) -> impl Iterator<Item = usize> + '_ {
        self.r_peaks.iter().map(|r| *r as usize).filter(|r| *r < self.shown)
    }

    /// Height of the paper, mm.
    pub fn height(&self) -> f64 {
        (self.above + self.below) * self.scale.gain
    }

    /// What is not drawn, in words.
    pub fn notes(&self) -> Vec<String> {
        let mut out = Vec::new();
        if self.shown < self.signal.len() {
            let (part, all) = (self.shown as f64 / self.fs, self.seconds());
            out.push(format!("first {} s of {} s", number((part * 10.0).round() / 10.0), number(all.round())));
        }
        match self.cut {
            0 => {}
            1 => out.push("1 sample cut at the paper's edge".into()),
            n => out.push(format!("{n} samples cut at the paper's edge")),
        }
        out
    }

    /// Stretches of drawn samples of one level of the map; none without a map.
    fn levels(&self) -> Vec<(usize, usize, f64)> {
        let Some(map) = self.map else { return Vec::new() };
        let level = |i: usize| {
            let v = f64::from(map[i]);
            if v.is_finite() { (v.clamp(0.0, 1.0) * LEVELS).round() / LEVELS } else { f64::NAN }
        };
        let mut out: Vec<(usize, usize, f64)> = Vec::new();
        for i in 0..self.shown {
            match out.last_mut() {
                Some(last) if last.2.to_bits() == level(i).to_bits() => last.1 = i + 1,
                _ => out.push((i, i + 1, level(i))),
            }
        }
        out
    }

    /// Height of a sample above the baseline, mm, within the paper; nothing for a gap.
    fn height_of(&self, i: usize) -> Option<f64> {
        let v = f64::from(*self.signal.get(i)?);
        v.is_finite().then(|| (v - self.baseline).clamp(-self.below, self.above) * self.scale.gain)
    }

    /// Draws the strip on `seconds` of paper whose upper edge and start of time are at `at`; the marks of the R peaks
    /// are full ones if `full`.
    pub fn draw(&self, c: &mut Canvas, at: Point, seconds: f64, full: bool) {
        let Scale { time, gain } = self.scale;
        let (left, right) = (at.0 - LEAD_IN * time, at.0 + seconds * time);
        let (top, bottom, base) = (at.1, at.1 + self.height(), at.1 + self.above * gain);
        c.rect((left, top), (right, bottom), PAPER);
        let x = |i: usize| at.0 + i as f64 / self.fs * time;
        let levels = self.levels();
        for &(from, to, level) in levels.iter().filter(|l| l.2 > 0.0) {
            let tint = mix(c.page().theme.color(PAPER), viridis(level), TINT * level);
            c.rect((x(from), top), (x(to).min(right), bottom), tint);
        }
        let large = (LARGE.0 * time, LARGE.1 * gain);
        if self.scale.has_small() {
            grid(c, (left, top), (right, bottom), (large.0 / SMALL, large.1 / SMALL), 0.15, PAPER_SMALL);
        }
        grid(c, (left, top), (right, bottom), large, 0.4, PAPER_LARGE);
        // The calibration pulse: 1 mV high and 0.2 s long.
        let pulse = [(-0.36, 0.0), (-0.3, 0.0), (-0.3, 1.0), (-0.1, 1.0), (-0.1, 0.0), (-0.04, 0.0)];
        c.polyline(&pulse.map(|(s, mv)| (at.0 + s * time, base - mv * gain)), TRACE, INK);
        let point = |i: usize| self.height_of(i).map(|mm| (x(i), base - mm));
        let mapped = if self.scale.has_small() { MAPPED } else { MAPPED_FINE };
        let width = if levels.is_empty() { TRACE } else { mapped.1 };
        for line in thinned(self.shown, point) {
            c.polyline(&simplified(&line), width, INK);
        }
        for &(from, to, level) in &levels {
            // each colour runs on to the next one's first sample
            for line in thinned((to + 1).min(self.shown) - from, |i| point(from + i)) {
                c.polyline(&simplified(&line), mapped.0, viridis(level));
            }
        }
        for r in self.peaks() {
            let near = (0.06 * self.fs) as usize;
            let around = r.saturating_sub(near)..=(r + near).min(self.shown - 1);
            // In a gap the mark stands above the baseline.
            let highest = around.filter_map(|i| self.height_of(i)).reduce(f64::max).unwrap_or(0.0);
            let tip = (highest + 0.8).min(self.above * gain - 1.7 * MARK);
            mark(c, (x(r), base - tip), MARK, full);
        }
    }
}

/// The curve through `point(i)`, broken where there is none, with two points for the samples that fall in one column.
pub fn thinned(samples: usize, point: impl Fn(usize) -> Option<Point>) -> Vec<Vec<Point>> {
    /// Of one column: its first, lowest, highest and last point, in their order.
    fn keep(column: &[Point], line: &mut Vec<Point>) {
        let by = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
        let (low, high) = ((0..column.len()).min_by(by), (0..column.len()).max_by(by));
        let mut kept: Vec<usize> = [Some(0), low, high, column.len().checked_sub(1)].into_iter().flatten().collect();
        kept.sort_unstable();
        kept.dedup();
        line.extend(kept.into_iter().filter_map(|i| column.get(i)));
    }
    let (mut out, mut line, mut column) = (Vec::new(), Vec::new(), Vec::<Point>::new());
    for i in 0..samples {
        match point(i) {
            Some(p) => {
                if column.first().is_some_and(|first| p.0 - first.0 > COLUMN) {
                    keep(&column, &mut line);
                    column.clear();
                }
                column.push(p);
            }
            None => {
                keep(&column, &mut line);
                column.clear();
                out.push(std::mem::take(&mut line));
            }
        }
    }
    keep(&column, &mut line);
    out.push(line);
    out.retain(|line| !line.is_empty());
    out
}

/// A curve without the points that lie on the straight line between their neighbours, within [`TOLERANCE`].
pub(crate) fn simplified(line: &[Point]) -> Vec<Point> {
    let mut out: Vec<Point> = line.first().copied().into_iter().collect();
    let (mut start, mut low, mut high) = (0, f64::NEG_INFINITY, f64::INFINITY);
    for i in 1..line.len() {
        // Slopes from the last kept point that pass all points since then.
        let slope = |dy: f64| (line[i].1 + dy - line[start].1) / (line[i].0 - line[start].0);
        if i > start + 1 && !(low..=high).contains(&slope(0.0)) {
            start = i - 1;
            out.push(line[start]);
            (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        }
        let slope = |dy: f64| (line[i].1 + dy - line[start].1) / (line[i].0 - line[start].0);
        (low, high) = (low.max(slope(-TOLERANCE)), high.min(slope(TOLERANCE)));
    }
    out.extend(line.last().filter(|_| line.len() > 1));
    out
}

fn grid(c: &mut Canvas, (x0, y0): Point, (x1, y1): Point, (dx, dy): (f64, f64), pt: f64, color: Rgb) {
    for i in 0..=((x1 - x0) / dx + 1e-6) as usize {
        let x = x0 + i as f64 * dx;
        c.line((x, y0), (x, y1), pt, color);
    }
    for i in 0..=((y1 - y0) / dy + 1e-6) as usize {
        let y = y0 + i as f64 * dy;
        c.line((x0, y), (x1, y), pt, color);
    }
}

/// Writes a class in bold letters behind a square of its colour, on the baseline through `at`, at most `most` mm wide;
/// gives its width, mm.
pub fn class_name(c: &mut Canvas, at: Point, name: &str, index: usize, style: &Type, most: f64) -> f64 {
    let (style, side) = (style.bold(), 0.8 * style.em());
    let middle = at.1 - style.drop();
    c.rect((at.0, middle - side / 2.0), (at.0 + side, middle + side / 2.0), class_color(name, index));
    let indent = side + 0.45 * style.em();
    let name = style.shorten(name, (most - indent).max(style.em()));
    c.text((at.0 + indent, at.1), &name, &style);
    indent + style.width(&name)
}

/// The axis of time under `seconds` of a strip that starts at `at`, with its name below if `named`.
pub fn time_axis(c: &mut Canvas, at: Point, seconds: f64, mm_per_s: f64, style: &Type, named: bool) {
    let number_at = at.1 + 1.6 + 2.0 * style.drop();
    for second in 0..=(seconds + 1e-6) as usize {
        let x = at.0 + second as f64 * mm_per_s;
        c.line((x, at.1), (x, at.1 + 0.9), MM_PER_PT, INK);
        c.text((x, number_at), &second.to_string(), &style.middle());
    }
    if named {
        let middle = at.0 + seconds * mm_per_s / 2.0;
        c.text((middle, number_at + 1.1 + 2.0 * style.drop()), "time (s)", &style.middle());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCALE: Scale = Scale { time: 17.0, gain: 6.8 };

    #[test]
    fn a_thinned_curve_keeps_its_extremes() {
        let wave = |i: usize| Some((i as f64 * 0.001, if i == 4321 { 9.0 } else { ((i * 37) % 101) as f64 / 101.0 }));
        let lines = thinned(10_000, wave);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() < 700, "{}", lines[0].len());
        assert!(lines[0].contains(&(4.321, 9.0)) && lines[0].windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!((lines[0][0], lines[0][lines[0].len() - 1]), (wave(0).unwrap(), wave(9999).unwrap()));
        let gap = thinned(5, |i| (i != 2).then_some((i as f64, 0.0)));
        assert_eq!(gap, [vec![(0.0, 0.0), (1.0, 0.0)], vec![(3.0, 0.0), (4.0, 0.0)]]);
        assert!(thinned(3, |_| None).is_empty() && thinned(0, |_| Some((0.0, 0.0))).is_empty());
    }

    #[test]
    fn paper_fits_the_strip() {
        let mut signal = vec![0.0f32; 2000];
        (signal[50], signal[70], signal[1500]) = (1.6, -0.7, 99.0);
        let trace = Trace::new("r", &signal, 100.0, &[50, 1500], SCALE).unwrap();
        assert_eq!((trace.above, trace.below, trace.cut, trace.shown()), (2.0, 1.0, 0, 1000));
        assert_eq!((trace.peaks().count(), trace.notes()), (1, vec!["first 10 s of 20 s".to_owned()]));
        signal[60] = f32::MAX;
        let trace = Trace::new("r", &signal[..1000], 100.0, &[], SCALE).unwrap();
        assert_eq!((trace.above, trace.cut), (2.0, 1), "an outlier is cut and does not stretch the paper");
        assert!(trace.notes()[0].starts_with("1 sample cut"));
    }

    #[test]
    fn windows_are_whole_squares() {
        for (seconds, expected) in [
            (vec![], SHORTEST),
            (vec![2.0], SHORTEST),
            (vec![f64::NAN, 30.0], SHOWN),
            (vec![7.9, 8.05], 8.2),
            (vec![8.0], 8.0),
        ] {
            assert!((window(seconds) - expected).abs() < 1e-9, "{expected}");
        }
    }
}
