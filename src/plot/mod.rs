//! Drawing: nothing here knows of runs, networks or kernels.
//!
//! May use: `error`, `files`.
//!
//! - [`style`]: page, sizes in points, class colours; what a figure looks like is decided there; [`color_maps`]: colours of 0 to 1
//! - [`canvas`]: lines, areas and text in millimetres, as bitmap, SVG or PDF (underneath: [`raster`], [`text`], `output`, `pdf`)
//! - [`axes`]: ticks, frames, colour bars; [`legend`]: series and their legends; [`panels`]: small multiples, their lines and bands
//! - [`ecg_paper`]: strips on ECG paper; [`heading`]: the text above them; [`figure`]: a drawing with its caption, written in several formats

pub mod axes;
pub mod canvas;
pub mod color_maps;
pub mod distributions;
pub mod ecg_paper;
pub mod figure;
pub mod heading;
pub mod legend;
mod output;
pub mod panels;
mod pdf;
pub mod raster;
pub mod style;
pub mod text;
pub(crate) mod thin;

pub use figure::{Figure, Format};
pub use style::{Look, Page, Theme};
