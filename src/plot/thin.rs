//! Curves with fewer points that look the same.

use crate::plot::canvas::Point;

/// By how much the drawn curve may leave the true one, mm.
pub(crate) const TOLERANCE: f64 = 0.02;
/// Of the samples within this width the lowest and the highest are drawn, mm.
const COLUMN: f64 = 0.1;

/// The curve through `point(i)`, broken where there is none, with two points for the samples that fall in one column.
pub fn thinned(samples: usize, point: impl Fn(usize) -> Option<Point>) -> Vec<Vec<Point>> {
    /// Of one column: its first, lowest, highest and last point, in their order.
    fn keep(column: &[Point], line: &mut Vec<Point>) {
        let by = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
        let (low, high) = ((0..column.len()).min_by(by), (0..column.len()).max_by(by));
        let mut kept: Vec<usize> = [Some(0), low, high, column.len().checked_sub(1)].into_iter().flatten().collect();
        kept.sort_unstable();
        kept.dedup();
        line.extend(kept.into_iter().filter_map(|i| column.get(i)));
    }
    let (mut out, mut line, mut column) = (Vec::new(), Vec::new(), Vec::<Point>::new());
    for i in 0..samples {
        match point(i) {
            Some(p) => {
                if column.first().is_some_and(|first| p.0 - first.0 > COLUMN) {
                    keep(&column, &mut line);
                    column.clear();
                }
                column.push(p);
            }
            None => {
                keep(&column, &mut line);
                column.clear();
                out.push(std::mem::take(&mut line));
            }
        }
    }
    keep(&column, &mut line);
    out.push(line);
    out.retain(|line| !line.is_empty());
    out
}

/// A curve without the points that lie on the straight line between their neighbours, within [`TOLERANCE`].
pub(crate) fn simplified(line: &[Point]) -> Vec<Point> {
    let mut out: Vec<Point> = line.first().copied().into_iter().collect();
    let (mut start, mut low, mut high) = (0, f64::NEG_INFINITY, f64::INFINITY);
    for i in 1..line.len() {
        // Slopes from the last kept point that pass all points since then.
        let slope = |dy: f64| (line[i].1 + dy - line[start].1) / (line[i].0 - line[start].0);
        if i > start + 1 && !(low..=high).contains(&slope(0.0)) {
            start = i - 1;
            out.push(line[start]);
            (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        }
        let slope = |dy: f64| (line[i].1 + dy - line[start].1) / (line[i].0 - line[start].0);
        (low, high) = (low.max(slope(-TOLERANCE)), high.min(slope(TOLERANCE)));
    }
    out.extend(line.last().filter(|_| line.len() > 1));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_curve_keeps_its_extremes() {
        let wave = |i: usize| Some((i as f64 * 0.001, if i == 4321 { 9.0 } else { ((i * 37) % 101) as f64 / 101.0 }));
        let lines = thinned(10_000, wave);
        assert_eq!(lines.len(), 1);
        assert!(lines[0].len() < 700, "{}", lines[0].len());
        assert!(lines[0].contains(&(4.321, 9.0)) && lines[0].windows(2).all(|w| w[0].0 < w[1].0));
        assert_eq!((lines[0][0], lines[0][lines[0].len() - 1]), (wave(0).unwrap(), wave(9999).unwrap()));
        let gap = thinned(5, |i| (i != 2).then_some((i as f64, 0.0)));
        assert_eq!(gap, [vec![(0.0, 0.0), (1.0, 0.0)], vec![(3.0, 0.0), (4.0, 0.0)]]);
        assert!(thinned(3, |_| None).is_empty() && thinned(0, |_| Some((0.0, 0.0))).is_empty());
    }

    #[test]
    fn simplified_curves_stay_near_the_true_ones() {
        let line: Vec<Point> = (0..2000).map(|i| f64::from(i) * 0.01).map(|x| (x, 5.0 * (x * 0.9).sin())).collect();
        let simple = simplified(&line);
        assert!(simple.len() < 200, "{}", simple.len());
        assert_eq!((simple[0], simple[simple.len() - 1]), (line[0], line[1999]));
        for p in &line {
            let k = simple.partition_point(|q| q.0 <= p.0).clamp(1, simple.len() - 1);
            let (a, b) = (simple[k - 1], simple[k]);
            let y = a.1 + (b.1 - a.1) * (p.0 - a.0) / (b.0 - a.0);
            assert!((y - p.1).abs() <= 2.0 * TOLERANCE, "{p:?} {y}");
        }
        assert_eq!(simplified(&[(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (3.0, 1.0)]).len(), 3);
        assert_eq!((simplified(&[]).len(), simplified(&[(0.0, 1.0)]).len()), (0, 1));
    }
}
