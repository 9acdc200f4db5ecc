//! Example strips of a data set on ECG paper.

use crate::error::{Error, Result};
use crate::plot::canvas::{Canvas, Point, Type, save};
use crate::plot::paper::mark;
use crate::plot::reduced::{LEAD_IN, Scale, Trace, class_name, time_axis, window};
use crate::plot::style::{INK_SOFT, PT_LABEL, PT_SMALL, Page, WARN};
use std::path::Path;

/// Most strips of one figure.
const MOST: usize = 24;
/// Page left and right of the paper, mm.
const MARGIN: f64 = 4.0;
/// A line of text above a strip, and the space below the strip, mm.
const LINE: f64 = 4.3;
const BELOW: f64 = 2.2;

/// A strip to show.
#[derive(Debug, Clone)]
pub struct ExampleStrip<'a> {
    /// Its class.
    pub class: &'a str,
    /// Place of the class among all: gives the colour of a class that has none of its own.
    pub class_index: usize,
    /// Name of the record.
    pub record: &'a str,
    /// Sampling rate, Hz.
    pub fs: f64,
    /// The strip, mV; samples that are not finite are drawn as gaps.
    pub signal: &'a [f32],
    /// R peaks, samples from the start of the strip, ascending.
    pub r_peaks: &'a [u32],
    /// The R peaks are an expert's beats, not a detector's.
    pub expert_beats: bool,
}

/// Mean heart rate in words.
fn rate(strip: &ExampleStrip) -> String {
    match (strip.r_peaks.first(), strip.r_peaks.last()) {
        (Some(first), Some(last)) if last > first => {
            let seconds = f64::from(last - first) / strip.fs;
            format!("{:.0} beats/min", 60.0 * (strip.r_peaks.len() - 1) as f64 / seconds)
        }
        _ => "no rate (fewer than 2 beats)".into(),
    }
}

/// Draws strips under each other, each with its class, record and rate, at one scale: the longest, at most 10 s, takes
/// the width of the page. Of longer strips the first 10 s are drawn.
///
/// # Errors
/// Without a strip, with more than 24, if one cannot be drawn (no finite sample, no sampling rate, R peaks outside),
/// or if the file cannot be written.
pub fn draw_strips(path: impl AsRef<Path>, strips: &[ExampleStrip]) -> Result<()> {
    if strips.is_empty() || strips.len() > MOST {
        let what = format!("{} strips, expected 1 to {MOST}", strips.len());
        return Err(Error::data("example strips", what, "choose a few strips of every class"));
    }
    let seconds = window(strips.iter().map(|s| s.signal.len() as f64 / s.fs));
    let time = (Page::WIDTH_MM - 2.0 * MARGIN) / (seconds + LEAD_IN);
    // As on true paper, 0.2 s and 0.5 mV are of one length.
    let scale = Scale { time, gain: time * 0.4 };
    let traces: Vec<Trace> =
        strips.iter().map(|s| Trace::new(s.record, s.signal, s.fs, s.r_peaks, scale)).collect::<Result<_>>()?;
    let mut tops = vec![2.5 + LINE + 1.2];
    for trace in &traces {
        tops.push(tops[tops.len() - 1] + LINE + trace.height() + BELOW);
    }
    let bottom = tops[traces.len()] - BELOW;
    save(path, Page::paper(bottom + 9.5), |c| {
        legend(c, strips, &scale);
        let x = MARGIN + LEAD_IN * time;
        for ((strip, trace), &top) in strips.iter().zip(&traces).zip(&tops) {
            heading(c, strip, trace, top + LINE - 1.4);
            trace.draw(c, (x, top + LINE), seconds, strip.expert_beats);
        }
        time_axis(c, (x, bottom), seconds, time, &Type::new(PT_SMALL), true);
        Ok(())
    })
}

fn heading(c: &mut Canvas, strip: &ExampleStrip, trace: &Trace, base: f64) {
    let (label, small) = (Type::new(PT_LABEL), Type::new(PT_SMALL));
    let right = Page::WIDTH_MM - MARGIN;
    let x = MARGIN + class_name(c, (MARGIN, base), strip.class, strip.class_index, &label, 50.0) + 4.0;
    let notes = small.shorten(&trace.notes().join("; "), 70.0);
    c.text((right, base), &notes, &small.color(WARN).end());
    let rate = rate(strip);
    let room = right - x - small.width(&rate) - small.width(&notes) - 8.0;
    let record = small.shorten(strip.record, room.max(10.0));
    c.text((x, base), &record, &small.color(INK_SOFT));
    let gap = if record.trim().is_empty() { 0.0 } else { 4.0 };
    c.text((x + small.width(&record) + gap, base), &rate, &small);
}

/// The marks of the R peaks and the scale of the paper.
fn legend(c: &mut Canvas, strips: &[ExampleStrip], scale: &Scale) {
    let small = Type::new(PT_SMALL);
    let (mut x, base): Point = (MARGIN, 2.5 + LINE - 1.4);
    for (expert, text) in [(true, "expert beats"), (false, "detected R peaks")] {
        if strips.iter().any(|s| !s.r_peaks.is_empty() && s.expert_beats == expert) {
            mark(c, (x + 0.9, base), 0.95, expert);
            c.text((x + 2.8, base), text, &small);
            x += 2.8 + small.width(text) + 6.0;
        }
    }
    c.text((Page::WIDTH_MM - MARGIN, base), &scale.text(), &small.end());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example<'a>(signal: &'a [f32], r_peaks: &'a [u32]) -> ExampleStrip<'a> {
        ExampleStrip { class: "SB", class_index: 1, record: "a <b>", fs: 100.0, signal, r_peaks, expert_beats: true }
    }

    #[test]
    fn strips_have_class_record_rate_and_scale() {
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("strips.svg");
        let signal: Vec<f32> = (0..1000).map(|i| (i as f32 * 0.05).sin().powi(9)).collect();
        let one = example(&signal, &[100, 220, 340]);
        let two = ExampleStrip { class: "AFIB/AFL", expert_beats: false, ..example(&signal, &[5]) };
        draw_strips(&svg, &[one, two]).unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        for label in [
            "SB\n",
            "#56B4E9",
            "AFIB/AFL",
            "#D55E00",
            "a &lt;b&gt;",
            "50 beats/min",
            "no rate (fewer than 2 beats)",
            "expert beats",
            "detected R peaks",
            "0.04 s × 0.1 mV",
            "time (s)",
        ] {
            assert!(text.contains(label), "{label}");
        }
        assert!(text.contains("width=\"180mm\"") && text.matches("time (s)").count() == 1);
    }

    #[test]
    fn odd_strips_are_drawn_or_refused() {
        let dir = tempfile::tempdir().unwrap();
        let svg = dir.path().join("strips.svg");
        let mut signal = vec![0.3f32; 3100];
        for v in [0.3, f32::NAN, f32::MAX, -f32::MAX, f32::INFINITY, 1e-45] {
            (signal[7], signal[999]) = (v, v);
            draw_strips(&svg, &[example(&signal, &[0, 7, 7, 3099]), example(&signal[..1], &[0])]).unwrap();
        }
        assert!(std::fs::read_to_string(&svg).unwrap().contains("first 10 s of 31 s"));
        let name = "心\n".repeat(500);
        let named = |class| ExampleStrip { class, record: class, ..example(&signal, &[9, 3]) };
        draw_strips(&svg, &[named(&name), named("")]).unwrap();
        for fs in [1e-3, 1e7] {
            draw_strips(dir.path().join("a.png"), &[ExampleStrip { fs, ..example(&signal, &[9]) }]).unwrap();
        }
        let said = |strip: ExampleStrip| draw_strips(&svg, &[strip]).unwrap_err().to_string();
        assert!(said(example(&[], &[])).contains("none of its 0 samples"));
        assert!(said(example(&[f32::NAN; 3], &[])).contains("none of its 3 samples"));
        assert!(said(example(&[0.0; 3], &[3])).contains("R peak at sample 3"));
        for fs in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(said(ExampleStrip { fs, ..example(&[0.0; 3], &[]) }).contains("sampling rate"));
        }
        assert!(draw_strips(&svg, &[]).unwrap_err().to_string().contains("0 strips, expected 1 to 24"));
        assert!(draw_strips(&svg, &vec![example(&signal, &[]); 25]).is_err());
    }
}
