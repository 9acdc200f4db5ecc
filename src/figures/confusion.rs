//! Confusion matrices: counts and row percent.

use super::axes::{Frame, color_bar};
use super::canvas::{Canvas, Point, Type, save};
use super::style::{INK_SOFT, NONE, PT_AXIS, PT_LABEL, PT_MIN, PT_SMALL, PT_TITLE, Page, Theme, WHITE, blues, text_on};
use crate::error::{Error, Result};
use std::path::Path;

/// Most classes of one figure.
const MOST: usize = 60;
/// Longest class name, mm.
const NAME: f64 = 30.0;

/// Draws a confusion matrix, `counts[true][predicted]`: every cell has its count and its share of the row, and the
/// share's colour. A class without records has no shares and a grey row.
///
/// # Errors
/// Without a class, with more than 60, if `counts` is not square, or if the file cannot be written.
pub fn draw(path: impl AsRef<Path>, classes: &[String], counts: &[Vec<u64>], title: Option<&str>) -> Result<()> {
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
    let label = Type::new(PT_LABEL);
    let names: Vec<String> = classes.iter().map(|name| label.shorten(name, NAME)).collect();
    let widest = names.iter().map(|name| label.width(name)).fold(0.0, f64::max);
    // Cells for the text of a count; a small matrix is not blown up to the width of the page.
    let cell = (96.0 / n as f64).clamp(12.0, 22.0);
    let upright = widest > cell - 1.5;
    let (left, top) = (11.0 + widest, 5.0 + if title.is_some() { 6.0 } else { 0.0 });
    let size = cell * n as f64;
    let frame = Frame { x0: left, y0: top, x1: left + size, y1: top + size };
    let below = if upright { widest + 3.0 } else { 5.5 };
    let page = Page {
        width_mm: frame.x1 + 24.0,
        height_mm: frame.y1 + below + 8.0,
        dpi: if size > 200.0 { 150.0 } else { Page::DPI },
        theme: Theme::Paper,
    };
    save(path, page, |c| {
        if let Some(title) = title {
            let style = Type::new(PT_TITLE).bold();
            c.text((4.0, 7.5), &style.shorten(title, page.width_mm - 8.0), &style);
        }
        for (i, row) in counts.iter().enumerate() {
            let total: f64 = row.iter().map(|v| *v as f64).sum();
            for (j, &count) in row.iter().enumerate() {
                let at = (frame.x0 + cell * j as f64, frame.y0 + cell * i as f64);
                draw_cell(c, at, cell, count, count as f64 / total);
            }
        }
        for (i, name) in names.iter().enumerate() {
            let middle = cell * (i as f64 + 0.5);
            c.text((frame.x0 - 2.0, frame.y0 + middle + label.drop()), name, &label.end());
            match upright {
                true => c.text((frame.x0 + middle + label.drop(), frame.y1 + 2.0), name, &label.upwards().end()),
                false => c.text((frame.x0 + middle, frame.y1 + 2.0 + 2.0 * label.drop()), name, &label.middle()),
            }
        }
        let (x, y) = (frame.x0 + size / 2.0, frame.y0 + size / 2.0);
        c.text((x, frame.y1 + below + 4.0), "predicted class", &label.bold().middle());
        c.text((6.5, y), "true class", &label.bold().middle().upwards());
        outline(c, frame);
        let half = (size / 2.0).min(45.0);
        let bar = Frame { x0: frame.x1 + 5.0, y0: y - half, x1: frame.x1 + 8.5, y1: y + half };
        let ticks = [(0.0, "0"), (0.25, "25"), (0.5, "50"), (0.75, "75"), (1.0, "100")];
        color_bar(c, bar, blues, &ticks, if half < 12.0 { "% of row" } else { "share of the row (%)" }, PT_SMALL);
        Ok(())
    })
}

fn draw_cell(c: &mut Canvas, (x, y): Point, cell: f64, count: u64, share: f64) {
    // A row without records divides by zero: NaN, which is grey.
    let color = blues(share);
    c.rect((x, y), (x + cell, y + cell), color);
    let edge = if share.is_nan() { NONE } else { WHITE };
    c.line((x, y), (x + cell, y), PT_AXIS, edge);
    c.line((x, y), (x, y + cell), PT_AXIS, edge);
    let (middle, ink) = ((x + cell / 2.0, y + cell / 2.0), text_on(color));
    let big = fitting(count, cell - 1.0);
    c.text((middle.0, middle.1 - 0.3), &big.0, &big.1.color(ink).middle());
    let small = Type::new(PT_MIN.max(big.1.pt - 1.5)).color(ink).middle();
    let percent = percent(share);
    c.text((middle.0, middle.1 + 1.0 + 2.0 * small.drop()), &percent, &small);
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

fn outline(c: &mut Canvas, f: Frame) {
    let corners = [(f.x0, f.y0), (f.x1, f.y0), (f.x1, f.y1), (f.x0, f.y1)];
    for i in 0..4 {
        c.line(corners[i], corners[(i + 1) % 4], PT_AXIS, INK_SOFT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class {i}")).collect()
    }

    #[test]
    fn counts_and_percent_are_in_the_cells() {
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("cm.svg");
        draw(&svg, &["SR".into(), "AFIB/AFL".into()], &[vec![30, 10], vec![0, 0]], Some("fold 0")).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        for label in
            ["AFIB/AFL", "30\n", "75.0 %", "25.0 %", "n/a", "true class", "predicted class", "fold 0", "of the row (%)"]
        {
            assert!(text.contains(label), "{label}");
        }
        let png = dir.path().join("cm.png");
        draw(&png, &names(3), &vec![vec![5; 3]; 3], None).unwrap();
        let bytes = std::fs::read(&png).unwrap();
        assert!(u32::from_be_bytes(bytes[16..20].try_into().unwrap()) > 900);
    }

    #[test]
    fn odd_matrices_are_drawn_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("cm.svg");
        for n in [1, 2, 27, 60] {
            for count in [0, 1, u64::MAX] {
                draw(&svg, &names(n), &vec![vec![count; n]; n], Some("")).unwrap();
            }
        }
        draw(&svg, &["".into(), "\n\u{1F493}心".repeat(99)], &[vec![1, 2], vec![3, 4]], None).unwrap();
        for (n, counts) in
            [(0, vec![]), (2, vec![vec![1, 2]]), (2, vec![vec![1, 2], vec![1]]), (99, vec![vec![0; 99]; 99])]
        {
            assert!(draw(&svg, &names(n), &counts, None).unwrap_err().to_string().contains("HINT"));
        }
    }

    #[test]
    fn percent_is_never_rounded_to_none_or_all() {
        let shown = [0.0, 1e-9, 0.5, 0.99999, 1.0, f64::NAN].map(percent);
        assert_eq!(shown, ["0.0 %", "<0.1 %", "50.0 %", ">99.9 %", "100.0 %", "n/a"]);
    }
}
