//! The Grad-CAM figure: a strip on ECG paper at 25 mm/s and 10 mm/mV, coloured by its map.

use super::caption::{LEFT, LINE, SMALL, heading, panel_heading, panel_legend, set};
use crate::error::{Error, Result};
use crate::plot::axes::{Frame, color_bar, number};
use crate::plot::canvas::{Canvas, save};
use crate::plot::paper::{LARGE, LEAD_IN, ONE_ROW, ROW, SPEED, Strip, seconds};
use crate::plot::style::{Page, Theme, WARN, viridis};
use std::path::Path;

/// Most rows of one strip (what is longer is drawn as far as they go), and most strips of one panel.
const MOST_ROWS: usize = 12;
/// Page left and right of the paper, mm.
const MARGIN: (f64, f64) = (LEFT, 24.0);
/// Dots per inch: eight dots to the millimetre.
const DPI: f64 = 203.2;
/// Dots per inch of a panel: six dots to the millimetre.
const PANEL_DPI: f64 = 152.4;

/// One strip and what the network made of it.
#[derive(Debug, Clone)]
pub struct GradCamFigure<'a> {
    /// Name of the record, printed above the strip.
    pub title: Option<&'a str>,
    /// The strip, in mV if `in_mv`; samples that are not finite are drawn as gaps.
    pub signal_mv: &'a [f32],
    /// Sampling rate, Hz.
    pub fs: f64,
    /// False: the signal is in arbitrary units; the figure picks a gain and says so.
    pub in_mv: bool,
    /// The map, 0..1, as long as the signal; values that are not finite are drawn grey.
    pub map: &'a [f32],
    /// R peaks, samples from the start of the strip.
    pub r_peaks: &'a [u32],
    /// The R peaks are an expert's beats, not a detector's.
    pub expert_beats: bool,
    /// The true class, if known.
    pub true_class: Option<&'a str>,
    /// The class with the highest probability.
    pub predicted_class: &'a str,
    /// Its probability, 0..1.
    pub probability: f32,
    /// The class that the map explains.
    pub target_class: &'a str,
    /// The layer that the map is taken from.
    pub layer: &'a str,
}

/// Height of the numbers under a row, and of the axis' name below them, mm.
const NUMBERS: f64 = 6.0;
const NAME: f64 = 5.0;
/// Between a panel's text and its paper, mm.
const BENEATH: f64 = 0.4;

/// Draws one strip at its true scale: 10 s are 250 mm of paper. A strip of more than 12 s is broken into rows of 10 s; of one
/// of more than 120 s the first 120 s are drawn, which the figure says.
///
/// # Errors
/// If the strip cannot be drawn (no finite sample, a map of another length or outside 0..1, R peaks outside of the
/// strip), or the file cannot be written.
pub fn draw(path: impl AsRef<Path>, fig: &GradCamFigure) -> Result<()> {
    let strip = Strip::new(fig, (3.0 * LARGE, 3.0 * LARGE))?;
    let mut rows = rows(&strip, fig.signal_mv.len());
    let whole = rows.len() <= MOST_ROWS;
    rows.truncate(MOST_ROWS);
    let drawn = rows.last().map_or(0, |row| row.1) as f64 / fig.fs;
    let part = (!whole).then(|| format!("the first {} s of {} s are drawn", number(drawn), number(strip.seconds())));
    let notes: Vec<String> = part.into_iter().chain(strip.cut_text()).collect();
    let paper = paper_width(&strip, &rows);
    let width = MARGIN.0 + LEAD_IN + paper + MARGIN.1;
    let heading = heading(fig, &strip, width - MARGIN.0 - 4.0);
    let top = 4.0 + heading.len() as f64 * LINE + 1.0;
    let foot = notes.len() as f64 * LINE;
    let pitch = strip.height() + NUMBERS + 2.0;
    let height = top + pitch * rows.len() as f64 + NAME + foot + 1.0;
    save(path, Page { width_mm: width, height_mm: height, dpi: DPI, theme: Theme::Paper }, |c| {
        set(c, &heading, 4.0);
        for (i, &(from, to)) in rows.iter().enumerate() {
            let origin = (MARGIN.0 + LEAD_IN, top + pitch * i as f64 + strip.above);
            strip.draw(c, origin, from, to, paper);
            let (start, name) = (from as f64 / fig.fs, (i + 1 == rows.len()).then_some(paper / 2.0));
            seconds(c, (origin.0, origin.1 + strip.below), start, (to - from) as f64 / fig.fs, SMALL.pt, name);
        }
        for (i, text) in notes.iter().rev().enumerate() {
            c.text((MARGIN.0, height - 2.0 - i as f64 * LINE), text, &SMALL.color(WARN));
        }
        bar(c, MARGIN.0 + LEAD_IN + paper, top, top + strip.height());
        Ok(())
    })
}

/// Draws several strips under each other, one colour bar for all; of a strip longer than 12 s only the first 10 s.
///
/// # Errors
/// As [`draw`]; also without a strip, and with more than 12.
pub fn draw_panel(path: impl AsRef<Path>, figs: &[GradCamFigure]) -> Result<()> {
    if figs.is_empty() || figs.len() > MOST_ROWS {
        let what = format!("{} strips, expected 1 to {MOST_ROWS}", figs.len());
        return Err(Error::data("the Grad-CAM panel", what, "choose one strip per class"));
    }
    let strips = figs.iter().map(|f| Strip::new(f, (2.0 * LARGE, LARGE))).collect::<Result<Vec<_>>>()?;
    let first: Vec<(usize, usize)> = strips.iter().zip(figs).map(|(s, f)| rows(s, f.signal_mv.len())[0]).collect();
    let paper = strips.iter().zip(&first).map(|(s, r)| paper_width(s, &[*r])).fold(0.0, f64::max);
    let width = MARGIN.0 + LEAD_IN + paper + MARGIN.1;
    let headings: Vec<_> =
        figs.iter().zip(&strips).map(|(f, s)| panel_heading(f, s, width - MARGIN.0 - MARGIN.1)).collect();
    let legend = panel_legend(figs, &strips, width - MARGIN.0 - 4.0);
    let mut top = 3.0 + legend.len() as f64 * LINE + 2.0;
    let mut tops = Vec::new();
    for (heading, strip) in headings.iter().zip(&strips) {
        tops.push(top);
        top += heading.len() as f64 * LINE + BENEATH + strip.height() + 3.2;
    }
    let height = top + NUMBERS + NAME - 1.0;
    save(path, Page { width_mm: width, height_mm: height, dpi: PANEL_DPI, theme: Theme::Paper }, |c| {
        set(c, &legend, 3.0);
        let mut bottom = 0.0;
        for (((strip, heading), &(from, to)), &top) in strips.iter().zip(&headings).zip(&first).zip(&tops) {
            set(c, heading, top);
            let paper_top = top + heading.len() as f64 * LINE + BENEATH;
            strip.draw(c, (MARGIN.0 + LEAD_IN, paper_top + strip.above), from, to, paper);
            bottom = paper_top + strip.height();
        }
        seconds(c, (MARGIN.0 + LEAD_IN, bottom), 0.0, paper / SPEED, SMALL.pt, Some(paper / 2.0));
        let middle = (tops[0] + bottom) / 2.0;
        let half = ((bottom - tops[0]) / 2.0 - LINE).min(45.0);
        bar(c, MARGIN.0 + LEAD_IN + paper, middle - half, middle + half);
        Ok(())
    })
}

/// First and last sample of every row.
fn rows(strip: &Strip, samples: usize) -> Vec<(usize, usize)> {
    if strip.seconds() <= ONE_ROW {
        return vec![(0, samples)];
    }
    let length = ((ROW * strip.fs).round() as usize).max(1);
    (0..samples).step_by(length).map(|from| (from, (from + length).min(samples))).collect()
}

/// Paper behind the lead-in, mm: whole large squares, and wide enough for the text above.
fn paper_width(strip: &Strip, rows: &[(usize, usize)]) -> f64 {
    let longest = rows.iter().map(|r| (r.1 - r.0) as f64 / strip.fs).fold(0.0, f64::max);
    ((longest * SPEED / LARGE - 1e-6).ceil() * LARGE).max(100.0)
}

fn bar(c: &mut Canvas, paper_right: f64, top: f64, bottom: f64) {
    let frame = Frame { x0: paper_right + 4.0, y0: top, x1: paper_right + 8.0, y1: bottom };
    color_bar(c, frame, viridis, &[(0.0, "0"), (0.5, "0.5"), (1.0, "1")], "Grad-CAM (0–1)", SMALL.pt);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure<'a>(signal: &'a [f32], map: &'a [f32], r_peaks: &'a [u32]) -> GradCamFigure<'a> {
        GradCamFigure {
            title: Some("record & 100"),
            signal_mv: signal,
            fs: 100.0,
            in_mv: true,
            map,
            r_peaks,
            expert_beats: true,
            true_class: Some("SB"),
            predicted_class: "SR",
            probability: 0.875,
            target_class: "SB",
            layer: "blocks.3",
        }
    }

    fn wave(n: usize) -> (Vec<f32>, Vec<f32>) {
        let t = |i: usize| i as f32 / 100.0;
        ((0..n).map(|i| (t(i) * 7.0).sin().powi(9)).collect(), (0..n).map(|i| (t(i) * 3.5).sin().abs()).collect())
    }

    #[test]
    fn ten_seconds_are_250_mm() {
        let dir = tempfile::tempdir().unwrap();
        let (signal, map) = wave(1000);
        let png = dir.path().join("strip.png");
        draw(&png, &figure(&signal, &map, &[22, 112])).unwrap();
        let bytes = std::fs::read(&png).unwrap();
        let at = |i: usize| u32::from_be_bytes(bytes[i..i + 4].try_into().unwrap());
        assert_eq!((at(16), at(41)), (((250.0 + LEAD_IN + MARGIN.0 + MARGIN.1) * 8.0) as u32, 8000));
        assert!(at(20) > 300 && bytes.len() < 400_000, "{}", bytes.len());
        let svg = dir.path().join("strip.svg");
        draw(&svg, &figure(&signal, &map, &[22, 112])).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        for label in [
            "record &amp; 100",
            "SB",
            "(probability 0.88)",
            "blocks.3",
            "expert beats",
            "25 mm/s",
            "10 mm/mV",
            "time (s)",
            "Grad-CAM (0–1)",
        ] {
            assert!(text.contains(label), "{label}");
        }
        let panel =
            [figure(&signal, &map, &[22]), GradCamFigure { expert_beats: false, ..figure(&signal, &map, &[9]) }];
        draw_panel(&svg, &panel).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        assert!(text.contains("detected R peaks") && text.contains("expert beats"));
        assert_eq!(text.matches("Grad-CAM").count(), 1, "one colour bar");
    }

    #[test]
    fn odd_strips_are_drawn() {
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("strip.svg");
        let text = |fig: &GradCamFigure| {
            draw(&svg, fig).unwrap();
            draw_panel(dir.path().join("panel.svg"), std::slice::from_ref(fig)).unwrap();
            std::fs::read_to_string(&svg).unwrap()
        };
        text(&figure(&[0.3], &[1.0], &[0]));
        text(&figure(&[f32::NAN, 0.0, f32::INFINITY], &[f32::NAN; 3], &[0, 2]));
        let said = text(&figure(&[0.0; 50], &[0.0; 50], &[]));
        assert!(said.contains("dead map: zero everywhere"), "{said}");
        for huge in [f32::MAX, -f32::MAX, 1e-45] {
            let signal = [0.0, huge, 0.1, huge, 0.0];
            text(&figure(&signal, &[0.5; 5], &[1]));
            text(&GradCamFigure {
                in_mv: false,
                probability: f32::NAN,
                true_class: None,
                ..figure(&signal, &[0.5; 5], &[1])
            });
        }
        let (mut signal, mut map) = wave(3100);
        (signal[7], map[9]) = (50.0, f32::NAN);
        let said = text(&figure(&signal, &map, &[]));
        assert!(
            !said.contains("dead map")
                && said.contains("1 sample is cut")
                && said.contains("grey: the map has no value")
        );
        assert!(said.contains("31\n"), "the last of four rows ends at 31 s");
        // longer than the page: as far as it goes
        let (long, long_map) = wave(13_050);
        let said = text(&figure(&long, &long_map, &[22, 12_999]));
        assert!(said.contains("the first 120 s of 130.5 s are drawn") && said.contains("120\n"), "{said}");
        assert!(!text(&figure(&long[..12_000], &long_map[..12_000], &[])).contains("are drawn"));
        let said = text(&GradCamFigure { in_mv: false, ..figure(&signal, &map, &[]) });
        assert!(said.contains("arbitrary units") && !said.contains("10 mm/mV"));
        let name = "心\n".repeat(500);
        text(&GradCamFigure {
            title: Some(&name),
            layer: &name,
            predicted_class: &name,
            target_class: "",
            ..figure(&signal, &map, &[])
        });
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let said = |fig: &GradCamFigure| draw(dir.path().join("a.svg"), fig).unwrap_err().to_string();
        assert!(said(&figure(&[], &[], &[])).contains("none of its 0 samples"));
        assert!(said(&figure(&[f32::NAN; 3], &[0.0; 3], &[])).contains("none of its 3 samples"));
        assert!(said(&figure(&[0.0; 3], &[0.0; 2], &[])).contains("2 values"));
        assert!(said(&figure(&[0.0; 3], &[0.0, 7.0, 0.0], &[])).contains("expected 0 to 1"));
        assert!(said(&figure(&[0.0; 3], &[0.0; 3], &[3])).contains("R peak at sample 3"));
        for fs in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(said(&GradCamFigure { fs, ..figure(&[0.0; 3], &[0.0; 3], &[]) }).contains("sampling rate"));
        }
        assert!(draw_panel(dir.path().join("a.svg"), &[]).is_err());
    }
}
