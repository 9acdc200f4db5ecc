//! The diagram of a configured network: its parts with their shapes and parameters, and its last block in detail.

mod block;
pub mod diagram;
mod layout;
mod trunk;
mod words;

use crate::experiment::{Experiment, LossConfig};
use crate::figures::catalogue::{Drawn, stem};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::figure::Figure;
use crate::plot::style::{INK, INK_SOFT, Look, PT_AXIS, PT_LABEL, PT_MIN, Rgb};
use crate::plot::text::grouped;
use crate::run::cost::Cost;
use crate::run::read::Run;
use crate::run::set::RunSet;
use block::Detail;
use diagram::{NetworkDiagram, diagram};

/// Of each kind of network the diagram of the arm with most parts, which shows them all.
pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let parts =
        |losses: &LossConfig| usize::from(losses.joint > 0.0 || losses.feature > 0.0) + usize::from(losses.xai > 0.0);
    let mut networks: Vec<(&Run, &Experiment)> = Vec::new();
    for (run, experiment) in set.runs.iter().filter_map(|r| Some((*r, r.experiment.as_ref()?))) {
        match networks.iter_mut().find(|(_, other)| other.network.kind() == experiment.network.kind()) {
            // of several with most parts the last
            Some(known) if parts(&experiment.losses) >= parts(&known.1.losses) => *known = (run, experiment),
            Some(_) => {}
            None => networks.push((run, experiment)),
        }
    }
    if networks.is_empty() {
        return drawn.miss("network", "no run has a config.toml that can be read");
    }
    if set.classes.is_empty() {
        return drawn.miss("network", "neither metrics.json nor split.json has the classes: train the run");
    }
    for (run, experiment) in &networks {
        let name = if networks.len() == 1 { "network".into() } else { stem("network", set, &run.variant) };
        let others = set.runs.iter().filter_map(|r| r.experiment.as_ref());
        let of = others.map(|e| &e.network).any(|other| *other != experiment.network).then(|| run.variant.clone());
        let made = diagram(experiment, set.classes.len())
            .map(|d| network(&NetworkDiagram { measured: run.cost.clone(), of, ..d }, &name, look));
        drawn.add_pages(&name, made);
    }
}

/// What an inference costs, in words.
fn cost(network: &NetworkDiagram) -> String {
    let adds = match network.multiply_adds {
        n if n >= 1_000_000 => format!("{:.1} M", n as f64 / 1e6),
        n => grouped(n),
    };
    let time = network.measured.as_ref().and_then(Cost::single_ms).map_or(String::new(), |ms| format!(", {ms:.2} ms"));
    format!("inference: {} parameters, {adds} multiply-adds{time}", grouped(network.parameters[1]))
}

/// Draws the diagram: beside each other, or one below the other on as many pages as they need, the trunk and its last block.
pub fn network(config: &NetworkDiagram, stem: &str, look: &Look) -> Vec<Figure<'static>> {
    let config = config.clone();
    let wide = look.is_wide();
    let (edge, gap) = (3.0, 7.0);
    let all = look.width() - 2.0 * edge;
    let left = if wide { (all - gap) * 0.52 } else { all };
    let right = if wide { all - gap - left } else { all };
    let (heading, line) = (6.0, 3.2);
    let rows = trunk::rows(&config, look.most_height() - heading - line - 6.0);
    let trunk_height = heading + line + trunk::height(&rows);
    let detail = Detail::new(&config.last, config.target.is_none(), config.config.sizes().dropout(), right);
    let block_height = heading + detail.height;
    let both = trunk_height + 5.0 + block_height + 3.0;
    let heights = match wide {
        true => vec![trunk_height.max(block_height)],
        false => vec![trunk_height + if both <= look.most_height() { 5.0 } else { 0.0 }, block_height],
    };
    let caption = caption(&config, &detail, trunk::has_bars(&rows, left));
    Figure::pages(look, stem, &caption, (0.0, 3.0), &heights, move |c, parts| {
        let label = Type::new(PT_LABEL);
        let title = |c: &mut Canvas, (x, y): Point, letter: &str, text: &str, room: f64| {
            c.text((x, y + 4.0), letter, &label.bold());
            c.text((x + 4.0, y + 4.0), &label.shorten(text, room - 4.0), &label);
        };
        for &(part, y) in parts {
            if part == 0 {
                title(c, (edge, y), "a", "network", left);
                let small = Type::new(PT_MIN).color(INK_SOFT);
                c.text((edge + 4.0, y + heading + 1.3), &small.shorten(&cost(&config), left - 4.0), &small);
                trunk::draw(c, &rows, (edge, y + heading + line), left);
            }
            if wide || part == 1 {
                let x = if wide { edge + left + gap } else { edge };
                title(c, (x, y), "b", &format!("{} in detail", config.last.name), right);
                detail.draw(c, (x, y + heading));
            }
        }
        Ok(())
    })
}

fn caption(network: &NetworkDiagram, detail: &Detail, bars: bool) -> String {
    let [all, inference] = network.parameters;
    let extra = all - inference;
    let n = network.parts.iter().filter(|part| part.name.starts_with("blocks.")).count();
    let stem = if network.parts.iter().any(|part| part.name == "stem") { "a stem, " } else { "" };
    let exported = if extra > 0 {
        format!(
            ", of which {} (broken outlines) exist only while training: an exported model has {}",
            grouped(extra),
            grouped(inference)
        )
    } else {
        String::new()
    };
    let time = match network.measured.as_ref().and_then(|m| Some((m, m.inference.iter().find(|i| i.batch == 1)?))) {
        Some((measured, one)) => format!(
            " Time of an inference: median of {} passes of one strip{}.",
            one.passes,
            measured.adapter.as_ref().map_or(String::new(), |adapter| format!(" on {adapter}"))
        ),
        None => String::new(),
    };
    let bars = if bars { " Bars: parameters, in proportion." } else { "" };
    format!(
        "Network {}{}: one ECG lead of {} samples, {stem}{n} {} and the signal head; k: kernel, samples. Shapes are channels × \
         samples of the output for one strip; a box narrows where the strip is shortened (width: logarithm of the length). {} \
         trainable parameters{exported}.{time}{bars} Detail: {}; numbers in its boxes are channels and trainable parameters.",
        network.name,
        network.of.as_ref().map_or(String::new(), |arm| format!(" of {arm}")),
        grouped(network.samples),
        if n == 1 { "block" } else { "blocks" },
        grouped(all),
        detail.describe(),
    ) + &network.target.as_ref().map_or(String::new(), |layer| format!(" Grad-CAM looks at {layer}."))
}

/// A shape for one strip.
fn shown(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ")
}

/// The first of `texts` that fits in `mm`, or the last one shortened.
pub(super) fn fitting<T: AsRef<str>>(texts: &[T], style: &Type, mm: f64) -> String {
    let fits = texts.iter().find(|t| style.width(t.as_ref()) <= mm).or(texts.last());
    fits.map_or(String::new(), |t| style.shorten(t.as_ref(), mm))
}

/// An arrow from `a` to `b`, upright or level.
fn arrow(c: &mut Canvas, a: Point, b: Point) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy);
    if length <= 0.0 {
        return;
    }
    let (ux, uy) = (dx / length, dy / length);
    let (long, half) = (1.3_f64.min(length), 0.6);
    let neck = (b.0 - ux * long, b.1 - uy * long);
    c.line(a, neck, PT_AXIS, INK);
    c.convex(&[b, (neck.0 - uy * half, neck.1 + ux * half), (neck.0 + uy * half, neck.1 - ux * half)], INK);
}

/// A filled convex outline, broken if `dashed`.
fn outline(c: &mut Canvas, corners: &[Point], fill: (Rgb, f64), dashed: bool) {
    let tint = c.tint(fill.0, fill.1);
    c.convex(corners, tint);
    for (i, &a) in corners.iter().enumerate() {
        let b = corners[(i + 1) % corners.len()];
        if !dashed {
            c.line(a, b, PT_AXIS, INK_SOFT);
            continue;
        }
        let length = (b.0 - a.0).hypot(b.1 - a.1);
        let at = |s: f64| (a.0 + (b.0 - a.0) * s / length, a.1 + (b.1 - a.1) * s / length);
        let mut s = 0.0;
        while s < length {
            c.line(at(s), at((s + 1.0).min(length)), PT_AXIS, INK_SOFT);
            s += 1.8;
        }
    }
}

/// The corners of a box between two x and two y.
fn corners((x0, y0): Point, (x1, y1): Point) -> [Point; 4] {
    [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_texts_fit() {
        assert_eq!([0, 999, 1000, 1_777_339].map(grouped), ["0", "999", "1,000", "1,777,339"]);
        let style = Type::new(7.0);
        let texts = ["a long text that says all", "short"].map(String::from);
        assert_eq!((fitting(&texts, &style, 90.0), fitting(&texts, &style, 9.0)), (texts[0].clone(), texts[1].clone()));
        assert!(fitting(&texts, &style, 4.0).ends_with('…') && fitting::<&str>(&[], &style, 4.0).is_empty());
    }
}
