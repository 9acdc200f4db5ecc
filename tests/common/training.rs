//! A training of synthetic strips, for tests that run the loop themselves.

use exgnet::ecg::Dataset;
use exgnet::experiment::Experiment;
use exgnet::experiment::data;
use exgnet::experiment::data::Division;
use exgnet::experiment::data::Strips;
use exgnet::gpu::Gpu;
use exgnet::train::estimate::map_length;
use exgnet::train::{Sampler, Targets, Training};

/// All that a [`Training`] borrows but its device.
pub struct Prepared {
    experiment: &'static Experiment,
    dataset: &'static Dataset,
    division: Division,
    strips: Strips,
    targets: Targets<'static>,
    sampler: Sampler,
}

impl Prepared {
    /// The quick start with settings of its own.
    pub fn new(sets: &[&str]) -> Self {
        let sets: Vec<String> = sets.iter().map(|&s| s.into()).collect();
        // one of each a process: what borrows them can stand beside them
        let experiment: &Experiment = Box::leak(Box::new(Experiment::quickstart(&sets).expect("an experiment")));
        let dataset = data::load(experiment, &|_| {}).expect("data");
        let dataset: &Dataset = Box::leak(Box::new(dataset));
        let division = data::divide(experiment, dataset).expect("a division");
        let strips = Strips::new(dataset);
        let bins = map_length(experiment, dataset.classes.len(), dataset.samples()).expect("a block");
        let targets = Targets::new(dataset, &division.train, None, experiment, bins);
        let sampler = Sampler::new(experiment, dataset, &division.train, Default::default());
        Self { experiment, dataset, division, strips, targets, sampler }
    }

    pub fn on<'a>(&'a self, gpu: &'a Gpu) -> Training<'a> {
        Training {
            gpu,
            experiment: self.experiment,
            strips: &self.strips,
            targets: &self.targets,
            classes: &self.dataset.classes,
            records: &self.division.train,
            sampler: &self.sampler,
            validation: &self.division.validation,
            trace: false,
        }
    }
}
