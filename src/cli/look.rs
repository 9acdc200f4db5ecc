//! How figures are to look: options that every command with figures has.

use crate::error::{Error, Result};
use crate::plot::{Format, Look, Page, Theme};
use clap::Args;

/// Narrowest page that figures are laid out for, mm.
const LEAST_MM: f64 = 80.0;

#[derive(Args)]
pub(super) struct LookArgs {
    /// File formats, separated by commas: png, svg, pdf (vectors, its font embedded)
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', default_value = "png,svg", value_parser = format)]
    pub(super) format: Vec<Format>,
    /// Width, mm: 85 for a column, 180 for a page; sizes of letters stay as they are
    #[arg(long, value_name = "MM")]
    width_mm: Option<f64>,
    /// Resolution of bitmaps, dots per inch
    #[arg(long, value_name = "DPI", default_value_t = Page::DPI)]
    dpi: f64,
    /// paper, slides (letters and lines half as large again) or dark
    #[arg(long, value_name = "THEME", default_value = "paper", value_parser = theme)]
    theme: Theme,
}

fn format(name: &str) -> Result<Format, String> {
    Format::ALL
        .into_iter()
        .find(|f| f.extension().eq_ignore_ascii_case(name))
        .ok_or_else(|| "expected png, svg or pdf".into())
}

fn theme(name: &str) -> Result<Theme, String> {
    let found = Theme::ALL.into_iter().find(|t| t.name().eq_ignore_ascii_case(name));
    found.ok_or_else(|| format!("expected one of {}", Theme::ALL.map(Theme::name).join(", ")))
}

impl LookArgs {
    /// How figures are to look; `width_mm` wide where no width is given.
    pub(super) fn look(&self, width_mm: f64) -> Result<Look> {
        const MM: &str = "85 mm is a journal's column, 180 mm its page; slides are larger";
        const DPI: &str = "300 dpi is usual for print, 100 for a screen";
        let look = Look { width_mm: self.width_mm.unwrap_or(width_mm), dpi: self.dpi, theme: self.theme };
        // slides are laid out narrower and drawn larger: there must be room left
        let least = (LEAST_MM * self.theme.scale()).ceil();
        let theme = format!(" for --theme {}", self.theme.name());
        let sizes =
            [("--width-mm", look.width_mm, least, 400.0, &*theme, MM), ("--dpi", self.dpi, 50.0, 1200.0, "", DPI)];
        for (name, value, low, high, of, hint) in sizes {
            if !(low..=high).contains(&value) {
                return Err(Error::config(format!("{name} {value}: expected {low} to {high}{of}"), hint));
            }
        }
        Ok(look)
    }
}
