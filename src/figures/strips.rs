//! Example strips of a data set on ECG paper.

use crate::error::{Error, Result};
use crate::plot::canvas::Canvas;
use crate::plot::ecg_paper::{Scale, Strip, Trace, time_axis};
use crate::plot::figure::Figure;
use crate::plot::heading::{Fact, Heading};
use crate::plot::style::{INK, INK_SOFT, Look};

/// Most strips of one figure, on as many pages as they take.
pub(crate) const MOST: usize = 120;
/// Page left and right of the paper, mm.
const MARGIN: f64 = 3.0;

/// A strip to show.
#[derive(Debug, Clone)]
pub struct ExampleStrip<'a> {
    /// Its class, and the place of the class among all.
    pub class: (&'a str, usize),
    /// The strip.
    pub strip: Strip<'a>,
}

impl ExampleStrip<'_> {
    /// Mean heart rate in words.
    fn rate(&self) -> String {
        let Strip { r_peaks, fs, .. } = self.strip;
        match (r_peaks.first(), r_peaks.last()) {
            (Some(first), Some(last)) if last > first => {
                format!("{:.0} beats/min", 60.0 * fs * (r_peaks.len() - 1) as f64 / f64::from(last - first))
            }
            _ => "no rate (fewer than 2 beats)".into(),
        }
    }
}

/// Strips under each other, each with its class, record and rate, at one scale: the longest, at most 10 s (6 s on a narrow
/// page), takes the width of the page. Of longer strips the beginning is drawn.
///
/// # Errors
/// Without a strip, with more than 120, or if one cannot be drawn (no finite sample, no sampling rate, R peaks outside).
pub fn strips<'a>(look: &Look, examples: Vec<ExampleStrip<'a>>) -> Result<Vec<Figure<'a>>> {
    if examples.is_empty() || examples.len() > MOST {
        let what = format!("{} strips, expected 1 to {MOST}", examples.len());
        return Err(Error::data("example strips", what, "choose a few strips of every class"));
    }
    let width = look.width() - 2.0 * MARGIN;
    let all: Vec<Strip> = examples.iter().map(|e| e.strip).collect();
    let seconds = Scale::window(&all, width);
    let scale = Scale::fitting(look, width, seconds);
    let mut rows = Vec::new();
    for one in &examples {
        let trace = Trace::new(one.strip, scale, seconds)?;
        let record = Fact::words(one.strip.record, INK_SOFT);
        let facts = [Fact::class("", one.class, ""), record, Fact::words(one.rate(), INK)];
        rows.push((Heading::new(facts.into_iter().chain(trace.remarks()), width), trace));
    }
    let legend = Heading::new(Strip::legend(&all).chain([Fact::words(scale.text_of(&all), INK_SOFT)]), width);
    let heights: Vec<f64> = rows.iter().map(|(heading, trace)| heading.height + trace.height() + 2.2).collect();
    let caption = format!(
        "Example strips of each class, with the mean heart rate between the first and the last R peak. {}",
        scale.caption(&all)
    );
    Ok(Figure::pages(look, "strips", &caption, (legend.height + 2.0, 8.0), &heights, move |c: &mut Canvas, parts| {
        legend.draw(c, (MARGIN, 1.0));
        let (x, mut bottom) = (MARGIN + scale.lead_in(), 0.0);
        for &(i, top) in parts {
            let (heading, trace) = &rows[i];
            heading.draw(c, (MARGIN, top));
            trace.draw(c, (x, top + heading.height), seconds);
            bottom = top + heading.height + trace.height();
        }
        time_axis(c, (x, bottom), (0.0, seconds), scale, true);
        Ok(())
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example<'a>(signal: &'a [f32], r_peaks: &'a [u32]) -> ExampleStrip<'a> {
        let strip = Strip { record: "a <b>", fs: 100.0, signal, in_mv: true, r_peaks, expert_beats: true };
        ExampleStrip { class: ("SB", 1), strip }
    }

    #[test]
    fn strips_without_a_unit_are_not_in_mv() {
        let signal: Vec<f32> = (0..1000).map(|i| 800.0 * (i as f32 * 0.05).sin().powi(9)).collect();
        let one = example(&signal, &[100, 220, 340]);
        let counts = ExampleStrip { strip: Strip { in_mv: false, ..one.strip }, ..one.clone() };
        let figure = strips(&Look::default(), vec![counts.clone()]).unwrap().remove(0);
        let said = figure.svg().unwrap();
        assert!(said.contains("10 mm = 500 arbitrary units (not mV)") && !said.contains("10 mm/mV"), "{said}");
        assert!(!figure.caption.contains("mV"), "{}", figure.caption);
        assert!(text(&[one, counts]).contains("10 mm/mV where no other gain is named"));
    }

    fn text(examples: &[ExampleStrip]) -> String {
        let draw = |width_mm| strips(&Look { width_mm, ..Look::default() }, examples.to_vec());
        assert!(draw(85.0).unwrap().iter().all(|f| f.page.height_mm <= 120.0));
        draw(180.0).unwrap().iter().map(|f| f.svg().unwrap()).collect()
    }

    #[test]
    fn strips_have_class_record_rate_and_scale() {
        let signal: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.05).sin().powi(9)).collect();
        let one = example(&signal, &[100, 220, 340]);
        let strip = Strip { expert_beats: false, r_peaks: &[5], ..one.strip };
        let text = text(&[one, ExampleStrip { class: ("AFIB/AFL", 4), strip }]);
        let said = "SB\n|AFIB/AFL|a &lt;b&gt;|50 beats/min|no rate (fewer than 2 beats)|annotated beats|detected R peaks|\
                    25 mm/s, 10 mm/mV, drawn at 66 %|time (s)|width=\"180mm\"";
        said.split('|').for_each(|label| assert!(text.contains(label), "{label}"));
        assert_eq!(text.matches("time (s)").count(), 1);
    }

    #[test]
    fn odd_strips_are_drawn_or_refused() {
        let mut signal = vec![0.3f32; 3100];
        for v in [0.3, f32::NAN, f32::MAX, -f32::MAX, f32::INFINITY, 1e-45] {
            (signal[7], signal[999]) = (v, v);
            let said = text(&[example(&signal, &[0, 7, 7, 3099]), example(&signal[..1], &[0])]);
            assert!(said.contains("first 10 s of 31 s"));
        }
        let name = "心\n".repeat(500);
        let named = |name| {
            let one = example(&signal, &[9, 3]);
            ExampleStrip { class: (name, 9), strip: Strip { record: name, ..one.strip } }
        };
        text(&[named(&name), named("")]);
        let with = |one: ExampleStrip<'static>, fs| ExampleStrip { strip: Strip { fs, ..one.strip }, ..one };
        [1e-3, 1e7].into_iter().for_each(|fs| drop(text(&[with(example(&[0.1; 90], &[9]), fs)])));
        let said = |one: ExampleStrip| strips(&Look::default(), vec![one]).unwrap_err().to_string();
        assert!(said(example(&[], &[])).contains("none of its 0 samples"));
        assert!(said(example(&[f32::NAN; 3], &[])).contains("none of its 3 samples"));
        assert!(said(example(&[0.0; 3], &[3])).contains("R peak at sample 3"));
        for fs in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(said(with(example(&[0.0; 3], &[]), fs)).contains("sampling rate"));
        }
        let many = |n| strips(&Look::default(), vec![example(&[0.0; 3], &[]); n]).map(|f| f.len());
        assert!(many(0).unwrap_err().to_string().contains("0 strips, expected 1 to 120"));
        assert!(many(MOST + 1).is_err() && many(MOST).is_ok());
    }
}
