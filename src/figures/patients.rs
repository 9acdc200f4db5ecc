//! Accuracy of every patient, arm by arm: a row each, or where they are many, their distribution.

use super::shared::{legend_above, no_predictions, runs_of};
use crate::figures::catalogue::Drawn;
use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::Type;
use crate::plot::distributions::{Distribution, Group, Shape, distributions};
use crate::plot::figure::Figure;
use crate::plot::legend::{Entry, shape};
use crate::plot::panels::bottom_axis;
use crate::plot::style::{INK_SOFT, Look, NONE, PT_AXIS, PT_MIN, Rgb, arm_color};
use crate::run::set::{RunSet, count};
use crate::stats::mean_sd;
use std::collections::BTreeMap;

const STEM: &str = "patients";
/// Of more patients than this the distribution is drawn.
const ROWS: usize = 120;
/// Least and greatest height of a row, mm.
const PITCH: (f64, f64) = (2.15, 3.2);
/// How far marks of different arms in a row stand below each other, mm.
const APART: f64 = 0.3;

/// An arm's colour, name, and right and all records of every patient.
struct Arm<'a> {
    name: &'a str,
    color: Rgb,
    patients: BTreeMap<&'a str, (usize, usize)>,
}

impl<'a> Arm<'a> {
    fn new(set: &'a RunSet<'a>, place: usize, name: &'a str) -> Option<Self> {
        let mut patients: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for (_, p) in set.predictions(name)? {
            let own = patients.entry(p.patient.as_str()).or_default();
            *own = (own.0 + usize::from(p.predicted() == p.truth), own.1 + 1);
        }
        Some(Self { name, color: arm_color(place), patients })
    }

    fn accuracy(&self, patient: &str) -> Option<f64> {
        self.patients.get(patient).map(|(right, all)| *right as f64 / *all as f64)
    }
}

pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let arms = set.variants.iter().enumerate().filter_map(|(i, name)| Arm::new(set, i, name));
    let arms: Vec<Arm> = arms.collect();
    if arms.is_empty() {
        return drawn.miss(STEM, no_predictions(set, &set.variants[0]));
    }
    if arms.iter().all(|arm| arm.patients.values().all(|(_, records)| *records == 1)) {
        return drawn.miss(STEM, "the data set does not identify patients, or each has one record");
    }
    // patients by their mean accuracy over the arms, the best above
    let mut patients: BTreeMap<&str, (f64, usize)> = BTreeMap::new();
    for name in arms.iter().flat_map(|arm| arm.patients.keys()) {
        let accuracies: Vec<f64> = arms.iter().filter_map(|arm| arm.accuracy(name)).collect();
        let records = arms.iter().filter_map(|arm| arm.patients.get(name)).map(|own| own.1).max();
        patients.insert(name, (mean_sd(&accuracies).0, records.unwrap_or(0)));
    }
    let mut order: Vec<(&str, f64, usize)> = patients.into_iter().map(|(name, (a, n))| (name, a, n)).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
    let mean = |arm: &Arm| {
        let own: Vec<f64> = arm.patients.keys().filter_map(|name| arm.accuracy(name)).collect();
        format!("{} {:.3}", arm.name, mean_sd(&own).0)
    };
    let of = format!(
        "Accuracy of each of {} on test records, pooled over the runs of an arm ({}). Mean over the patients: {}",
        count(order.len(), "patient"),
        runs_of(arms.iter().map(|arm| (arm.name, set.of(arm.name).count()))),
        arms.iter().map(mean).collect::<Vec<_>>().join(", ")
    );
    if order.len() <= ROWS {
        return drawn.figures.extend(rows(look, arms, order, &of));
    }
    let group = |arm: &Arm| {
        let values = arm.patients.keys().filter_map(|name| arm.accuracy(name)).collect();
        Group { name: arm.name.to_owned(), color: arm.color, values }
    };
    let groups = arms.iter().map(group).collect();
    let name = "accuracy of a patient".to_owned();
    let one = Distribution { name, groups, lines: Vec::new(), range: vec![0.0, 1.0] };
    let caption = format!(
        "{of}. Violins: density over the patients, smoothed alike; bars: quartiles with the median in white; whiskers: 5th to 95th percentile; \
         circles: means."
    );
    drawn.add_pages(STEM, distributions(look, STEM, vec![one], (Shape::Violin, 1), &caption));
}

fn rows<'a>(look: &Look, arms: Vec<Arm<'a>>, order: Vec<(&'a str, f64, usize)>, of: &str) -> Vec<Figure<'a>> {
    let least = Type::new(PT_MIN);
    // patients of one source have its name before theirs
    let source = |name: &str| name.split_once('/').map(|parts| parts.0.to_owned());
    let first = source(order[0].0);
    let same = first.is_some() && order.iter().all(|p| source(p.0) == first);
    let label = |&(name, _, records): &(&str, f64, usize)| {
        let name = if same { name.split_once('/').map_or(name, |parts| parts.1) } else { name };
        format!("{} ({records})", least.shorten(name, 20.0))
    };
    let labels: Vec<String> = order.iter().map(label).collect();
    let width = look.width();
    let columns = if look.is_wide() && order.len() > 20 { 2 } else { 1 };
    let left = labels.iter().map(|label| least.width(label)).fold(0.0, f64::max) + 3.0;
    let entry = |(i, arm): (usize, &Arm)| Entry::mark(arm.name, i, arm.color);
    let entries: Vec<Entry> = arms.iter().enumerate().map(entry).filter(|_| arms.len() > 1).collect();
    let (above, head) = legend_above(entries, (left, width));
    let (above, foot) = (above + 1.0, 10.0);
    let n = order.len().div_ceil(columns);
    let pitch = ((look.most_height() - above - foot) / n as f64).clamp(PITCH.0, PITCH.1);
    let caption = format!(
        "{of}. Patients are sorted by their mean over the arms; in parentheses their test records{}.",
        if arms.len() > 1 { "; a grey line joins the arms" } else { "" }
    );
    let unit = Axis::with_ticks(0.0, 1.0, 0.25);
    Figure::pages(look, STEM, &caption, (above, foot), &vec![pitch; n], move |c, parts| {
        head(c);
        let (top, bottom) = (parts[0].1, parts[parts.len() - 1].1 + pitch);
        for column in 0..columns {
            let x = width / columns as f64 * column as f64;
            let frame = Frame { x0: x + left, y0: top, x1: x + width / columns as f64 - 4.0, y1: bottom };
            frame.bottom(c, &unit, false, true);
            bottom_axis(c, &frame, &unit, Some("accuracy"));
            c.line((frame.x0, top), (frame.x0, bottom), PT_AXIS, INK_SOFT);
            for &(row, y) in parts {
                let Some(&(patient, ..)) = order.get(column * n + row) else { continue };
                let y = y + pitch / 2.0;
                c.text((frame.x0 - 1.5, y + least.drop()), &labels[column * n + row], &least.end());
                let all: Vec<(usize, f64)> =
                    arms.iter().enumerate().filter_map(|(i, arm)| Some((i, arm.accuracy(patient)?))).collect();
                let place = |v: f64| frame.x0 + v * (frame.x1 - frame.x0);
                let ends = all.iter().fold((1.0, 0.0), |e: (f64, f64), a| (e.0.min(a.1), e.1.max(a.1)));
                c.line((place(ends.0), y), (place(ends.1), y), PT_AXIS, NONE);
                for (i, accuracy) in all {
                    let down = APART * (i as f64 - (arms.len() - 1) as f64 / 2.0);
                    shape(c, (place(accuracy), y + down), i, 0.7, arms[i].color);
                }
            }
        }
        Ok(())
    })
}
