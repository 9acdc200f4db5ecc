//! Files of figures: PNG with a resolution, SVG with a size in millimetres, each written whole or not at all.

use super::raster::Raster;
use super::style::Page;
use crate::error::{Error, Result};
use plotters::prelude::{BitMapBackend, DrawingBackend};
use std::fs;
use std::path::{Path, PathBuf};

/// plotters' mark of a text that it centred; ours stand on their baseline.
const SVG_CENTRED: &str = " dy=\"0.5ex\"";

/// Writes a bitmap of `dpi` dots per inch.
pub fn write_png(path: &Path, raster: &Raster, dpi: f64) -> Result<()> {
    write_whole(path, "png", |temporary| {
        encode_png(temporary, raster)?;
        let png = fs::read(temporary).map_err(|e| e.to_string())?;
        fs::write(temporary, with_resolution(&png, dpi)).map_err(|e| e.to_string())
    })
}

/// Writes an SVG document.
pub fn write_svg(path: &Path, document: &str) -> Result<()> {
    write_whole(path, "svg", |temporary| fs::write(temporary, document).map_err(|e| e.to_string()))
}

/// Lets `write` fill a file beside `path`, then gives it its name.
fn write_whole(path: &Path, extension: &str, write: impl FnOnce(&Path) -> Result<(), String>) -> Result<()> {
    static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let fail = |what: String| {
        Error::file(
            path,
            format!("cannot be written: {what}"),
            "check that the folder is writable and the disk is not full",
        )
    };
    if path.is_dir() {
        return Err(fail("it is a folder".into()));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    if !folder.as_os_str().is_empty() {
        fs::create_dir_all(folder).map_err(|e| fail(e.to_string()))?;
    }
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let temporary: PathBuf = folder.join(format!(".figure-{}-{count}.{extension}", std::process::id()));
    let done = write(&temporary).and_then(|()| fs::rename(&temporary, path).map_err(|e| e.to_string()));
    done.map_err(|what| {
        fs::remove_file(&temporary).ok();
        fail(what)
    })
}

fn encode_png(path: &Path, raster: &Raster) -> Result<(), String> {
    let size = (raster.width as u32, raster.height as u32);
    let mut backend = BitMapBackend::new(path, size);
    backend.blit_bitmap((0, 0), size, &raster.rgb).map_err(|e| e.to_string())?;
    backend.present().map_err(|e| e.to_string())
}

/// The PNG with a `pHYs` chunk behind its header: the resolution, in dots per metre.
fn with_resolution(png: &[u8], dpi: f64) -> Vec<u8> {
    const HEADER: usize = 8 + 25;
    let Some((header, rest)) = png.split_at_checked(HEADER) else { return png.to_vec() };
    let per_metre = ((dpi / 0.0254).round() as u32).to_be_bytes();
    let chunk = [b"pHYs".as_slice(), &per_metre, &per_metre, &[1]].concat();
    let crc = chunk.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { c >> 1 ^ 0xedb8_8320 } else { c >> 1 })
    });
    [header, &9u32.to_be_bytes(), &chunk, &(!crc).to_be_bytes(), rest].concat()
}

/// The SVG with its size in mm, round line ends, and texts that stand on their baseline and are as wide as they were
/// measured, whichever font the viewer has.
pub fn finish_svg(document: &str, page: Page, size: (u32, u32), widths: &[f64]) -> String {
    let pixels = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    let physical = format!(
        "width=\"{}mm\" height=\"{}mm\" stroke-linecap=\"round\" stroke-linejoin=\"round\"",
        page.width_mm, page.height_mm
    );
    let document = document.replacen(&pixels, &physical, 1).replace(SVG_CENTRED, "");
    let mut parts = document.split("<text ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (part, width) in parts.zip(widths) {
        out += &format!("<text textLength=\"{width:.0}\" lengthAdjust=\"spacingAndGlyphs\" {part}");
    }
    out
}
