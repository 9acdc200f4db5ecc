//! How well detectors find R peaks: sensitivity and positive predictive value of every record.

use crate::error::{Error, Result};
use crate::plot::axes::Frame;
use crate::plot::canvas::{Canvas, Type};
use crate::plot::figure::Figure;
use crate::plot::legend::{Entry, MARK, legend, legend_height};
use crate::plot::panels::letter;
use crate::plot::style::{
    GRID, INK, INK_SOFT, Look, OKABE_ITO, PT_AXIS, PT_GRID, PT_LABEL, PT_SMALL, WHITE, mix, series_color,
};
use std::collections::HashSet;

/// Most records of one figure.
const MOST: usize = 110;
/// Share of misses at which the axis passes from linear to logarithmic.
const BEND: f64 = 0.002;
/// Where ticks may stand, the most wanted first, %.
const TICKS: [f64; 9] = [100.0, 99.0, 90.0, 50.0, 0.0, 99.9, 95.0, 99.5, 80.0];
/// Least distance between numbers under the axis, mm.
const APART: f64 = 6.5;
/// The line that a detector should pass, and its dashes, mm.
const LINE_AT: f64 = 0.99;
const DASH: f64 = 1.2;

/// How a detector did on a record.
#[derive(Debug, Clone, PartialEq)]
pub struct RPeakRow {
    /// The record.
    pub record: String,
    /// The data set or kind of record that it belongs to; records of one group stand together under its name.
    pub group: String,
    /// The detector.
    pub detector: String,
    /// Sensitivity, 0..1; not a number for a record without beats.
    pub sensitivity: f64,
    /// Positive predictive value, 0..1; not a number where nothing was found.
    pub ppv: f64,
}

/// What a panel shows of a row.
type Measure = fn(&RPeakRow) -> f64;

/// A line of the figure.
enum Line<'a> {
    Group(&'a str),
    Record(&'a str, Vec<&'a RPeakRow>),
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = HashSet::new();
    names.filter(|name| seen.insert(*name)).collect()
}

/// The groups in the order of their first rows, in each the records from the worst to the best.
fn lines(rows: &[RPeakRow]) -> Vec<Line<'_>> {
    let groups = distinct(rows.iter().map(|r| r.group.as_str()));
    let mut out = Vec::new();
    for group in &groups {
        let own: Vec<&RPeakRow> = rows.iter().filter(|r| r.group == *group).collect();
        if groups.len() > 1 {
            out.push(Line::Group(group));
        }
        let mut records: Vec<(f64, &str, Vec<&RPeakRow>)> = distinct(own.iter().map(|r| r.record.as_str()))
            .into_iter()
            .map(|name| {
                let rows: Vec<&RPeakRow> = own.iter().copied().filter(|r| r.record == name).collect();
                // `min` passes over what is not a number.
                let worst = rows.iter().flat_map(|r| [r.sensitivity, r.ppv]).fold(f64::INFINITY, f64::min);
                (worst, name, rows)
            })
            .collect();
        records.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(b.1)));
        out.extend(records.into_iter().map(|(_, name, rows)| Line::Record(name, rows)));
    }
    out
}

fn check(rows: &[RPeakRow], detectors: usize, records: usize) -> Result<()> {
    let fail = |what: String, hint: &str| Err(Error::data("R peak figure", what, hint));
    if rows.is_empty() {
        return fail("no row".into(), "compare at least one detector on one record");
    }
    if detectors > OKABE_ITO.len() {
        let what = format!("{detectors} detectors, at most {} can be distinguished", OKABE_ITO.len());
        return fail(what, "draw fewer of them");
    }
    if records > MOST {
        return fail(format!("{records} records, expected at most {MOST}"), "draw one group at a time");
    }
    let mut seen = HashSet::new();
    for row in rows {
        for (name, v) in [("sensitivity", row.sensitivity), ("PPV", row.ppv)] {
            if !v.is_nan() && !(0.0..=1.0).contains(&v) {
                let what = format!("{name} {v} of {} on record {}, expected 0 to 1", row.detector, row.record);
                return fail(what, "give shares, not percent");
            }
        }
        if !seen.insert((&row.group, &row.record, &row.detector)) {
            return fail(
                format!("{} is twice on record {}", row.detector, row.record),
                "give one row per record and detector",
            );
        }
    }
    Ok(())
}

/// The axis of a share: finer the nearer to 100 %. `worst` is the lowest value on it.
struct Stretched {
    floor: f64,
}

impl Stretched {
    fn new(worst: f64) -> Self {
        let floors = [0.9, 0.8, 0.5];
        Self { floor: floors.into_iter().find(|f| *f <= worst).unwrap_or(0.0) }
    }

    /// 0 at the lowest value, 1 at 100 %.
    fn place(&self, v: f64) -> f64 {
        let t = |v: f64| (BEND / (1.0 - v + BEND)).ln();
        1.0 - t(v) / t(self.floor)
    }

    /// Ticks (%), those that have room on `mm`.
    fn ticks(&self, mm: f64) -> Vec<f64> {
        let mut out: Vec<f64> = vec![self.floor * 100.0];
        for tick in TICKS {
            let at = |v: f64| self.place(v / 100.0) * mm;
            if tick >= self.floor * 100.0 && out.iter().all(|v| (at(*v) - at(tick)).abs() >= APART) {
                out.push(tick);
            }
        }
        out
    }
}

/// What the panels show, and their names.
const MEASURES: [(&str, Measure); 2] =
    [("sensitivity (%)", |r| r.sensitivity), ("positive predictive value (%)", |r| r.ppv)];

/// Sensitivity and positive predictive value of every record in two panels, a mark per detector; within each group the
/// records with the worst value stand on top. The axes are stretched towards 100 %: equal distances are equal ratios of misses.
/// A line marks 99 %. Values that are not a number have no mark and are counted in the caption.
///
/// # Errors
/// Without a row, with more than 8 detectors or 110 records, with values outside of 0..1 or two rows of one detector on
/// one record.
pub fn rpeaks<'a>(look: &Look, stem: &str, rows: &'a [RPeakRow]) -> Result<Vec<Figure<'a>>> {
    let detectors = distinct(rows.iter().map(|r| r.detector.as_str()));
    let lines = lines(rows);
    check(rows, detectors.len(), lines.iter().filter(|l| matches!(l, Line::Record(..))).count())?;
    let (label, small) = (Type::new(PT_LABEL), Type::new(PT_SMALL));
    let names = lines.iter().map(|line| match line {
        Line::Record(name, _) => small.width(name),
        Line::Group(_) => 0.0,
    });
    let (name, width) = (look.width() * 0.18, look.width());
    let left = 3.0 + names.fold(9.0, f64::max).min(name) + 2.5;
    let pitch = (1.4 * detectors.len() as f64).clamp(3.6, 8.0);
    let marks: Vec<Entry> = detectors.iter().enumerate().map(|(i, d)| Entry::mark(*d, i, series_color(i))).collect();
    let top = 2.0 + legend_height(&marks, width - 6.0) + 5.0;
    let gap = 7.0;
    let panel = (width - 4.0 - left - gap) / 2.0;
    let axes = MEASURES.map(|(_, of)| Stretched::new(rows.iter().map(of).fold(1.0, f64::min)));
    let missing = rows.iter().flat_map(|r| [r.sensitivity, r.ppv]).filter(|v| v.is_nan()).count();
    let missing = match missing {
        0 => String::new(),
        1 => " 1 value is not a number and not drawn.".into(),
        n => format!(" {n} values are not numbers and not drawn."),
    };
    let caption = format!(
        "(a) Sensitivity and (b) positive predictive value of R-peak detectors on every record, the worst records on top. Axes \
         are stretched towards 100 %: equal distances are equal ratios of misses. Broken lines: 99 %.{missing}"
    );
    let heights = vec![pitch; lines.len()];
    Ok(Figure::pages(look, stem, &caption, (top, 12.0), &heights, move |c: &mut Canvas, parts| {
        legend(c, &marks, (3.0, 1.5), width - 6.0);
        let bottom = top + pitch * parts.len() as f64 + 0.6;
        let middle = |place: usize| top + pitch * (place as f64 + 0.5);
        for (k, ((name, of), axis)) in MEASURES.iter().zip(&axes).enumerate() {
            let x0 = left + (panel + gap) * k as f64;
            let frame = Frame { x0, y0: top, x1: x0 + panel, y1: bottom };
            let shown: Vec<&Line> = parts.iter().map(|(i, _)| &lines[*i]).collect();
            draw_panel(c, frame, axis, &shown, &marks, *of);
            letter(c, (x0 - 2.0, top - 2.0), k);
            c.text((x0 + panel / 2.0, bottom + 8.6), &label.shorten(name, panel + gap), &label.middle());
        }
        for (place, (i, _)) in parts.iter().enumerate() {
            match &lines[*i] {
                Line::Group(name) => {
                    // the panels are broken where another group begins
                    let half = pitch / 2.0;
                    c.rect((0.0, middle(place) - half - 0.3), (width, middle(place) + half), WHITE);
                    let name = label.bold().shorten(name, width - 8.0);
                    c.text((3.0, middle(place) + label.drop()), &name, &label.bold());
                }
                Line::Record(text, _) => {
                    let at = (left - 2.0, middle(place) + small.drop());
                    c.text(at, &small.shorten(text, name), &small.end());
                }
            }
        }
        Ok(())
    }))
}

fn draw_panel(c: &mut Canvas, frame: Frame, axis: &Stretched, lines: &[&Line], marks: &[Entry], of: Measure) {
    let small = Type::new(PT_SMALL);
    let (width, pitch) = (frame.x1 - frame.x0, (frame.y1 - frame.y0 - 0.6) / lines.len() as f64);
    let x = |v: f64| frame.x0 + axis.place(v) * width;
    let middle = |i: usize| frame.y0 + pitch * (i as f64 + 0.5);
    for (i, _) in lines.iter().enumerate().filter(|(i, line)| i % 2 == 0 && matches!(line, Line::Record(..))) {
        let half = pitch / 2.0;
        c.rect((frame.x0, middle(i) - half), (frame.x1, middle(i) + half), mix(WHITE, GRID, 0.35));
    }
    for tick in axis.ticks(width) {
        let at = x(tick / 100.0);
        c.line((at, frame.y0), (at, frame.y1), PT_GRID, GRID);
        c.line((at, frame.y1), (at, frame.y1 + 1.0), PT_AXIS, INK);
        c.text((at, frame.y1 + 1.8 + 2.0 * small.drop()), &tick.to_string(), &small.middle());
    }
    let mut y = frame.y0;
    while y < frame.y1 {
        c.line((x(LINE_AT), y), (x(LINE_AT), (y + DASH).min(frame.y1)), PT_AXIS * 1.6, INK_SOFT);
        y += 2.0 * DASH;
    }
    c.line((frame.x0, frame.y0), (frame.x0, frame.y1), PT_AXIS, INK);
    c.line((frame.x0, frame.y1), (frame.x1, frame.y1), PT_AXIS, INK);
    for (i, line) in lines.iter().enumerate() {
        let Line::Record(_, rows) = line else { continue };
        for row in rows {
            let Some(k) = marks.iter().position(|m| m.name == row.detector) else { continue };
            // side by side, so that equal values do not hide each other
            let step = (pitch - 2.4 * MARK) / (marks.len() - 1).max(1) as f64;
            let at = (x(of(row)), middle(i) + step * (k as f64 - (marks.len() - 1) as f64 / 2.0));
            if at.0.is_finite() {
                marks[k].draw_mark(c, at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(record: &str, group: &str, detector: &str, sensitivity: f64, ppv: f64) -> RPeakRow {
        let owned = str::to_owned;
        RPeakRow { record: owned(record), group: owned(group), detector: owned(detector), sensitivity, ppv }
    }

    #[test]
    fn records_stand_from_worst_to_best_within_their_group() {
        let rows = [
            row("good", "a", "x", 1.0, 0.999),
            row("bad", "a", "x", 0.99, 0.98),
            row("other", "b", "x", 0.1, 0.1),
            row("bad", "a", "y", 0.97, f64::NAN),
            row("unknown", "a", "x", f64::NAN, f64::NAN),
            row("same", "a", "x", 0.999, 1.0),
        ];
        let name = |line: &Line| match line {
            Line::Group(name) => format!("[{name}]"),
            Line::Record(name, rows) => format!("{name} {}", rows.len()),
        };
        let found: Vec<String> = lines(&rows).iter().map(name).collect();
        assert_eq!(found, ["[a]", "bad 2", "good 1", "same 1", "unknown 1", "[b]", "other 1"]);
        assert_eq!(lines(&rows[..2]).len(), 2, "one group needs no name");
    }

    #[test]
    fn axes_hold_all_values_and_their_numbers_do_not_touch() {
        for (worst, floor) in [(1.0, 0.9), (0.9, 0.9), (0.85, 0.8), (0.6, 0.5), (0.0, 0.0)] {
            let axis = Stretched::new(worst);
            assert_eq!(axis.floor, floor);
            assert!(axis.place(worst) >= 0.0 && (axis.place(1.0) - 1.0).abs() < 1e-12 && axis.place(floor) == 0.0);
            assert!(axis.place(0.99) < axis.place(0.995));
            let mut ticks: Vec<f64> = axis.ticks(60.0).iter().map(|v| axis.place(v / 100.0) * 60.0).collect();
            ticks.sort_by(f64::total_cmp);
            assert!(ticks.len() >= 4 && ticks.windows(2).all(|w| w[1] - w[0] >= APART - 1e-9), "{ticks:?}");
            assert!(axis.ticks(60.0).contains(&99.0), "the line has its number");
        }
    }

    fn text(rows: &[RPeakRow]) -> String {
        let narrow = rpeaks(&Look { width_mm: 85.0, ..Look::default() }, "s", rows).unwrap();
        assert!(narrow.iter().all(|f| f.page.height_mm <= 120.0 && f.svg().is_ok()));
        let wide = rpeaks(&Look::default(), "s", rows).unwrap();
        wide.iter().map(|f| f.svg().unwrap() + &f.caption).collect()
    }

    #[test]
    fn figures_have_names_units_and_a_mark_per_value() {
        let records: Vec<String> = (0..32).map(|i| format!("{}", 100 + i)).collect();
        let both = |(i, r): (usize, &String)| {
            ["gradient <a>", "wavelet"].map(|d| row(r, "MIT-BIH", d, 1.0 - i as f64 / 400.0, f64::NAN))
        };
        let rows: Vec<RPeakRow> = records.iter().enumerate().flat_map(both).collect();
        let text = text(&rows);
        let said = "gradient &lt;a&gt;|wavelet|sensitivity (%)|positive predictive value (%)|99\n|131\n|\
                    64 values are not numbers and not drawn";
        said.split('|').for_each(|label| assert!(text.contains(label), "{label}"));
        assert!(!text.contains("MIT-BIH"));
        assert_eq!(text.matches("<circle").count(), 2 * 33, "one per record, one in the legend, with their rims");
    }

    #[test]
    fn odd_rows_are_drawn_or_refused() {
        let name = "心 a long name\n".repeat(30);
        for v in [0.0, 1e-300, 0.5, 1.0, f64::NAN] {
            text(&[row("", "", "", v, v)]);
            text(&[row(&name, &name, &name, v, 1.0), row(&name, "b", "x", 0.5, v)]);
        }
        let many = |n: usize, m: usize| -> Vec<RPeakRow> {
            (0..n * m).map(|i| row(&format!("{}", i / m), "g", &format!("detector {}", i % m), 0.99, 1.0)).collect()
        };
        text(&many(MOST, 8));
        let said = |rows: &[RPeakRow]| rpeaks(&Look::default(), "s", rows).unwrap_err().to_string();
        assert!(said(&[]).contains("no row"));
        assert!(said(&many(1, 9)).contains("9 detectors"));
        assert!(said(&many(MOST + 1, 1)).contains("111 records"));
        assert!(said(&[row("a", "", "x", 99.5, 1.0)]).contains("sensitivity 99.5 of x on record a, expected 0 to 1"));
        assert!(said(&[row("a", "", "x", 1.0, -0.1)]).contains("not percent"));
        assert!(said(&[row("a", "", "x", 1.0, 1.0), row("a", "", "x", 1.0, 1.0)]).contains("twice on record a"));
    }
}
