//! What several times say: quantiles, and by how much one of two is faster.

use super::read::number;
use serde::{Deserialize, Serialize};

/// Several times of the same work, ms; not a number where a file does not say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spread {
    /// Median.
    #[serde(deserialize_with = "number")]
    pub median: f64,
    /// Smallest.
    #[serde(deserialize_with = "number")]
    pub low: f64,
    /// Largest.
    #[serde(deserialize_with = "number")]
    pub high: f64,
    /// 5 % of the times are smaller.
    #[serde(deserialize_with = "number")]
    pub p5: f64,
    /// 5 % of the times are larger.
    #[serde(deserialize_with = "number")]
    pub p95: f64,
}

impl Default for Spread {
    fn default() -> Self {
        Self { median: f64::NAN, low: f64::NAN, high: f64::NAN, p5: f64::NAN, p95: f64::NAN }
    }
}

impl Spread {
    /// Of at least one time.
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let [p5, median, p95] = [0.05, 0.5, 0.95].map(|q| quantile(&times, q));
        Self { median, low: times[0], high: times[times.len() - 1], p5, p95 }
    }
}

/// Quantile of sorted values, between neighbours in proportion.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (at - at.floor()) * (above - below)
}

/// A median with an interval that holds the true one in 95 of 100 cases, if there are values enough: between order statistics,
/// whatever the distribution (a sign test turned round). Of five values or fewer it is all of them, and holds less.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Interval {
    /// Median of the values.
    pub median: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Of at least one value.
    pub fn of_median(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let (n, cut) = (values.len(), cut(values.len()));
        Self { median: quantile(&values, 0.5), low: values[cut], high: values[n - 1 - cut] }
    }

    /// Whether it holds a value.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// How many of `n` sorted values may be left out at either end of an interval of the median: at most 2.5 % of samples have so
/// few values, or fewer, on one side of it.
fn cut(n: usize) -> usize {
    // P(binomial(n, 1/2) <= k), by its logarithm: 2^-n underflows for many rounds
    let (mut log_term, mut sum) = (-(n as f64) * std::f64::consts::LN_2, 0.0);
    for k in 0..n / 2 {
        sum += log_term.exp();
        if sum > 0.025 {
            return k.saturating_sub(1);
        }
        log_term += ((n - k) as f64 / (k + 1) as f64).ln();
    }
    (n / 2).saturating_sub(1)
}

/// How many times faster one of two is, from pairs of times that were taken in the same rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SpeedUp {
    /// Ratio of the times: above 1 where the first is faster.
    pub ratio: Interval,
    /// The same of the reference with itself, measured a second time in every round: what noise does.
    pub noise: Interval,
    /// No difference that noise does not make: the interval, wider by what the reference differs from itself, holds 1.
    pub within_noise: bool,
}

impl SpeedUp {
    /// Of the times of `ours`, of the `reference`, and of the reference `again`, round by round.
    pub fn of(ours: &[f64], reference: &[f64], again: &[f64]) -> Self {
        let ratios = |of: &[f64]| Interval::of_median(of.iter().zip(reference).map(|(t, r)| r / t).collect());
        let (ratio, noise) = (ratios(ours), ratios(again));
        let wider = noise.high.max(1.0 / noise.low).max(1.0);
        Self { ratio, noise, within_noise: ratio.low <= wider && ratio.high >= 1.0 / wider }
    }

    /// What it says of `ours` and the `reference`: a ratio is claimed only where it is larger than noise.
    pub fn in_words(&self, ours: &str, reference: &str) -> String {
        let Interval { median, low, high } = self.ratio;
        let noise = format!("{reference} against itself {:.3} to {:.3}", self.noise.low, self.noise.high);
        match median {
            _ if self.within_noise => format!(
                "{ours} against {reference}: no difference is shown beyond noise: the ratio of speeds lies between {low:.3} and {high:.3} \
                 (median {median:.3}), {noise}; --min-time SECONDS measures longer"
            ),
            r if r > 1.0 => {
                format!("{ours} is faster than {reference}: {median:.3} times as fast ({low:.3} to {high:.3}; {noise})")
            }
            _ => {
                format!("{ours} is slower than {reference}: {median:.3} times as fast ({low:.3} to {high:.3}; {noise})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let s = Spread::of((0..=100).map(f64::from).rev().collect());
        assert_eq!((s.low, s.p5, s.median, s.p95, s.high), (0.0, 5.0, 50.0, 95.0, 100.0));
        let s = Spread::of(vec![1.0, 2.0]);
        assert_eq!((s.low, s.median, s.high), (1.0, 1.5, 2.0));
        assert!((s.p5 - 1.05).abs() < 1e-12 && (s.p95 - 1.95).abs() < 1e-12);
        let s = Spread::of(vec![7.0]);
        assert_eq!((s.low, s.p5, s.median, s.p95, s.high), (7.0, 7.0, 7.0, 7.0, 7.0));
    }

    /// The table of the sign test: order statistics of a 95 % interval of the median.
    #[test]
    fn intervals_are_those_of_the_sign_test() {
        for (n, expected) in
            [(1, 0), (5, 0), (6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (20, 5), (25, 7), (50, 17), (100, 39)]
        {
            assert_eq!(cut(n), expected, "{n} values");
        }
        assert!((460..470).contains(&cut(1000)) && cut(20_000) > 9800);
        let i = Interval::of_median((0..20).map(f64::from).collect());
        assert_eq!((i.low, i.median, i.high), (5.0, 9.5, 14.0));
        assert!(i.holds(5.0) && !i.holds(4.9));
    }

    #[test]
    fn a_difference_must_be_larger_than_noise() {
        let times = |scale: f64, shift: usize| -> Vec<f64> {
            (0..40).map(|i| scale * (10.0 + 0.1 * ((i * 7 + shift) % 13) as f64)).collect()
        };
        let reference = times(1.0, 0);
        let of = |scale| SpeedUp::of(&times(scale, 5), &reference, &times(1.0, 9));
        let words = |scale| of(scale).in_words("mine", "naive");
        assert!(words(1.0).starts_with("mine against naive: no difference is shown beyond noise: "), "{}", words(1.0));
        assert!(!words(1.0).contains("as fast") && words(1.0).contains("naive against itself"), "{}", words(1.0));
        assert!(words(1.2).starts_with("mine is slower than naive: 0."), "{}", words(1.2));
        assert!(words(0.8).starts_with("mine is faster than naive: 1."), "{}", words(0.8));
        assert!((of(0.8).ratio.median - 1.25).abs() < 0.08);
        // the reference is 5 % off itself: 4 % mean nothing
        let drifting = SpeedUp::of(&times(0.96, 0), &reference, &times(0.95, 0));
        assert!(drifting.within_noise && !drifting.ratio.holds(1.0));
    }
}
