//! What the XAI guidance points at: a strip with its R peaks, and beneath it the beats B, the intervals I and the
//! target G that the network's map is drawn to.

use crate::error::{Error, Result};
use crate::plot::canvas::{Canvas, Point, Type, save};
use crate::plot::paper::mark;
use crate::plot::reduced::{LEAD_IN, Scale, TOLERANCE, Trace, class_name, simplified, thinned, time_axis, window};
use crate::plot::style::{
    GRID, INK, INK_SOFT, PT_AXIS, PT_GRID, PT_LABEL, PT_MIN, PT_SMALL, Page, Rgb, WARN, blues, mix,
};
use crate::plot::style::{NONE, WHITE};
use std::path::Path;

/// Most strips of a panel.
const MOST: usize = 12;
/// Page left and right, mm.
const MARGIN: f64 = 4.0;
/// A line of text above a strip, mm.
const LINE: f64 = 4.3;
/// Curves of the tracks, pt.
const CURVE: f64 = 0.9;

/// A strip and its guidance target.
#[derive(Debug, Clone)]
pub struct GuidanceFigure<'a> {
    /// Name of the record.
    pub record: &'a str,
    /// Its class.
    pub class: &'a str,
    /// Place of the class among all: gives the colour of a class that has none of its own.
    pub class_index: usize,
    /// Sampling rate, Hz.
    pub fs: f64,
    /// The strip, mV; samples that are not finite are drawn as gaps.
    pub signal: &'a [f32],
    /// R peaks, samples from the start of the strip.
    pub r_peaks: &'a [u32],
    /// B, 0..1, as long as the signal: 1 at the R peaks.
    pub beats: &'a [f32],
    /// I, 0..1, as long as the signal: how far each RR interval is from their mean.
    pub intervals: &'a [f32],
    /// G, 0..1, as long as the signal: what the map is drawn to.
    pub target: &'a [f32],
    /// rho, 0..1: the mean deviation of the RR intervals, and the weight of I in G.
    pub irregularity: f64,
}

/// Symbols, names and colours of the tracks: the two parts in grey, what is made of them in blue.
fn tracks<'a>(fig: &GuidanceFigure<'a>) -> [(&'static str, &'static str, &'a [f32], Rgb); 3] {
    [
        ("B", "beats", fig.beats, INK_SOFT),
        ("I", "intervals", fig.intervals, INK_SOFT),
        ("G", "target", fig.target, blues(0.95)),
    ]
}

impl GuidanceFigure<'_> {
    fn check(&self) -> Result<()> {
        let fail = |what: String, hint: &str| Err(Error::data(self.record, what, hint));
        for (symbol, name, values, _) in tracks(self) {
            if values.len() != self.signal.len() {
                let (found, samples) = (values.len(), self.signal.len());
                let what = format!("{symbol} ({name}) has {found} values, the signal {samples} samples");
                return fail(what, "compute the target at the strip's own rate and length");
            }
            if let Some(v) = values.iter().find(|v| v.is_finite() && !(-1e-3..=1.001).contains(*v)) {
                return fail(format!("{symbol} ({name}) holds {v}, expected 0 to 1"), "divide it by its maximum");
            }
        }
        Ok(())
    }

    fn rho(&self) -> String {
        match self.irregularity.is_finite() {
            true => format!("rho = {:.2}", self.irregularity).replace('-', "−"),
            false => "rho unknown".into(),
        }
    }
}

/// Sizes of a strip with its tracks, mm.
struct Look {
    /// Left of the start of time: labels and numbers of the tracks, and the lead-in.
    left: f64,
    /// Height of a track, and the space above it.
    track: f64,
    gap: f64,
    /// The tracks' names stand beside them.
    named: bool,
    scale: Scale,
    /// Seconds of the axis.
    seconds: f64,
}

impl Look {
    /// Fits `seconds` into `width` mm.
    fn new(width: f64, seconds: f64, wide: bool) -> Self {
        // Letters and numbers of the tracks stand left of the paper's lead-in.
        let labels = if wide { 15.0 } else { 6.0 };
        let time = (width - labels) / (seconds + LEAD_IN);
        let (track, gap) = if wide { (9.5, 2.2) } else { (5.8, 1.9) };
        let gain = if wide { time * 0.4 } else { (time * 0.7).min(8.0) };
        Self { left: labels + LEAD_IN * time, track, gap, named: wide, scale: Scale { time, gain }, seconds }
    }

    fn tracks_height(&self) -> f64 {
        3.0 * (self.track + self.gap)
    }

    /// Draws heading, paper and tracks with `corner` as upper left one, `above` mV of paper, and all tracks ending at
    /// the same height for all strips of a row of `paper` mm.
    fn draw(&self, c: &mut Canvas, corner: Point, fig: &GuidanceFigure, trace: &Trace, paper: f64) {
        let Scale { time, .. } = self.scale;
        let (x, width) = (corner.0 + self.left, self.seconds * time);
        self.heading(c, (corner.0, x + width), corner.1 + LINE - 1.4, fig, trace);
        let top = corner.1 + LINE;
        trace.draw(c, (x, top + paper - trace.height()), self.seconds, true);
        let first = top + paper + self.gap;
        let bottom = top + paper + self.tracks_height();
        for r in trace.peaks() {
            let at = x + r as f64 / fig.fs * time;
            c.line((at, first), (at, bottom), PT_GRID, NONE);
        }
        for (i, track) in tracks(fig).into_iter().enumerate() {
            let base = first + (self.track + self.gap) * i as f64 + self.track;
            self.track(c, (x, base), fig, trace, track);
        }
    }

    fn heading(&self, c: &mut Canvas, (left, right): (f64, f64), base: f64, fig: &GuidanceFigure, trace: &Trace) {
        let (label, small) = (Type::new(PT_LABEL), Type::new(PT_SMALL));
        let left = left + self.left - LEAD_IN * self.scale.time;
        let class = class_name(c, (left, base), fig.class, fig.class_index, &label, (right - left) / 2.5);
        let rho = fig.rho();
        c.text((right, base), &rho, &small.end());
        let (from, to) = (left + class + 3.0, right - small.width(&rho) - 3.0);
        let notes = small.shorten(&trace.notes().join("; "), (to - from) / 2.0);
        c.text((to, base), &notes, &small.color(WARN).end());
        let room = to - from - if notes.is_empty() { 0.0 } else { small.width(&notes) + 3.0 };
        c.text((from, base), &small.shorten(fig.record, room.max(8.0)), &small.color(INK_SOFT));
    }

    fn track(
        &self,
        c: &mut Canvas,
        (x0, base): Point,
        fig: &GuidanceFigure,
        trace: &Trace,
        (symbol, name, values, color): (&str, &str, &[f32], Rgb),
    ) {
        let (right, top) = (x0 + self.seconds * self.scale.time, base - self.track);
        let x = |i: usize| x0 + i as f64 / fig.fs * self.scale.time;
        let shown = &values[..trace.shown()];
        c.line((x0, top), (right, top), PT_GRID, GRID);
        let point = |i: usize| {
            let v = f64::from(shown[i]);
            v.is_finite().then(|| (x(i), base - v.clamp(0.0, 1.0) * self.track))
        };
        let curves: Vec<Vec<Point>> = thinned(shown.len(), point).iter().map(|line| simplified(line)).collect();
        for line in &curves {
            fill(c, line, (top, base), mix(WHITE, color, 0.3));
        }
        c.line((x0, base), (right, base), PT_AXIS, INK);
        for line in &curves {
            c.polyline(line, CURVE, color);
        }
        c.line((x0, top), (x0, base), PT_AXIS, INK);
        let number = Type::new(PT_MIN).end();
        // The numbers stand inside of the axis, clear of those of the next track.
        for (y, baseline, text) in [(base, base + 0.1, "0"), (top, top - 0.1 + 2.0 * number.drop(), "1")] {
            c.line((x0 - 0.8, y), (x0, y), PT_AXIS, INK);
            c.text((x0 - 1.4, baseline), text, &number);
        }
        let bold = Type::new(PT_LABEL).bold().color(color).end();
        let middle = f64::midpoint(top, base);
        if self.named {
            c.text((x0 - 4.6, middle - 0.5), symbol, &bold);
            let small = Type::new(PT_SMALL).end();
            c.text((x0 - 4.6, middle + 0.8 + 2.0 * small.drop()), name, &small);
        } else {
            c.text((x0 - 3.6, middle + bold.drop()), symbol, &bold);
        }
    }
}

/// Fills the area between a curve and `base`.
fn fill(c: &mut Canvas, line: &[Point], (top, base): (f64, f64), color: Rgb) {
    /// Each part reaches under the next one, so that no seam shows, mm.
    const UNDER: f64 = 0.04;
    for pair in line.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        if a.1.min(b.1) >= base - TOLERANCE {
            continue;
        }
        let on = b.1 + (b.1 - a.1) / (b.0 - a.0).max(UNDER) * UNDER;
        let end = (b.0 + UNDER, on.clamp(top, base));
        c.convex(&[(a.0, base), a, end, (end.0, base)], color);
    }
}

fn prepare<'a>(figs: &[GuidanceFigure<'a>], width: f64, wide: bool) -> Result<(Look, Vec<Trace<'a>>)> {
    let look = Look::new(width, window(figs.iter().map(|f| f.signal.len() as f64 / f.fs)), wide);
    let one = |f: &GuidanceFigure<'a>| {
        f.check()?;
        Trace::new(f.record, f.signal, f.fs, f.r_peaks, look.scale)
    };
    let traces = figs.iter().map(one).collect::<Result<Vec<_>>>()?;
    Ok((look, traces))
}

/// Draws a strip on ECG paper with its R peaks, and under it B, I and G on the same axis of time; of a strip longer
/// than 10 s the first 10 s.
///
/// # Errors
/// If the strip cannot be drawn (no finite sample, no sampling rate, R peaks outside), if B, I or G are not as long as
/// the signal or leave 0..1, or if the file cannot be written.
pub fn draw(path: impl AsRef<Path>, fig: &GuidanceFigure) -> Result<()> {
    let (look, traces) = prepare(std::slice::from_ref(fig), Page::WIDTH_MM - 2.0 * MARGIN, true)?;
    let trace = &traces[0];
    let top = 2.0 + LINE;
    let bottom = top + LINE + trace.height() + look.tracks_height();
    save(path, Page::paper(bottom + 9.5), |c| {
        legend(c, &look, trace.peaks().count() > 0);
        look.draw(c, (MARGIN, top), fig, trace, trace.height());
        let start = (MARGIN + look.left, bottom);
        time_axis(c, start, look.seconds, look.scale.time, &Type::new(PT_SMALL), true);
        Ok(())
    })
}

/// Draws several strips as [`draw`] does, smaller, in two columns at one scale.
///
/// # Errors
/// As [`draw`]; also without a strip, and with more than 12.
pub fn draw_panel(path: impl AsRef<Path>, figs: &[GuidanceFigure]) -> Result<()> {
    if figs.is_empty() || figs.len() > MOST {
        let what = format!("{} strips, expected 1 to {MOST}", figs.len());
        return Err(Error::data("the guidance panel", what, "choose one strip per class"));
    }
    const BETWEEN: f64 = 5.0;
    let width = (Page::WIDTH_MM - 2.0 * MARGIN - BETWEEN) / 2.0;
    let (look, mut traces) = prepare(figs, width, false)?;
    let (mut tops, mut top) = (Vec::new(), 2.0 + LINE + 1.0);
    for row in traces.chunks_mut(2) {
        let above = row.iter().map(|t| t.above).fold(0.0, f64::max);
        let below = row.iter().map(|t| t.below).fold(0.0, f64::max);
        row.iter_mut().for_each(|t| (t.above, t.below) = (above, below));
        tops.push(top);
        top += LINE + row[0].height() + look.tracks_height() + 3.2;
    }
    let bottom = top - 3.2;
    save(path, Page::paper(bottom + 9.5), |c| {
        legend(c, &look, traces.iter().any(|t| t.peaks().count() > 0));
        for (i, (fig, trace)) in figs.iter().zip(&traces).enumerate() {
            let left = MARGIN + (i % 2) as f64 * (width + BETWEEN);
            let top = tops[i / 2];
            look.draw(c, (left, top), fig, trace, trace.height());
            if i + 2 >= figs.len() {
                let under = top + LINE + trace.height() + look.tracks_height();
                let start = (left + look.left, under);
                time_axis(c, start, look.seconds, look.scale.time, &Type::new(PT_SMALL), true);
            }
        }
        Ok(())
    })
}

/// What holds for all strips.
fn legend(c: &mut Canvas, look: &Look, peaks: bool) {
    let small = Type::new(PT_SMALL);
    let (mut x, base) = (MARGIN + look.left - LEAD_IN * look.scale.time, 2.0 + LINE - 1.4);
    if peaks {
        mark(c, (x + 0.9, base), 0.95, true);
        c.text((x + 2.8, base), "R peaks", &small);
        x += 2.8 + small.width("R peaks") + 5.0;
    }
    if !look.named {
        for (symbol, name) in [("B", "beats"), ("I", "intervals"), ("G", "target")] {
            c.text((x, base), symbol, &small.bold());
            x += small.bold().width(symbol) + 1.2;
            c.text((x, base), name, &small);
            x += small.width(name) + 4.0;
        }
    }
    c.text((Page::WIDTH_MM - MARGIN, base), &look.scale.text(), &small.end());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure<'a>(signal: &'a [f32], track: &'a [f32], r_peaks: &'a [u32]) -> GuidanceFigure<'a> {
        GuidanceFigure {
            record: "record & 100",
            class: "SI",
            class_index: 3,
            fs: 100.0,
            signal,
            r_peaks,
            beats: track,
            intervals: track,
            target: track,
            irregularity: 0.117,
        }
    }

    fn wave(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.05).sin().powi(8)).collect()
    }

    #[test]
    fn tracks_are_named_and_aligned() {
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("guidance.svg");
        let signal = wave(1000);
        draw(&svg, &figure(&signal, &signal, &[31, 94])).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        for label in ["B\n", "beats", "I\n", "intervals", "G\n", "target", "rho = 0.12", "SI\n", "#009E73", "R peaks"] {
            assert!(text.contains(label), "{label}");
        }
        assert!(text.contains("record &amp; 100") && text.contains("0.2 s × 0.5 mV") && text.contains("time (s)"));
        draw_panel(&svg, &vec![figure(&signal, &signal, &[31]); 6]).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        assert_eq!((text.matches("rho = 0.12").count(), text.matches("intervals").count()), (6, 1));
        assert_eq!(text.matches("time (s)").count(), 2, "one axis of time per column");
    }

    #[test]
    fn simplified_curves_stay_near_the_true_ones() {
        let line: Vec<Point> = (0..2000).map(|i| f64::from(i) * 0.01).map(|x| (x, 5.0 * (x * 0.9).sin())).collect();
        let simple = simplified(&line);
        assert!(simple.len() < 200, "{}", simple.len());
        assert_eq!((simple[0], simple[simple.len() - 1]), (line[0], line[1999]));
        for p in &line {
            let k = simple.partition_point(|q| q.0 <= p.0).clamp(1, simple.len() - 1);
            let (a, b) = (simple[k - 1], simple[k]);
            let y = a.1 + (b.1 - a.1) * (p.0 - a.0) / (b.0 - a.0);
            assert!((y - p.1).abs() <= 2.0 * TOLERANCE, "{p:?} {y}");
        }
        assert_eq!(simplified(&[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 1.0)]).len(), 3);
        assert_eq!((simplified(&[]).len(), simplified(&[(0.0, 1.0)]).len()), (0, 1));
    }

    #[test]
    fn odd_strips_are_drawn_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("guidance.svg");
        let (signal, nan) = (wave(3000), [f32::NAN; 50]);
        for fig in [
            figure(&signal, &signal, &[]),
            figure(&[0.3], &[1.0], &[0]),
            figure(&[0.0; 50], &[0.0; 50], &[9]),
            figure(&[f32::MAX; 50], &nan, &[9, 49]),
            GuidanceFigure { irregularity: f64::NAN, class: "", record: "", ..figure(&signal, &signal, &[2999]) },
            GuidanceFigure { irregularity: -1e9, class: &"心\n".repeat(99), ..figure(&signal, &signal, &[5]) },
        ] {
            draw(&svg, &fig).unwrap();
            draw_panel(&svg, &[fig.clone(), figure(&signal, &signal, &[4]), fig]).unwrap();
        }
        draw(dir.path().join("a.png"), &figure(&[0.3], &[1.0], &[0])).unwrap();
        draw(&svg, &GuidanceFigure { irregularity: f64::NAN, ..figure(&signal, &signal, &[]) }).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        assert!(text.contains("rho unknown") && text.contains("first 10 s of 30 s"));
        let said = |fig: GuidanceFigure| draw(&svg, &fig).unwrap_err().to_string();
        assert!(said(figure(&signal, &signal[1..], &[])).contains("B (beats) has 2999 values"));
        let high = [0.0, 7.0, 0.0];
        let fig = GuidanceFigure { target: &high, ..figure(&[0.0; 3], &[0.0; 3], &[]) };
        assert!(said(fig).contains("G (target) holds 7, expected 0 to 1"));
        assert!(said(figure(&[], &[], &[])).contains("none of its 0 samples"));
        assert!(said(figure(&[0.0; 3], &[0.0; 3], &[3])).contains("R peak at sample 3"));
        assert!(said(GuidanceFigure { fs: 0.0, ..figure(&[0.0; 3], &[0.0; 3], &[]) }).contains("sampling rate"));
        assert!(draw_panel(&svg, &[]).unwrap_err().to_string().contains("0 strips"));
        assert!(draw_panel(&svg, &vec![figure(&signal, &signal, &[]); 13]).is_err());
    }
}
