//! Which version of a kernel, and which settings of it, suit a shape on this adapter. What there is to try stands in the headers
//! of the versions, built in or not. Every candidate must give what the naive version gives before its time counts.

mod options;
mod own;
mod table;
mod tasks;

pub use options::Options;
pub use own::{Fate, Own};
pub use table::{Found, Table, built_in, file_name, load, read, user_file};

use super::Spread;
use super::ceilings::device_seconds;
use super::operations::Shape;
use super::workloads::{layers, needs, outline};
use crate::autograd::no_grad;
use crate::error::{Error, Result};
use crate::gpu::{Choice, Choices, ChosenShape, Forced, Gpu, Needs};
use crate::nn::config::NetworkConfig;
use crate::ops::Pass;
use crate::ops::case::Case;
use crate::tensor::Tensor;
use own::Tried;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use table::kernels_hash;

/// A candidate may differ from the naive version by this share of its largest value.
const TOLERANCE: f64 = 1e-4;
/// A candidate must take at most this share of the rule of thumb's time.
const WORTH: f64 = 0.85;
/// A candidate whose first time is this many times that of the best is not timed again.
const BEHIND: f64 = 1.5;
/// Times that the best candidate is measured in turn with the rule of thumb.
const DUELS: usize = 5;
/// Where the settings of a version begin this many times behind the best, no others are tried.
const FAR_BEHIND: f64 = 3.0;

/// Where tuning is.
#[derive(Debug, Clone)]
pub struct Progress<'a> {
    /// Operations at a shape that are done, this one included, and all of them.
    pub at: (usize, usize),
    /// The shape.
    pub key: &'a str,
    /// Candidates that were tried, and all of them.
    pub tried: (usize, usize),
    /// The best time so far, ms.
    pub best_ms: f64,
    /// What was found; `None` while candidates are being tried.
    pub found: Option<&'a Found>,
    /// Estimated time until all is done.
    pub left: Duration,
}

/// What [`tune`] did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Shapes that were tuned.
    pub tuned: usize,
    /// Shapes that were in the table.
    pub known: usize,
    /// Operations at a shape that time was not left for.
    pub left: usize,
    /// Their estimated share of a step's time.
    pub left_share: f64,
    /// ms of the tuned shapes, by the rules of thumb and by what was found.
    pub ms: [f64; 2],
    /// Candidates that gave wrong values or did not compile.
    pub rejected: usize,
    /// What became of the versions of a folder of one's own.
    pub own: Vec<Own>,
}

/// An operation at a shape of the network.
struct Task {
    /// The family whose kernels are tuned; `None`: all that it runs.
    family: Option<&'static str>,
    /// Its only shape, where that is known beforehand.
    key: Option<String>,
    /// How much of a step it is, estimated: operations, times a step.
    weight: f64,
    /// What a candidate must save of the rule of thumb's time on a software adapter, ms.
    worth_ms: f64,
    /// The operation with its inputs.
    case: Box<dyn Fn() -> Case>,
}

/// Largest difference, as a share of the largest value.
fn difference(found: &[f32], truth: &[f32]) -> f64 {
    let largest = truth.iter().fold(1e-30_f32, |m, v| m.max(v.abs()));
    let worst = found
        .iter()
        .zip(truth)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0_f32, |m, d| if d.is_nan() { f32::INFINITY } else { m.max(d) });
    if found.len() == truth.len() { f64::from(worst) / f64::from(largest) } else { f64::INFINITY }
}

/// Tunes the kernels of a network, those that take most of a step first, and adds to the table what it finds; `watch` is
/// called after every shape and may save the table. A batch that does not fit is refused before anything is allocated; a candidate that
/// does not compile is rejected.
pub fn tune(
    gpu: &Gpu,
    network: &NetworkConfig,
    (batch, samples): (usize, usize),
    options: &Options,
    table: &mut Table,
    watch: &mut dyn FnMut(&Progress<'_>, &Table) -> Result<()>,
) -> Result<Outcome> {
    let layers = layers(network, batch, samples)?;
    let convs = layers.into_iter().flat_map(|(_, s)| Pass::ALL.map(|pass| needs(pass.name(), s)));
    let normalised = outline(network, samples)?;
    let norms = normalised.normalised.iter().map(|&[c_in, len]| Shape { batch, c_in, len, ..Shape::default() });
    let most = convs.chain(norms.map(|s| needs("batch_norm_relu_grad", s))).fold(Needs::default(), Needs::or);
    gpu.check_fits(&format!("tuning at a batch of {batch}"), most)?;
    let mut tasks = tasks::tasks(network, (batch, samples))?;
    tasks.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    let (choices, forced) = (gpu.choices(), gpu.forced());
    gpu.force(Forced::default())?;
    let start = Instant::now();
    let mut tuner = Tuner { gpu, options, start, seen: BTreeSet::new(), own: Own::all(gpu), at: (0, tasks.len()) };
    let done = tuner.all(&tasks, table, watch);
    gpu.set_choices(choices);
    gpu.force(forced)?;
    done
}

struct Tuner<'a> {
    gpu: &'a Gpu,
    options: &'a Options,
    start: Instant,
    /// Shapes that were dealt with.
    seen: BTreeSet<String>,
    own: Vec<Own>,
    at: (usize, usize),
}

/// A candidate that gave the right values.
struct TimedChoice {
    choice: Choice,
    times: Vec<f64>,
}

impl Tuner<'_> {
    fn time_is_up(&self) -> bool {
        self.options.budget.is_some_and(|budget| self.start.elapsed() >= budget)
    }

    /// Estimated time that is left: that of the shapes so far, for those to come, at most what is granted.
    fn left(&self) -> Duration {
        let (done, all) = self.at;
        let gone = self.start.elapsed();
        let left = gone.mul_f64((all - done) as f64 / done.max(1) as f64);
        self.options.budget.map_or(left, |budget| left.min(budget.saturating_sub(gone)))
    }

    fn all(
        &mut self,
        tasks: &[Task],
        table: &mut Table,
        watch: &mut dyn FnMut(&Progress<'_>, &Table) -> Result<()>,
    ) -> Result<Outcome> {
        let mut outcome = Outcome::default();
        let total: f64 = tasks.iter().map(|s| s.weight).sum();
        for (i, task) in tasks.iter().enumerate() {
            if self.time_is_up() {
                outcome.left = tasks.len() - i;
                outcome.left_share = tasks[i..].iter().map(|s| s.weight).sum::<f64>() / total;
                break;
            }
            self.at.0 = i + 1;
            if let (Some(key), Some(family)) = (&task.key, task.family)
                && !self.wanted(key, family, table, &mut outcome)
            {
                continue;
            }
            let usual = if self.gpu.report().is_software { task.worth_ms } else { 0.0 };
            let worth_ms = self.options.worth_ms.unwrap_or(usual);
            self.gpu.set_choices(Choices::new());
            let case = (task.case)();
            let inputs = case.tensors(self.gpu)?;
            let run = || no_grad(|| (case.run)(&inputs));
            let seen = self.gpu.watched(|| run().map(drop))?;
            for seen in seen.into_iter().filter(|s| task.family.is_none_or(|family| s.family == family)) {
                if self.seen.contains(&seen.key)
                    || (task.key.as_ref() != Some(&seen.key)
                        && !self.wanted(&seen.key, &seen.family, table, &mut outcome))
                {
                    continue;
                }
                self.seen.insert(seen.key.clone());
                let Some((found, tried)) = self.shape(&seen, &run, worth_ms, table, watch)? else { continue };
                Own::note(&mut self.own, self.gpu, &seen, |i, version| tried.fate(i, version, &seen, &found));
                outcome.tuned += 1;
                outcome.ms[0] += found.rule_ms;
                outcome.ms[1] += found.ms;
                outcome.rejected += found.rejected;
                table.found.insert(seen.key.clone(), found.clone());
                let tried = (found.timed + found.rejected, found.timed + found.rejected);
                let progress = Progress {
                    at: self.at,
                    key: &seen.key,
                    tried,
                    best_ms: found.ms,
                    found: Some(&found),
                    left: self.left(),
                };
                watch(&progress, table)?;
            }
        }
        outcome.own = std::mem::take(&mut self.own);
        Ok(outcome)
    }

    /// Whether a shape is to be tuned: it is asked for, and not in the table.
    fn wanted(&mut self, key: &str, family: &str, table: &Table, outcome: &mut Outcome) -> bool {
        if self.seen.contains(key) || !self.options.takes(key, family) {
            return false;
        }
        let known = !self.options.again && table.has(self.gpu, key, family);
        if known {
            outcome.known += 1;
            self.seen.insert(key.to_owned());
        }
        !known
    }

    /// What there is to try for a shape: the versions that can run it as their headers say, each with its settings behind it.
    fn candidates(&self, seen: &ChosenShape) -> Result<Vec<(usize, Choice)>> {
        let rule = &seen.chosen.version;
        let mut all = Vec::new();
        // the rule of thumb's version first: what it leaves to gain is known early
        let others = seen.versions.iter().enumerate().filter(|(_, v)| *v != rule);
        let own = seen.versions.iter().enumerate().filter(|(_, v)| *v == rule);
        for (i, version) in own.chain(others.rev()) {
            all.push((i, Choice::usual(&version.name)));
            for settings in self.gpu.candidates(version, &seen.sizes)? {
                // those that an edited header gives, too, must be allowed by it
                if version.refused(&settings).is_none() {
                    all.push((i, Choice { version: version.name.clone(), settings }));
                }
            }
        }
        Ok(all)
    }

    /// Tunes one shape; `None` where there is nothing to choose from.
    fn shape(
        &self,
        seen: &ChosenShape,
        run: &dyn Fn() -> Result<Tensor>,
        worth_ms: f64,
        table: &Table,
        watch: &mut dyn FnMut(&Progress<'_>, &Table) -> Result<()>,
    ) -> Result<Option<(Found, Tried)>> {
        let mut tries = Tried::default();
        let candidates = self.candidates(seen)?;
        if candidates.len() < 2 {
            return Ok(None);
        }
        let using = |choice: Option<&Choice>| {
            self.gpu.set_choices(choice.map(|c| (seen.key.clone(), c.clone())).into_iter().collect());
        };
        let timed = || Ok::<_, Error>(1e3 * device_seconds(self.gpu, || run().map(drop))?);
        using(None);
        let own = run()?.to_vec()?;
        // whatever else the machine does makes times longer, never shorter
        let rule_ms = timed()?.min(timed()?);
        let mut found = Found {
            family: seen.family.clone(),
            choice: None,
            ms: rule_ms,
            rule_ms,
            naive_ms: None,
            timed: 1,
            rejected: 0,
            cut_short: false,
            kernels: kernels_hash(self.gpu, &seen.family),
        };
        if rule_ms <= worth_ms {
            // nothing can save as much as another kernel costs
            tries.too_small = true;
            return Ok(Some((found, tries)));
        }
        // the naive version, or should it not run, the simplest that does
        let mut reference = None;
        for version in &seen.versions {
            using(Some(&Choice::usual(&version.name)));
            let start = Instant::now();
            match run().and_then(|y| y.to_vec()) {
                Ok(values) => {
                    reference = Some((version, values, 1e3 * start.elapsed().as_secs_f64()));
                    break;
                }
                Err(e @ (Error::Memory { .. } | Error::NoAdapter { .. })) => return Err(e),
                Err(e) => log::warn!("{}: {} does not run: {e}", seen.key, version.label()),
            }
        }
        let Some((naive, truth, first_ms)) = reference else { return Ok(Some((found, tries))) };
        // a slow one is not run again for a time without compilation
        found.naive_ms = Some(if first_ms < 1e3 { timed()? } else { first_ms });
        let rule_is_right = difference(&own, &truth) <= TOLERANCE;
        if !rule_is_right {
            log::warn!("{}: {} gives other values than {}", seen.key, seen.chosen.version.label(), naive.label());
            found.rejected += 1;
        }
        let mut best = if rule_is_right { rule_ms } else { f64::INFINITY };
        let mut kept: Vec<TimedChoice> = Vec::new();
        // versions whose usual settings are wrong or far behind
        let mut given_up = BTreeSet::new();
        if !rule_is_right {
            given_up.extend(seen.versions.iter().position(|v| *v == seen.chosen.version));
            tries.wrong.clone_from(&given_up);
        }
        let is_rule =
            |choice: &Choice| choice.version == seen.chosen.version.name && choice.settings == seen.chosen.settings;
        let all = candidates.len();
        for (tried, (version, choice)) in candidates.into_iter().enumerate() {
            if is_rule(&choice) || given_up.contains(&version) {
                continue;
            }
            if self.time_is_up() {
                found.cut_short = true;
                break;
            }
            let progress = Progress {
                at: self.at,
                key: &seen.key,
                tried: (tried, all),
                best_ms: best,
                found: None,
                left: self.left(),
            };
            watch(&progress, table)?;
            using(Some(&choice));
            let usual = choice.settings.is_empty();
            if !run().and_then(|y| y.to_vec()).is_ok_and(|values| difference(&values, &truth) <= TOLERANCE) {
                found.rejected += 1;
                log::debug!("{}: rejected {}", seen.key, choice.in_words());
                if usual {
                    given_up.insert(version);
                    tries.wrong.insert(version);
                }
                continue;
            }
            let ms = timed()?;
            tries.timed.insert(version);
            found.timed += 1;
            if usual && ms > FAR_BEHIND * best {
                given_up.insert(version);
            }
            best = best.min(ms);
            kept.push(TimedChoice { choice, times: vec![ms] });
        }
        kept.retain(|k| k.times[0] <= BEHIND * best);
        for _ in 1..self.options.rounds.max(1) {
            for TimedChoice { choice, times } in &mut kept {
                using(Some(choice));
                times.push(timed()?);
            }
        }
        let least = |k: &TimedChoice| Spread::of(k.times.clone()).low;
        for k in &kept {
            log::debug!("{}: {:.3} ms, {}", seen.key, least(k), k.choice.in_words());
        }
        let fastest = kept.iter().min_by(|a, b| least(a).total_cmp(&least(b)));
        let Some(fastest) = fastest else { return Ok(Some((found, tries))) };
        // the fastest of many was lucky, too: it must win against the rule of thumb, in turn with it
        let mut pairs = Vec::new();
        for _ in 0..DUELS {
            using(None);
            let rule = timed()?;
            using(Some(&fastest.choice));
            pairs.push((rule, timed()?));
        }
        let median = |of: &dyn Fn(&(f64, f64)) -> f64| Spread::of(pairs.iter().map(of).collect()).median;
        let (rule_ms, ms) = (median(&|p| p.0), median(&|p| p.1));
        let worth = median(&|p| p.1 / p.0) <= WORTH && ms <= rule_ms - worth_ms;
        found.choice = (worth || !rule_is_right).then(|| fastest.choice.clone());
        found.rule_ms = rule_ms;
        found.ms = if found.choice.is_some() { ms } else { rule_ms };
        Ok(Some((found, tries)))
    }
}
