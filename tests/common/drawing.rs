//! What the tests of figures share: the texts of a drawing, and what holds for every drawing.

#![allow(dead_code, reason = "each test file uses its own part")]

use exgnet::plot::Figure;

/// The texts of a drawing, in the order of drawing.
pub fn texts(svg: &str) -> Vec<String> {
    let inner = |part: &str| {
        let (_, rest) = part.split_once('>')?;
        Some(rest.split("</text>").next()?.trim().to_owned())
    };
    svg.split("<text ").skip(1).filter_map(inner).collect()
}

/// No text leaves the page, none is smaller than 6 pt, and what is drawn is a number.
pub fn check(figure: &Figure, what: &str) -> String {
    let svg = figure.svg().unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(!svg.contains("NaN") && !svg.contains("\"inf"), "{what}");
    let number = |part: &str, key: &str| -> f64 {
        let value = part.split(&format!("{key}=\"")).nth(1).and_then(|p| p.split('"').next());
        value.and_then(|v| v.parse().ok()).unwrap_or_else(|| panic!("{what}: {key} in {part}"))
    };
    // as laid out, before a theme enlarges it
    let (wide, high) = (100.0 * figure.page.width_mm, 100.0 * figure.page.height_mm);
    let mut boxes: Vec<(f64, f64, f64, f64, String)> = Vec::new();
    for (part, text) in svg.split("<text ").skip(1).zip(texts(&svg)) {
        let (x, y, width) = (number(part, " x"), number(part, " y"), number(part, "textLength"));
        let em = number(part, "font-size") / 100.0 * 72.0 / 25.4;
        assert!(em > 5.9, "{what}: {em} pt in {part}");
        let anchor = part.split("text-anchor=\"").nth(1).and_then(|p| p.split('"').next()).unwrap_or("start");
        let back = match anchor {
            "middle" => width / 2.0,
            "end" => width,
            _ => 0.0,
        };
        let cap = 0.7 * number(part, "font-size");
        let (x0, y0, x1, y1) = if part.contains("rotate") {
            (x - cap, y + back - width, x, y + back)
        } else {
            (x - back, y - cap, x - back + width, y)
        };
        assert!(x0 >= -1.0 && y0 >= -1.0 && x1 <= wide + 1.0 && y1 <= high + 1.0, "{what}: cut off: {part}");
        for (a0, b0, a1, b1, other) in &boxes {
            let apart = x0 >= *a1 || *a0 >= x1 || y0 >= *b1 || *b0 >= y1;
            assert!(apart, "{what}: \"{text}\" lies on \"{other}\"");
        }
        boxes.push((x0, y0, x1, y1, text));
    }
    svg
}
