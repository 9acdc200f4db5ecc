//! Class averages about the R peak: the map, the guidance target, and under them the mean ECG.

use super::no_file;
use crate::figures::catalogue::{Drawn, count};
use crate::plot::axes::{Axis, Frame, nice};
use crate::plot::canvas::{Canvas, Type};
use crate::plot::legend::{Entry, legend, legend_height};
use crate::plot::panels::{Grid, Line, band, letter, line, title};
use crate::plot::style::{INK, INK_SOFT, NONE, PT_AXIS, PT_LABEL, PT_SMALL, Rgb, TARGET, arm_color, class_color};
use crate::plot::{Figure, Look};
use crate::run::examples::{Aligned, BEFORE, Examples};
use crate::run::set::RunSet;

const STEM: &str = "gradcam-aligned";
/// Dashes of the target, mm.
const DASH: f64 = 0.9;

/// Means of one class over the records of several runs.
struct Pooled {
    map: Vec<f64>,
    /// Standard deviation of the map over the records.
    sd: Vec<f64>,
    target: Vec<f64>,
    /// The ECG.
    signal: Vec<f64>,
    records: usize,
    /// The records are in mV.
    in_mv: bool,
}

fn pool(all: &[&Aligned]) -> Option<Pooled> {
    let there: Vec<&&Aligned> = all.iter().filter(|a| a.records > 0).collect();
    let bins = there.first()?.map.len();
    let whole = |a: &Aligned| [&a.map, &a.map_sd, &a.target, &a.signal].iter().all(|values| values.len() == bins);
    if bins == 0 || !there.iter().all(|a| whole(a)) {
        return None;
    }
    let n: f64 = there.iter().map(|a| a.records as f64).sum();
    let mean = |of: fn(&Aligned) -> &Vec<f32>| -> Vec<f64> {
        (0..bins).map(|i| there.iter().map(|a| a.records as f64 * f64::from(of(a)[i])).sum::<f64>() / n).collect()
    };
    let map = mean(|a| &a.map);
    let sd = |i: usize| {
        let squares = there.iter().map(|a| {
            let records = a.records as f64;
            (records - 1.0) * f64::from(a.map_sd[i]).powi(2) + records * (f64::from(a.map[i]) - map[i]).powi(2)
        });
        (squares.sum::<f64>() / (n - 1.0)).sqrt()
    };
    let sd = (0..bins).map(sd).collect();
    let in_mv = there.iter().all(|a| a.unitless == 0);
    Some(Pooled { sd, target: mean(|a| &a.target), signal: mean(|a| &a.signal), records: n as usize, in_mv, map })
}

/// A class: its place and name, and what the arms that have its records made of it.
struct Panel<'a> {
    class: (usize, &'a str),
    arms: Vec<(Rgb, Pooled)>,
}

pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let shown = |arm: &'a str| set.of(arm).filter_map(|r| r.examples.as_ref());
    let mut arms: Vec<&str> = match set.pair() {
        Some(pair) => pair.to_vec(),
        None => set.variants.iter().map(String::as_str).collect(),
    };
    arms.retain(|arm| shown(arm).next().is_some());
    let Some(fs) = arms.iter().find_map(|arm| shown(arm).next()).map(|s: &Examples| s.fs) else {
        return drawn.miss(STEM, no_file(set, set.variants.first().map_or("the run", String::as_str)));
    };
    // an arm has its colour in all figures
    let color = |arm: &&str| arm_color(set.variants.iter().position(|name| name == arm).unwrap_or(0));
    let (mut panels, mut absent) = (Vec::new(), Vec::new());
    for (k, class) in set.classes.iter().enumerate() {
        let one = |arm: &&'a str| {
            let all: Vec<&Aligned> = shown(arm).filter(|s| s.fs == fs).filter_map(|s| s.aligned.get(k)).collect();
            Some((if arms.len() == 1 { class_color(class, k) } else { color(arm) }, pool(&all)?))
        };
        let found: Vec<(Rgb, Pooled)> = arms.iter().filter_map(one).collect();
        match found.is_empty() {
            true => absent.push(class.as_str()),
            false => panels.push(Panel { class: (k, class), arms: found }),
        }
    }
    if panels.is_empty() {
        return drawn.miss(STEM, format!("no beat of a record with a map in the test folds of {}", arms.join(" and ")));
    }
    let records: Vec<String> = panels.iter().map(|p| format!("{}: {}", p.class.1, p.arms[0].1.records)).collect();
    let of = match set.variants.len() {
        0..=2 => String::new(),
        n => format!(" Of {n} arms: {}.", arms.join(" and ")),
    };
    let none = if absent.is_empty() { String::new() } else { format!(" No record of {}.", absent.join(", ")) };
    let caption = format!(
        "Class averages about the R peak (0 s): mean over the test records ({}; n = {}) of the mean over a record's beats of \
         the Grad-CAM map for the true class, each map scaled to a maximum of 1. Solid lines: maps; bands: ± 1 standard \
         deviation over the records; dashed: the guidance target G, averaged alike; grey: the mean ECG (axis on the \
         right).{of}{none}",
        records.join(", "),
        count(set.of(arms[0]).count(), "run"),
    );
    let entries = match arms.len() {
        // it has the colours of the classes
        1 => vec![Entry::line("Grad-CAM map", INK)],
        _ => arms.iter().map(|arm| Entry::line(*arm, color(arm))).collect(),
    };
    drawn.add_pages(STEM, Ok(figure(look, entries, panels, fs, &caption)));
}

fn figure<'a>(look: &Look, mut entries: Vec<Entry>, panels: Vec<Panel<'a>>, fs: f64, caption: &str) -> Vec<Figure<'a>> {
    let (width, wide) = (look.width(), look.is_wide());
    let columns = if wide && panels.len() != 4 { 3 } else { 2 }.min(panels.len());
    entries.push(Entry { dash: DASH, ..Entry::line("guidance target G", TARGET) });
    entries.push(Entry::line("mean ECG", NONE));
    let head = 2.5 + legend_height(&entries, width - 16.0);
    let (height, bottom) = (if wide { 36.0 } else { 22.0 }, 11.0);
    let mv = Axis::linear(panels.iter().flat_map(|p| p.arms[0].1.signal.iter().copied()), 4);
    // the panels share an axis
    let all_mv = panels.iter().all(|p| p.arms[0].1.in_mv);
    let ecg_name = if all_mv { "mean ECG (mV)" } else { "mean ECG (arbitrary units)" };
    let right = right_numbers(&mv, height).iter().map(|(_, text)| small().width(text)).fold(0.0, f64::max) + RIGHT_NAME;
    let grid = Grid { width, columns, left: if wide { 13.0 } else { 11.5 }, right, top: 6.0, height, bottom };
    let place = move |i: usize| i as f64 / fs - (BEFORE * fs).round() / fs;
    let bins = panels[0].arms[0].1.map.len();
    let (first, last) = (place(0), place(bins.max(2) - 1));
    let x = Axis::with_ticks(first, last, nice((last - first) / if width > 70.0 * columns as f64 { 6.0 } else { 4.0 }));
    let y = Axis::with_ticks(0.0, 1.0, 0.2);
    let rows = vec![6.0 + height + bottom; panels.len().div_ceil(columns)];
    Figure::pages(look, STEM, caption, (head, 0.0), &rows, move |c: &mut Canvas, parts| {
        legend(c, &entries, (13.0, 1.5), width - 16.0);
        for &(row, top) in parts {
            let own = &panels[row * columns..panels.len().min((row + 1) * columns)];
            for (k, (panel, frame)) in own.iter().zip(grid.frames(columns, top).0).enumerate() {
                let label = if k == 0 { "map, target (0–1)" } else { "" };
                right_axis(c, &frame, &mv, (k + 1 == own.len()).then_some(ecg_name));
                let ecg: Vec<_> = panel.arms[0].1.signal.iter().enumerate().map(|(i, v)| (place(i), *v)).collect();
                frame.draw(c, &x, &y, Some("time from the R peak (s)"), label);
                line(c, &frame, (&x, &mv), &ecg, Line { pt: 0.8, ..Line::new(NONE) });
                title(c, &frame, panel.class.1);
                letter(c, (frame.x0 - 10.0, frame.y0 - 1.8), row * columns + k);
                for (color, one) in &panel.arms {
                    let ends = |i: usize| (place(i), one.map[i] - one.sd[i], one.map[i] + one.sd[i]);
                    band(c, &frame, (&x, &y), &(0..one.map.len()).map(ends).collect::<Vec<_>>(), *color, 0.18);
                }
                let curve = |values: &[f64]| values.iter().enumerate().map(|(i, v)| (place(i), *v)).collect::<Vec<_>>();
                let dashed = Line { dash: DASH, ..Line::new(TARGET) };
                line(c, &frame, (&x, &y), &curve(&panel.arms[0].1.target), dashed);
                for (color, one) in &panel.arms {
                    line(c, &frame, (&x, &y), &curve(&one.map), Line::new(*color));
                }
            }
        }
        Ok(())
    })
}

/// Right of the numbers of the axis of the ECG, mm: their distance, its name, and the edge of the page.
const RIGHT_NAME: f64 = 6.0;

fn small() -> Type {
    Type::new(PT_SMALL).color(INK_SOFT)
}

/// The numbers of the axis of the ECG that have room.
fn right_numbers(mv: &Axis, height: f64) -> Vec<(f64, &str)> {
    mv.with_room(height, |_| 3.0 * small().drop())
}

/// The axis of the ECG.
fn right_axis(c: &mut Canvas, frame: &Frame, mv: &Axis, name: Option<&str>) {
    let small = small();
    let mut widest: f64 = 0.0;
    for (t, text) in right_numbers(mv, frame.y1 - frame.y0) {
        let at = frame.y1 - t * (frame.y1 - frame.y0);
        c.line((frame.x1, at), (frame.x1 + 0.9, at), PT_AXIS, INK_SOFT);
        c.text((frame.x1 + 1.5, at + small.drop()), text, &small);
        widest = widest.max(small.width(text));
    }
    c.line((frame.x1, frame.y0), (frame.x1, frame.y1), PT_AXIS, INK_SOFT);
    if let Some(name) = name {
        let label = Type::new(PT_LABEL).color(INK_SOFT).middle().upwards();
        c.text((frame.x1 + widest + 4.3, f64::midpoint(frame.y0, frame.y1)), name, &label);
    }
}
