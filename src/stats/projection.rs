//! Points of many dimensions on a plane: principal components, and t-SNE begun from them. Both are the same to the bit for
//! the same points.

use bhtsne::{Neighbor, tSNE};

/// Iterations of t-SNE, the first 250 of them with exaggerated affinities.
const EPOCHS: usize = 1000;
/// Neighbours that a point is to have, in effect (van der Maaten and Hinton, 2008).
pub const PERPLEXITY: f64 = 30.0;
/// Accuracy of the Barnes-Hut approximation.
const THETA: f64 = 0.5;
/// Fewest points of a t-SNE: three neighbours for a perplexity of 5.
const FEWEST: usize = 16;

/// The first two principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// Coordinates of every point.
    pub points: Vec<(f64, f64)>,
    /// Share of the variance that each component holds, 0 to 1.
    pub shares: [f64; 2],
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Principal components of `rows`, all of one length, by iteration of the covariance on a pair of vectors. The largest entry of
/// each direction is positive. `None` without a variance, and where a value is not finite.
pub fn principal(rows: &[&[f32]]) -> Option<Principal> {
    let (n, d) = (rows.len() as f64, rows.first()?.len());
    let mean: Vec<f64> = (0..d).map(|j| rows.iter().map(|r| f64::from(r[j])).sum::<f64>() / n).collect();
    let centred: Vec<Vec<f64>> =
        rows.iter().map(|r| r.iter().zip(&mean).map(|(v, m)| f64::from(*v) - m).collect()).collect();
    let entry = |i: usize, j: usize| centred.iter().map(|r| r[i] * r[j]).sum::<f64>() / n;
    let covariance: Vec<Vec<f64>> = (0..d).map(|i| (0..d).map(|j| entry(i, j)).collect()).collect();
    let total: f64 = (0..d).map(|i| covariance[i][i]).sum();
    if !total.is_finite() || total <= 0.0 {
        return None;
    }
    let times = |v: &[f64]| covariance.iter().map(|row| dot(row, v)).collect::<Vec<f64>>();
    let mut found: Vec<Vec<f64>> = Vec::new();
    for k in 0..2 {
        // no start is at right angles to what is sought but by chance
        let mut v: Vec<f64> = (0..d).map(|j| 1.0 + ((j * (7 + k)) % 11) as f64 / 10.0).collect();
        for _ in 0..1000 {
            v = times(&v);
            for other in &found {
                let along = dot(&v, other);
                v.iter_mut().zip(other).for_each(|(x, o)| *x -= along * o);
            }
            let length = dot(&v, &v).sqrt();
            if length <= total * 1e-12 {
                v = vec![0.0; d];
                break;
            }
            v.iter_mut().for_each(|x| *x /= length);
        }
        let largest = v.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
        v.iter_mut().for_each(|x| *x *= if largest < 0.0 { -1.0 } else { 1.0 });
        found.push(v);
    }
    let shares = [0, 1].map(|k| dot(&found[k], &times(&found[k])) / total);
    Some(Principal { points: centred.iter().map(|r| (dot(r, &found[0]), dot(r, &found[1]))).collect(), shares })
}

/// t-SNE of `rows` from their principal components: the perplexity, which is less than [`PERPLEXITY`] of few points, and the
/// coordinates. `None` for fewer than 16 points, and where a coordinate is not finite.
pub fn neighbours(rows: &[&[f32]], start: &Principal) -> Option<(f64, Vec<(f64, f64)>)> {
    let n = rows.len();
    if n < FEWEST {
        return None;
    }
    let perplexity = PERPLEXITY.min(((n - 1) / 3) as f64);
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>().sqrt();
    let near = |i: usize| {
        let others = (0..n).filter(|j| *j != i);
        let mut all: Vec<Neighbor<f64>> =
            others.map(|index| Neighbor { index, distance: distance(rows[i], rows[index]) }).collect();
        // the order of equal distances is that of the points
        all.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        all.truncate(3 * perplexity as usize);
        all
    };
    let table: Vec<Vec<Neighbor<f64>>> = (0..n).map(near).collect();
    let spread = (start.points.iter().map(|p| p.0 * p.0).sum::<f64>() / n as f64).sqrt();
    let seed: Vec<f64> = start.points.iter().flat_map(|p| [p.0 / spread * 1e-4, p.1 / spread * 1e-4]).collect();
    // sums of several threads differ from run to run
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    let places = alone.install(|| {
        let mut map = tSNE::<f64, &[f32], 2>::new(rows);
        map.perplexity(perplexity).epochs(EPOCHS).initial_embedding(seed);
        map.barnes_hut_with_neighbors(THETA, &table).embedding()
    });
    let points = places.chunks_exact(2).map(|p| (p[0], p[1]));
    places.iter().all(|v| v.is_finite()).then(|| (perplexity, points.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two groups of points in five dimensions.
    fn groups(n: usize) -> Vec<Vec<f32>> {
        let noise = |i: usize| ((i * 7919 + 13) % 1009) as f32 / 1009.0;
        (0..n)
            .map(|i| (0..5).map(|j| noise(i * 5 + j) + if j == 3 { 9.0 * (i % 2) as f32 } else { 0.0 }).collect())
            .collect()
    }

    #[test]
    fn components_are_those_of_the_covariance() {
        let rows: Vec<Vec<f32>> = (0..20).map(|i| i as f32).map(|t| vec![3.0 * t, 1.0 + 4.0 * t, 2.0]).collect();
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let found = principal(&rows).expect("a variance");
        assert!((found.shares[0] - 1.0).abs() < 1e-12 && found.shares[1].abs() < 1e-12, "{:?}", found.shares);
        for (i, p) in found.points.iter().enumerate() {
            assert!((p.0 - 5.0 * (i as f64 - 9.5)).abs() < 1e-9 && p.1.abs() < 1e-9, "{p:?}");
        }
        assert_eq!(principal(&[&[1.0, 2.0], &[1.0, 2.0]]), None, "no variance");
        assert_eq!(principal(&[&[1.0, f32::NAN], &[1.0, 2.0]]), None);
        assert_eq!(principal(&[]), None);
    }

    #[test]
    fn groups_stay_apart_and_bits_stay_the_same() {
        let points = groups(60);
        let rows: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        let start = principal(&rows).expect("a variance");
        let (perplexity, found) = neighbours(&rows, &start).expect("a map");
        assert_eq!((perplexity, found.len()), (19.0, 60));
        let of = |k: usize| found.iter().skip(k).step_by(2);
        let mean = |k: usize| (of(k).map(|p| p.0).sum::<f64>() / 30.0, of(k).map(|p| p.1).sum::<f64>() / 30.0);
        let (a, b) = (mean(0), mean(1));
        let far = |p: &(f64, f64), q: (f64, f64)| (p.0 - q.0).hypot(p.1 - q.1);
        assert!(of(0).all(|p| far(p, a) < far(p, b)) && of(1).all(|p| far(p, b) < far(p, a)));
        assert_eq!(neighbours(&rows, &start), Some((perplexity, found)));
        assert_eq!(neighbours(&rows[..15], &start), None, "too few");
        // equal points do no harm
        let same: Vec<&[f32]> = (0..30).map(|i| rows[i % 2]).collect();
        let start = principal(&same).expect("a variance");
        assert!(neighbours(&same, &start).is_none_or(|found| found.1.iter().all(|p| p.0.is_finite())));
    }
}
