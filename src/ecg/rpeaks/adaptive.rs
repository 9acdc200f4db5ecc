//! R peaks by band-pass, energy and thresholds that follow the record.
//!
//! The steps are those of the classical detectors: the squared slope of the band-passed signal, averaged
//! over the width of a QRS complex, levels of beats and of noise, searchback and the T-wave test of Pan and
//! Tompkins (IEEE Trans Biomed Eng 32:230-236, 1985); medians for these levels, after Hamilton (Computers
//! in Cardiology 29:101-104, 2002); a second, longer average as background, after Elgendi, Jonkman and De
//! Boer (Proc BIOSIGNALS 2010:428-431). Unlike them it is not causal: the levels at a candidate come from
//! its neighbours on both sides, so that there is no learning phase, and the first beat of a strip is found
//! like any other. Every threshold is a share of a level of the same record; units do not matter.

use crate::ecg::filter::{butterworth_bandpass, sosfiltfilt, uniform_filter};
use std::collections::BTreeSet;
use std::ops::Range;

/// Band of the QRS complex, Hz.
const BAND: (f64, f64) = (5.0, 20.0);
/// Width of a QRS complex, over which the energy is averaged, s.
const COMPLEX: f64 = 0.12;
/// Span of the background average, s.
const BACKGROUND: f64 = 1.0;
/// Least ratio of a beat's amplitude to the background.
const CONTRAST: f64 = 1.2;
/// No two beats are nearer, s (300 per minute).
const REFRACTORY: f64 = 0.2;
/// Threshold between the noise level (0) and the beat level (1).
const THRESHOLD: f64 = 0.35;
/// The same at the start, when only the largest amplitudes nearby are known.
const FIRST_THRESHOLD: f64 = 0.4;
/// Blocks in which a beat is expected at the start, s, and how many on either side count.
const BLOCK: f64 = 2.0;
const BLOCKS_BESIDE: usize = 4;
/// The first level is this quantile of the blocks: most of them may hold a large ventricular beat.
const BLOCK_QUANTILE: f64 = 0.25;
/// Nothing below this share of the record's level is a beat: a pause or a lost electrode stays empty.
const FLOOR: f64 = 0.1;
/// Neighbours on either side that make up a level.
const NEIGHBOURS: usize = 8;
/// The beat level is this quantile of the neighbours: below the median, as ventricular beats may be large.
const BEAT_QUANTILE: f64 = 0.4;
/// Rounds of classification and level taking.
const ROUNDS: usize = 3;
/// A beat this soon after another is a T wave if its slope is below half of the other's, s.
const T_WAVE: f64 = 0.36;
/// A beat this soon before another is a P wave if its amplitude is below 0.7 of the other's, s.
const P_WAVE: f64 = 0.3;
/// Searchback in intervals longer than this times the median of the intervals around ...
const GAP: f64 = 1.5;
/// ... (at the ends of the record this), with the threshold times 0.5.
const END_GAP: f64 = 0.8;
/// How far the R peak may lie from the middle of the energy, s.
const REACH: f64 = 0.1;

/// A local maximum of the amplitude, the largest within [`REFRACTORY`].
struct Candidate {
    at: usize,
    /// Root of the mean squared slope of the band-passed signal over [`COMPLEX`].
    amplitude: f64,
    /// Amplitude over the average amplitude around.
    contrast: f64,
    /// Steepest slope of the cleaned signal nearby.
    slope: f64,
    beat: bool,
    /// Amplitude that makes it a beat.
    threshold: f64,
}

/// R peaks of a cleaned signal in samples, ascending; none where a sample is not finite, in a signal of fewer
/// than 16 samples, and at rates outside 20 Hz to 100 kHz. `fs` in Hz; 50 Hz or more should be given, below
/// the band of the QRS complex does not fit in.
pub fn r_peaks(clean: &[f64], fs: f64) -> Vec<u32> {
    if !(20.0..=100_000.0).contains(&fs) || clean.iter().any(|v| !v.is_finite()) {
        return Vec::new();
    }
    let Some(mut all) = candidates(clean, fs) else { return Vec::new() };
    let floor = first_guess(&mut all, clean.len(), fs);
    for _ in 0..ROUNDS {
        take_levels(&mut all, floor);
        drop_waves(&mut all, fs);
        search_back(&mut all, clean.len(), fs);
    }
    let beats: Vec<usize> = all.iter().filter(|c| c.beat).map(|c| c.at).collect();
    refine(clean, &beats, fs)
}

/// Whole samples in `seconds`.
fn samples(seconds: f64, fs: f64) -> usize {
    (seconds * fs).round() as usize
}

/// Differences over `2 reach` samples, fewer at the ends.
fn differences(x: &[f64], reach: usize) -> impl Iterator<Item = f64> {
    let last = x.len() - 1;
    (0..x.len()).map(move |i| x[(i + reach).min(last)] - x[i.saturating_sub(reach)])
}

fn window(at: usize, reach: usize, n: usize) -> Range<usize> {
    at.saturating_sub(reach)..(at + reach + 1).min(n)
}

fn candidates(clean: &[f64], fs: f64) -> Option<Vec<Candidate>> {
    let n = clean.len();
    let band = butterworth_bandpass(2, BAND.0, BAND.1.min(0.45 * fs), fs).ok()?;
    let banded = sosfiltfilt(&band, clean).ok()?;
    let squares: Vec<f64> = differences(&banded, samples(0.004, fs).max(1)).map(|d| d * d).collect();
    let odd = |seconds: f64| 2 * samples(seconds / 2.0, fs) + 1;
    // twice over half the width: a triangle has its maximum in the middle of the complex, a box anywhere there
    let energy = uniform_filter(&uniform_filter(&squares, odd(COMPLEX / 2.0)), odd(COMPLEX / 2.0));
    let amplitude: Vec<f64> = energy.into_iter().map(|v| v.max(0.0).sqrt()).collect();
    let block = samples(BLOCK, fs);
    let largest = amplitude.chunks(block).map(|b| b.iter().copied().fold(0.0, f64::max));
    // an artefact must not hide the beats beside it
    let most = 2.0 * quantile(largest.collect(), 0.5);
    let clipped: Vec<f64> = amplitude.iter().map(|v| v.min(most)).collect();
    let background = uniform_filter(&clipped, odd(BACKGROUND));
    // rounding leaves a little energy where the signal is flat
    let least = 1e-6 * amplitude.iter().fold(0.0, |m: f64, v| m.max(*v));
    let mut tops: Vec<usize> = (0..n)
        .filter(|&i| {
            let rises = i == 0 || amplitude[i - 1] < amplitude[i];
            rises && (i + 1 == n || amplitude[i + 1] <= amplitude[i]) && amplitude[i] > least
        })
        .collect();
    tops.sort_by(|&a, &b| amplitude[b].total_cmp(&amplitude[a]).then(a.cmp(&b)));
    let refractory = samples(REFRACTORY, fs);
    let mut kept = BTreeSet::new();
    for t in tops {
        if kept.range(t.saturating_sub(refractory)..=t + refractory).next().is_none() {
            kept.insert(t);
        }
    }
    let (near, reach) = (samples(0.08, fs), samples(0.012, fs).max(1));
    let candidate = |at: usize| {
        let around = window(at, near + reach, n);
        Candidate {
            at,
            amplitude: amplitude[at],
            contrast: amplitude[at] / background[at].max(f64::MIN_POSITIVE),
            slope: differences(&clean[around], reach).fold(0.0, |m, d| m.max(d.abs())),
            beat: false,
            threshold: 0.0,
        }
    };
    Some(kept.into_iter().map(candidate).collect())
}

/// Marks what is large against the usual largest amplitude of the blocks around; returns the floor
/// of all thresholds.
fn first_guess(all: &mut [Candidate], n: usize, fs: f64) -> f64 {
    let block = samples(BLOCK, fs);
    let mut largest = vec![0.0_f64; n.div_ceil(block)];
    for c in all.iter() {
        let top = &mut largest[c.at / block];
        *top = top.max(c.amplitude);
    }
    let floor = FLOOR * quantile(largest.clone(), 0.5);
    let level = |b: usize| quantile(largest[window(b, BLOCKS_BESIDE, largest.len())].to_vec(), BLOCK_QUANTILE);
    let levels: Vec<f64> = (0..largest.len()).map(level).collect();
    for c in all {
        c.beat = c.amplitude > (FIRST_THRESHOLD * levels[c.at / block]).max(floor);
    }
    floor
}

/// Thresholds from the beats and the other candidates around each, and with them a new decision.
fn take_levels(all: &mut [Candidate], floor: f64) {
    let (beats, noise): (Vec<usize>, Vec<usize>) = (0..all.len()).partition(|&i| all[i].beat);
    let level = |list: &[usize], i: usize, share: f64| {
        let at = list.partition_point(|&j| j < i);
        let around = window(at, NEIGHBOURS, list.len()).map(|k| list[k]).filter(|&j| j != i);
        quantile(around.map(|j| all[j].amplitude).collect(), share)
    };
    let thresholds: Vec<f64> = (0..all.len())
        .map(|i| {
            let beat = level(&beats, i, BEAT_QUANTILE);
            let noise = level(&noise, i, 0.5).min(beat);
            (noise + THRESHOLD * (beat - noise)).max(floor)
        })
        .collect();
    for (c, threshold) in all.iter_mut().zip(thresholds) {
        c.threshold = threshold;
        c.beat = c.amplitude > threshold && c.contrast > CONTRAST;
    }
}

/// Takes back T waves, and P waves of low QRS complexes.
fn drop_waves(all: &mut [Candidate], fs: f64) {
    let mut last: Option<usize> = None;
    for i in 0..all.len() {
        if !all[i].beat {
            continue;
        }
        if let Some(l) = last {
            let apart = (all[i].at - all[l].at) as f64 / fs;
            if apart < T_WAVE && all[i].slope < 0.5 * all[l].slope {
                all[i].beat = false;
                continue;
            }
            if apart < P_WAVE && all[l].amplitude < 0.7 * all[i].amplitude {
                all[l].beat = false;
            }
        }
        last = Some(i);
    }
}

/// In long intervals takes the largest candidate that reaches half its threshold and is no T wave; twice, as
/// an interval may lack two beats.
fn search_back(all: &mut [Candidate], n: usize, fs: f64) {
    for _ in 0..2 {
        let beats: Vec<usize> = (0..all.len()).filter(|&i| all[i].beat).collect();
        let intervals: Vec<f64> = beats.windows(2).map(|w| (all[w[1]].at - all[w[0]].at) as f64).collect();
        if intervals.is_empty() {
            return;
        }
        let mut found = Vec::new();
        for gap in 0..=beats.len() {
            let before = gap.checked_sub(1).map(|g| beats[g]);
            let after = beats.get(gap).copied();
            let length = after.map_or(n, |i| all[i].at) - before.map_or(0, |i| all[i].at);
            let nearby =
                gap.saturating_sub(NEIGHBOURS + 1).min(intervals.len() - 1)..(gap + NEIGHBOURS).min(intervals.len());
            let usual = quantile(intervals[nearby].to_vec(), 0.5);
            let times = if before.is_some() && after.is_some() { GAP } else { END_GAP };
            if length as f64 <= times * usual {
                continue;
            }
            let missed = |i: &usize| {
                let c = &all[*i];
                let t_wave =
                    before.is_some_and(|b| ((c.at - all[b].at) as f64) < 0.4 * fs && c.slope < 0.6 * all[b].slope);
                c.amplitude > 0.5 * c.threshold && c.contrast > CONTRAST && !t_wave
            };
            let between = before.map_or(0, |i| i + 1)..after.unwrap_or(all.len());
            let larger = |i: &usize, j: &usize| all[*i].amplitude.total_cmp(&all[*j].amplitude);
            found.extend(between.filter(missed).max_by(larger));
        }
        if found.is_empty() {
            return;
        }
        for i in found {
            all[i].beat = true;
        }
    }
}

/// The largest deflection of each complex in the direction that prevails in the record, so that intervals do
/// not jitter between R and S; the opposite one only where it is three times as large (ventricular beats).
fn refine(clean: &[f64], beats: &[usize], fs: f64) -> Vec<u32> {
    let (n, reach) = (clean.len(), samples(REACH, fs).max(1));
    let extremes: Vec<[(usize, f64); 2]> = beats
        .iter()
        .map(|&at| {
            let level = quantile(clean[window(at, 3 * reach, n)].to_vec(), 0.5);
            // what lies near the middle counts more, so that no T wave is taken
            let weight = |i: usize| 1.0 - 0.5 * (i.abs_diff(at) as f64 / reach as f64).powi(2);
            window(at, reach, n).fold([(at, 0.0); 2], |[up, down], i| {
                let v = (clean[i] - level) * weight(i);
                [if v > up.1 { (i, v) } else { up }, if -v > down.1 { (i, -v) } else { down }]
            })
        })
        .collect();
    let typical = |way: usize| quantile(extremes.iter().map(|e| e[way].1).collect(), 0.5);
    let way = usize::from(typical(1) > typical(0));
    let mut peaks: Vec<u32> = Vec::with_capacity(beats.len());
    for e in extremes {
        let (usual, other) = (e[way], e[1 - way]);
        let peak = if 3.0 * usual.1 < other.1 { other.0 } else { usual.0 } as u32;
        if peaks.last().is_none_or(|&p| p < peak) {
            peaks.push(peak);
        }
    }
    peaks
}

/// The value at a share of the sorted list (nearest rank); 0 of an empty one.
fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let rank = ((values.len() - 1) as f64 * share).round() as usize;
    *values.select_nth_unstable_by(rank, f64::total_cmp).1
}

#[cfg(test)]
mod tests;
