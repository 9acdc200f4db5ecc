//! Which kernels a training step's time goes to.

use super::families::{family, is_convolution};
use super::{KernelData, adapter_note, drawable, three};
use crate::figures::network::fitting;
use crate::lab::profile::Profile;
use crate::plot::axes::{Axis, Frame};
use crate::plot::canvas::Type;
use crate::plot::figure::Figure;
use crate::plot::legend::{Entry, legend, legend_height};
use crate::plot::style::{INK, Look, OKABE_ITO, PT_AXIS, PT_LABEL, PT_SMALL, Rgb, WHITE};

/// Most families with a bar of their own; the smaller ones share one.
const MOST: usize = 15;
/// Height of a line and of its bar, mm.
const PITCH: f64 = 4.6;
const BAR: f64 = 3.1;

/// A bar: a family, and its ms in every phase.
struct Bar {
    name: String,
    ms: Vec<f64>,
}

impl Bar {
    fn total(&self) -> f64 {
        self.ms.iter().sum()
    }
}

/// Share of a step's device time by kernel family, each bar split by phase. `None` without a kernel that took time.
pub fn step_share(data: &KernelData, look: &Look) -> Option<Figure<'static>> {
    let step = data.step.as_ref()?;
    let timed = || step.by_kernel.iter().filter(|k| drawable(k.ms));
    let mut phases: Vec<String> = Vec::new();
    for kernel in timed() {
        if !phases.contains(&kernel.phase) {
            phases.push(kernel.phase.clone());
        }
    }
    let known = ["forward", "loss", "backward", "optimizer"];
    phases.sort_by_key(|p| known.iter().position(|k| k == p).unwrap_or(known.len()));
    let total: f64 = timed().map(|k| k.ms).sum();
    if !drawable(total) {
        return None;
    }
    let bars = bars(step, &phases);
    let colors: Vec<Rgb> = phases.iter().enumerate().map(|(i, p)| color(p, i)).collect();
    let of_phase = |i: usize| bars.iter().map(|b| b.ms[i]).sum::<f64>();
    let entry =
        |(i, p): (usize, &String)| Entry::bar(format!("{} {}", name(p), percent(of_phase(i) / total)), colors[i]);
    let entries: Vec<Entry> = phases.iter().enumerate().map(entry).collect();
    let caption = caption(step, &bars, total, timed().count());
    let small = Type::new(PT_SMALL);
    let names = bars.iter().map(|b| small.width(&b.name)).fold(10.0, f64::max);
    let left = 3.0 + names.min(look.width() * 0.42) + 1.8;
    let right = look.width() - 3.0;
    let top = 3.0 + legend_height(&entries, right - left);
    let frame = Frame { x0: left, y0: top, x1: right, y1: top + PITCH * bars.len() as f64 + 0.8 };
    let longest = bars.iter().map(Bar::total).fold(0.0, f64::max) / total * 100.0;
    // room for the number behind the longest bar
    let beyond = small.width("100 %") + 2.0;
    let most = (longest * (right - left) / (right - left - beyond).max(1.0)).max(1e-6);
    let wanted = ((right - left) / 12.0).clamp(2.0, 10.0) as usize;
    let x = Axis { max: most, min: 0.0, ..Axis::linear([0.0, longest], wanted) };
    let page = look.page(frame.y1 + 10.5);
    Some(Figure::new("step-share", page, caption, move |c| {
        legend(c, &entries, (left, 2.0), right - left);
        frame.bottom(c, &x, true, true);
        let label = Type::new(PT_LABEL);
        let text = fitting(&["share of a step's device time (%)", "share of a step (%)"], &label, right - left + 4.0);
        c.text(((left + right) / 2.0, frame.y1 + 8.2), &text, &label.middle());
        for (k, bar) in bars.iter().enumerate() {
            let middle = frame.y0 + 0.4 + PITCH * (k as f64 + 0.5);
            let width = |ms: f64| x.place(100.0 * ms / total).unwrap_or(0.0) * (frame.x1 - frame.x0);
            let mut from = frame.x0;
            for (ms, color) in bar.ms.iter().zip(&colors).filter(|(ms, _)| **ms > 0.0) {
                let to = from + width(*ms);
                c.rect((from, middle - BAR / 2.0), (to, middle + BAR / 2.0), *color);
                if from > frame.x0 {
                    c.line((from, middle - BAR / 2.0), (from, middle + BAR / 2.0), PT_AXIS, WHITE);
                }
                from = to;
            }
            let text = percent(bar.total() / total);
            // no grid line runs through the number
            c.rect((from + 0.9, middle - 1.4), (from + 1.5 + small.width(&text), middle + 1.4), WHITE);
            c.text((from + 1.2, middle + small.drop()), &text, &small);
            let text = small.shorten(&bar.name, left - 4.8);
            c.text((frame.x0 - 1.8, middle + small.drop()), &text, &small.end());
        }
        c.line((frame.x0, frame.y0), (frame.x0, frame.y1), PT_AXIS, INK);
        Ok(())
    }))
}

/// The families, the costliest first, the smallest together.
fn bars(step: &Profile, phases: &[String]) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for kernel in step.by_kernel.iter().filter(|k| drawable(k.ms)) {
        let name = family(&kernel.kernel);
        let at = bars.iter().position(|b| b.name == name).unwrap_or(bars.len());
        if at == bars.len() {
            bars.push(Bar { name: name.to_owned(), ms: vec![0.0; phases.len()] });
        }
        if let Some(phase) = phases.iter().position(|p| *p == kernel.phase) {
            bars[at].ms[phase] += kernel.ms;
        }
    }
    bars.sort_by(|a, b| b.total().total_cmp(&a.total()));
    if bars.len() > MOST {
        let rest = bars.split_off(MOST - 1);
        let mut other = Bar { name: format!("{} others", rest.len()), ms: vec![0.0; phases.len()] };
        for bar in rest {
            other.ms.iter_mut().zip(bar.ms).for_each(|(sum, ms)| *sum += ms);
        }
        bars.push(other);
    }
    bars
}

/// Colours that keep neighbouring phases apart in grey.
fn color(phase: &str, index: usize) -> Rgb {
    match phase {
        "forward" => OKABE_ITO[0],
        "loss" => OKABE_ITO[3],
        "backward" => OKABE_ITO[4],
        "optimizer" => OKABE_ITO[2],
        _ => OKABE_ITO[index % OKABE_ITO.len()],
    }
}

fn name(phase: &str) -> &str {
    match phase {
        "optimizer" => "optimiser",
        "" => "unnamed",
        other => other,
    }
}

/// A share: never 0 unless it is.
fn percent(share: f64) -> String {
    match 100.0 * share {
        p if p > 0.0 && p < 0.05 => "<0.1 %".into(),
        p if p < 99.95 => format!("{p:.1} %"),
        p => format!("{p:.0} %"),
    }
}

fn caption(step: &Profile, bars: &[Bar], total: f64, timed: usize) -> String {
    let convolutions: f64 = bars.iter().filter(|b| is_convolution(&b.name)).map(Bar::total).sum::<f64>() / total;
    let convolutions =
        if convolutions > 0.0 { format!(" Convolutions take {} of it.", percent(convolutions)) } else { String::new() };
    let size = match (step.batch, step.samples) {
        (0, _) | (_, 0) => String::new(),
        (batch, samples) => format!(" on {batch} strips of {samples} samples"),
    };
    let mut ms = step.train_step;
    if ms.median.is_nan() {
        ms.median = step.train_step_ms;
    }
    let clock = match (drawable(ms.median), drawable(ms.low) && drawable(ms.high)) {
        (true, true) => format!(
            " By the clock a step took {} ms (median of the rounds; {} to {}).",
            three(ms.median),
            three(ms.low),
            three(ms.high)
        ),
        (true, false) => format!(" By the clock a step took {} ms.", three(ms.median)),
        _ => String::new(),
    };
    let lost = step.by_kernel.len() - timed;
    let lost = if lost > 0 { format!(" {lost} kernels without a time are left out.") } else { String::new() };
    format!(
        "Where a training step{size} goes: share of each family of kernels in the device time of {} ms, split by the phase \
         that it belongs to ({timed} kinds of kernels in {} families).{convolutions}{clock} {}{lost}",
        three(total),
        bars.len(),
        adapter_note(&step.adapter)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::profile::KernelShare;
    use crate::plot::style::luminance;

    #[test]
    fn small_families_share_a_bar_and_nothing_is_lost() {
        let kernel = |i: usize| {
            let (phase, kernel) = ("forward".to_owned(), format!("k{i} A=1"));
            KernelShare { phase, kernel, ms: 1.0 + i as f64, ..KernelShare::default() }
        };
        let step = Profile { by_kernel: (0..40).map(kernel).collect(), ..Profile::default() };
        let bars = bars(&step, &["forward".into()]);
        assert_eq!((bars.len(), bars[0].name.as_str(), bars[MOST - 1].name.as_str()), (MOST, "k39", "26 others"));
        assert!((bars.iter().map(Bar::total).sum::<f64>() - 820.0).abs() < 1e-9);
    }

    #[test]
    fn phases_that_meet_differ_in_grey() {
        let l = ["forward", "backward", "optimizer"].map(|p| luminance(color(p, 0)));
        assert!((l[0] - l[1]).abs() > 0.15 && (l[1] - l[2]).abs() > 0.1, "{l:?}");
        assert_eq!([0.0, 1e-6, 0.5, 1.0].map(percent), ["0.0 %", "<0.1 %", "50.0 %", "100 %"]);
    }
}
