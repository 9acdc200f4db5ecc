//! Training over the epochs: a panel for every loss term and the learning rate; a panel for every metric, with training and
//! validation in it. A term never hides another. Of several runs of an arm each is a thin line and their mean a thick one.

use super::shared::{heading, legend_above, panels, runs_of};
use crate::error::Error;
use crate::figures::catalogue::Drawn;
use crate::plot::axes::Axis;
use crate::plot::canvas::Type;
use crate::plot::legend::{Entry, shape};
use crate::plot::panels::{Grid, Line, band, line};
use crate::plot::style::{INK_SOFT, Look, MM_PER_PT, PT_AXIS, PT_CURVE, PT_MIN, Rgb, arm_color};
use crate::run::folder::EpochLog;
use crate::run::set::RunSet;

/// Positive losses that span more than this factor are drawn on a logarithmic axis.
const LOG_FROM: f64 = 50.0;
/// Most arms that can be distinguished.
const MOST: usize = 8;
/// Epochs up to which every one gets a mark, and marks of a longer curve.
const MARKED: usize = 20;
const MARKS: usize = 10;
/// Share of dead maps from which they have a panel.
const DEAD_FROM: f64 = 0.01;
/// Dashes of validation, mm.
const DASH: f64 = 1.2;
/// Learning rates that differ by less, as a part of the highest, are the same.
const SAME_RATE: f64 = 0.01;

/// The logs of an arm.
struct Arm<'a> {
    name: &'a str,
    color: Rgb,
    logs: Vec<&'a [EpochLog]>,
}

impl<'a> Arm<'a> {
    fn all(set: &'a RunSet<'a>) -> Vec<Self> {
        let arm = |(i, name): (usize, &'a String)| Self {
            name,
            color: arm_color(i),
            logs: set.of(name).map(|r| r.log.as_slice()).filter(|log| !log.is_empty()).collect(),
        };
        set.variants.iter().enumerate().map(arm).filter(|arm| !arm.logs.is_empty()).collect()
    }
}

fn rows<'a, 'b>(arms: &'b [Arm<'a>]) -> impl Iterator<Item = &'a EpochLog> + use<'a, 'b> {
    arms.iter().flat_map(|arm| arm.logs.iter().flat_map(|log| log.iter()))
}

/// A curve of every run of an arm, their mean, and what lies one standard deviation beside it.
struct Curves {
    color: Rgb,
    dash: f64,
    runs: Vec<Vec<(f64, f64)>>,
    mean: Vec<(f64, f64)>,
    band: Vec<(f64, f64, f64)>,
    /// Shape of the marks, and the first mark; `None` for no marks.
    marks: Option<(usize, usize)>,
}

impl Curves {
    fn new((color, dash): (Rgb, f64), logs: &[&[EpochLog]], of: impl Fn(&EpochLog) -> Option<f64>) -> Option<Self> {
        let points = |log: &&[EpochLog]| log.iter().filter_map(|row| Some((row.epoch as f64, of(row)?))).collect();
        let runs: Vec<Vec<(f64, f64)>> = logs.iter().map(points).filter(|run: &Vec<_>| !run.is_empty()).collect();
        let (mut mean, mut band) = (Vec::new(), Vec::new());
        let longest = runs.iter().max_by_key(|run| run.len())?;
        for (i, (epoch, _)) in longest.iter().enumerate() {
            // the mean of some runs is none of all: there it has a gap
            let values: Vec<f64> =
                runs.iter().filter_map(|r| r.get(i).filter(|p| p.0 == *epoch)).map(|p| p.1).collect();
            let n = values.len() as f64;
            let m = if values.len() == runs.len() { values.iter().sum::<f64>() / n } else { f64::NAN };
            let sd = (values.iter().map(|v| (v - m).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            mean.push((*epoch, m));
            band.push((*epoch, m - sd, m + sd));
        }
        if runs.len() < 2 {
            band.clear();
        }
        Some(Self { color, dash, runs, mean, band, marks: None })
    }

    fn values(&self) -> impl Iterator<Item = f64> + Clone {
        self.runs.iter().flatten().map(|p| p.1)
    }
}

/// What a panel shows.
struct Panel {
    name: String,
    curves: Vec<Curves>,
    y: Axis,
}

impl Panel {
    /// `None` where there is no finite value.
    fn new(name: String, curves: Vec<Curves>, log: bool) -> Option<Self> {
        let values = curves.iter().flat_map(Curves::values);
        values.clone().find(|v| v.is_finite())?;
        let logarithmic = Axis::logarithmic(values.clone(), LOG_FROM).filter(|_| log);
        let name = if logarithmic.is_some() { format!("{name} (log)") } else { name };
        Some(Self { name, y: logarithmic.unwrap_or_else(|| Axis::linear(values, 4)), curves })
    }

    /// Training alone, or validation alone.
    fn one_part(&self) -> bool {
        self.curves.iter().all(|curves| curves.dash == self.curves[0].dash)
    }
}

/// A loss term in words.
fn words(term: &str) -> &str {
    match term {
        "ce" => "cross-entropy",
        "joint" => "joint head, cross-entropy",
        "feature" => "feature regression, smooth L1",
        "xai" => "map guidance, 1 − NCC",
        "total" => "total loss",
        other => other,
    }
}

/// The named value; `None` where a row does not have it, which is no gap.
fn value(values: &[(String, f64)], name: &str) -> Option<f64> {
    values.iter().find(|v| v.0 == name).map(|v| v.1)
}

/// Every loss term, and the learning rate. Terms that are the same in every row share a panel.
pub(crate) fn losses<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let arms = Arm::all(set);
    let same = |a: Option<f64>, b: Option<f64>| a.map(f64::to_bits) == b.map(f64::to_bits);
    let mut terms: Vec<Vec<&str>> = Vec::new();
    for (term, _) in rows(&arms).flat_map(|row| &row.losses) {
        if terms.iter().flatten().any(|known| known == term) {
            continue;
        }
        let twin = |other: &&mut Vec<&str>| {
            rows(&arms).all(|row| same(value(&row.losses, term), value(&row.losses, other[0])))
        };
        match terms.iter_mut().find(twin) {
            Some(other) => other.push(term),
            None => terms.push(vec![term]),
        }
    }
    // the sum behind its parts, which an arm without them names first
    terms.sort_by_key(|terms| terms[..] == ["total"]);
    let curves = |of: &dyn Fn(&EpochLog) -> Option<f64>| -> Vec<Curves> {
        arms.iter().filter_map(|arm| Curves::new((arm.color, 0.0), &arm.logs, of)).collect()
    };
    let (mut made, mut nothing) = (Vec::new(), Vec::new());
    for terms in &terms {
        let name = terms.iter().map(|term| words(term)).collect::<Vec<_>>().join(" = ");
        match Panel::new(name.clone(), curves(&|row| value(&row.losses, terms[0])), true) {
            Some(panel) => made.push(panel),
            None => nothing.push(name),
        }
    }
    let highest = rows(&arms).map(|row| row.lr).fold(0.0, f64::max);
    let longest: &[EpochLog] =
        arms.iter().flat_map(|arm| arm.logs.iter().copied()).max_by_key(|log| log.len()).unwrap_or_default();
    let alike = |log: &[EpochLog]| log.iter().zip(longest).all(|(a, b)| (a.lr - b.lr).abs() <= SAME_RATE * highest);
    let once = arms.len() > 1 && arms.iter().flat_map(|arm| &arm.logs).all(|log| alike(log));
    let rates = match once {
        true => Curves::new((INK_SOFT, 0.0), &[longest], |row| Some(row.lr)).into_iter().collect(),
        false => curves(&|row| Some(row.lr)),
    };
    if !made.is_empty() {
        // a cosine reads as one on a linear axis, however small its end
        made.extend(Panel::new("learning rate".into(), rates, false));
    }
    let rate = if once { ", which is the same in all arms," } else { "" };
    let what = format!("Loss terms (means over the steps of an epoch that were read back) and the learning rate{rate}");
    let mut notes = String::new();
    if made.iter().any(|panel| panel.name.contains("NCC")) {
        notes += " NCC: normalised cross-correlation of map and guidance target.";
    }
    if !nothing.is_empty() {
        notes += &format!(" No finite value: {}.", nothing.join("; "));
    }
    draw(drawn, look, "losses", (&arms, made), [&what, &notes]);
}

/// The metrics that say something: sensitivity is nearly accuracy and specificity nearly 1.
const METRICS: [(&str, &str); 3] =
    [("accuracy", "accuracy"), ("macro_f1", "macro-F1"), ("dead_maps", "dead maps (share)")];

/// Every metric: of the training batches, and of what is held out to follow the training.
pub(crate) fn metrics<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let arms = Arm::all(set);
    let of = |part: &str, metric: &str| -> Vec<Curves> {
        let name = format!("{part}_{metric}");
        let dash = if part == "train" { 0.0 } else { DASH };
        let curves = |arm: &Arm| Curves::new((arm.color, dash), &arm.logs, |row| value(&row.metrics, &name));
        arms.iter().filter_map(curves).collect()
    };
    let (mut made, mut notes) = (Vec::new(), String::new());
    for (metric, name) in METRICS {
        let [mut curves, held_out] = ["train", "validation"].map(|part| of(part, metric));
        let part = match (curves.is_empty(), held_out.is_empty()) {
            (false, true) if metric != "dead_maps" => " (training)",
            (true, false) => " (validation)",
            _ => "",
        };
        curves.extend(held_out);
        let most = curves.iter().flat_map(Curves::values).fold(0.0, f64::max);
        if metric != "dead_maps" || most >= DEAD_FROM {
            made.extend(Panel::new(format!("{name}{part}"), curves, false));
        }
        if metric == "dead_maps" && most > 0.0 {
            let few = if most < DEAD_FROM { format!(": {:.2} % at most", 100.0 * most) } else { String::new() };
            notes = format!(
                " Dead maps: share of the guided maps that are zero everywhere, which point at nothing and guide nothing{few}."
            );
        }
    }
    let mut what = "Metrics of the training batches as the network saw them in training".to_owned();
    if made.iter().flat_map(|panel| &panel.curves).any(|curves| curves.dash > 0.0) {
        what += " (solid), and of the strips held out to follow the training (validation, dashed)";
    }
    draw(drawn, look, "metrics", (&arms, made), [&what, &notes]);
}

fn draw<'a>(
    drawn: &mut Drawn<'a>,
    look: &Look,
    stem: &str,
    (arms, mut made): (&[Arm<'a>], Vec<Panel>),
    [what, notes]: [&str; 2],
) {
    if arms.len() > MOST {
        let what = format!("{} arms, at most {MOST} can be distinguished", arms.len());
        return drawn.add(stem, Err(Error::data(stem, what, "give fewer folders")));
    }
    let epochs = || rows(arms).map(|row| row.epoch);
    let (Some(first), Some(last)) = (epochs().min(), epochs().max()) else {
        return drawn.miss(stem, "no log.jsonl with an epoch");
    };
    if made.is_empty() {
        return drawn.miss(stem, format!("no finite value among the {stem} of log.jsonl"));
    }
    let several = arms.len() > 1;
    // marks at every epoch where they have room, at some where arms must be distinguished without colour
    let few = last - first < MARKED;
    let marked = |i: usize| (few || several).then_some(i);
    let entry = |(i, arm): (usize, &Arm)| Entry { shape: marked(i), ..Entry::line(arm.name, arm.color) };
    let mut entries: Vec<Entry> = arms.iter().enumerate().filter(|_| several).map(entry).collect();
    for curves in made.iter_mut().flat_map(|panel| &mut panel.curves) {
        let arm = arms.iter().position(|arm| arm.color == curves.color);
        curves.marks = arm.and_then(marked).map(|i| (i, if few { 0 } else { i }));
    }
    if made.iter().any(|panel| !panel.one_part()) {
        entries.push(Entry::line("training", INK_SOFT));
        entries.push(Entry { dash: DASH, ..Entry::line("validation", INK_SOFT) });
    }
    let (width, wide) = (look.width(), look.is_wide());
    let columns = if wide { ((width / 55.0) as usize).clamp(1, 3) } else { 2 };
    let grid = match wide {
        true => Grid { width, columns, left: 13.0, right: 4.0, top: 6.5, height: 30.0, bottom: 9.5 },
        false => Grid { width, columns, left: 12.5, right: 2.5, top: 6.5, height: 23.0, bottom: 3.5 },
    };
    let x = Axis::whole_within(first, last, 5);
    let (above, head) = legend_above(entries, (grid.left, width));
    let of = runs_of(arms.iter().map(|arm| (arm.name, arm.logs.len())));
    let lines = match arms.iter().any(|arm| arm.logs.len() > 1) {
        true => {
            " Thin lines: single runs (folds and seeds); thick lines: their mean, told only where every run has a finite \
             value; bands: mean ± 1 standard deviation over the runs."
        }
        false => "",
    };
    let gaps = |panel: &Panel| panel.curves.iter().any(|c| c.values().any(|v| !v.is_finite()));
    let gap = if made.iter().any(gaps) { " Gaps: no finite value." } else { "" };
    let caption = format!("{what} over the epochs. {of}.{lines}{gap}{notes}");
    let many = made.len() > 1;
    let foot = if wide { 1.0 } else { 7.0 };
    let pages = panels(look, stem, &caption, (grid, made.len()), (above, foot), head, move |c, frame, place| {
        let panel = &made[place.index];
        let y = &panel.y;
        frame.draw(c, &x, y, (wide || place.lowest).then_some("epoch"), "");
        heading(c, frame, grid.left, many.then_some(place.index), &panel.name);
        for curves in &panel.curves {
            band(c, frame, (&x, y), &curves.band, curves.color, 0.16);
        }
        // beside those of another part they would say nothing
        for curves in panel.curves.iter().filter(|curves| panel.one_part() && curves.runs.len() > 1) {
            let thin = Line { pt: PT_AXIS, ..Line::new(c.tint(curves.color, 0.5)) };
            curves.runs.iter().for_each(|run| line(c, frame, (&x, y), run, thin));
        }
        for curves in &panel.curves {
            line(c, frame, (&x, y), &curves.mean, Line { dash: curves.dash, ..Line::new(curves.color) });
            let Some((which, start)) = curves.marks else { continue };
            let every = if few { 1 } else { curves.mean.len().div_ceil(MARKS).max(1) };
            for point in curves.mean.iter().skip(start).step_by(every) {
                if let Some(at) = frame.at(&x, y, *point) {
                    shape(c, at, which, PT_CURVE * MM_PER_PT * 1.25, curves.color);
                }
            }
        }
        if gaps(panel) {
            let style = Type::new(PT_MIN).color(INK_SOFT).end();
            c.text((frame.x1, frame.y0 + style.pt * MM_PER_PT), "gaps: no finite value", &style);
        }
        Ok(())
    });
    drawn.add_pages(stem, Ok(pages));
}
