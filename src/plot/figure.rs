//! A figure that is laid out and can be drawn: as an SVG document, or into files, with its caption beside it.

use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::plot::canvas;
use crate::plot::canvas::Canvas;
use crate::plot::style::{Look, Page};
use std::path::{Path, PathBuf};
use std::rc::Rc;

type Draw<'a> = Box<dyn Fn(&mut Canvas<'_>) -> Result<()> + 'a>;

/// A file format of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A bitmap.
    Png,
    /// A drawing.
    Svg,
    /// A drawing that holds its font, for LaTeX.
    Pdf,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Png, Self::Svg, Self::Pdf];

    /// The end of a file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Pdf => "pdf",
        }
    }
}

/// A figure.
pub struct Figure<'a> {
    /// Its name, that of its files without what follows the point.
    pub stem: String,
    /// What is shown: kind, numbers, what bands and intervals are.
    pub caption: String,
    /// The page.
    pub page: Page,
    draw: Draw<'a>,
}

impl<'a> Figure<'a> {
    /// A figure that `draw` puts on `page`.
    pub fn new(
        stem: impl Into<String>,
        page: Page,
        caption: impl Into<String>,
        draw: impl Fn(&mut Canvas<'_>) -> Result<()> + 'a,
    ) -> Self {
        Self { stem: stem.into(), caption: caption.into(), page, draw: Box::new(draw) }
    }

    /// Figures of parts of the given heights under each other, mm, on as many pages as [`Look::most_height`] asks for:
    /// `stem`, `stem-2` and so on, numbered in their captions. `head` and `foot` mm of each page lie above and below the parts;
    /// `draw` is given the parts of a page, each with its upper edge. A part that is higher than a page has one of its own.
    pub fn pages(
        look: &Look,
        stem: &str,
        caption: &str,
        (head, foot): (f64, f64),
        heights: &[f64],
        draw: impl Fn(&mut Canvas<'_>, &[(usize, f64)]) -> Result<()> + 'a,
    ) -> Vec<Self> {
        let mut pages: Vec<(Vec<(usize, f64)>, f64)> = Vec::new();
        for (i, height) in heights.iter().enumerate() {
            match pages.last_mut() {
                Some((parts, y)) if *y + height + foot <= look.most_height() + 1e-6 => {
                    parts.push((i, *y));
                    *y += height;
                }
                _ => pages.push((vec![(i, head)], head + height)),
            }
        }
        let (count, draw) = (pages.len(), Rc::new(draw));
        let page = |(i, (parts, bottom)): (usize, (Vec<(usize, f64)>, f64))| {
            let draw = Rc::clone(&draw);
            let (stem, caption) = match (count, i) {
                (1, _) => (stem.to_owned(), caption.to_owned()),
                (_, 0) => (stem.to_owned(), format!("{caption} (Page 1 of {count}.)")),
                _ => (format!("{stem}-{}", i + 1), format!("{caption} (Page {} of {count}.)", i + 1)),
            };
            Self::new(stem, look.page(bottom + foot), caption, move |c: &mut Canvas| draw(c, &parts))
        };
        pages.into_iter().enumerate().map(page).collect()
    }

    /// The SVG document.
    ///
    /// # Errors
    /// If the page is too large.
    pub fn svg(&self) -> Result<String> {
        canvas::svg(self.page, |c| (self.draw)(c))
    }

    /// Writes `STEM.png`, `STEM.svg`, `STEM.pdf` as `formats` has them; gives the paths.
    pub fn write_drawings(&self, dir: &Path, formats: &[Format]) -> Result<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for format in formats {
            let path = dir.join(format!("{}.{}", self.stem, format.extension()));
            let bytes = match format {
                Format::Png => canvas::png(self.page, |c| (self.draw)(c)),
                Format::Svg => self.svg().map(String::into_bytes),
                Format::Pdf => canvas::pdf(self.page, |c| (self.draw)(c)),
            };
            let bytes = bytes.map_err(|e| match e {
                Error::Data { subject, what, hint } if subject == canvas::FIGURE => Error::file(&path, what, hint),
                other => other,
            })?;
            write_atomically(&path, &bytes)?;
            paths.push(path);
        }
        Ok(paths)
    }

    /// The same, and the caption as `STEM.txt`.
    pub fn write(&self, dir: &Path, formats: &[Format]) -> Result<Vec<PathBuf>> {
        let mut paths = self.write_drawings(dir, formats)?;
        paths.push(dir.join(format!("{}.txt", self.stem)));
        write_atomically(&paths[formats.len()], format!("{}\n", self.caption.trim()).as_bytes())?;
        Ok(paths)
    }
}

impl std::fmt::Debug for Figure<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Figure").field("stem", &self.stem).field("page", &self.page).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_written_is_said_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let figure = |height| Figure::new("d", Look::default().page(height), "", |_| Ok(()));
        let all = figure(10.0).write(&dir.path().join("new/folder"), &Format::ALL).unwrap();
        assert!(all.len() == 4 && all.iter().all(|path| path.is_file()), "{all:?}");
        std::fs::create_dir(dir.path().join("d.png")).unwrap();
        let said = |height| figure(height).write(dir.path(), &[Format::Png]).unwrap_err().to_string();
        assert!(said(10.0).contains("folder"));
        assert!(said(f64::NAN).contains("d.png") && said(f64::NAN).contains("cannot be drawn"));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "only the folders");
    }

    #[test]
    fn pages_are_no_higher_than_a_column_and_hold_every_part() {
        let look = Look { width_mm: 85.0, ..Look::default() };
        let pages = |heights: &[f64]| Figure::pages(&look, "s", "What.", (10.0, 5.0), heights, |_, _| Ok(()));
        let five = pages(&[40.0; 5]);
        let found: Vec<_> = five.iter().map(|f| (f.stem.as_str(), f.page.height_mm)).collect();
        assert_eq!(found, [("s", 95.0), ("s-2", 95.0), ("s-3", 55.0)]);
        assert!(five[2].caption == "What. (Page 3 of 3.)" && pages(&[40.0])[0].caption == "What.");
        assert_eq!(pages(&[200.0, 1.0]).len(), 2, "what is higher than a page has one of its own");
    }
}
