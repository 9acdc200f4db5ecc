//! ROC and precision-recall curves per class, and reliability diagrams.

use crate::error::{Error, Result};
use crate::plot::axes::{Axis, Frame, shape};
use crate::plot::canvas::{Canvas, Type};
use crate::plot::figure::Figure;
use crate::plot::panels::{Grid, Line, band, letter, line};
use crate::plot::style::{GRID, INK, INK_SOFT, Look, PT_AXIS, PT_SMALL, WHITE, arm_color, class_color};

/// A curve over 0 to 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// Its points.
    pub points: Vec<(f64, f64)>,
    /// Place, lower and upper end of its band; empty for none.
    pub band: Vec<(f64, f64, f64)>,
    /// Its area.
    pub area: f64,
    /// The area's interval; NaN for none.
    pub interval: (f64, f64),
}

/// The curves of a class.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClassCurves {
    /// The class.
    pub name: String,
    /// Its place among all.
    pub index: usize,
    /// ROC.
    pub roc: Curve,
    /// Precision over recall.
    pub precision: Curve,
    /// Share of the class in the records.
    pub share: f64,
}

fn told(curve: &Curve) -> String {
    match curve.interval.0.is_finite() {
        true => format!("{:.3} ({:.3}–{:.3})", curve.area, curve.interval.0, curve.interval.1),
        false => format!("{:.3}", curve.area),
    }
}

/// Draws both kinds of curve with the areas beneath; `absent` names classes that have no curve.
///
/// # Errors
/// Without a class.
pub fn curves<'a>(
    look: &Look,
    stem: &str,
    classes: Vec<ClassCurves>,
    absent: &[String],
    caption: &str,
) -> Result<Figure<'a>> {
    if classes.is_empty() {
        let what = "no class has records and others beside them";
        return Err(Error::data(stem, what, "test on records of at least two classes"));
    }
    let unit = Axis::with_ticks(0.0, 1.0, 0.2);
    let columns = if look.is_wide() { 2 } else { 1 };
    let width = look.width();
    let side = (width / columns as f64 - 21.0).min(64.0);
    let rows = classes.len() as f64 * 3.7 + if absent.is_empty() { 0.0 } else { 3.7 };
    let right = width / columns as f64 - 15.5 - side;
    let grid = Grid { width, columns, left: 15.5, right, top: 4.0, height: side, bottom: 17.0 + rows };
    let (frames, end) = grid.frames(2, 1.0);
    let absent = absent.join(", ");
    Ok(Figure::new(stem, look.page(end), caption, move |c: &mut Canvas| {
        let small = Type::new(PT_SMALL);
        for (k, frame) in frames.iter().enumerate() {
            let (x, y) = if k == 0 { ("1 − specificity", "sensitivity") } else { ("recall", "precision") };
            frame.draw(c, &unit, &unit, Some(x), y);
            letter(c, (frame.x0 - 14.0, frame.y0 + 1.0), k);
            if k == 0 {
                let chance = Line { dash: 0.8, ..Line::new(GRID) };
                line(c, frame, (&unit, &unit), &[(0.0, 0.0), (1.0, 1.0)], chance);
            }
            let of = |class: &ClassCurves| if k == 0 { class.roc.clone() } else { class.precision.clone() };
            for class in &classes {
                let color = class_color(&class.name, class.index);
                band(c, frame, (&unit, &unit), &of(class).band, color, 0.1);
            }
            for class in &classes {
                let color = class_color(&class.name, class.index);
                let shown = if k == 0 { of(class).points } else { steps(&of(class).points) };
                line(c, frame, (&unit, &unit), &shown, Line::new(color));
            }
            let mut base = frame.y1 + 14.5;
            let head = if k == 0 { "area under the curve" } else { "average precision (share of the class)" };
            c.text((frame.x0, base), head, &small.color(INK_SOFT));
            for class in &classes {
                base += 3.7;
                let middle = base - small.drop();
                let color = class_color(&class.name, class.index);
                c.line((frame.x0, middle), (frame.x0 + 5.0, middle), 1.4, color);
                let mut text = told(&of(class));
                if k == 1 {
                    text += &format!(" ({:.0} %)", 100.0 * class.share);
                }
                let room = frame.x1 - frame.x0 - 8.0 - small.width(&text);
                c.text((frame.x0 + 6.5, base), &small.shorten(&class.name, room), &small);
                c.text((frame.x1, base), &text, &small.end());
            }
            if k == 0 && !absent.is_empty() {
                let text = format!("no curve: {absent}");
                c.text((frame.x0, base + 3.7), &small.shorten(&text, side + 4.0), &small.color(INK_SOFT));
            }
        }
        Ok(())
    }))
}

/// Precision keeps its value back to the recall before it.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    let mut before = 0.0;
    for &(recall, precision) in points {
        out.extend([(before, precision), (recall, precision)]);
        before = recall;
    }
    out
}

/// Fewer predictions than this make a hollow mark.
pub const FEW: usize = 10;

/// The reliability of one method.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reliability {
    /// The method.
    pub name: String,
    /// Count, mean probability and share that is right of the predictions of each of equal parts of 0 to 1.
    pub bins: Vec<(usize, f64, f64)>,
    /// Expected calibration error.
    pub ece: f64,
}

/// Draws the share of right predictions over their probability, and below how many there are of each.
///
/// # Errors
/// Without a method, with more than 8, or without a prediction.
pub fn reliability<'a>(look: &Look, stem: &str, methods: Vec<Reliability>, caption: &str) -> Result<Figure<'a>> {
    let total = |m: &Reliability| m.bins.iter().map(|b| b.0).sum::<usize>();
    if methods.is_empty() || methods.len() > 8 || methods.iter().all(|m| total(m) == 0) {
        let what = format!("{} methods, expected 1 to 8 with predictions", methods.len());
        return Err(Error::data(stem, what, "give fewer folders, or runs that tested"));
    }
    let width = look.width().min(85.0);
    let unit = Axis::with_ticks(0.0, 1.0, 0.2);
    let most = methods.iter().filter(|m| total(m) > 0);
    let most = most.flat_map(|m| m.bins.iter().map(|b| b.0 as f64 / total(m) as f64)).fold(0.0, f64::max);
    let share = Axis::linear([0.0, most], 2);
    let side = width - 15.5 - 5.0;
    let upper = Frame { x0: 15.5, y0: 4.0, x1: 15.5 + side, y1: 4.0 + side };
    let lower = Frame { y0: upper.y1 + 4.0, y1: upper.y1 + 18.0, ..upper };
    let height = lower.y1 + 11.5 + 4.0 * methods.len() as f64;
    Ok(Figure::new(stem, look.narrow(85.0, height + 1.0), caption, move |c: &mut Canvas| {
        let small = Type::new(PT_SMALL);
        upper.draw(c, &unit, &unit, None, "share that is right");
        lower.draw(c, &unit, &share, Some("probability of the predicted class"), "share");
        line(c, &upper, (&unit, &unit), &[(0.0, 0.0), (1.0, 1.0)], Line { dash: 0.8, ..Line::new(GRID) });
        let n = methods.len() as f64;
        for (i, method) in methods.iter().enumerate() {
            let color = arm_color(i);
            let parts = method.bins.len().max(1) as f64;
            let points: Vec<(f64, f64)> =
                method.bins.iter().map(|b| if b.0 == 0 { (f64::NAN, f64::NAN) } else { (b.1, b.2) }).collect();
            let there: Vec<(f64, f64)> = points.iter().copied().filter(|p| p.0.is_finite()).collect();
            line(c, &upper, (&unit, &unit), &there, Line { marks: true, shape: i, ..Line::new(color) });
            // what few predictions say is no more than a hint
            for bin in method.bins.iter().filter(|b| (1..FEW).contains(&b.0)) {
                if let Some(at) = upper.at(&unit, &unit, (bin.1, bin.2)) {
                    shape(c, at, i, 0.3, WHITE);
                }
            }
            let all = total(method).max(1) as f64;
            for (b, bin) in method.bins.iter().enumerate() {
                let from = (b as f64 + 0.1 + 0.8 * i as f64 / n) / parts;
                let ends =
                    [(from, 0.0), (from + 0.8 / n / parts, bin.0 as f64 / all)].map(|p| lower.at(&unit, &share, p));
                if let [Some(a), Some(z)] = ends {
                    c.rect(a, z, color);
                }
            }
            let base = lower.y1 + 13.5 + 4.0 * i as f64;
            shape(c, (upper.x0 + 1.5, base - small.drop()), i, 1.1, color);
            c.text((upper.x0 + 4.5, base), &small.shorten(&method.name, side / 2.0), &small);
            c.text((upper.x1, base), &format!("ECE {:.3}, n = {}", method.ece, total(method)), &small.end());
        }
        c.line((lower.x0, lower.y1), (lower.x1, lower.y1), PT_AXIS, INK);
        Ok(())
    }))
}
