//! The figure of `exgnet explain`: a strip on ECG paper, coloured by its map.

use crate::error::Result;
use crate::plot::canvas::Canvas;
use crate::plot::ecg_paper::{Scale, Strip, Trace, map_bar, time_axis};
use crate::plot::figure::Figure;
use crate::plot::heading::{Fact, Heading};
use crate::plot::style::{INK_SOFT, Look};

/// Most of a strip that is drawn, s; longest strip in one row, and rows of longer ones.
const MOST: f64 = 120.0;
const ONE_ROW: f64 = 12.0;
const ROW: f64 = 10.0;
/// Page left of the paper, and right of it for the colour bar, mm.
const MARGIN: (f64, f64) = (3.0, 16.0);
/// Under a row: numbers, and the axis' name under the last, mm.
const NUMBERS: f64 = 6.0;
const NAME: f64 = 4.0;

/// Width of a page that holds 10 s of true paper, mm.
pub const TRUE_MM: f64 = 10.4 * 25.0 + MARGIN.0 + MARGIN.1;

/// One strip and what the network made of it.
#[derive(Debug, Clone)]
pub struct GradCamFigure<'a> {
    /// The strip.
    pub strip: Strip<'a>,
    /// The map, 0..1, as long as the strip; values that are not finite are drawn grey.
    pub map: &'a [f32],
    /// The true class and its place among all, if known.
    pub true_class: Option<(&'a str, usize)>,
    /// The class with the highest probability.
    pub predicted: (&'a str, usize),
    /// Its probability, 0..1.
    pub probability: f64,
    /// The class that the map explains.
    pub target: (&'a str, usize),
    /// The layer that the map is taken from.
    pub layer: &'a str,
}

impl GradCamFigure<'_> {
    fn facts(&self, trace: &Trace) -> Vec<Fact> {
        let truth = self.true_class.map(|class| Fact::class("true", class, ""));
        let layer = format!("from layer {}, scaled to a maximum of 1", self.layer);
        let mut all = vec![Fact::title(self.strip.record)];
        all.extend(truth);
        all.push(Fact::predicted(self.predicted, self.probability));
        all.push(Fact::class("map for", self.target, &layer));
        all.extend(Strip::legend(&[self.strip]));
        all.push(Fact::words(trace.scale_text(), INK_SOFT));
        all.extend(trace.warnings());
        all
    }
}

/// One strip, all that is known of it above (there is no caption), at true scale where the page has room: of up to 12 s in one
/// row, of a longer one in rows of 10 s, and in shorter rows where the paper would be smaller than 45 % of its true size. Of a
/// strip of more than 120 s the first 120 s are drawn, which the figure says.
///
/// # Errors
/// If the strip cannot be drawn (no finite sample, a map of another length or outside 0..1, R peaks outside of the strip).
pub fn figures<'a>(look: &Look, stem: &str, fig: &GradCamFigure<'a>) -> Result<Vec<Figure<'a>>> {
    let width = look.width() - MARGIN.0 - MARGIN.1;
    let seconds = fig.strip.seconds();
    let mut row = if seconds > ONE_ROW { ROW } else { seconds.max(1.0) };
    while row > 2.5 && Scale::fitting(look, width, row).time() * look.theme.scale() < 11.25 {
        row /= 2.0;
    }
    let row = (row / 0.2 - 1e-6).ceil() * 0.2;
    let scale = Scale::fitting(look, width, row);
    let trace = Trace::new(fig.strip, scale, MOST)?.with_map(fig.map)?;
    let rows = trace.rows(row);
    let heading = Heading::new(fig.facts(&trace), look.width() - MARGIN.0 - 2.0);
    let (head, pitch) = (heading.height + 2.5, trace.height() + NUMBERS);
    let heights = vec![pitch; rows.len()];
    Ok(Figure::pages(look, stem, "", (head, NAME), &heights, move |c: &mut Canvas, parts| {
        heading.draw(c, (MARGIN.0, 1.0));
        let (x, fs) = (MARGIN.0 + scale.lead_in(), trace.strip().fs);
        for (k, &(i, top)) in parts.iter().enumerate() {
            trace.draw_row(c, (x, top), &rows[i], row);
            let part = (rows[i].start as f64 / fs, rows[i].len() as f64 / fs);
            time_axis(c, (x, top + trace.height()), part, scale, k + 1 == parts.len());
        }
        map_bar(c, x + row * scale.time() + 3.0, (head, head + pitch * parts.len() as f64 - NUMBERS));
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure<'a>(signal: &'a [f32], map: &'a [f32], r_peaks: &'a [u32]) -> GradCamFigure<'a> {
        GradCamFigure {
            strip: Strip { record: "record & 100", signal, fs: 100.0, in_mv: true, r_peaks, expert_beats: true },
            map,
            true_class: Some(("SB", 1)),
            predicted: ("SR", 0),
            probability: 0.875,
            target: ("SB", 1),
            layer: "blocks.3",
        }
    }

    fn wave(n: usize) -> (Vec<f32>, Vec<f32>) {
        let t = |i: usize| i as f32 / 100.0;
        ((0..n).map(|i| (t(i) * 7.0).sin().powi(9)).collect(), (0..n).map(|i| (t(i) * 3.5).sin().abs()).collect())
    }

    fn pages(width_mm: f64, fig: &GradCamFigure) -> Vec<String> {
        let figures = figures(&Look { width_mm, ..Look::default() }, "s", fig).unwrap();
        assert!(width_mm > 100.0 || figures.iter().all(|f| f.page.height_mm <= 120.0));
        figures.iter().map(|f| f.svg().unwrap()).collect()
    }

    #[test]
    fn ten_seconds_are_250_mm_where_the_page_has_room() {
        let (signal, map) = wave(1000);
        let all = pages(TRUE_MM, &figure(&signal, &map, &[22, 112]));
        let said = "record &amp; 100|SB|(0.88)|blocks.3|annotated beats|25 mm/s, 10 mm/mV|time (s)|Grad-CAM (0–1)";
        said.split('|').for_each(|label| assert!(all[0].contains(label), "{label}"));
        assert!(all.len() == 1 && !all[0].contains("drawn at"), "true scale");
        assert!(pages(180.0, &figure(&signal, &map, &[]))[0].contains("drawn at 61 %"));
        let narrow = pages(85.0, &figure(&signal, &map, &[22]));
        assert_eq!((narrow.len(), narrow[0].matches("Grad-CAM").count()), (1, 1), "two rows of 5 s, one bar");
    }

    #[test]
    fn odd_strips_are_drawn() {
        let text = |fig: &GradCamFigure| [pages(TRUE_MM, fig), pages(85.0, fig)].concat().concat();
        text(&figure(&[0.3], &[1.0], &[0]));
        text(&figure(&[f32::NAN, 0.0, f32::INFINITY], &[f32::NAN; 3], &[0, 2]));
        assert!(text(&figure(&[0.0; 50], &[0.0; 50], &[])).contains("dead map: zero everywhere"));
        for huge in [f32::MAX, -f32::MAX, 1e-45] {
            let signal = [0.0, huge, 0.1, huge, 0.0];
            let fig = figure(&signal, &[0.5; 5], &[1]);
            let units = Strip { in_mv: false, ..fig.strip };
            text(&GradCamFigure { strip: units, probability: f64::NAN, true_class: None, ..fig.clone() });
            text(&fig);
        }
        let (mut signal, mut map) = wave(3100);
        (signal[7], map[9]) = (50.0, f32::NAN);
        let said = text(&figure(&signal, &map, &[]));
        assert!(said.contains("1 sample cut") && said.contains("grey: the map has no value") && !said.contains("dead"));
        assert!(said.contains("31\n"), "the last of four rows ends at 31 s");
        let (long, long_map) = wave(13_050);
        let said = text(&figure(&long, &long_map, &[22, 12_999]));
        assert!(said.contains("first 120 s of 130.5 s") && said.contains("120\n"));
        assert!(pages(85.0, &figure(&long, &long_map, &[])).len() > 1, "pages where there is no room");
        let name = "心\n".repeat(500);
        let fig = figure(&signal, &map, &[]);
        let strip = Strip { record: &name, ..fig.strip };
        text(&GradCamFigure { strip, layer: &name, predicted: (&name, 9), target: ("", 0), ..fig });
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let said = |fig: &GradCamFigure| figures(&Look::default(), "s", fig).unwrap_err().to_string();
        assert!(said(&figure(&[], &[], &[])).contains("none of its 0 samples"));
        assert!(said(&figure(&[f32::NAN; 3], &[0.0; 3], &[])).contains("none of its 3 samples"));
        assert!(said(&figure(&[0.0; 3], &[0.0; 2], &[])).contains("2 values"));
        assert!(said(&figure(&[0.0; 3], &[0.0, 7.0, 0.0], &[])).contains("expected 0 to 1"));
        assert!(said(&figure(&[0.0; 3], &[0.0; 3], &[3])).contains("R peak at sample 3"));
        for fs in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let fig = figure(&[0.0; 3], &[0.0; 3], &[]);
            assert!(said(&GradCamFigure { strip: Strip { fs, ..fig.strip }, ..fig }).contains("sampling rate"));
        }
    }
}
