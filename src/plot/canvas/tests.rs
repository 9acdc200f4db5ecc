//! The same drawing as bitmap, SVG and PDF.

use super::*;
use crate::plot::style::Theme;

fn scene(c: &mut Canvas) -> Result<()> {
    c.rect((1.0, 1.0), (5.0, 4.0), [200, 0, 0]);
    c.line((0.0, 5.0), (20.0, 5.0), 0.5, INK);
    c.polyline(&[(0.0, 0.0), (9.0, 9.0), (f64::NAN, 3.0)], 1.0, INK);
    c.polyline(&[(3.0, 3.0)], 1.0, INK);
    c.convex(&[(1.0, 1.0), (2.0, 2.0), (1.0, 3.0)], INK);
    c.text((2.0, 8.0), "a < b & \"c\"", &Type::default().bold());
    c.text((9.0, 8.0), "mm", &Type::default().middle().upwards());
    Ok(())
}

#[test]
fn drawings_have_their_size_and_resolution() {
    let page = Page { width_mm: 20.0, height_mm: 10.0, dpi: 254.0, theme: Theme::Paper };
    let bitmap = png(page, scene).unwrap();
    let at = |i: usize| u32::from_be_bytes(bitmap[i..i + 4].try_into().unwrap());
    assert_eq!((&bitmap[..8], &bitmap[37..41]), (b"\x89PNG\r\n\x1a\n".as_slice(), b"pHYs".as_slice()));
    assert_eq!((at(16), at(20), at(41)), (200, 100, 10_000));
    let text = svg(page, scene).unwrap();
    assert!(text.starts_with("<svg width=\"20mm\" height=\"10mm\"") && text.contains("viewBox=\"0 0 2000 1000\""));
    assert!(text.contains("a &lt; b &amp; &quot;c&quot;") && text.contains("font-weight=\"bold\""));
    assert_eq!(text.matches("textLength=").count(), 2);
    assert!(text.trim_end().ends_with("</svg>") && !text.contains("0.5ex"));
    for odd in [Page { width_mm: f64::NAN, ..page }, Page { dpi: 1e9, ..page }] {
        assert!(png(odd, scene).unwrap_err().to_string().contains("cannot be drawn"));
    }
}

#[test]
fn a_pdf_has_its_size_and_holds_its_font() {
    let page = Page { width_mm: 85.0, height_mm: 20.0, dpi: 254.0, theme: Theme::Paper };
    let file = pdf(page, scene).unwrap();
    assert_eq!(file, pdf(page, scene).unwrap(), "nothing but what is drawn");
    let text = String::from_utf8_lossy(&file);
    let (_, size) = text.split_once("/MediaBox [0 0 ").unwrap();
    let mm = |i: usize| size.split([' ', ']']).nth(i).unwrap().parse::<f64>().unwrap() / 72.0 * 25.4;
    assert!(text.starts_with("%PDF-1.") && (mm(0) - 85.0).abs() < 1e-3 && (mm(1) - 20.0).abs() < 1e-3);
    assert!(text.contains("/FontFile2") && !text.contains("/CreationDate") && !text.contains("/ID"));
    // the stream that has a Length1 is a TrueType font of that many bytes
    let find = |from: usize, what: &[u8]| from + file[from..].windows(what.len()).position(|w| w == what).unwrap();
    let number = |at: usize| -> usize {
        let digits = file[at..].iter().skip_while(|b| !b.is_ascii_digit()).take_while(|b| b.is_ascii_digit());
        digits.fold(0, |n, b| 10 * n + usize::from(b - b'0'))
    };
    let length = find(0, b"/Length1 ");
    let start = find(length, b"stream\n") + 7;
    let font = miniz_oxide::inflate::decompress_to_vec_zlib(&file[start..]).unwrap();
    assert_eq!((font.len(), &font[..4]), (number(length + 8), &[0, 1, 0, 0][..]));
    assert!(font.len() < 40_000, "only the letters that are used: {}", font.len());
}
