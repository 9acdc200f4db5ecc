//! Augmentation: the guidance target goes where the signal goes, and what is off changes nothing.

use exgnet::ecg::{guidance, synthesize};
use exgnet::experiment::Experiment;
use exgnet::experiment::data::Strips;
use exgnet::gpu::Gpu;
use exgnet::tensor::Tensor;
use exgnet::train::Targets;
use exgnet::train::augment::Augment;

#[test]
fn a_shift_moves_signal_and_target_together() {
    let sets = ["data.synthetic.records=12", "data.fs=100", "data.seconds=5", "augment.shift=1"].map(String::from);
    let experiment = Experiment::quickstart(&sets).expect("an experiment");
    let gpu = Gpu::from_env().unwrap_or_else(|e| panic!("{e}"));
    let data = synthesize(&experiment.data.synthetic_options()).expect("strips");
    let (bins, samples) = (31, data.samples());
    let records: Vec<usize> = (0..data.strips.len()).collect();
    let targets = Targets::new(&data, &records, None, &experiment, bins);
    let strips = Strips::new(&data);
    let ones = Tensor::full(&gpu, &[data.classes.len()], 1.0).expect("uploaded");
    let guided = |shifts: &[isize]| {
        let batch = targets.batch(&gpu, &strips, (&records, shifts), &ones, 0.0).expect("targets");
        let (truth, weight) = &batch.guidance[0];
        (truth.to_vec().expect("read"), weight.to_vec().expect("read"))
    };
    let still = strips.batch(&gpu, &records).expect("a batch").to_vec().expect("read");
    let augment = Augment::new(&experiment).expect("on");
    let mut shifts = Vec::new();
    let moved = strips.batch_with(&gpu, &records, |r, x| shifts.push(augment.apply(x, 2, r))).expect("a batch");
    let moved = moved.to_vec().expect("read");
    assert!(shifts.iter().any(|s| *s > 20) && shifts.iter().any(|s| *s < -20), "{shifts:?}");
    let (truth, weight) = guided(&shifts);
    for (i, &by) in shifts.iter().enumerate() {
        // sample t of the moved strip is sample t - by of the record
        let from = |t: usize| t as isize - by;
        let row = &still[i * samples..(i + 1) * samples];
        let expected: Vec<f32> = (0..samples).map(|t| row[from(t).clamp(0, samples as isize - 1) as usize]).collect();
        assert!(moved[i * samples..(i + 1) * samples] == expected, "signal {i} by {by}");
        let full = guidance(&data.strips[i].r_peaks, data.preprocessing.fs, samples, &experiment.guidance).target;
        let at = |t: usize| usize::try_from(from(t)).ok().and_then(|t| full.get(t)).copied().unwrap_or(0.0);
        let expected = exgnet::ecg::guidance::pool(&(0..samples).map(at).collect::<Vec<_>>(), bins);
        assert!(truth[i * bins..(i + 1) * bins] == expected, "target {i} by {by}");
    }
    // not moved: the same bits as without augmentation
    let batch = targets.batch(&gpu, &strips, (&records, &vec![0; records.len()]), &ones, 0.0).expect("targets");
    let (at_rest, _) = batch.guidance.into_iter().next().expect("guided");
    assert_eq!(guided(&vec![0; records.len()]).0, at_rest.to_vec().expect("read"));
    // a target out of sight teaches nothing, and the others share its weight
    shifts[3] = samples as isize;
    let (truth, without) = guided(&shifts);
    assert!(truth[3 * bins..4 * bins].iter().all(|v| *v == 0.0));
    assert_eq!((weight[3] > 0.0, without[3]), (true, 0.0));
    assert!((without.iter().sum::<f32>() - 1.0).abs() < 1e-6 && without[0] > weight[0]);
}
