//! What the XAI guidance points at: a strip with its R peaks, and beneath it the beats B, the intervals I and the
//! target G that the network's map is drawn to.

use crate::error::{Error, Result};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::ecg_paper::{Scale, Strip, Trace, time_axis};
use crate::plot::figure::Figure;
use crate::plot::heading::{Fact, Heading};
use crate::plot::style::{GRID, INK, INK_SOFT, Look, NONE, PT_AXIS, PT_GRID, PT_LABEL, PT_MIN, Rgb, TARGET};
use crate::plot::thin::{simplified, thinned};

/// Most strips of a figure.
pub(crate) const MOST: usize = super::strips::MOST;
/// Page left and right, and between two columns, mm.
const MARGIN: f64 = 3.0;
/// Left of the paper: letters and numbers of the tracks, mm.
const LABELS: f64 = 6.0;
/// Height of a track and the space above it, mm.
const TRACK: f64 = 5.8;
const GAP: f64 = 1.9;
/// Curves of the tracks, pt.
const CURVE: f64 = 0.9;

/// A strip and its guidance target.
#[derive(Debug, Clone)]
pub struct GuidanceFigure<'a> {
    /// Its class, and the place of the class among all.
    pub class: (&'a str, usize),
    /// The strip.
    pub strip: Strip<'a>,
    /// B, 0..1, as long as the signal: 1 at the R peaks.
    pub beats: &'a [f32],
    /// I, 0..1, as long as the signal: how far each RR interval is from their mean.
    pub intervals: &'a [f32],
    /// G, 0..1, as long as the signal: what the map is drawn to.
    pub target: &'a [f32],
    /// The part of the strip that an expert marked, where that is not all: the rest is grey.
    pub marked: Option<[u32; 2]>,
    /// rho, 0..1: the mean deviation of the RR intervals, and the weight of I in G.
    pub irregularity: f64,
}

impl<'a> GuidanceFigure<'a> {
    /// Symbols, names, values and colours of the tracks: the two parts in grey, what is made of them in blue.
    fn tracks(&self) -> [(&'static str, &'static str, &'a [f32], Rgb); 3] {
        [
            ("B", "beats", self.beats, INK_SOFT),
            ("I", "intervals", self.intervals, INK_SOFT),
            ("G", "target", self.target, TARGET),
        ]
    }

    fn rho(&self) -> String {
        match self.irregularity.is_finite() {
            true => format!("ρ = {:.2}", self.irregularity).replace('-', "−"),
            false => "ρ unknown".into(),
        }
    }
}

/// Draws strips on ECG paper with their R peaks, and under each B, I and G on the same axis of time; in two columns where the page
/// is wide and there is more than one. Of strips longer than 10 s (6 s in a column) the beginning is drawn.
///
/// # Errors
/// Without a strip, with more than 120, if one cannot be drawn (no finite sample, no sampling rate, R peaks outside), or if B, I
/// or G are not as long as the signal or leave 0..1.
pub fn guidance<'a>(look: &Look, figs: Vec<GuidanceFigure<'a>>) -> Result<Vec<Figure<'a>>> {
    if figs.is_empty() || figs.len() > MOST {
        let what = format!("{} strips, expected 1 to {MOST}", figs.len());
        return Err(Error::data("the guidance figure", what, "choose one strip per class"));
    }
    let columns = if look.is_wide() && figs.len() > 1 { 2 } else { 1 };
    let column = (look.width() - MARGIN * (columns + 1) as f64) / columns as f64;
    let width = column - LABELS;
    let all: Vec<Strip> = figs.iter().map(|f| f.strip).collect();
    let seconds = Scale::window(&all, width);
    let scale = Scale::fitting(look, width, seconds);
    let mut cells = Vec::new();
    for fig in &figs {
        for (symbol, name, values, _) in fig.tracks() {
            fig.strip.check(&format!("{symbol} ({name})"), values)?;
        }
        let trace = Trace::new(fig.strip, scale, seconds)?;
        let facts =
            [Fact::class("", fig.class, ""), Fact::words(fig.rho(), INK), Fact::words(fig.strip.record, INK_SOFT)];
        cells.push((Heading::new(facts.into_iter().chain(trace.remarks()), width), trace));
    }
    let mut heights = Vec::new();
    for row in cells.chunks_mut(columns) {
        // strips beside each other are on paper of one height
        let most = |of: &dyn Fn(&Trace) -> f64| row.iter().map(|(_, t)| of(t)).fold(0.0, f64::max);
        let (above, below) = (most(&|t| t.above), most(&|t| t.below));
        row.iter_mut().for_each(|(_, t)| (t.above, t.below) = (above, below));
        let heading = row.iter().map(|(h, _)| h.height).fold(0.0, f64::max);
        heights.push(heading + row[0].1.height() + 3.0 * (TRACK + GAP) + 3.0);
    }
    let names = figs[0].tracks().map(|(symbol, name, ..)| Fact::words(format!("{symbol}: {name}"), INK));
    let paper = Fact::words(scale.text_of(&all), INK_SOFT);
    let legend = Heading::new(Strip::legend(&all).chain(names).chain([paper]), look.width() - 2.0 * MARGIN - LABELS);
    let caption = format!(
        "What the guidance points at: strips, and under each the beats B (1 at the R peaks), the intervals I (how far each RR \
         interval is from their mean) and the target G, all from 0 to 1; ρ: mean deviation of the RR intervals, which weighs I \
         in G.{} {}",
        if figs.iter().any(|f| f.marked.is_some()) { GREY } else { "" },
        scale.caption(&all)
    );
    let parts = heights.clone();
    Ok(Figure::pages(look, "guidance", &caption, (legend.height + 2.0, 6.0), &parts, move |c: &mut Canvas, parts| {
        legend.draw(c, (MARGIN + LABELS, 1.0));
        for (part, &(row, top)) in parts.iter().enumerate() {
            for i in (row * columns)..((row + 1) * columns).min(figs.len()) {
                let left = MARGIN + (i % columns) as f64 * (column + MARGIN) + LABELS;
                let (heading, trace) = &cells[i];
                let bottom = top + heights[row] - 3.0;
                let paper = bottom - 3.0 * (TRACK + GAP) - trace.height();
                heading.draw(c, (left, paper - heading.height));
                let x = left + scale.lead_in();
                trace.draw(c, (x, paper), seconds);
                tracks(c, (x, bottom), &figs[i], trace, (scale.time(), seconds));
                if part + 1 == parts.len() || i + columns >= figs.len() {
                    time_axis(c, (x, bottom), (0.0, seconds), scale, true);
                }
            }
        }
        Ok(())
    }))
}

/// What the grey in a track means, for a caption.
pub(super) const GREY: &str = " Grey: the expert marked no beats there; it is neither taught nor scored.";

/// Greys what lies outside of the marked part of a strip, on a track from `top` to `base` that begins at `x0`; sampling rate,
/// mm a second and seconds of the track.
pub(super) fn grey_unmarked(
    c: &mut Canvas,
    marked: Option<[u32; 2]>,
    (x0, top, base): (f64, f64, f64),
    (fs, time, seconds): (f64, f64, f64),
) {
    let Some([from, to]) = marked else { return };
    let at = |sample: u32| x0 + (f64::from(sample) / fs).min(seconds) * time;
    for (left, right) in [(x0, at(from)), (at(to), x0 + seconds * time)].into_iter().filter(|(a, b)| b > a) {
        c.rect((left, top), (right, base), GRID);
    }
}

/// Draws B, I and G under paper whose start of time is at `x0`, the last ending at `bottom`.
fn tracks(c: &mut Canvas, (x0, bottom): Point, fig: &GuidanceFigure, trace: &Trace, (time, seconds): (f64, f64)) {
    let right = x0 + seconds * time;
    for at in trace.peaks(x0) {
        c.line((at, bottom - 3.0 * (TRACK + GAP) + GAP), (at, bottom), PT_GRID, NONE);
    }
    for (i, (symbol, _, values, color)) in fig.tracks().into_iter().enumerate() {
        let base = bottom - (2 - i) as f64 * (TRACK + GAP);
        let top = base - TRACK;
        grey_unmarked(c, fig.marked, (x0, top, base), (fig.strip.fs, time, seconds));
        c.line((x0, top), (right, top), PT_GRID, GRID);
        let point = |i: usize| {
            let v = f64::from(values[i]);
            v.is_finite().then(|| (x0 + i as f64 / fig.strip.fs * time, base - v.clamp(0.0, 1.0) * TRACK))
        };
        for line in thinned(trace.shown(), point).iter().map(|line| simplified(line)) {
            let area: Vec<_> = line.iter().map(|p| (p.0, p.1, base)).collect();
            c.band(&area, color, 0.3);
            c.polyline(&line, CURVE, color);
        }
        c.line((x0, base), (right, base), PT_AXIS, INK);
        c.line((x0, top), (x0, base), PT_AXIS, INK);
        let number = Type::new(PT_MIN).end();
        // the numbers stand inside of the axis, clear of those of the next track
        for (y, baseline, text) in [(base, base + 0.1, "0"), (top, top - 0.1 + 2.0 * number.drop(), "1")] {
            c.line((x0 - 0.8, y), (x0, y), PT_AXIS, INK);
            c.text((x0 - 1.4, baseline), text, &number);
        }
        let bold = Type::new(PT_LABEL).bold().color(color).end();
        c.text((x0 - 3.6, f64::midpoint(top, base) + bold.drop()), symbol, &bold);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure<'a>(signal: &'a [f32], track: &'a [f32], r_peaks: &'a [u32]) -> GuidanceFigure<'a> {
        let strip = Strip { record: "record & 100", fs: 100.0, signal, in_mv: true, r_peaks, expert_beats: true };
        let (beats, intervals, target) = (track, track, track);
        GuidanceFigure { class: ("SI", 3), strip, beats, intervals, target, marked: None, irregularity: 0.117 }
    }

    fn wave(n: usize) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.05).sin().powi(8)).collect()
    }

    fn text(figs: &[GuidanceFigure]) -> String {
        let draw = |width_mm| guidance(&Look { width_mm, ..Look::default() }, figs.to_vec());
        assert!(draw(85.0).unwrap().iter().all(|f| f.page.height_mm <= 120.0));
        draw(180.0).unwrap().iter().map(|f| f.svg().unwrap()).collect()
    }

    #[test]
    fn tracks_are_named_and_aligned() {
        let signal = wave(1000);
        let one = text(&[figure(&signal, &signal, &[31, 94])]);
        let said = "B\n|I\n|G\n|B: beats|I: intervals|G: target|ρ = 0.12|SI\n|annotated beats|record &amp; 100|25 mm/s|time (s)";
        said.split('|').for_each(|label| assert!(one.contains(label), "{label}"));
        let fig = GuidanceFigure { marked: Some([10, 900]), ..figure(&signal, &signal, &[31]) };
        let grey = guidance(&Look::default(), vec![fig]).unwrap().remove(0);
        let rects = |svg: String| svg.matches("<rect").count();
        assert_eq!(
            rects(grey.svg().unwrap()),
            rects(text(&[figure(&signal, &signal, &[31])])) + 6,
            "two on each track"
        );
        assert!(grey.caption.contains("Grey: the expert marked no beats there"));
        let six = text(&vec![figure(&signal, &signal, &[31]); 6]);
        assert_eq!((six.matches("ρ = 0.12").count(), six.matches("intervals").count()), (6, 1));
        assert_eq!(six.matches("time (s)").count(), 2, "one axis of time per column");
    }

    #[test]
    fn odd_strips_are_drawn_or_refused() {
        let (signal, nan) = (wave(3000), [f32::NAN; 50]);
        let name = "心\n".repeat(99);
        for fig in [
            figure(&signal, &signal, &[]),
            figure(&[0.3], &[1.0], &[0]),
            figure(&[0.0; 50], &[0.0; 50], &[9]),
            figure(&[f32::MAX; 50], &nan, &[9, 49]),
            GuidanceFigure { irregularity: f64::NAN, class: ("", 0), ..figure(&signal, &signal, &[2999]) },
            GuidanceFigure { irregularity: -1e9, class: (&name, 9), ..figure(&signal, &signal, &[5]) },
        ] {
            text(std::slice::from_ref(&fig));
            text(&[fig.clone(), figure(&signal, &signal, &[4]), fig]);
        }
        let said = text(&[GuidanceFigure { irregularity: f64::NAN, ..figure(&signal, &signal, &[]) }]);
        assert!(said.contains("ρ unknown") && said.contains("first 10 s of 30 s"));
        let said = |fig: GuidanceFigure| guidance(&Look::default(), vec![fig]).unwrap_err().to_string();
        assert!(said(figure(&signal, &signal[1..], &[])).contains("B (beats) has 2999 values"));
        let high = [0.0, 7.0, 0.0];
        let fig = GuidanceFigure { target: &high, ..figure(&[0.0; 3], &[0.0; 3], &[]) };
        assert!(said(fig).contains("G (target) holds 7, expected 0 to 1"));
        assert!(said(figure(&[], &[], &[])).contains("none of its 0 samples"));
        assert!(said(figure(&[0.0; 3], &[0.0; 3], &[3])).contains("R peak at sample 3"));
        let fig = figure(&[0.0; 3], &[0.0; 3], &[]);
        assert!(said(GuidanceFigure { strip: Strip { fs: 0.0, ..fig.strip }, ..fig }).contains("sampling rate"));
        let many = |n| guidance(&Look::default(), vec![figure(&signal, &signal, &[]); n]).map(|f| f.len());
        assert!(many(0).unwrap_err().to_string().contains("0 strips") && many(MOST + 1).is_err());
    }
}
