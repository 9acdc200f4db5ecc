//! What a data set holds: strips per class, heart rates and their irregularity, and example strips.

use super::confusion::percent;
use crate::ecg::labels::Scheme;
use crate::error::{Error, Result};
use crate::plot::axes::{Axis, Frame, nice};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::ecg_paper::class_name;
use crate::plot::figure::Figure;
use crate::plot::panels::letter;
use crate::plot::style::{INK, INK_SOFT, Look, PT_AXIS, PT_CURVE, PT_LABEL, PT_MIN, PT_SMALL, class_color};
use crate::plot::text::grouped;

pub use super::strips::{ExampleStrip, strips};

/// Most classes of one figure.
const MOST: usize = 24;

/// The strips of a class.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClassSummary {
    /// The class.
    pub name: String,
    /// Number of strips.
    pub strips: usize,
    /// Mean heart rate of every strip, beats/min; not a number where it has none (fewer than two beats).
    pub heart_rate: Vec<f64>,
    /// CVNN of every strip: standard deviation of its RR intervals divided by their mean, a share (0.05 is drawn as
    /// 5 %); not a number where it has none.
    pub irregularity: Vec<f64>,
}

fn check(classes: &[ClassSummary]) -> Result<()> {
    if classes.is_empty() || classes.len() > MOST {
        let what = format!("{} classes, expected 1 to {MOST}", classes.len());
        return Err(Error::data("data set figure", what, "summarise every class of the data set"));
    }
    Ok(())
}

/// The number of strips of every class as bars, with their share of all.
///
/// # Errors
/// Without a class, and with more than 24.
pub fn counts<'a>(look: &Look, classes: &'a [ClassSummary]) -> Result<Vec<Figure<'a>>> {
    check(classes)?;
    let label = Type::new(PT_LABEL);
    let total: u128 = classes.iter().map(|class| class.strips as u128).sum();
    let share = |class: &ClassSummary| percent(class.strips as f64 / total as f64);
    let texts: Vec<String> = classes.iter().map(|c| format!("{} ({})", grouped(c.strips), share(c))).collect();
    let names = classes.iter().map(|class| label.bold().width(&class.name)).fold(0.0, f64::max);
    let behind = texts.iter().map(|text| label.width(text)).fold(0.0, f64::max);
    let most = classes.iter().map(|class| class.strips).max().unwrap_or(0) as f64;
    let mut axis = Axis::with_ticks(0.0, most.max(1.0), nice(most / 6.0).max(1.0));
    axis.ticks.iter_mut().filter(|t| t.0 < 1e6).for_each(|t| t.1 = grouped(t.0 as u128));
    let pitch = if classes.len() <= 12 { 6.4 } else { 5.0 };
    let left = 3.0 + 4.5 + names.min(look.width() / 4.0) + 2.0;
    let right = look.width() - 4.0 - behind;
    let heights = vec![pitch; classes.len()];
    let names_in_full = Scheme::spelled(&classes.iter().map(|class| class.name.clone()).collect::<Vec<_>>());
    let caption = format!(
        "Strips of each class, {} in all; in parentheses the share of all.{}",
        grouped(total),
        names_in_full.map_or_else(String::new, |names| format!(" {names}."))
    );
    Ok(Figure::pages(look, "counts", &caption, (3.0, 12.5), &heights, move |c: &mut Canvas, parts| {
        let y1 = 4.0 + pitch * parts.len() as f64;
        let frame = Frame { x0: left, y0: 3.0, x1: right, y1 };
        frame.bottom(c, &axis, true, true);
        for &(i, top) in parts {
            let (class, middle, half) = (&classes[i], top + 0.5 + pitch / 2.0, 0.36 * pitch);
            class_name(c, (3.0, middle + label.drop()), &class.name, i, &label, left - 5.0);
            let x = frame.x0 + (frame.x1 - frame.x0) * axis.place(class.strips as f64).unwrap_or(0.0);
            c.rect((frame.x0, middle - half), (x, middle + half), class_color(&class.name, i));
            c.text((x + 1.3, middle + label.drop()), &texts[i], &label);
        }
        c.line((frame.x0, frame.y0), (frame.x0, frame.y1), PT_AXIS, INK);
        c.text(((frame.x0 + frame.x1) / 2.0, y1 + 8.8), "strips", &label.middle());
        Ok(())
    }))
}

/// What is counted in bins: its values, and where they lie.
struct Measure {
    label: &'static str,
    unit: &'static str,
    of: fn(&ClassSummary) -> Vec<f64>,
    min: f64,
    max: f64,
    bin: f64,
    tick: f64,
}

/// Bins wide enough for a heartbeat more or less in 10 s.
const MEASURES: [Measure; 2] = [
    Measure {
        label: "heart rate (beats/min)",
        unit: "/min",
        of: |class| class.heart_rate.clone(),
        min: 20.0,
        max: 220.0,
        bin: 5.0,
        tick: 40.0,
    },
    Measure {
        label: "irregularity of RR intervals, CVNN (%)",
        unit: " %",
        of: |class| class.irregularity.iter().map(|v| v * 100.0).collect(),
        min: 0.0,
        max: 50.0,
        bin: 1.0,
        tick: 10.0,
    },
];

/// The values of a class in bins.
#[derive(Debug, PartialEq)]
struct Histogram {
    /// Strips in each bin.
    bins: Vec<usize>,
    /// Strips below the first and above the last bin.
    beyond: (usize, usize),
    median: Option<f64>,
    missing: usize,
    strips: usize,
}

impl Measure {
    fn count(&self, class: &ClassSummary) -> Histogram {
        let all = (self.of)(class);
        // The smallest value that there can be is 0.
        let mut values: Vec<f64> = all.iter().copied().filter(|v| v.is_finite() && *v >= 0.0).collect();
        values.sort_by(f64::total_cmp);
        let n = values.len();
        let median = (n > 0).then(|| f64::midpoint(values[(n - 1) / 2], values[n / 2]));
        let mut bins = vec![0; self.bins()];
        let mut beyond = (0, 0);
        for v in values {
            match v {
                v if v < self.min => beyond.0 += 1,
                v if v > self.max => beyond.1 += 1,
                // The last bin holds the end of the axis.
                v => bins[(((v - self.min) / self.bin) as usize).min(self.bins() - 1)] += 1,
            }
        }
        let strips = class.strips.max(all.len());
        Histogram { bins, beyond, median, missing: strips - n, strips }
    }

    fn bins(&self) -> usize {
        ((self.max - self.min) / self.bin).round() as usize
    }

    /// The axis, with a place for what lies beyond its ends: the left and right edges of those bins.
    fn axis(&self) -> (Axis, [(f64, f64); 2]) {
        let room = 2.2 * self.bin;
        let below = if self.min > 0.0 { room } else { 0.0 };
        let (min, max) = (self.min - below, self.max + room);
        let mut axis = Axis::with_ticks(min, max, self.tick);
        axis.ticks.retain(|t| t.0 > self.min + self.bin || t.0 == self.min && below == 0.0);
        axis.ticks.retain(|t| t.0 < self.max - self.bin);
        let outside = [(min, min + self.bin), (max - self.bin, max)];
        let middle = |(a, b): (f64, f64)| f64::midpoint(a, b);
        if below > 0.0 {
            axis.ticks.push((middle(outside[0]), format!("<{}", self.min)));
        }
        axis.ticks.push((middle(outside[1]), format!(">{}", self.max)));
        (axis, outside)
    }
}

impl Histogram {
    /// Median and what is not in the bins, in words.
    fn text(&self, measure: &Measure) -> String {
        let mut parts = Vec::new();
        match self.median {
            Some(v) if v < 1e6 => parts.push(format!("median {v:.1}{}", measure.unit)),
            Some(v) => parts.push(format!("median {v:.1e}{}", measure.unit)),
            None if self.strips == 0 => parts.push("no strips".into()),
            None => {}
        }
        if self.missing > 0 {
            parts.push(format!("{} without value", grouped(self.missing)));
        }
        let beyond = self.beyond.0 + self.beyond.1;
        if beyond > 0 {
            parts.push(format!("{} off axis", grouped(beyond)));
        }
        parts.join("; ")
    }
}

/// How the strips of every class spread over heart rate (a) and over the irregularity of their RR intervals (b): a row of
/// histograms per class with the same bins, its own vertical scale, and the median as a line; under each other where the page is
/// narrow. Strips without a value and strips beyond the axes are counted; the latter have a bin of their own at its end.
///
/// # Errors
/// Without a class, and with more than 24.
pub fn rates<'a>(look: &Look, classes: &'a [ClassSummary]) -> Result<Vec<Figure<'a>>> {
    check(classes)?;
    let n = classes.len();
    let height = if n <= 8 { 11.5 } else { 8.0 };
    let (label, small) = (Type::new(PT_LABEL), Type::new(PT_SMALL).color(INK_SOFT));
    let counts: Vec<String> = classes.iter().map(|class| format!("n = {}", grouped(class.strips))).collect();
    let widths =
        classes.iter().zip(&counts).map(|(class, n)| small.width(n).max(4.5 + label.bold().width(&class.name)));
    let names = widths.fold(14.0, f64::max).min(look.width() / 5.0);
    // between the names and the panels stands the name of the vertical axes; their numbers need up to 9 mm
    let (x0, x1, between) = (3.0 + names + 16.0, look.width() - 3.0, 14.0);
    let columns = if look.is_wide() { 2 } else { 1 };
    let width = (x1 - x0 - between * (columns - 1) as f64) / columns as f64;
    // a part is a class; on a narrow page first those of (a), then those of (b)
    let mut heights = vec![height + 5.2; n * 2 / columns];
    let (axis, last) = (13.0, heights.len() - 1);
    for i in (n - 1..last).step_by(n) {
        heights[i] += axis;
    }
    let caption = "How the strips of each class spread over (a) heart rate and (b) irregularity of their RR intervals, CVNN \
                   (standard deviation divided by the mean). Lines with a head: medians. Strips beyond an axis have a bin of \
                   their own at its end.";
    Ok(Figure::pages(look, "rates", caption, (4.5, axis - 4.0), &heights, move |c: &mut Canvas, parts| {
        for (k, &(i, top)) in parts.iter().enumerate() {
            let (class, y0) = (&classes[i % n], top + 2.0);
            for column in 0..columns {
                let measure = &MEASURES[(i / n).max(column)];
                let left = x0 + (width + between) * column as f64;
                let frame = Frame { x0: left, y0, x1: left + width, y1: y0 + height };
                let first = i % n == 0 || k == 0;
                if first {
                    letter(c, (left - 8.5, y0 - 1.3), (i / n).max(column));
                }
                histogram(c, frame, measure, class, i % n, (i + 1) % n == 0 || k + 1 == parts.len());
            }
            let middle = y0 + height / 2.0;
            class_name(c, (3.0, middle - 0.7), &class.name, i % n, &label, names);
            c.text((3.0, middle + 0.9 + 2.0 * small.drop()), &small.shorten(&counts[i % n], names), &small);
        }
        let (first, last) = (parts[0].1, parts[parts.len() - 1].1 + height);
        let whole = "share of the class's strips (%)";
        let share = if label.width(whole) < last - first + 3.0 { whole } else { "share (%)" };
        c.text((x0 - 11.0, f64::midpoint(first, last)), share, &label.middle().upwards());
        Ok(())
    }))
}

fn histogram(c: &mut Canvas, frame: Frame, measure: &Measure, class: &ClassSummary, index: usize, last: bool) {
    let found = measure.count(class);
    let (x, outside) = measure.axis();
    let share = |count: usize| 100.0 * count as f64 / found.strips.max(1) as f64;
    let ends = [found.beyond.0, found.beyond.1];
    let most = found.bins.iter().chain(&ends).map(|n| share(*n)).fold(0.0, f64::max);
    let y = if most > 0.0 { Axis::linear([0.0, most], 3) } else { Axis::with_ticks(0.0, 1.0, 1.0) };
    frame.draw(c, &x, &y, last.then_some(measure.label), "");
    let edges = (0..measure.bins()).map(|k| measure.min + measure.bin * k as f64).map(|v| (v, v + measure.bin));
    let color = class_color(&class.name, index);
    for ((low, high), &count) in edges.chain(outside).zip(found.bins.iter().chain(&ends)) {
        let corners = (frame.at(&x, &y, (low, 0.0)), frame.at(&x, &y, (high, share(count))));
        if let (Some(a), Some(b)) = corners
            && count > 0
        {
            // A count that is too small to see still has its dot of colour.
            c.rect((a.0 + 0.1, a.1), (b.0 - 0.1, b.1.min(a.1 - 0.25)), color);
        }
    }
    c.line((frame.x0, frame.y1), (frame.x1, frame.y1), PT_AXIS, INK);
    if let Some(v) = found.median.filter(|v| (measure.min..=measure.max).contains(v))
        && let Some((x, _)) = frame.at(&x, &y, (v, 0.0))
    {
        median(c, (x, frame.y0), frame.y1);
    }
    // The line may begin above the numbers of the vertical axis.
    let (note, room) = (Type::new(PT_MIN).color(INK_SOFT), frame.x1 - frame.x0 + 5.0);
    c.text((frame.x1, frame.y0 - 1.3), &note.shorten(&found.text(measure), room), &note.end());
}

/// The line of a median, with a head.
fn median(c: &mut Canvas, (x, top): Point, bottom: f64) {
    c.line((x, top), (x, bottom), PT_CURVE * 0.8, INK);
    c.convex(&[(x - 0.8, top - 0.5), (x + 0.8, top - 0.5), (x, top + 0.9)], INK);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(name: &str, strips: usize, rates: &[f64], irregularity: &[f64]) -> ClassSummary {
        ClassSummary { name: name.into(), strips, heart_rate: rates.to_vec(), irregularity: irregularity.to_vec() }
    }

    type Draw = for<'a> fn(&Look, &'a [ClassSummary]) -> Result<Vec<Figure<'a>>>;

    fn text(draw: Draw, classes: &[ClassSummary]) -> String {
        let narrow = draw(&Look { width_mm: 85.0, ..Look::default() }, classes).unwrap();
        assert!(narrow.iter().all(|f| f.page.height_mm <= 120.0 && f.svg().is_ok()));
        draw(&Look::default(), classes).unwrap().iter().map(|f| f.svg().unwrap()).collect()
    }

    #[test]
    fn counts_have_numbers_and_shares() {
        let text = text(counts, &[class("SR", 9_000, &[], &[]), class("AFIB/AFL", 1_000, &[], &[])]);
        let said = "SR\n|AFIB/AFL\n|9,000 (90.0 %)|1,000 (10.0 %)|strips\n|8,000\n";
        said.split('|').for_each(|label| assert!(text.contains(label), "{label}"));
        // the bars are as long as the counts, in the colours of their classes
        let bar = |color: &str| {
            let at = text.match_indices("<rect").map(|(i, _)| &text[i..i + text[i..].find("/>").unwrap()]);
            let widths = at.filter(|r| r.contains(color)).map(|r| r.split("width=\"").nth(1).unwrap());
            widths.map(|w| w[..w.find('"').unwrap()].parse::<f64>().unwrap()).fold(0.0, f64::max)
        };
        let (long, short) = (bar("#203E75"), bar("#D15800"));
        assert!(long > 9000.0 && (long / short - 9.0).abs() < 0.02, "{long} {short}");
        assert_eq!([0, 999, 1_000, 12_345_678].map(grouped), ["0", "999", "1,000", "12,345,678"]);
    }

    #[test]
    fn every_strip_is_counted_once() {
        let rates = [60.0, 64.9, 19.9, 220.0, 220.1, 1e300, f64::NAN, f64::INFINITY, -3.0];
        let found = MEASURES[0].count(&class("SR", 10, &rates, &[]));
        assert_eq!((found.bins[8], found.bins[39], found.beyond), (2, 1, (1, 2)));
        assert_eq!((found.missing, found.strips, found.median), (4, 10, Some(142.45)));
        assert_eq!(found.bins.iter().sum::<usize>() + 3 + found.missing, found.strips);
        assert_eq!(found.text(&MEASURES[0]), "median 142.4/min; 4 without value; 3 off axis");
        let found = MEASURES[1].count(&class("SR", 0, &[], &[0.055, 0.50, 0.51]));
        assert_eq!((found.bins[5], found.bins[49], found.beyond, found.strips), (1, 1, (0, 1), 3));
        assert_eq!(MEASURES[1].count(&class("SR", 0, &[], &[])).text(&MEASURES[1]), "no strips");
    }

    #[test]
    fn rates_have_axes_units_and_notes() {
        let classes = ["SR", "ST & co", "SI"].map(|n| class(n, 4, &[72.0, 76.0, f64::NAN], &[0.04, 0.05, 0.9]));
        let text = text(rates, &classes);
        let said = "ST &amp; co|n = 4\n|heart rate (beats/min)|irregularity of RR intervals, CVNN (%)|&gt;220|&gt;50|\
                    share of the class&apos;s strips (%)|median 74.0/min; 2 without value|\
                    median 5.0 %; 1 without value; 1 off axis";
        said.split('|').for_each(|label| assert!(text.contains(label), "{label}"));
        assert_eq!(text.matches("median").count(), 6);
    }

    #[test]
    fn odd_data_sets_are_drawn_or_refused() {
        let odd = [f64::NAN, f64::INFINITY, f64::MAX, -f64::MAX, 0.0, 1e-320, 220.0];
        let name = "a class with a \u{1F493} very long name\n".repeat(30);
        for n in [1, 2, 12, 24] {
            for strips in [0, 1, usize::MAX] {
                let classes: Vec<_> =
                    (0..n).map(|i| class(&name[4 * (i % 3)..], strips, &odd[i % 7..], &odd[..i % 7])).collect();
                text(counts, &classes);
                text(rates, &classes);
            }
        }
        let many = vec![ClassSummary::default(); 25];
        for classes in [&[][..], &many] {
            assert!(counts(&Look::default(), classes).unwrap_err().to_string().contains("expected 1 to 24"));
            assert!(rates(&Look::default(), classes).unwrap_err().to_string().contains("HINT"));
        }
    }
}
