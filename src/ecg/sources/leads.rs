//! The other leads of a record: what a training may see in the place of the one asked for.

use super::{Context, Outcome, one_line};
use crate::ecg::features;
use crate::ecg::preprocessing::{Finished, LongRecord};
use crate::ecg::wfdb::{Header, Signal, read_signal};
use crate::ecg::{Exclusion, Leads, Strip};
use std::collections::BTreeSet;

/// Where the strips of a record lie in its signal.
pub(super) enum Place<'a> {
    /// The record is one strip.
    First,
    /// Each strip is a window, from and to in samples of a signal at this rate, Hz.
    Windows(&'a [(i64, i64)], f64),
}

/// Adds to the strips of `record`, those of signal `index`, what the other signals hold of the same windows. A signal that
/// cannot be used is an exclusion of its own.
pub(super) fn add(context: &Context, header: &Header, index: usize, record: &str, place: &Place, out: &mut Outcome) {
    if context.options.leads == Leads::One || out.strips.is_empty() {
        return;
    }
    let mut names = BTreeSet::from([header.signal_name(index)]);
    for other in (0..header.signals.len()).filter(|i| *i != index) {
        let mut name = header.signal_name(other);
        if !names.insert(name.clone()) {
            name = format!("{name}-{}", other + 1);
            names.insert(name.clone());
        }
        if let Err(reason) = add_one(context, header, other, &name, place, out) {
            out.exclusions.push(Exclusion::strip(format!("{record}#{name}"), reason));
        }
    }
}

fn add_one(
    context: &Context,
    header: &Header,
    index: usize,
    name: &str,
    place: &Place,
    out: &mut Outcome,
) -> Result<(), String> {
    let spec = &header.signals[index];
    if spec.millivolts().is_none() {
        return Err(format!("is in {}, expected a voltage", spec.units.escape_debug()));
    }
    let Signal { mv, fs, .. } = read_signal(header, index, context.options.strict).map_err(|e| one_line(&e))?;
    match place {
        Place::First => {
            let x = context.preprocessing.first_strip(mv, fs)?;
            out.strips.iter_mut().try_for_each(|strip| context.add_lead(strip, name, x.clone()))
        }
        Place::Windows(windows, rate) => {
            let whole = LongRecord::new(&context.preprocessing, &mv, fs)?;
            let at = |sample: i64| (sample as f64 * fs / rate).round() as i64;
            for (strip, &(from, to)) in out.strips.iter_mut().zip(*windows) {
                let added = whole.window(at(from), at(to)).map_err(String::from);
                if let Err(reason) = added.and_then(|(_, x)| context.add_lead(strip, name, x)) {
                    out.exclusions.push(Exclusion::strip(format!("{}#{name}", strip.id), reason));
                }
            }
            Ok(())
        }
    }
}

impl Context<'_> {
    /// Adds a lead of the window of `strip`, whose R peaks it has where they are annotated.
    pub(super) fn add_lead(&self, strip: &mut Strip, lead: &str, x: Vec<f64>) -> Result<(), String> {
        let beats = strip.expert_beats.then(|| strip.r_peaks.clone());
        let Finished { signal, r_peaks, expert_beats } = self.preprocessing.finish(x, beats)?;
        let features = match expert_beats {
            true => strip.features,
            false => features::hrv(&r_peaks, self.preprocessing.fs).map(|v| v as f32),
        };
        strip.others.push(Strip {
            id: format!("{}#{lead}", strip.id),
            patient: strip.patient.clone(),
            source: strip.source.clone(),
            signal: signal.into(),
            in_mv: true,
            label: strip.label,
            r_peaks,
            expert_beats,
            marked: strip.marked,
            features,
            target: None,
            others: Vec::new(),
            tests_only: false,
        });
        Ok(())
    }
}
