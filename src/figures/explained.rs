//! Strips with their Grad-CAM maps at a scale that fits a page: one of each class with the guidance target under it, and
//! the same strips by two networks beside each other.

use crate::error::{Error, Result};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::ecg_paper::{Scale, Strip, Trace, class_name, map_bar, time_axis};
use crate::plot::figure::Figure;
use crate::plot::heading::{Fact, Heading};
use crate::plot::style::{GRID, INK, INK_SOFT, Look, PT_AXIS, PT_GRID, PT_LABEL, PT_SMALL, TARGET, WARN};
use crate::plot::thin::{simplified, thinned};

/// Most strips of a figure.
const MOST: usize = 12;
/// A line of text above a strip, mm.
const LINE: f64 = 3.9;
/// Room of the colour bar, mm.
const BAR: f64 = 15.0;
/// Least paper above and below the baseline, mV.
const LEAST: (f64, f64) = (1.5, 0.5);

/// A strip, and what one network made of it.
#[derive(Debug, Clone)]
pub struct Explained<'a> {
    /// Name of the record.
    pub record: &'a str,
    /// Sampling rate, Hz.
    pub fs: f64,
    /// The strip, mV.
    pub signal: &'a [f32],
    /// The map, 0 to 1, as long as the strip.
    pub map: Vec<f32>,
    /// The map says nothing.
    pub dead: bool,
    /// The guidance target, 0 to 1, as long as the strip; all zero where it is not valid.
    pub target: &'a [f32],
    /// R peaks, samples.
    pub r_peaks: &'a [u32],
    /// The R peaks are an expert's.
    pub expert_beats: bool,
    /// True class, which the map explains, and its place among all.
    pub class: (&'a str, usize),
    /// Predicted class and its place.
    pub predicted: (&'a str, usize),
    /// Its probability.
    pub probability: f64,
    /// NCC of map and target; NaN where there is none.
    pub ncc: f64,
}

impl Explained<'_> {
    fn strip(&self) -> Strip<'_> {
        let Self { record, signal, fs, r_peaks, expert_beats, .. } = *self;
        Strip { record, signal, fs, in_mv: true, r_peaks, expert_beats }
    }

    fn ncc_text(&self) -> String {
        match (self.dead, self.ncc.is_finite()) {
            (true, _) => "dead map".into(),
            (_, true) => format!("NCC {:.2}", self.ncc).replace('-', "−"),
            _ => "no valid target".into(),
        }
    }
}

/// Sizes of a strip with its target, mm.
struct Sizes {
    scale: Scale,
    seconds: f64,
    /// Left of the start of time.
    left: f64,
    track: f64,
}

impl Sizes {
    fn new(look: &Look, width: f64, strips: &[Explained]) -> Self {
        let labels = 4.0;
        let all: Vec<Strip> = strips.iter().map(Explained::strip).collect();
        let seconds = Scale::window(&all, width - labels);
        let scale = Scale::fitting(look, width - labels, seconds);
        let track = if width > 110.0 { 6.0 } else { 4.2 };
        Self { scale, seconds, left: labels + scale.lead_in(), track }
    }

    fn trace<'a>(&self, one: &'a Explained<'_>) -> Result<Trace<'a>> {
        Ok(Trace::new(one.strip(), self.scale, self.seconds)?.with_map(&one.map)?.on_paper(LEAST.0, LEAST.1))
    }

    /// Height of the paper and the track under it.
    fn height(&self, trace: &Trace) -> f64 {
        trace.height() + 1.2 + self.track
    }

    /// Draws paper and target below `corner`.
    fn draw(&self, c: &mut Canvas, corner: Point, one: &Explained, trace: &Trace) {
        let x = corner.0 + self.left;
        trace.draw(c, (x, corner.1), self.seconds);
        let base = corner.1 + self.height(trace);
        let top = base - self.track;
        let right = x + self.seconds * self.scale.time();
        c.line((x, top), (right, top), PT_GRID, GRID);
        let shown = trace.shown().min(one.target.len());
        let at = |i: usize| {
            let v = f64::from(one.target[i]);
            let x = x + i as f64 / one.fs * self.scale.time();
            v.is_finite().then(|| (x, base - v.clamp(0.0, 1.0) * self.track))
        };
        let color = TARGET;
        for line in thinned(shown, at).iter().map(|line| simplified(line)) {
            let area: Vec<_> = line.iter().map(|p| (p.0, p.1, base)).collect();
            c.band(&area, color, 0.3);
            c.polyline(&line, 0.8, color);
        }
        c.line((x, base), (right, base), PT_AXIS, INK);
        c.line((x, top), (x, base), PT_AXIS, INK);
        let label = Type::new(PT_SMALL).bold().color(color).end();
        c.text((x - 1.4, f64::midpoint(top, base) + label.drop()), "G", &label);
    }
}

fn check(stem: &str, strips: &[Explained]) -> Result<()> {
    if strips.is_empty() || strips.len() > MOST {
        let what = format!("{} strips, expected 1 to {MOST}", strips.len());
        return Err(Error::data(stem, what, "draw one or two strips of each class"));
    }
    for one in strips {
        if one.map.len() != one.signal.len() || one.target.len() != one.signal.len() {
            let (map, target, samples) = (one.map.len(), one.target.len(), one.signal.len());
            let what = format!("a map of {map} and a target of {target} values for {samples} samples");
            return Err(Error::data(one.record, what, "give one value a sample"));
        }
    }
    Ok(())
}

/// What holds for all strips: the marks, the paper, the target.
fn legend(c: &mut Canvas, (x, base): Point, one: &Explained, scale: Scale, width: f64) {
    let target = Fact::words("G: guidance target (0–1)", TARGET);
    let paper = Fact::words(scale.text(), INK_SOFT);
    Heading::new(Strip::legend(&[one.strip()]).chain([target, paper]), width).draw(c, (x, base - 2.9));
}

/// Draws strips under each other, each with its target.
///
/// # Errors
/// With no strip or more than 12, or if one cannot be drawn.
pub fn strips<'a>(look: &Look, stem: &str, strips: Vec<Explained<'a>>, caption: &str) -> Result<Figure<'a>> {
    check(stem, &strips)?;
    let width = look.width();
    let sizes = Sizes::new(look, width - BAR - 1.0, &strips);
    let lines = if width < 110.0 { 2.0 } else { 1.0 };
    let mut tops = Vec::new();
    let mut y = 6.5;
    for one in &strips {
        tops.push(y);
        y += LINE * lines + sizes.height(&sizes.trace(one)?) + 2.2;
    }
    let height = y + 9.0;
    Ok(Figure::new(stem, look.page(height), caption, move |c: &mut Canvas| {
        let start = sizes.left - sizes.scale.lead_in() + 1.0;
        let right = 1.0 + sizes.left + sizes.seconds * sizes.scale.time();
        legend(c, (start, 4.6), &strips[0], sizes.scale, right - start);
        let mut bottom = 0.0;
        for (one, &top) in strips.iter().zip(&tops) {
            let trace = sizes.trace(one)?;
            heading(c, (start, right), top + LINE - 1.1, one, &trace, lines > 1.0);
            sizes.draw(c, (1.0, top + LINE * lines), one, &trace);
            bottom = top + LINE * lines + sizes.height(&trace);
        }
        time_axis(c, (1.0 + sizes.left, bottom), (0.0, sizes.seconds), sizes.scale, true);
        map_bar(c, right + 3.0, (tops[0] + LINE, bottom));
        Ok(())
    }))
}

fn heading(c: &mut Canvas, (left, right): (f64, f64), base: f64, one: &Explained, trace: &Trace, two_lines: bool) {
    let (label, small) = (Type::new(PT_LABEL), Type::new(PT_SMALL));
    let soft = small.color(INK_SOFT);
    let mut x = left;
    let word = |c: &mut Canvas, x: &mut f64, text: &str, style: &Type, gap: f64| {
        c.text((*x, base), text, style);
        *x += style.width(text) + gap;
    };
    word(c, &mut x, "true", &soft, 1.2);
    x += class_name(c, (x, base), one.class.0, one.class.1, &label, 28.0) + 3.5;
    word(c, &mut x, "predicted", &soft, 1.2);
    x += class_name(c, (x, base), one.predicted.0, one.predicted.1, &label, 28.0) + 1.5;
    let p = if one.probability.is_finite() { format!("({:.2})", one.probability) } else { "(unknown)".into() };
    word(c, &mut x, &p, &small, 4.0);
    let ncc = one.ncc_text();
    let second = if two_lines { base + LINE } else { base };
    c.text((right, second), &ncc, &small.end());
    let from = if two_lines { left } else { x };
    let mut room = right - from - small.width(&ncc) - 3.0;
    let notes = trace.notes().join("; ");
    if !notes.is_empty() {
        let notes = small.shorten(&notes, room / 2.0);
        c.text((from + room, second), &notes, &small.color(WARN).end());
        room -= small.width(&notes) + 2.0;
    }
    if room > 8.0 {
        c.text((from, second), &small.shorten(one.record, room), &soft);
    }
}

/// Draws strips in rows, each as two networks explain it; `names` are theirs.
///
/// # Errors
/// As [`strips`]; also where a row holds two different records.
pub fn compare<'a>(
    look: &Look,
    stem: &str,
    names: [&'a str; 2],
    rows: Vec<[Explained<'a>; 2]>,
    caption: &str,
) -> Result<Figure<'a>> {
    let first: Vec<Explained> = rows.iter().map(|r| r[0].clone()).collect();
    check(stem, &first)?;
    check(stem, &rows.iter().map(|r| r[1].clone()).collect::<Vec<_>>())?;
    if let Some(row) = rows.iter().find(|r| r[0].record != r[1].record || r[0].signal.len() != r[1].signal.len()) {
        let what = format!("strips of {} and {} in one row", row[0].record, row[1].record);
        return Err(Error::data(stem, what, "compare runs with the same test records"));
    }
    let (width, wide) = (look.width(), look.is_wide());
    // side by side, or under each other where the page is narrow
    let sizes = Sizes::new(look, if wide { (width - BAR - 3.0) / 2.0 } else { width - BAR - 1.0 }, &first);
    let step = |height: f64| if wide { height + 5.0 } else { 2.0 * (height + LINE) + 2.0 };
    let mut tops = Vec::new();
    let mut y = if wide { 11.5 } else { 7.5 };
    for row in &rows {
        tops.push(y);
        y += LINE + step(LINE + sizes.height(&sizes.trace(&row[0])?)) - 2.8;
    }
    let height = y + 8.0;
    Ok(Figure::new(stem, look.page(height), caption, move |c: &mut Canvas| {
        let (label, small) = (Type::new(PT_LABEL), Type::new(PT_SMALL));
        let lead = sizes.left - sizes.scale.lead_in();
        let paper = sizes.seconds * sizes.scale.time() + sizes.scale.lead_in();
        let corner = |k: usize| {
            1.0 + if wide { k as f64 * (sizes.left + sizes.seconds * sizes.scale.time() + 1.5) } else { 0.0 }
        };
        let right = corner(if wide { 1 } else { 0 }) + lead + paper;
        legend(c, (1.0 + lead, 4.6), &rows[0][0], sizes.scale, right - lead);
        if wide {
            for (k, name) in names.iter().enumerate() {
                let style = label.bold().middle();
                c.text((corner(k) + lead + paper / 2.0, 9.6), &style.shorten(name, paper), &style);
            }
        }
        let mut bottom = 0.0;
        for (row, &top) in rows.iter().zip(&tops) {
            let base = top + LINE - 1.1;
            let mut x = 1.0 + lead;
            x += class_name(c, (x, base), row[0].class.0, row[0].class.1, &label, 30.0) + 3.0;
            c.text((x, base), &small.shorten(row[0].record, right - x), &small.color(INK_SOFT));
            let mut y = top + LINE;
            for (k, one) in row.iter().enumerate() {
                let trace = sizes.trace(one)?;
                let (from, to) = (corner(k) + lead, corner(k) + lead + paper);
                let mut x = from;
                let text = if wide { "predicted".to_owned() } else { format!("{}: predicted", names[k]) };
                let base = y + LINE - 1.3;
                c.text((x, base), &text, &small.color(INK_SOFT));
                x += small.width(&text) + 1.2;
                x += class_name(c, (x, base), one.predicted.0, one.predicted.1, &small, 24.0) + 1.2;
                let p = if one.probability.is_finite() { format!("({:.2})", one.probability) } else { String::new() };
                c.text((x, base), &p, &small);
                c.text((to, base), &one.ncc_text(), &small.end());
                sizes.draw(c, (corner(k), y + LINE), one, &trace);
                bottom = y + LINE + sizes.height(&trace);
                if !wide {
                    y = bottom + 1.0;
                }
            }
        }
        for k in 0..if wide { 2 } else { 1 } {
            time_axis(c, (corner(k) + sizes.left, bottom), (0.0, sizes.seconds), sizes.scale, true);
        }
        map_bar(c, right + 3.0, (tops[0] + LINE, bottom));
        Ok(())
    }))
}
