//! Confusion matrices: counts and row percent.

use crate::error::{Error, Result};
use crate::plot::axes::{Frame, color_bar};
use crate::plot::canvas::{Canvas, Point, Type, save};
use crate::plot::figure::Figure;
use crate::plot::style::{
    INK_SOFT, Look, NONE, PT_AXIS, PT_LABEL, PT_MIN, PT_SMALL, PT_TITLE, Page, Theme, WHITE, blues, text_on,
};
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
    let matrix = Matrix { classes, counts, title, dpi: Page::DPI };
    let (layout, page) = matrix.layout(None)?;
    save(path, page, |c| matrix.draw(c, &layout))
}

/// The same as a figure of the width that is asked for, if it is not narrower.
///
/// # Errors
/// As [`draw`].
pub fn figure<'a>(
    look: &Look,
    stem: &str,
    classes: &'a [String],
    counts: Vec<Vec<u64>>,
    caption: &str,
) -> Result<Figure<'a>> {
    let (layout, page) = Matrix { classes, counts: &counts, title: None, dpi: look.dpi }.layout(Some(look.width()))?;
    let page = Page { theme: look.theme, ..page };
    Ok(Figure::new(stem, page, caption, move |c: &mut Canvas| {
        Matrix { classes, counts: &counts, title: None, dpi: page.dpi }.draw(c, &layout)
    }))
}

/// Draws several small matrices, one a fold, with counts in their cells and the share of the row as colour.
///
/// # Errors
/// As [`draw`]; also without a matrix.
pub fn folds<'a>(
    look: &Look,
    stem: &str,
    classes: &'a [String],
    folds: Vec<(String, Vec<Vec<u64>>)>,
    caption: &str,
) -> Result<Figure<'a>> {
    for (_, counts) in &folds {
        check(classes, counts)?;
    }
    if folds.is_empty() {
        return Err(Error::data(stem, "no fold was tested", "give runs that tested"));
    }
    let (n, width, least) = (classes.len() as f64, look.width(), Type::new(PT_MIN));
    let names: Vec<String> = classes.iter().map(|name| least.shorten(name, 16.0)).collect();
    let widest = names.iter().map(|name| least.width(name)).fold(0.0, f64::max);
    let (left, gap) = (widest + 2.6, 4.0);
    // only the first column has the names of the rows
    let room = width - left - 2.0;
    let columns = (((room + gap) / (n * 6.2 + gap)) as usize).clamp(1, folds.len());
    let cell = ((room - gap * (columns - 1) as f64) / columns as f64 / n).clamp(5.0, 9.0);
    let pitch = (n * cell + gap, 6.0 + n * cell + widest + 4.0);
    let rows = folds.len().div_ceil(columns);
    let page = look.narrow((left + pitch.0 * columns as f64).max(75.0), 4.5 + pitch.1 * rows as f64);
    Ok(Figure::new(stem, page, caption, move |c: &mut Canvas| {
        for (k, (name, counts)) in folds.iter().enumerate() {
            let corner = ((k % columns) as f64 * pitch.0 + left, (k / columns) as f64 * pitch.1 + 5.5);
            let style = Type::new(PT_SMALL).bold();
            c.text((corner.0, corner.1 - 1.3), &style.shorten(name, n * cell), &style);
            for (i, row) in counts.iter().enumerate() {
                let total: f64 = row.iter().map(|v| *v as f64).sum();
                let y = corner.1 + cell * i as f64;
                if k % columns == 0 {
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
            outline(c, Frame { x0: corner.0, y0: corner.1, x1: corner.0 + n * cell, y1: corner.1 + n * cell });
            for (j, name) in names.iter().enumerate() {
                let x = corner.0 + cell * (j as f64 + 0.5) + least.drop();
                c.text((x, corner.1 + n * cell + 1.3), name, &least.upwards().end());
            }
        }
        let style = Type::new(PT_SMALL).color(INK_SOFT);
        c.text((left, page.height_mm - 1.8), "true class by row, predicted class by column", &style);
        Ok(())
    }))
}

fn check(classes: &[String], counts: &[Vec<u64>]) -> Result<()> {
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

struct Matrix<'a> {
    classes: &'a [String],
    counts: &'a [Vec<u64>],
    title: Option<&'a str>,
    dpi: f64,
}

/// Where a matrix stands.
struct Layout {
    names: Vec<String>,
    cell: f64,
    frame: Frame,
    upright: bool,
    /// Room for the names of the columns.
    below: f64,
}

impl Matrix<'_> {
    /// Cells for the text of a count, in `width` mm as far as they stay readable; a small matrix is not blown up.
    fn layout(&self, width: Option<f64>) -> Result<(Layout, Page)> {
        check(self.classes, self.counts)?;
        let n = self.classes.len() as f64;
        let label = Type::new(PT_LABEL);
        let names: Vec<String> = self.classes.iter().map(|name| label.shorten(name, NAME)).collect();
        let widest = names.iter().map(|name| label.width(name)).fold(0.0, f64::max);
        let (left, top) = (11.0 + widest, 5.0 + if self.title.is_some() { 6.0 } else { 0.0 });
        let cell = (96.0 / n).clamp(12.0, 22.0);
        let cell = width.map_or(cell, |width| ((width - left - 24.0) / n).clamp(9.0, cell.max(9.0)));
        let upright = widest > cell - 1.5;
        let size = cell * n;
        let frame = Frame { x0: left, y0: top, x1: left + size, y1: top + size };
        let below = if upright { widest + 3.0 } else { 5.5 };
        let page = Page {
            width_mm: frame.x1 + 24.0,
            height_mm: frame.y1 + below + 8.0,
            dpi: if size > 200.0 { self.dpi.min(150.0) } else { self.dpi },
            theme: Theme::Paper,
        };
        Ok((Layout { names, cell, frame, upright, below }, page))
    }

    fn draw(&self, c: &mut Canvas, layout: &Layout) -> Result<()> {
        let Layout { names, cell, frame, upright, below } = layout;
        let (label, size, cell) = (Type::new(PT_LABEL), frame.x1 - frame.x0, *cell);
        if let Some(title) = self.title {
            let style = Type::new(PT_TITLE).bold();
            c.text((4.0, 7.5), &style.shorten(title, frame.x1 + 16.0), &style);
        }
        for (i, row) in self.counts.iter().enumerate() {
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
        outline(c, *frame);
        let half = (size / 2.0).min(45.0);
        let bar = Frame { x0: frame.x1 + 5.0, y0: y - half, x1: frame.x1 + 8.5, y1: y + half };
        let ticks = [(0.0, "0"), (0.25, "25"), (0.5, "50"), (0.75, "75"), (1.0, "100")];
        color_bar(c, bar, blues, &ticks, if half < 12.0 { "% of row" } else { "share of the row (%)" }, PT_SMALL);
        Ok(())
    }
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
