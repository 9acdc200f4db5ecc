//! What the figures of tested runs share: in words what was pooled, panels on pages, bars.

use crate::error::Result;
use crate::figures::catalogue::EVALUATE;
use crate::plot::axes::Frame;
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::figure::Figure;
use crate::plot::legend::{Entry, Sign, legend, legend_height};
use crate::plot::panels::{Grid, letter};
use crate::plot::style::{INK, Look, PT_LABEL, PT_SMALL, Rgb};
use crate::run::read::Run;
use crate::run::set::{RunSet, describe};
use crate::stats::{mean_sd, student};

/// Seed and number of the resamples of intervals and bands.
pub(super) const SEED: u64 = 42;
pub(super) const RESAMPLES: usize = 1000;

/// Resamples of fewer patients than this are nearly all alike: no interval is drawn of them.
pub(super) const FEW_PATIENTS: usize = 5;

/// An interval of resampled patients that says something: that of enough patients, and none of no width, as where all resamples have
/// 0 or 1.
pub(super) fn telling((low, high): (f64, f64), patients: usize) -> bool {
    patients >= FEW_PATIENTS && high > low
}

/// Which runs were pooled, in words.
pub(super) fn pooled<'a>(runs: impl Iterator<Item = &'a Run> + Clone) -> String {
    if runs.clone().count() == 1 { "test fold of n = 1 run".into() } else { format!("pooled over {}", describe(runs)) }
}

/// How many runs each arm has, in words; of a single one it is said that it is one.
pub(super) fn runs_of<'a>(arms: impl IntoIterator<Item = (&'a str, usize)>) -> String {
    let of = |(arm, n)| if n == 1 { format!("{arm}: n = 1 run") } else { format!("{arm}: {n} runs") };
    arms.into_iter().map(of).collect::<Vec<_>>().join(", ")
}

/// Why a figure of predictions cannot be drawn.
pub(super) fn no_predictions(set: &RunSet, arm: &str) -> String {
    let run = set.of(arm).find(|r| r.predictions.is_none());
    let name = run.and_then(|r| r.dir.file_name()).map_or(String::new(), |n| format!(" in {}", n.to_string_lossy()));
    format!("no predictions.csv of {arm}{name} (probabilities of every record); {EVALUATE}")
}

/// The arms that were tested, each with its place among all, which decides its colour.
pub(super) fn tested<'a>(set: &'a RunSet<'a>) -> Vec<(usize, &'a str)> {
    let all = set.variants.iter().map(String::as_str).enumerate();
    all.filter(|(_, arm)| set.of(arm).any(|r| r.metrics.is_some())).collect()
}

/// Where a panel stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    /// Its place among all.
    pub index: usize,
    /// Nothing stands below it on its page.
    pub lowest: bool,
}

/// Draws `n` panels in the columns of `grid`, on as many pages as they need, below a legend of `above` mm that `head` draws
/// on each page, and with `foot` mm below the lowest.
pub(super) fn panels<'a>(
    look: &Look,
    stem: &str,
    caption: &str,
    (grid, n): (Grid, usize),
    (above, foot): (f64, f64),
    head: impl Fn(&mut Canvas) + 'a,
    draw: impl Fn(&mut Canvas, &Frame, Panel) -> Result<()> + 'a,
) -> Vec<Figure<'a>> {
    let columns = grid.columns.clamp(1, n.max(1));
    let pitch = grid.top + grid.height + grid.bottom;
    let frames = grid.frames(n, 0.0).0;
    let heights = vec![pitch; n.div_ceil(columns)];
    Figure::pages(look, stem, caption, (above, foot), &heights, move |c, rows| {
        head(c);
        let last = rows.last().map_or(0, |row| row.0 + 1) * columns;
        for &(row, y) in rows {
            for (index, at) in frames.iter().enumerate().skip(row * columns).take(columns) {
                let move_by = y - row as f64 * pitch;
                let frame = Frame { y0: at.y0 + move_by, y1: at.y1 + move_by, ..*at };
                draw(c, &frame, Panel { index, lowest: index + columns >= n.min(last) })?;
            }
        }
        Ok(())
    })
}

/// Writes a panel's letter, where there are several, and its name behind that, `left` mm left of the frame and more.
pub(super) fn heading(c: &mut Canvas, frame: &Frame, left: f64, index: Option<usize>, name: &str) {
    let style = Type::new(PT_LABEL).bold();
    let x = frame.x0 - left;
    let from = index.map_or(frame.x0, |index| {
        letter(c, (x + 1.0, frame.y0 - 1.8), index);
        // a long name begins at the letter
        if style.width(name) > frame.x1 - frame.x0 { x + 5.0 } else { frame.x0 }
    });
    let small = Type::new(PT_SMALL).bold();
    let style = if style.width(name) > frame.x1 - from + 1.5 { small } else { style };
    c.text((from, frame.y0 - 1.8), &style.shorten(name, frame.x1 - from + 1.5), &style);
}

/// Draws what stands above panels.
pub(super) type Head<'a> = Box<dyn Fn(&mut Canvas) + 'a>;

/// What stands above panels, and its height: the lines of a legend, or nothing. Bars are as pale in it as in the figure.
pub(super) fn legend_above<'a>(entries: Vec<Entry>, (left, width): (f64, f64)) -> (f64, Head<'a>) {
    if entries.is_empty() {
        return (1.0, Box::new(|_| {}));
    }
    let room = width - left - 4.0;
    let height = 3.0 + legend_height(&entries, room);
    let pale = |c: &Canvas, e: &Entry| if e.sign == Sign::Bar { c.tint(e.color, FILL) } else { e.color };
    let draw = move |c: &mut Canvas| {
        let entries: Vec<Entry> = entries.iter().map(|e| Entry { color: pale(c, e), ..e.clone() }).collect();
        legend(c, &entries, (left, 2.0), room);
    };
    (height, Box::new(draw))
}

/// How strong the colour of a bar is.
pub(super) const FILL: f64 = 0.75;

/// An upright interval with its ends.
pub(super) fn whisker(c: &mut Canvas, (low, high): (Point, Point), half: f64, (pt, color): (f64, Rgb)) {
    c.line(low, high, pt, color);
    for (x, y) in [low, high] {
        c.line((x - half, y), (x + half, y), pt, color);
    }
}

/// The whiskers of bars.
pub(super) const WHISKER: (f64, Rgb) = (0.8, INK);

/// A value with its interval; NaN where there is none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Estimate {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Estimate {
    pub(super) const NONE: Self = Self { value: f64::NAN, low: f64::NAN, high: f64::NAN };

    /// The mean with `times` standard deviations, cut where the values cannot be: below `least` and above 1.
    fn about(values: &[f64], times: f64, least: f64) -> Self {
        let (value, sd) = mean_sd(values);
        let half = times * sd;
        // max and min would take the place of a NaN
        let end = |v: f64| if half.is_nan() { half } else { v.clamp(least, 1.0) };
        Self { value, low: end(value - half), high: end(value + half) }
    }

    /// The mean and one standard deviation of shares.
    pub(super) fn spread(values: &[f64]) -> Self {
        Self::about(values, 1.0, 0.0)
    }

    /// The mean and its 95 % t interval.
    pub(super) fn mean(values: &[f64], least: f64) -> Self {
        Self::about(values, student(values.len().saturating_sub(1)) / (values.len() as f64).sqrt(), least)
    }
}
