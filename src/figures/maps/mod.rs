//! Where networks looked: strips with their maps, in rows under each other. Here is what the kinds have in common: which
//! strips, how they are laid out, what their captions explain.

pub(super) mod aligned;
pub(super) mod classes;
pub(super) mod compare;
pub(super) mod gradcam;
pub(super) mod wrong;

use crate::error::Result;
use crate::explain::resize_map;
use crate::explain::scores::is_dead;
use crate::figures::catalogue::{Drawn, EVALUATE, stem};
use crate::figures::guidance::{GREY, grey_unmarked};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::ecg_paper::{Scale, Strip, Trace, map_bar, time_axis};
use crate::plot::heading::{Fact, Heading};
use crate::plot::panels::letter;
use crate::plot::style::{GRID, INK, INK_SOFT, PT_AXIS, PT_GRID, PT_SMALL, TARGET};
use crate::plot::thin::{simplified, thinned};
use crate::plot::{Figure, Look};
use crate::run::examples::{Example, Examples};
use crate::run::read::Run;
use crate::run::set::{RunSet, fold};

/// Left of the paper: letters of the rows and of the target's track; right of it: the colour bar. mm.
const LEFT: f64 = 5.0;
const BAR: f64 = 15.0;
/// Between strips beside each other, and under each other, mm.
const BETWEEN: f64 = 2.5;
const UNDER: f64 = 1.6;
/// Between the paper and the track of the target, and the height of the track, mm.
const TRACK: (f64, f64) = (1.0, 4.2);

const HOW: &str = "The network never saw these records in training. Strips and their paper are coloured by Grad-CAM, each map \
                   scaled to a maximum of 1; in parentheses, the probability of the class.";
const BY_PLACE: &str = " Strips are picked by their place in the test fold, not by looks; the fold is the first with strips of \
                        the most classes.";
const TARGET_AND_NCC: &str =
    " G: the guidance target, made from the R peaks (triangles). NCC: normalised cross-correlation of map and target.";
const DEAD: &str = " Dead map: the weighted sum of the block's channels is nowhere positive, so that Grad-CAM is zero everywhere; \
                    nothing in the strip speaks for the class.";

/// A map over a strip.
struct Lane {
    /// What is said of it.
    facts: Vec<Fact>,
    /// The map, as long as the strip.
    map: Vec<f32>,
    dead: bool,
    /// The guidance target lies under the strip.
    target: bool,
}

/// A strip, as several maps show it.
struct Row<'a> {
    shown: &'a Examples,
    strip: &'a Example,
    facts: Vec<Fact>,
    lanes: Vec<Lane>,
}

impl<'a> Row<'a> {
    /// A row without a map yet, which names classes and record.
    fn new(shown: &'a Examples, strip: &'a Example) -> Self {
        let of = |k: usize| (shown.classes[k].as_str(), k);
        let p = strip.probabilities.get(strip.predicted).map_or(f64::NAN, |p| f64::from(*p));
        let facts = vec![
            Fact::class("true", of(strip.class), ""),
            Fact::predicted(of(strip.predicted), p),
            Fact::words(strip.record.as_str(), INK_SOFT),
        ];
        Self { shown, strip, facts, lanes: Vec::new() }
    }

    /// Adds a map for class `k`, which may be another network's of the same strip.
    fn push(&mut self, of: &Example, facts: impl IntoIterator<Item = Fact>, k: usize, target: bool) {
        let map = of.maps.get(k).map_or(&[][..], Vec::as_slice);
        let facts = facts.into_iter().collect();
        self.lanes.push(Lane { facts, map: resize_map(map, self.strip.signal.len()), dead: is_dead(map), target });
    }

    fn strip(&self) -> Strip<'a> {
        let Example { record, signal, in_mv, r_peaks, expert_beats, .. } = self.strip;
        Strip { record, signal, fs: self.shown.fs, in_mv: *in_mv, r_peaks, expert_beats: *expert_beats }
    }
}

/// The agreement of map and target, in words.
fn ncc(strip: &Example) -> Option<Fact> {
    let text = match strip.ncc.is_finite() {
        true => format!("NCC {:.2}", strip.ncc).replace('-', "−"),
        false => "no valid target".into(),
    };
    (!is_dead(strip.map())).then(|| Fact::words(text, INK))
}

/// How wide and how high what lies in a row is, mm.
struct Layout {
    scale: Scale,
    seconds: f64,
    columns: usize,
    /// Width of a strip with its lead-in.
    paper: f64,
}

/// A row, laid out.
struct Placed {
    heading: Heading,
    /// Headings of the lanes, and the upper edge of their papers and what they end at, below that of the row.
    lanes: Vec<(Heading, f64, f64)>,
    height: f64,
}

impl Layout {
    fn trace<'t>(&self, strip: Strip<'t>, lane: &'t Lane) -> Result<Trace<'t>> {
        Trace::new(strip, self.scale, self.seconds)?.with_map(&lane.map)
    }

    fn left(&self, column: usize) -> f64 {
        LEFT + column as f64 * (self.paper + BETWEEN)
    }

    fn place(&self, row: &Row) -> Result<Placed> {
        let strip = row.strip();
        strip.check("the target", &row.strip.target)?;
        let plain = Trace::new(strip, self.scale, self.seconds)?;
        let notes = plain.warnings().count();
        let facts = row.facts.iter().cloned().chain(plain.remarks());
        let heading = Heading::new(facts, self.left(self.columns) - BETWEEN - LEFT);
        let (mut lanes, mut y) = (Vec::new(), heading.height + 0.3);
        for abreast in row.lanes.chunks(self.columns) {
            let mut found = Vec::new();
            for lane in abreast {
                let trace = self.trace(strip, lane)?;
                // what holds of the strip stands above
                found.push(Heading::new(lane.facts.iter().cloned().chain(trace.warnings().skip(notes)), self.paper));
            }
            y += found.iter().map(|h| h.height).fold(0.0, f64::max);
            let track = if abreast.iter().any(|lane| lane.target) { TRACK.0 + TRACK.1 } else { 0.0 };
            let end = y + plain.height() + track;
            lanes.extend(found.into_iter().map(|h| (h, y, end)));
            y = end + UNDER;
        }
        Ok(Placed { heading, lanes, height: y })
    }

    fn draw(&self, c: &mut Canvas, top: f64, row: &Row, placed: &Placed, mark: Option<usize>) -> Result<()> {
        if let Some(index) = mark {
            letter(c, (0.8, top + 2.9), index);
        }
        placed.heading.draw(c, (LEFT, top));
        for (i, (lane, (heading, y, _))) in row.lanes.iter().zip(&placed.lanes).enumerate() {
            let left = self.left(i % self.columns);
            heading.draw(c, (left, top + y - heading.height));
            let at = (left + self.scale.lead_in(), top + y);
            let trace = self.trace(row.strip(), lane)?;
            trace.draw(c, at, self.seconds);
            if lane.target {
                self.target(c, (at.0, at.1 + trace.height() + TRACK.0), row.strip, &trace);
            }
        }
        Ok(())
    }

    /// The guidance target on a track below `corner`.
    fn target(&self, c: &mut Canvas, (x, top): Point, strip: &Example, trace: &Trace) {
        let (base, right) = (top + TRACK.1, x + self.seconds * self.scale.time());
        let values = &strip.target;
        grey_unmarked(c, strip.marked, (x, top, base), (trace.strip().fs, self.scale.time(), self.seconds));
        c.line((x, top), (right, top), PT_GRID, GRID);
        let at = |i: usize| {
            let v = f64::from(values[i]);
            let x = x + i as f64 / trace.strip().fs * self.scale.time();
            v.is_finite().then(|| (x, base - v.clamp(0.0, 1.0) * TRACK.1))
        };
        for line in thinned(trace.shown(), at).iter().map(|line| simplified(line)) {
            let area: Vec<_> = line.iter().map(|p| (p.0, p.1, base)).collect();
            c.band(&area, TARGET, 0.3);
            c.polyline(&line, 0.8, TARGET);
        }
        c.line((x, base), (right, base), PT_AXIS, INK);
        c.line((x, top), (x, base), PT_AXIS, INK);
        let label = Type::new(PT_SMALL).bold().color(TARGET).end();
        c.text((x - 1.2, f64::midpoint(top, base) + label.drop()), "G", &label);
    }
}

/// Lays rows out under each other on as many pages as they need, their maps beside each other on a wide page unless `alone`.
fn pages<'a>(
    set: &RunSet,
    look: &Look,
    stem: &str,
    rows: Vec<Row<'a>>,
    alone: bool,
    caption: &str,
) -> Result<Vec<Figure<'a>>> {
    let strips: Vec<Strip> = rows.iter().map(Row::strip).collect();
    // also on small paper: a map may be highest at the end of the strip
    let seconds = Scale::window(&strips, f64::MAX);
    let lay = |columns: usize| -> Result<(Layout, Vec<Placed>)> {
        let room = (look.width() - LEFT - BAR - BETWEEN * (columns - 1) as f64) / columns as f64;
        let scale = Scale::fitting(look, room, seconds);
        let layout = Layout { scale, seconds, columns, paper: scale.lead_in() + seconds * scale.time() };
        let placed = rows.iter().map(|row| layout.place(row)).collect::<Result<_>>()?;
        Ok((layout, placed))
    };
    let (mut layout, mut placed) = lay(if look.is_wide() && !alone { 2 } else { 1 })?;
    // maps of many classes are higher than a narrow page
    while !alone && layout.columns < 4 && placed.iter().any(|p| p.height > look.most_height() - 20.0) {
        (layout, placed) = lay(layout.columns + 1)?;
    }
    let scale = layout.scale;
    let any = |is: fn(&Lane) -> bool| rows.iter().flat_map(|r| &r.lanes).any(is);
    let with_target = any(|lane| lane.target);
    let mut facts: Vec<Fact> = Strip::legend(&strips).collect();
    if with_target {
        facts.push(Fact::words("G: guidance target (0–1)", TARGET));
    }
    facts.push(Fact::words(scale.text_of(&strips), INK_SOFT));
    let legend = Heading::new(facts, layout.left(layout.columns) - LEFT);
    let heights: Vec<f64> = placed.iter().map(|p| p.height).collect();
    let mut caption = format!("{caption} {HOW}");
    let grey = with_target && rows.iter().any(|row| row.strip.marked.is_some());
    let notes = [(!set.picked, BY_PLACE), (with_target, TARGET_AND_NCC), (grey, GREY), (any(|lane| lane.dead), DEAD)];
    notes.iter().filter(|note| note.0).for_each(|note| caption.push_str(note.1));
    let ends = (1.0 + legend.height + 0.6, 8.6);
    Ok(Figure::pages(look, stem, &caption, ends, &heights, move |c, parts| {
        legend.draw(c, (LEFT, 1.0));
        let (mut ends, mut bottom) = (vec![0.0; layout.columns], 0.0);
        for &(i, top) in parts {
            layout.draw(c, top, &rows[i], &placed[i], (rows.len() > 1).then_some(i))?;
            bottom = top + placed[i].height - UNDER;
            placed[i].lanes.iter().enumerate().for_each(|(k, lane)| ends[k % layout.columns] = top + lane.2);
        }
        for (column, end) in ends.into_iter().enumerate() {
            time_axis(c, (layout.left(column) + scale.lead_in(), end), (0.0, seconds), scale, true);
        }
        map_bar(c, layout.left(layout.columns) - BETWEEN + 2.5, (parts.first().map_or(0.0, |p| p.1), bottom));
        Ok(())
    }))
}

/// The run of an arm that a figure of single strips shows: the first of those that keep strips of the most classes.
fn fullest<'a>(
    set: &'a RunSet<'a>,
    arm: &'a str,
    shows: impl Fn(&Example) -> bool,
) -> Result<(&'a Run, &'a Examples), String> {
    let mut best: Option<(usize, (&Run, &Examples))> = None;
    for (run, shown) in set.of(arm).filter_map(|r| Some((r, r.examples.as_ref()?))) {
        let own = |k: usize| shown.strips.iter().any(|s| s.class == k && shows(s));
        let classes = (0..shown.classes.len()).filter(|k| own(*k)).count();
        if best.as_ref().is_none_or(|b| classes > b.0) {
            best = Some((classes, (run, shown)));
        }
    }
    best.map(|b| b.1).ok_or_else(|| no_file(set, arm))
}

fn no_file(set: &RunSet, arm: &str) -> String {
    let fold = set.of(arm).next().map_or(String::new(), |r| format!(", {}", fold(r)));
    format!("no {} of {arm}{fold} (strips, maps and targets); {EVALUATE}", Examples::FILE)
}

/// Draws the strips of every arm that `make` chooses of a run, with their caption; or says why there are none. `shows` is what
/// the run is chosen by.
fn of_arms<'a>(
    drawn: &mut Drawn<'a>,
    set: &'a RunSet<'a>,
    look: &Look,
    (kind, alone): (&str, bool),
    shows: impl Fn(&Example) -> bool,
    make: impl Fn(&'a str, &'a Run, &'a Examples) -> Result<(Vec<Row<'a>>, String), String>,
) {
    for arm in &set.variants {
        let stem = stem(kind, set, arm);
        match fullest(set, arm, &shows).and_then(|(run, shown)| make(arm, run, shown)) {
            Ok((rows, caption)) => drawn.add_pages(&stem, pages(set, look, &stem, rows, alone, &caption)),
            Err(why) => drawn.miss(&stem, why),
        }
    }
}

/// Where strips are of, for captions.
fn place(run: &Run, shown: &Examples) -> String {
    format!("{}, n = 1 run; block {}", run.cell(), shown.layer)
}

/// The probability of a class, in parentheses.
fn probability(strip: &Example, k: usize) -> String {
    strip.probabilities.get(k).map_or_else(String::new, |p| format!("({p:.2})"))
}

/// Refuses strips without the maps for every class.
fn check_classes(shown: &Examples) -> Result<(), String> {
    let lacks = |s: &Example| s.maps.len() < shown.classes.len() || s.maps.iter().any(Vec::is_empty);
    let what = format!("{} has the maps for the true classes alone, as earlier versions wrote it", Examples::FILE);
    if shown.strips.iter().any(lacks) { Err(format!("{what}; {EVALUATE}")) } else { Ok(()) }
}
