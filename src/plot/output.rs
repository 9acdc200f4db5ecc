//! Formats of figures: PNG with a resolution, SVG with a size in millimetres.

use crate::plot::raster::Raster;
use crate::plot::style::Page;

/// plotters' mark of a text that it centred; ours stand on their baseline.
const SVG_CENTRED: &str = " dy=\"0.5ex\"";

/// The bytes of a bitmap of `dpi` dots per inch; they say its resolution.
pub fn png(raster: &Raster, dpi: f64) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    encode_png(&mut bytes, raster, dpi)?;
    Ok(bytes)
}

fn encode_png(out: &mut Vec<u8>, raster: &Raster, dpi: f64) -> Result<(), png::EncodingError> {
    let mut encoder = png::Encoder::new(out, raster.width as u32, raster.height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_filter(png::Filter::Adaptive);
    let per_metre = (dpi / 0.0254).round() as u32;
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: per_metre, yppu: per_metre, unit: png::Unit::Meter }));
    encoder.write_header()?.write_image_data(&raster.rgb)
}

/// The SVG with its size in mm, round line ends, and texts that stand on their baseline and are as wide as they were
/// measured, whichever font the viewer has.
pub fn finish_svg(document: &str, page: Page, size: (u32, u32), widths: &[f64]) -> String {
    let pixels = format!("width=\"{}\" height=\"{}\"", size.0, size.1);
    let physical = format!(
        "width=\"{}mm\" height=\"{}mm\" stroke-linecap=\"round\" stroke-linejoin=\"round\"",
        page.width_mm * page.theme.scale(),
        page.height_mm * page.theme.scale()
    );
    let document = document.replacen(&pixels, &physical, 1).replace(SVG_CENTRED, "").replace(" opacity=\"1\"", "");
    let mut parts = document.split("<text ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for (part, width) in parts.zip(widths) {
        out += &format!("<text textLength=\"{width:.0}\" lengthAdjust=\"spacingAndGlyphs\" {part}");
    }
    out
}
