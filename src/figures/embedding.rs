//! A map of what the classifier is given of each test record: principal components and t-SNE, by class and by patient.

use crate::figures::catalogue::{Drawn, EVALUATE, stem};
use crate::plot::axes::Frame;
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::legend::{Entry, legend, legend_height};
use crate::plot::panels::letter;
use crate::plot::style::{NONE, PT_SMALL, Rgb, class_color, series_color};
use crate::plot::{Figure, Look};
use crate::run::examples::Examples;
use crate::run::predictions::Prediction;
use crate::run::set::RunSet;
use crate::stats::projection::{neighbours, principal};
use std::collections::BTreeMap;

/// Points of a map; of more records every n-th is taken.
const MOST: usize = 1000;
/// Patients that have a colour of their own.
const PATIENTS: usize = 7;
/// Radius of a point, mm.
const POINT: f64 = 0.45;

/// Colours of points, and what they mean.
struct Colors {
    of: Vec<Rgb>,
    legend: Vec<Entry>,
}

fn by_class(rows: &[&Prediction], classes: &[String]) -> Colors {
    let count = |k: usize| rows.iter().filter(|p| p.truth == k).count();
    let entry = |(k, name): (usize, &String)| {
        let n = count(k);
        (n > 0).then(|| Entry::mark(format!("{name} ({n})"), 0, class_color(name, k)))
    };
    Colors {
        of: rows.iter().map(|p| class_color(&classes[p.truth], p.truth)).collect(),
        legend: classes.iter().enumerate().filter_map(entry).collect(),
    }
}

/// The patients with most records have colours, all others are grey; `None` where no patient has two records.
fn by_patient(rows: &[&Prediction]) -> Option<Colors> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    rows.iter().for_each(|p| *counts.entry(&p.patient).or_default() += 1);
    let mut largest: Vec<(&str, usize)> = counts.into_iter().collect();
    // a stable sort: among equal numbers of records the first by name
    largest.sort_by_key(|p| std::cmp::Reverse(p.1));
    if largest.first()?.1 < 2 {
        return None;
    }
    let others = largest.split_off(PATIENTS.min(largest.len()));
    let of = |p: &&Prediction| largest.iter().position(|l| l.0 == p.patient).map_or(NONE, series_color);
    let named = |(i, (name, n)): (usize, &(&str, usize))| Entry::mark(format!("{name} ({n})"), 0, series_color(i));
    let mut legend: Vec<Entry> = largest.iter().enumerate().map(named).collect();
    if !others.is_empty() {
        let n: usize = others.iter().map(|p| p.1).sum();
        legend.push(Entry::mark(format!("{} others ({n})", others.len()), 0, NONE));
    }
    Some(Colors { of: rows.iter().map(of).collect(), legend })
}

/// Points on a plane, and what its directions are.
struct Plane {
    points: Vec<Point>,
    axes: [String; 2],
}

pub(super) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for arm in &set.variants {
        let stem = stem("embedding", set, arm);
        let whole = set.of(arm).filter_map(|r| Some((r, r.examples.as_ref()?, r.predictions.as_ref()?)));
        let Some((run, shown, rows)) =
            whole.clone().find(|(_, s, rows)| !rows.is_empty() && s.embeddings.len() == rows.len())
        else {
            let why =
                format!("no {} and predictions.csv of {arm} with the embedding of every test record", Examples::FILE);
            drawn.miss(&stem, format!("{why}; {EVALUATE}"));
            continue;
        };
        let every = rows.len().div_ceil(MOST).max(1);
        let finite = |(values, _): &(&Vec<f32>, &Prediction)| values.iter().all(|v| v.is_finite());
        let taken = shown.embeddings.iter().zip(rows).step_by(every).filter(finite);
        let (points, rows): (Vec<&[f32]>, Vec<&Prediction>) = taken.map(|(values, p)| (values.as_slice(), p)).unzip();
        let Some(components) = principal(&points) else {
            drawn.miss(&stem, format!("the embeddings of {arm} do not differ: the network has not learned"));
            continue;
        };
        let map = neighbours(&points, &components);
        let share = |k: usize| format!("PC {} ({:.0} %)", k + 1, 100.0 * components.shares[k]);
        let mut planes = vec![Plane { axes: [share(0), share(1)], points: components.points }];
        let how = match map {
            Some((perplexity, points)) => {
                planes.push(Plane { points, axes: ["t-SNE 1".into(), "t-SNE 2".into()] });
                format!(
                    "; below, t-SNE of the same (perplexity {perplexity:.0}, begun from the components; near neighbours are near, \
                     distances between groups mean nothing)"
                )
            }
            None => "; too few for a t-SNE".into(),
        };
        let (classes, patients) = (by_class(&rows, &set.classes), by_patient(&rows));
        let by = match &patients {
            Some(colors) if colors.legend.len() > PATIENTS => {
                format!(
                    "Left: by true class; right: by patient, the {PATIENTS} with most records and all others in grey"
                )
            }
            Some(_) => "Left: by true class; right: by patient".to_owned(),
            None => "Coloured by true class; every patient has one record".to_owned(),
        };
        let some = if every > 1 { format!(", every {every}th") } else { String::new() };
        let caption = format!(
            "Embeddings that the classifier of {arm} is given of the test records ({}, n = 1 run; {} records{some}; {} values each): \
             the first two principal components (PC, with their share of the variance){how}. {by} (in parentheses: records). Each network has directions of \
             its own, so that embeddings of several folds, seeds or arms cannot be pooled.",
            run.cell(),
            rows.len(),
            points[0].len(),
        );
        let colors = std::iter::once(classes).chain(patients).collect();
        drawn.add(&stem, Ok(figure(look, &stem, planes, colors, &caption)));
    }
}

fn figure<'a>(look: &Look, stem: &str, planes: Vec<Plane>, colors: Vec<Colors>, caption: &str) -> Figure<'a> {
    let width = if colors.len() == 1 { look.width().min(85.0) } else { look.width() };
    let (left, right) = (7.5, 1.5);
    let pitch = width / colors.len() as f64;
    let side = pitch - left - right;
    let above = 1.5 + colors.iter().map(|c| legend_height(&c.legend, side)).fold(0.0, f64::max);
    // rows of letters and of names of axes
    let (top, bottom) = (1.5, 5.0);
    let most = (look.most_height() - above) / planes.len() as f64 - top - bottom;
    let height = (side * 0.8).min(most);
    let columns = colors.len();
    let end = above + planes.len() as f64 * (top + height + bottom);
    Figure::new(stem, look.narrow(width, end), caption, move |c: &mut Canvas| {
        for (column, colors) in colors.iter().enumerate() {
            let x0 = column as f64 * pitch + left;
            legend(c, &colors.legend, (x0, 1.0), side);
            for (row, plane) in planes.iter().enumerate() {
                let y0 = above + row as f64 * (top + height + bottom) + top;
                let frame = Frame { x0, y0, x1: x0 + side, y1: y0 + height };
                letter(c, (x0 - 6.5, y0 + 2.4), row * columns + column);
                scatter(c, &frame, plane, &colors.of);
            }
        }
        Ok(())
    })
}

/// Points in a frame without numbers, which would mean nothing; both axes have one scale.
fn scatter(c: &mut Canvas, frame: &Frame, plane: &Plane, colors: &[Rgb]) {
    let ends = |of: fn(&Point) -> f64| {
        let values = plane.points.iter().map(of);
        values.fold((f64::MAX, f64::MIN), |b, v| (b.0.min(v), b.1.max(v)))
    };
    let (x, y) = (ends(|p| p.0), ends(|p| p.1));
    let room = |mm: f64| mm - 4.0 * POINT;
    let (wide, high) = (frame.x1 - frame.x0, frame.y1 - frame.y0);
    let scale = (room(wide) / (x.1 - x.0).max(1e-9)).min(room(high) / (y.1 - y.0).max(1e-9));
    let middle = (f64::midpoint(frame.x0, frame.x1), f64::midpoint(frame.y0, frame.y1));
    frame.outline(c);
    for (p, color) in plane.points.iter().zip(colors) {
        let dx = (p.0 - f64::midpoint(x.0, x.1)) * scale;
        let dy = (p.1 - f64::midpoint(y.0, y.1)) * scale;
        c.disc((middle.0 + dx, middle.1 - dy), POINT, *color);
    }
    let label = Type::new(PT_SMALL).middle();
    c.text((middle.0, frame.y1 + 1.2 + 2.0 * label.drop()), &plane.axes[0], &label);
    c.text((frame.x0 - 1.4, middle.1), &plane.axes[1], &label.upwards());
}
