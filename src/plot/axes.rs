//! Axes: where ticks stand and how they read, frames and colour bars.

use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::style::{GRID, INK, INK_SOFT, PT_AXIS, PT_GRID, PT_LABEL, PT_SMALL, Rgb};

/// Length of a tick, mm.
const TICK: f64 = 1.0;
/// An axis takes numbers beyond this as not finite.
const HUGE: f64 = 1e300;

/// A scale from data to 0..1, with its ticks.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Value at 0.
    pub min: f64,
    /// Value at 1; above `min`.
    pub max: f64,
    /// Logarithmic; both ends are then positive.
    pub log: bool,
    /// Values and texts of the ticks.
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// A linear axis that holds all finite `values`, rounded out to at most about `most` ticks. Without a value it runs
    /// from 0 to 1; around a single one it runs half as far as to 0.
    pub fn linear(values: impl IntoIterator<Item = f64>, most: usize) -> Self {
        let (low, high) = bounds(values).unwrap_or((0.0, 1.0));
        let pad = match (high > low, low == 0.0) {
            (true, _) => 0.0,
            (false, true) => 0.5,
            (false, false) => low.abs() / 2.0,
        };
        let (low, high) = (low - pad, high + pad);
        let step = nice((high - low) / most.max(2) as f64);
        let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
        Self::with_ticks(first * step, last * step, step)
    }

    /// A linear axis over whole numbers, from the first to the last, with ticks on whole numbers.
    pub fn whole(first: usize, last: usize) -> Self {
        Self::whole_within(first, last, 10)
    }

    /// The same with at most about `most` ticks.
    pub fn whole_within(first: usize, last: usize, most: usize) -> Self {
        let span = last.saturating_sub(first);
        let step = nice(span as f64 / most.max(1) as f64).max(1.0);
        let pad = if span == 0 { 0.5 } else { 0.02 * span as f64 };
        let (min, max) = (first as f64 - pad, last as f64 + pad);
        Self { min, max, ..Self::with_ticks(min, max, step) }
    }

    /// A linear axis from `min` to `max` with a tick at every multiple of `step`.
    pub fn with_ticks(min: f64, max: f64, step: f64) -> Self {
        let max = if max > min { max } else { min + 1.0 };
        let (first, last) = ((min / step - 1e-6).ceil(), (max / step + 1e-6).floor());
        let count = if (last - first) < 1000.0 { (last - first).max(0.0) as usize + 1 } else { 0 };
        let ticks = (0..count).map(|i| (first + i as f64) * step).map(|v| (v, tick_text(v, step))).collect();
        Self { min, max, log: false, ticks }
    }

    /// A logarithmic axis that holds all positive `values`, or `None` where linear shows more: values that are not
    /// positive, or that span less than a factor of `from`.
    pub fn logarithmic(values: impl IntoIterator<Item = f64> + Clone, from: f64) -> Option<Self> {
        let (low, high) = bounds(values)?;
        if low <= 0.0 || high / low < from {
            return None;
        }
        let (bottom, top) = ((low.log10() + 1e-9).floor() as i32, (high.log10() - 1e-9).ceil() as i32);
        let every = (top - bottom).unsigned_abs().div_ceil(6).max(1) as usize;
        let mut ticks: Vec<(f64, String)> =
            (bottom..=top).step_by(every).map(|e| (10f64.powi(e), power_text(e))).collect();
        if top - bottom <= 2 {
            let between = (bottom..top).flat_map(|e| [2.0, 5.0].map(|m| m * 10f64.powi(e)));
            ticks.extend(between.map(|v| (v, number(v))));
        }
        let (min, max) = (10f64.powi(bottom).min(low), 10f64.powi(top).max(high));
        Some(Self { min, max, log: true, ticks })
    }

    /// Where `v` lies: 0 at `min`, 1 at `max`; nothing for what has no place.
    pub fn place(&self, v: f64) -> Option<f64> {
        let t = if self.log {
            (v / self.min).ln() / (self.max / self.min).ln()
        } else {
            (v - self.min) / (self.max - self.min)
        };
        (v.abs() < HUGE && t.is_finite()).then_some(t)
    }

    /// Ticks that lie on an axis of `mm` and whose texts, each of the given size in its direction, do not touch: where they
    /// lie, 0 to 1, and their texts. Of a linear axis every second, third or so stays.
    pub fn with_room(&self, mm: f64, size: impl Fn(&str) -> f64) -> Vec<(f64, &str)> {
        let place = |tick: &(f64, String)| self.place(tick.0).filter(|t| (-1e-6..=1.0 + 1e-6).contains(t));
        let mut all: Vec<(f64, &str)> =
            self.ticks.iter().filter_map(|tick| Some((place(tick)?, tick.1.as_str()))).collect();
        let apart = |a: &(f64, &str), b: &(f64, &str)| (a.0 - b.0).abs() * mm >= (size(a.1) + size(b.1)) / 2.0 - 1e-6;
        if self.log {
            // powers come first
            return all.iter().fold(Vec::new(), |mut kept, tick| {
                if kept.iter().all(|other| apart(other, tick)) {
                    kept.push(*tick);
                }
                kept
            });
        }
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        // where one of them is 0 it stays
        let zero = all.iter().position(|tick| tick.1 == "0").unwrap_or(0);
        let every = |step: usize| all.iter().skip(zero % step).step_by(step).copied().collect::<Vec<_>>();
        let fits = |kept: &Vec<(f64, &str)>| kept.windows(2).all(|pair| apart(&pair[0], &pair[1]));
        (1..=all.len()).map(every).find(fits).unwrap_or_default()
    }
}

/// Smallest and largest of the finite values.
fn bounds(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|v| v.abs() < HUGE);
    finite.fold(None, |b: Option<(f64, f64)>, v| Some(b.map_or((v, v), |(l, h)| (l.min(v), h.max(v)))))
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `v`; 1 if `v` is not a positive number.
pub fn nice(v: f64) -> f64 {
    if v.is_nan() || v <= 0.0 || v >= HUGE {
        return 1.0;
    }
    let power = 10f64.powf(v.log10().floor()).max(f64::MIN_POSITIVE);
    [1.0, 2.0, 5.0].map(|m| m * power).into_iter().find(|n| *n >= v * (1.0 - 1e-9)).unwrap_or(10.0 * power)
}

/// A number for people: plain where it is short, with a power of ten else, and a real minus sign.
pub fn number(v: f64) -> String {
    let plain = v == 0.0 || (1e-4..1e6).contains(&v.abs());
    bare(&if plain { format!("{v:.4}") } else { format!("{v:.3e}") })
}

/// A number's text without the zeros at the end of its decimals.
fn bare(text: &str) -> String {
    let (mantissa, power) = text.split_at(text.find('e').unwrap_or(text.len()));
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    format!("{mantissa}{power}").replace('-', "−")
}

fn tick_text(v: f64, step: f64) -> String {
    if v == 0.0 || v.abs() < step * 1e-6 {
        return "0".into();
    }
    if !(1e-5..1e6).contains(&step.abs()) || v.abs() >= 1e6 {
        // as many digits as tell a tick from the next
        let digits = (v.abs().log10().floor() - step.abs().log10().floor()).clamp(0.0, 15.0) as usize + 1;
        return bare(&format!("{v:.digits$e}"));
    }
    let least = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    // a step of 0.25 needs one decimal more than its size suggests
    let whole = |d: &usize| (step * 10f64.powi(*d as i32) - (step * 10f64.powi(*d as i32)).round()).abs() < 1e-6;
    let decimals = (least..least + 3).find(whole).unwrap_or(least);
    format!("{v:.decimals$}").replace('-', "−")
}

fn power_text(e: i32) -> String {
    if (-3..=4).contains(&e) { number(10f64.powi(e)) } else { format!("1e{e}").replace('-', "−") }
}

/// The rectangle between two axes, mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Left edge.
    pub x0: f64,
    /// Upper edge.
    pub y0: f64,
    /// Right edge.
    pub x1: f64,
    /// Lower edge.
    pub y1: f64,
}

impl Frame {
    /// A thin line on all four sides.
    pub fn outline(&self, c: &mut Canvas) {
        let corners = [(self.x0, self.y0), (self.x1, self.y0), (self.x1, self.y1), (self.x0, self.y1)];
        for i in 0..4 {
            c.line(corners[i], corners[(i + 1) % 4], PT_AXIS, INK_SOFT);
        }
    }

    /// The point of (`x`, `y`), if both have a place.
    pub fn at(&self, x: &Axis, y: &Axis, value: (f64, f64)) -> Option<Point> {
        let (tx, ty) = (x.place(value.0)?, y.place(value.1)?);
        Some((self.x0 + tx * (self.x1 - self.x0), self.y1 - ty * (self.y1 - self.y0)))
    }

    /// Draws the lower axis: ticks, the numbers that have room beside each other, the line, and if asked upright grid lines.
    pub fn bottom(&self, c: &mut Canvas, x: &Axis, numbers: bool, grid: bool) {
        let small = Type::new(PT_SMALL).middle();
        for (t, text) in x.with_room(self.x1 - self.x0, |text| small.width(text) + 1.2) {
            let at = self.x0 + t * (self.x1 - self.x0);
            if grid {
                c.line((at, self.y0), (at, self.y1), PT_GRID, GRID);
            }
            c.line((at, self.y1), (at, self.y1 + TICK), PT_AXIS, INK);
            if numbers {
                c.text((at, self.y1 + TICK + 0.8 + 2.0 * small.drop()), text, &small);
            }
        }
        c.line((self.x0, self.y1), (self.x1, self.y1), PT_AXIS, INK);
    }

    /// Draws both axes with their ticks, level grid lines, and labels; `x_label` is left out together with the
    /// numbers where another panel below has them.
    pub fn draw(&self, c: &mut Canvas, x: &Axis, y: &Axis, x_label: Option<&str>, y_label: &str) {
        let small = Type::new(PT_SMALL);
        let mut widest: f64 = 0.0;
        for (t, text) in y.with_room(self.y1 - self.y0, |_| 3.0 * small.drop()) {
            let at = self.y1 - t * (self.y1 - self.y0);
            c.line((self.x0, at), (self.x1, at), PT_GRID, GRID);
            c.line((self.x0 - TICK, at), (self.x0, at), PT_AXIS, INK);
            c.text((self.x0 - TICK - 0.8, at + small.drop()), text, &small.end());
            widest = widest.max(small.width(text));
        }
        self.bottom(c, x, x_label.is_some(), false);
        c.line((self.x0, self.y0), (self.x0, self.y1), PT_AXIS, INK);
        let label = Type::new(PT_LABEL).middle();
        if let Some(text) = x_label {
            c.text(((self.x0 + self.x1) / 2.0, self.y1 + 8.2), text, &label);
        }
        let left = self.x0 - TICK - widest - 2.6;
        c.text((left, (self.y0 + self.y1) / 2.0), &label.shorten(y_label, self.y1 - self.y0 + 6.0), &label.upwards());
    }
}

/// Draws an upright colour bar in `frame` with its ticks and label on the right, in letters of `pt` points.
pub fn color_bar(c: &mut Canvas, frame: Frame, map: fn(f64) -> Rgb, ticks: &[(f64, &str)], label: &str, pt: f64) {
    let style = Type::new(pt);
    let (steps, height) = (128, frame.y1 - frame.y0);
    for i in 0..steps {
        let y = |k: usize| frame.y1 - height * k as f64 / steps as f64;
        // Each step reaches under the next one, so that no seam shows.
        let top = if i + 1 < steps { y(i + 2).max(frame.y0) } else { frame.y0 };
        c.rect((frame.x0, top), (frame.x1, y(i)), map((i as f64 + 0.5) / steps as f64));
    }
    let corners = [(frame.x0, frame.y0), (frame.x1, frame.y0), (frame.x1, frame.y1), (frame.x0, frame.y1)];
    for i in 0..4 {
        c.line(corners[i], corners[(i + 1) % 4], PT_AXIS, INK_SOFT);
    }
    let mut widest: f64 = 0.0;
    for (t, text) in ticks {
        let y = frame.y1 - t * height;
        c.line((frame.x1, y), (frame.x1 + TICK, y), PT_AXIS, INK);
        c.text((frame.x1 + TICK + 0.7, y + style.drop()), text, &style);
        widest = widest.max(style.width(text));
    }
    let x = frame.x1 + TICK + widest + 2.2 + 2.0 * style.drop();
    c.text((x, (frame.y0 + frame.y1) / 2.0), label, &style.middle().upwards());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_that_touch_are_left_out() {
        let texts =
            |axis: &Axis, mm, size| axis.with_room(mm, |_| size).iter().map(|t| t.1.to_owned()).collect::<Vec<_>>();
        let tens = Axis::with_ticks(-1.0, 9.0, 1.0);
        assert_eq!(
            (texts(&tens, 30.0, 3.0).len(), texts(&tens, 30.0, 6.0)),
            (11, ["0", "2", "4", "6", "8"].map(String::from).to_vec())
        );
        let log = Axis::logarithmic([1.0, 100.0], 10.0).expect("two decades");
        assert_eq!(
            (texts(&log, 40.0, 6.0).len(), texts(&log, 40.0, 7.0)),
            (7, ["1", "10", "100"].map(String::from).to_vec())
        );
        assert!(texts(&tens, 0.0, 1.0).len() <= 1);
    }

    #[test]
    fn numbers_and_ticks() {
        assert_eq!([0.0, -0.5, 120.0, 1e-7, -2.5e9, 3.0].map(number), ["0", "−0.5", "120", "1e−7", "−2.5e9", "3"]);
        assert_eq!([0.03, 1.0, 2.1, f64::NAN, 0.0, 1e308].map(nice), [0.05, 1.0, 5.0, 1.0, 1.0, 1.0]);
        let axis = Axis::linear([0.12, 0.93, f64::NAN, f64::INFINITY], 5);
        assert_eq!((axis.min, axis.max), (0.0, 1.0));
        assert_eq!(
            axis.ticks.iter().map(|t| t.1.as_str()).collect::<Vec<_>>(),
            ["0", "0.2", "0.4", "0.6", "0.8", "1.0"]
        );
        let quarters = Axis::with_ticks(0.0, 1.0, 0.25);
        assert_eq!(quarters.ticks.iter().map(|t| t.1.as_str()).collect::<Vec<_>>()[1..3], ["0.25", "0.50"]);
        assert_eq!(Axis::whole(1, 5).ticks.len(), 5);
        assert_eq!(Axis::whole(1, 1).ticks, [(1.0, "1".to_owned())]);
        // learning rates of a warm-up; ticks closer than numbers are usually written
        let texts = |axis: Axis| axis.ticks.into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts(Axis::with_ticks(8.5e-4, 1e-3, 5e-5)), ["0.00085", "0.00090", "0.00095", "0.00100"]);
        assert_eq!(texts(Axis::with_ticks(1e-3, 1.004e-3, 2e-6)), ["1e−3", "1.002e−3", "1.004e−3"]);
        assert_eq!(texts(Axis::with_ticks(2e6, 2.000_002e6, 1.0)), ["2e6", "2.000001e6", "2.000002e6"]);
        let one = Axis::linear([1e-3], 5);
        assert!(one.min > 0.0 && (one.place(1e-3).unwrap() - 0.5).abs() < 0.2, "{one:?}");
    }

    #[test]
    fn odd_ranges_have_an_axis() {
        for values in [
            vec![],
            vec![f64::NAN],
            vec![3.0; 4],
            vec![-1e299, 1e299],
            vec![1e-320, 2e-320],
            vec![0.0],
            vec![1e16, 1e16 + 2.0],
        ] {
            let axis = Axis::linear(values.clone(), 5);
            assert!(axis.max > axis.min, "{values:?} {axis:?}");
            assert!(axis.place(f64::NAN).is_none() && axis.place(f64::INFINITY).is_none());
            assert!(axis.ticks.len() < 20);
            assert!(
                values.iter().filter(|v| v.is_finite()).all(|v| (-1e-6..=1.000001).contains(&axis.place(*v).unwrap()))
            );
        }
        assert!(Axis::logarithmic([1.0, 2.0], 100.0).is_none() && Axis::logarithmic([-1.0, 900.0], 100.0).is_none());
        let log = Axis::logarithmic([1e-5, 1e-3], 50.0).unwrap();
        assert!((log.place(1e-4).unwrap() - 0.5).abs() < 1e-9 && log.place(-1.0).is_none() && log.place(0.0).is_none());
        assert!(Axis::logarithmic([1e-290, 1e290], 50.0).unwrap().ticks.len() < 12);
    }
}
