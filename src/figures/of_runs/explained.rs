//! Where networks looked: strips with their maps, two variants on the same strips, means about the R peak.

use crate::explain::resize_map;
use crate::explain::scores::is_dead;
use crate::figures::catalogue::{Drawn, EVALUATE, count, stem};
use crate::figures::explained::{self as paper, Explained, strips};
use crate::figures::violins::{CurvePanel, Labels, MeanCurve, mean_curves};
use crate::plot::style::{INK_SOFT, class_color, series_color};
use crate::plot::{Figure, Look};
use crate::run::examples::{Aligned, BEFORE, Example, Examples};
use crate::run::read::Run;
use crate::run::set::RunSet;
use crate::run::set::fold;

/// Strips of the grid that compares two variants.
const ROWS: usize = 6;

fn explained<'a>(shown: &'a Examples, strip: &'a Example) -> Explained<'a> {
    let probability = strip.probabilities.get(strip.predicted).map_or(f64::NAN, |p| f64::from(*p));
    Explained {
        record: &strip.record,
        fs: shown.fs,
        signal: &strip.signal,
        map: resize_map(strip.map(), strip.signal.len()),
        dead: is_dead(strip.map()),
        target: &strip.target,
        r_peaks: &strip.r_peaks,
        expert_beats: strip.expert_beats,
        class: (&shown.classes[strip.class], strip.class),
        predicted: (&shown.classes[strip.predicted], strip.predicted),
        probability,
        ncc: f64::from(strip.ncc),
    }
}

/// The first kept strip of each class, and how many classes have none.
fn first_of_each(shown: &Examples) -> Vec<usize> {
    (0..shown.classes.len()).filter_map(|k| shown.strips.iter().position(|s| s.class == k)).collect()
}

/// The first of those that keep strips of the most classes: some folds have none of one.
fn fullest<'a, T>(all: impl Iterator<Item = T>, of: impl Fn(&T) -> &'a Examples) -> Option<T> {
    let mut best: Option<(usize, T)> = None;
    for one in all {
        let classes = first_of_each(of(&one)).len();
        if best.as_ref().is_none_or(|b| classes > b.0) {
            best = Some((classes, one));
        }
    }
    best.map(|b| b.1)
}

fn no_file(variant: &str, run: Option<&Run>) -> String {
    let fold = run.map_or(String::new(), |r| format!(", {}", fold(r)));
    format!("no {} of {variant}{fold} (strips, maps and targets); {EVALUATE}", Examples::FILE)
}

const HOW: &str = "Each strip of a record that the network never saw is coloured, and its paper tinted, by the Grad-CAM map for \
                   its true class, scaled to a maximum of 1; G is the guidance target made from the R peaks (triangles). \
                   Strips are picked by their place in the test fold, not by looks, and the fold is the first with strips of the most classes. In parentheses the probability of the \
                   predicted class; NCC: normalised cross-correlation of map and target.";

pub(crate) fn gradcam<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for variant in &set.variants {
        let stem = stem("gradcam", set, variant);
        let kept = set.of(variant).filter_map(|r| Some((r, r.examples.as_ref()?)));
        let Some((run, shown)) = fullest(kept, |k| k.1) else {
            drawn.miss(&stem, no_file(variant, set.of(variant).next()));
            continue;
        };
        let chosen: Vec<Explained> =
            first_of_each(shown).into_iter().map(|i| explained(shown, &shown.strips[i])).collect();
        let absent: Vec<&str> = (0..shown.classes.len())
            .filter(|k| shown.strips.iter().all(|s| s.class != *k))
            .map(|k| shown.classes[k].as_str())
            .collect();
        let none = if absent.is_empty() { String::new() } else { format!(" No test record of {}.", absent.join(", ")) };
        let caption = format!(
            "Grad-CAM of {variant} ({}; block {}), one strip of each class. {HOW}{none}",
            run.cell(),
            shown.layer
        );
        drawn.add(&stem, strips(look, &stem, chosen, &caption));
    }
}

pub(crate) fn compare<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    match set.pair() {
        None => {
            drawn.miss("gradcam-compare", "one variant only; give a sweep, or two run folders on the same test fold")
        }
        Some(names) => match compared(set, names, look) {
            Ok(figure) => drawn.add("gradcam-compare", figure),
            Err(why) => drawn.miss("gradcam-compare", why),
        },
    }
}

/// The same strips by two variants; what stands in the way otherwise.
fn compared<'a>(set: &'a RunSet<'a>, names: [&'a str; 2], look: &Look) -> Result<crate::Result<Figure<'a>>, String> {
    let kept = |name: &'a str| set.of(name).filter_map(|r| Some((r, r.examples.as_ref()?)));
    for name in names {
        if kept(name).next().is_none() {
            return Err(no_file(name, set.of(name).next()));
        }
    }
    let same = |a: &Run, b: &Run| a.fold_and_seed() == b.fold_and_seed();
    let pairs = kept(names[0]).filter_map(|a| Some((a, kept(names[1]).find(|b| same(a.0, b.0))?)));
    let both = fullest(pairs, |pair| pair.0.1);
    let Some(((run, first), (_, second))) = both else {
        return Err(format!("no fold and seed with an {} of both {} and {}", Examples::FILE, names[0], names[1]));
    };
    let mut rows = Vec::new();
    // the first of each class, then the second, as many as there is room for
    let per_class = (ROWS / first.classes.len().max(1)).max(1);
    for k in 0..first.classes.len() {
        let own = first.strips.iter().filter(|s| s.class == k);
        for strip in own.take(per_class) {
            if let Some(other) = second.strips.iter().find(|s| s.record == strip.record) {
                rows.push([explained(first, strip), explained(second, other)]);
            }
        }
    }
    rows.truncate(12);
    if rows.is_empty() {
        return Err(format!("{} and {} kept no strip of the same record", names[0], names[1]));
    }
    let caption = format!(
        "The same strips by {} (left) and {} (right), {}; block {}. {HOW}",
        names[0],
        names[1],
        run.cell(),
        first.layer
    );
    Ok(paper::compare(look, "gradcam-compare", names, rows, &caption))
}

/// Means of one class over runs.
struct Pooled {
    map: Vec<f64>,
    /// Standard deviation of the map over the records.
    sd: Vec<f64>,
    target: Vec<f64>,
    records: usize,
}

fn pool(all: &[&Aligned]) -> Option<Pooled> {
    let there: Vec<&&Aligned> = all.iter().filter(|a| a.records > 0).collect();
    let bins = there.first()?.map.len();
    if bins == 0 || there.iter().any(|a| a.map.len() != bins || a.map_sd.len() != bins || a.target.len() != bins) {
        return None;
    }
    let n: f64 = there.iter().map(|a| a.records as f64).sum();
    let mean = |of: fn(&Aligned) -> &Vec<f32>, i: usize| {
        there.iter().map(|a| a.records as f64 * f64::from(of(a)[i])).sum::<f64>() / n
    };
    let sd = |i: usize| {
        let m = mean(|a| &a.map, i);
        let squares = there.iter().map(|a| {
            let records = a.records as f64;
            (records - 1.0) * f64::from(a.map_sd[i]).powi(2) + records * (f64::from(a.map[i]) - m).powi(2)
        });
        (squares.sum::<f64>() / (n - 1.0)).sqrt()
    };
    let over = |f: &dyn Fn(usize) -> f64| (0..bins).map(f).collect::<Vec<f64>>();
    let target = over(&|i| mean(|a| &a.target, i));
    Some(Pooled { map: over(&|i| mean(|a| &a.map, i)), sd: over(&sd), target, records: n as usize })
}

pub(crate) fn aligned<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let stem = "gradcam-aligned";
    let variants: Vec<&str> = match set.pair() {
        Some(pair) => pair.to_vec(),
        None => set.variants.iter().map(String::as_str).collect(),
    };
    let single = variants.len() == 1;
    let mut panels = Vec::new();
    let mut records = Vec::new();
    for (k, class) in set.classes.iter().enumerate() {
        let mut curves = Vec::new();
        let mut target = Vec::new();
        for (v, variant) in variants.iter().enumerate() {
            let shown = set.of(variant).filter_map(|r| r.examples.as_ref());
            let fs = shown.clone().next().map_or(1.0, |s| s.fs);
            let all: Vec<&Aligned> = shown.filter(|s| s.fs == fs).filter_map(|s| s.aligned.get(k)).collect();
            let Some(Pooled { map: mean, sd, target: goal, records: n }) = pool(&all) else { continue };
            let place = |i: usize| i as f64 / fs - (BEFORE * fs).round() / fs;
            // the variant's colour in all figures
            let index = set.variants.iter().position(|name| name == variant).unwrap_or(v);
            let color = if single { class_color(class, k) } else { series_color(index) };
            let point = |i: usize| (place(i), mean[i], mean[i] - sd[i], mean[i] + sd[i]);
            let name = if single { "map".to_owned() } else { (*variant).to_owned() };
            let dash = if v == 0 { 0.0 } else { 2.4 };
            curves.push(MeanCurve { name, color, dash, points: (0..mean.len()).map(point).collect() });
            target = (0..goal.len()).map(|i| (place(i), goal[i], f64::NAN, f64::NAN)).collect();
            if v == 0 {
                records.push(format!("{class}: {n}"));
            }
        }
        if !target.is_empty() {
            curves.push(MeanCurve { name: "guidance target G".into(), color: INK_SOFT, dash: 0.9, points: target });
        }
        panels.push(CurvePanel { name: class.clone(), curves });
    }
    if panels.iter().all(|p| p.curves.is_empty()) {
        drawn.miss(stem, no_file(variants.first().unwrap_or(&"the run"), set.runs.first().copied()));
        return;
    }
    // a class without a record keeps its empty panel: a legend needs the first to have curves
    panels.sort_by_key(|p| p.curves.is_empty());
    let of = match set.variants.len() {
        0..=2 => String::new(),
        _ => format!(" Of {} variants: {}.", set.variants.len(), variants.join(" and ")),
    };
    let caption = format!(
        "Class averages about the R peak (0 s): mean over the test records ({}; {}) of the mean over a record's beats of the \
         Grad-CAM map for the true class, each map scaled to a maximum of 1. Bands: ± 1 standard deviation over the \
         records. Grey dashes: the guidance target, averaged alike.{of}",
        records.join(", "),
        count(set.of(variants[0]).count(), "run"),
    );
    let labels = Labels { x: "time from the R peak (s)", y: "map (0–1)" };
    drawn.add(stem, mean_curves(look, stem, panels, labels, (3, true), &caption));
}
