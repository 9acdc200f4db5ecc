//! Confusion matrices: of an arm with counts and row percent, of its folds, and of all arms side by side.

use super::shared::{pooled, runs_of, tested};
use crate::error::{Error, Result};
use crate::figures::catalogue::{Drawn, EVALUATE, stem};
use crate::plot::axes::{Frame, color_bar};
use crate::plot::canvas::{Canvas, Point, Type};
use crate::plot::color_maps::blues;
use crate::plot::figure::Figure;
use crate::plot::style::{INK_SOFT, Look, NONE, PT_AXIS, PT_LABEL, PT_MIN, PT_SMALL, Page, WHITE, text_on};
use crate::run::metrics::counts;
use crate::run::read::Run;
use crate::run::set::{RunSet, fold};
use std::collections::BTreeSet;

/// Most classes of one figure.
const MOST: usize = 60;
/// Longest class name, mm.
const NAME: f64 = 30.0;
/// Smallest cell that holds count and percent, and smallest of all, mm.
const BOTH: f64 = 9.0;
const CELL: f64 = 5.0;

/// `[true][predicted]` records.
type Counts = Vec<Vec<u64>>;

/// The counts of every tested run of an arm.
fn matrices<'a>(set: &'a RunSet<'a>, arm: &'a str) -> Vec<(&'a Run, Counts)> {
    set.of(arm).filter_map(|r| Some((r, counts(&r.metrics.as_ref()?.confusion)))).collect()
}

fn sum(all: &[(&Run, Counts)]) -> Counts {
    let mut total = all[0].1.clone();
    for (_, other) in &all[1..] {
        for (row, more) in total.iter_mut().zip(other) {
            row.iter_mut().zip(more).for_each(|(n, m)| *n = n.saturating_add(*m));
        }
    }
    total
}

/// The matrix of every arm.
pub(crate) fn draw<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for arm in &set.variants {
        let (stem, all) = (stem("confusion", set, arm), matrices(set, arm));
        if all.is_empty() {
            drawn.miss(&stem, format!("no metrics.json of {arm}: the run tested nothing; {EVALUATE}"));
            continue;
        }
        let total = sum(&all);
        let n: u64 = total.iter().flatten().sum();
        let of =
            format!("Confusion matrix of {arm}, {}: {n} predictions of test records", pooled(all.iter().map(|m| m.0)));
        drawn.add(&stem, figure(look, &stem, &set.classes, total, &of));
    }
}

/// The matrices of the folds of every arm with several.
pub(crate) fn folds<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    for arm in &set.variants {
        let all = matrices(set, arm);
        if all.len() < 2 {
            continue;
        }
        let stem = stem("confusion-folds", set, arm);
        let seeds: BTreeSet<u64> = all.iter().filter_map(|(r, _)| Some(r.fold_and_seed()?.1)).collect();
        let caption = format!(
            "Confusion matrices of {arm} in each of {} runs: counts; colours are shares of the row from white (0 %) to dark \
             blue (100 %), grey where a fold has no record of the class.",
            all.len()
        );
        let named = all.into_iter().map(|(r, counts)| (if seeds.len() > 1 { r.cell() } else { fold(r) }, counts));
        drawn.add_pages(&stem, small(look, &stem, &set.classes, named.collect(), &caption));
    }
}

/// The pooled matrices of all arms.
pub(crate) fn arms<'a>(drawn: &mut Drawn<'a>, set: &'a RunSet<'a>, look: &Look) {
    let stem = "confusion-arms";
    let arms = tested(set);
    if arms.len() < 2 {
        return drawn.only_one(stem, "one arm only; give the folder of a sweep with several");
    }
    let all: Vec<(&str, Vec<(&Run, Counts)>)> = arms.iter().map(|(_, arm)| (*arm, matrices(set, arm))).collect();
    let caption = format!(
        "Confusion matrices of the arms, each pooled over its runs ({}): counts of test records; colours are shares of the \
         row from white (0 %) to dark blue (100 %), grey where there is no record of the class.",
        runs_of(all.iter().map(|(arm, runs)| (*arm, runs.len())))
    );
    let named = all.iter().map(|(arm, runs)| ((*arm).to_owned(), sum(runs))).collect();
    drawn.add_pages(stem, small(look, stem, &set.classes, named, &caption));
}

fn check(classes: &[String], counts: &Counts) -> Result<()> {
    let n = classes.len();
    if n == 0 || n > MOST {
        let hint = "give one name for every row of the matrix";
        return Err(Error::data("confusion matrix", format!("{n} classes, expected 1 to {MOST}"), hint));
    }
    if counts.len() != n || counts.iter().any(|row| row.len() != n) {
        let widths: Vec<usize> = counts.iter().map(Vec::len).collect();
        let found = format!("{} rows of {widths:?} counts for {n} classes", counts.len());
        return Err(Error::data("confusion matrix", found, "one row per true class, one column per predicted class"));
    }
    Ok(())
}

/// Small matrices beside and below each other, with counts in their cells and the share of the row as colour.
fn small<'a>(
    look: &Look,
    stem: &str,
    classes: &'a [String],
    all: Vec<(String, Counts)>,
    caption: &str,
) -> Result<Vec<Figure<'a>>> {
    all.iter().try_for_each(|(_, counts)| check(classes, counts))?;
    let (n, least) = (classes.len() as f64, Type::new(PT_MIN));
    let names: Vec<String> = classes.iter().map(|name| least.shorten(name, 16.0)).collect();
    let widest = names.iter().map(|name| least.width(name)).fold(0.0, f64::max);
    // only the first column has the names of the rows, and the lowest row those of the columns
    let (left, gap, head) = (widest + 2.6, 4.0, 6.0);
    let room = look.width() - left - 2.0;
    let foot = widest + 8.5 - gap;
    let columns = (((room + gap) / (n * 6.2 + gap)) as usize).clamp(1, all.len());
    let wide = (room - gap * (columns - 1) as f64) / columns as f64 / n;
    let high = ((look.most_height() - foot) / all.len().div_ceil(columns) as f64 - head - gap) / n;
    // smaller rather than on several pages
    let cell = if high >= CELL { wide.min(high) } else { wide }.clamp(CELL, 9.0);
    let pitch = (n * cell + gap, head + n * cell + gap);
    let width = (left + pitch.0 * columns as f64).max(75.0).min(look.width());
    let heights = vec![pitch.1; all.len().div_ceil(columns)];
    let mut pages = Figure::pages(look, stem, caption, (0.0, foot), &heights, move |c, rows| {
        let shown = rows.last().map_or(0, |row| row.0 + 1) * columns;
        for (&(row, y), i) in rows.iter().flat_map(|row| (0..columns).map(move |i| (row, i))) {
            let k = row * columns + i;
            let Some((name, counts)) = all.get(k) else { continue };
            let corner = (i as f64 * pitch.0 + left, y + 5.5);
            let style = Type::new(PT_SMALL).bold();
            c.text((corner.0, corner.1 - 1.3), &style.shorten(name, n * cell), &style);
            for (i, row) in counts.iter().enumerate() {
                let total: f64 = row.iter().map(|v| *v as f64).sum();
                let y = corner.1 + cell * i as f64;
                if k.is_multiple_of(columns) {
                    c.text((corner.0 - 1.3, y + cell / 2.0 + least.drop()), &names[i], &least.end());
                }
                for (j, &count) in row.iter().enumerate() {
                    let x = corner.0 + cell * j as f64;
                    let color = blues(count as f64 / total);
                    c.rect((x, y), (x + cell, y + cell), color);
                    let (text, style) = fitting(count, cell - 0.4);
                    let style = Type { pt: style.pt.min(PT_SMALL), ..style }.color(text_on(color)).middle();
                    c.text((x + cell / 2.0, y + cell / 2.0 + style.drop()), &text, &style);
                }
            }
            Frame { x0: corner.0, y0: corner.1, x1: corner.0 + n * cell, y1: corner.1 + n * cell }.outline(c);
            for (j, name) in names.iter().enumerate().filter(|_| k + columns >= shown.min(all.len())) {
                let x = corner.0 + cell * (j as f64 + 0.5) + least.drop();
                c.text((x, corner.1 + n * cell + 1.3), name, &least.upwards().end());
            }
        }
        let bottom = rows.last().map_or(0.0, |row| row.1) + pitch.1 + foot;
        let style = Type::new(PT_SMALL).color(INK_SOFT);
        c.text((left, bottom - 1.8), "true class by row, predicted class by column", &style);
        Ok(())
    });
    pages.iter_mut().for_each(|figure| figure.page.width_mm = width);
    Ok(pages)
}

/// A matrix in the width that is asked for: every cell has its count and its share of the row where it has room, and the
/// share's colour. A class without records has no shares and a grey row.
fn figure<'a>(look: &Look, stem: &str, classes: &'a [String], counts: Counts, of: &str) -> Result<Figure<'a>> {
    check(classes, &counts)?;
    let n = classes.len() as f64;
    let label = Type::new(PT_LABEL);
    let names: Vec<String> = classes.iter().map(|name| label.shorten(name, NAME)).collect();
    let widest = names.iter().map(|name| label.width(name)).fold(0.0, f64::max);
    let (left, top) = (11.0 + widest, 5.0);
    // a small matrix is not blown up
    let cell = ((look.width() - left - 24.0) / n).clamp(CELL, (96.0 / n).clamp(12.0, 22.0));
    let upright = widest > cell - 1.5;
    let size = cell * n;
    let frame = Frame { x0: left, y0: top, x1: left + size, y1: top + size };
    // room for the names of the columns
    let below = if upright { widest + 3.0 } else { 5.5 };
    let page = Page {
        width_mm: frame.x1 + 24.0,
        dpi: if size > 200.0 { look.dpi.min(150.0) } else { look.dpi },
        ..look.page(frame.y1 + below + 8.0)
    };
    let caption = match cell >= BOTH {
        true => {
            "counts, and percent of the row (the true class), which the colour tells as well. n/a: no record of the class."
        }
        false => "counts; the colour tells the share of the row (the true class). Grey: no record of the class.",
    };
    Ok(Figure::new(stem, page, format!("{of}; {caption}"), move |c: &mut Canvas| {
        for (i, row) in counts.iter().enumerate() {
            let total: f64 = row.iter().map(|v| *v as f64).sum();
            for (j, &count) in row.iter().enumerate() {
                draw_cell(c, (left + cell * j as f64, top + cell * i as f64), cell, count, count as f64 / total);
            }
        }
        for (i, name) in names.iter().enumerate() {
            let middle = cell * (i as f64 + 0.5);
            c.text((left - 2.0, top + middle + label.drop()), name, &label.end());
            match upright {
                true => c.text((left + middle + label.drop(), frame.y1 + 2.0), name, &label.upwards().end()),
                false => c.text((left + middle, frame.y1 + 2.0 + 2.0 * label.drop()), name, &label.middle()),
            }
        }
        let (x, y) = (left + size / 2.0, top + size / 2.0);
        c.text((x, frame.y1 + below + 4.0), "predicted class", &label.bold().middle());
        c.text((6.5, y), "true class", &label.bold().middle().upwards());
        frame.outline(c);
        let half = (size / 2.0).min(45.0);
        let bar = Frame { x0: frame.x1 + 5.0, y0: y - half, x1: frame.x1 + 8.5, y1: y + half };
        let ticks = [(0.0, "0"), (0.25, "25"), (0.5, "50"), (0.75, "75"), (1.0, "100")];
        color_bar(c, bar, blues, &ticks, if half < 12.0 { "% of row" } else { "share of the row (%)" }, PT_SMALL);
        Ok(())
    }))
}

fn draw_cell(c: &mut Canvas, (x, y): Point, cell: f64, count: u64, share: f64) {
    // A row without records divides by zero: NaN, which is grey.
    let color = blues(share);
    c.rect((x, y), (x + cell, y + cell), color);
    let edge = if share.is_nan() { NONE } else { WHITE };
    c.line((x, y), (x + cell, y), PT_AXIS, edge);
    c.line((x, y), (x, y + cell), PT_AXIS, edge);
    let (middle, ink) = ((x + cell / 2.0, y + cell / 2.0), text_on(color));
    let (text, big) = fitting(count, cell - if cell < BOTH { 0.4 } else { 1.0 });
    if cell < BOTH {
        return c.text((middle.0, middle.1 + big.drop()), &text, &big.color(ink).middle());
    }
    c.text((middle.0, middle.1 - 0.3), &text, &big.color(ink).middle());
    let small = Type::new(PT_MIN.max(big.pt - 1.5)).color(ink).middle();
    c.text((middle.0, middle.1 + 1.0 + 2.0 * small.drop()), &percent(share), &small);
}

/// A share in words: never 0 or 100 % unless it is.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        p if p.is_nan() => "n/a".into(),
        p if p > 0.0 && p < 0.05 => "<0.1 %".into(),
        p if (99.95..100.0).contains(&p) => ">99.9 %".into(),
        p => format!("{p:.1} %"),
    }
}

/// A count as large as its cell allows, with an exponent where it would have to be smaller than readable.
fn fitting(count: u64, width: f64) -> (String, Type) {
    let plain = count.to_string();
    for pt in [PT_LABEL + 1.0, PT_LABEL, PT_SMALL, PT_MIN] {
        if Type::new(pt).width(&plain) <= width {
            return (plain, Type::new(pt));
        }
    }
    (format!("{:.1e}", count as f64), Type::new(PT_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class {i}")).collect()
    }

    fn svg(classes: &[String], counts: Counts, width_mm: f64) -> Result<String> {
        let look = Look { width_mm, ..Look::default() };
        let several = vec![("a".to_owned(), counts.clone()), ("b".to_owned(), counts.clone())];
        for figure in small(&look, "several", classes, several, "")? {
            figure.svg()?;
        }
        figure(&look, "one", classes, counts, "")?.svg()
    }

    #[test]
    fn counts_and_percent_are_in_the_cells() {
        let text = svg(&["SR".into(), "AFIB/AFL".into()], vec![vec![30, 10], vec![0, 0]], 180.0).unwrap();
        for label in ["AFIB/AFL", "30\n", "75.0 %", "25.0 %", "n/a", "true class", "predicted class", "of the row (%)"]
        {
            assert!(text.contains(label), "{label}");
        }
        let text = svg(&names(6), vec![vec![123; 6]; 6], 85.0).unwrap();
        assert!(text.contains("123\n") && !text.contains("16.7 %"), "no room for percent");
    }

    #[test]
    fn odd_matrices_are_drawn_or_refused() {
        for n in [1, 2, 27, 60] {
            for count in [0, 1, u64::MAX] {
                svg(&names(n), vec![vec![count; n]; n], 85.0).unwrap();
            }
        }
        svg(&["".into(), "\n\u{1F493}心".repeat(99)], vec![vec![1, 2], vec![3, 4]], 180.0).unwrap();
        for (n, counts) in
            [(0, vec![]), (2, vec![vec![1, 2]]), (2, vec![vec![1, 2], vec![1]]), (99, vec![vec![0; 99]; 99])]
        {
            assert!(svg(&names(n), counts, 180.0).unwrap_err().to_string().contains("HINT"));
        }
    }

    #[test]
    fn percent_is_never_rounded_to_none_or_all() {
        let shown = [0.0, 1e-9, 0.5, 0.99999, 1.0, f64::NAN].map(percent);
        assert_eq!(shown, ["0.0 %", "<0.1 %", "50.0 %", ">99.9 %", "100.0 %", "n/a"]);
    }
}
