//! The built-in generator as a source.

use super::notes::Note;
use super::{Context, Draft, Outcome, Sink, folder};
use crate::ecg::synthetic::{Generator, SyntheticOptions};
use crate::error::Result;

pub(super) fn read(context: &Context, sink: &mut Sink) -> Result<()> {
    let (fs, seconds) = (context.options.fs, context.options.seconds);
    let options = SyntheticOptions { fs, seconds, ..context.options.synthetic.clone() };
    let generator = Generator::new(&options)?;
    let line = format!("{} synthetic records, seed {}", options.records, options.seed);
    sink(Outcome { notes: vec![Note::Line(line)], ..Outcome::default() })?;
    let indices: Vec<usize> = (0..options.records).collect();
    let id = |i: &usize| format!("{}/{i:06}", context.source);
    let one = |i: &usize| {
        let (id, made) = (id(i), generator.record(*i));
        let (patient, note) = context.patient(&id, &[]);
        let (x, beats) = (made.signal, Some(made.r_peaks));
        let draft = Draft { patient, id, rhythm: made.rhythm, x, in_mv: true, beats };
        Ok(Outcome { strips: vec![context.strip(draft)?], notes: vec![note], ..Outcome::default() })
    };
    folder::in_order(context, &indices, id, one, sink)
}
