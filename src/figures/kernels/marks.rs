//! What the figures of kernels share: logarithmic axes, and where a label has room.

use crate::plot::axes::{Axis, number};
use crate::plot::canvas::Point;

/// A logarithmic axis from 1, 2 or 5 times a power of ten to another, both of which `low` and `high` lie between, with
/// ticks at least `apart` of its length from each other. Both must be positive numbers.
pub fn log_axis(low: f64, high: f64, apart: f64) -> Axis {
    let steps = |e: i32| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(e));
    let (bottom, top) = (low.log10().floor() as i32 - 1, high.log10().ceil() as i32 + 1);
    let all: Vec<f64> = (bottom..=top).flat_map(steps).collect();
    let min = all.iter().copied().rfind(|v| *v <= low * 1.000_001).unwrap_or(low);
    let max = all.iter().copied().find(|v| *v >= high * 0.999_999 && *v > min).unwrap_or(high.max(2.0 * min));
    let decades = (max / min).log10();
    let inside: Vec<f64> = all.into_iter().filter(|v| (min..=max).contains(v)).collect();
    // all of 1, 2, 5 where they have room (1 to 2 and 5 to 10 are nearest), else powers of ten, else every n-th of them
    let ticks: Vec<f64> = if 0.301 / decades >= apart {
        inside
    } else {
        let every = (apart * decades).ceil().max(1.0) as i32;
        let power = |v: &f64| {
            let e = v.log10().round();
            (10f64.powi(e as i32) / v - 1.0).abs() < 1e-6 && (e as i32).rem_euclid(every) == 0
        };
        inside.into_iter().filter(power).collect()
    };
    Axis { min, max, log: true, ticks: ticks.into_iter().map(|v| (v, number(v))).collect() }
}

/// Where `count` points hide least of a text of `width` x `height` mm: the first of `places` (left end of its baseline)
/// with the fewest points in the text's box.
pub fn place(places: &[Point], (width, height): (f64, f64), points: &[Point]) -> Option<Point> {
    let hidden = |p: &Point| {
        let within = |q: &&Point| {
            (p.0 - 1.2..=p.0 + width + 1.2).contains(&q.0) && (p.1 - height - 1.0..=p.1 + 1.0).contains(&q.1)
        };
        points.iter().filter(within).count()
    };
    places.iter().copied().min_by_key(hidden)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_hold_their_values_and_ticks_have_room() {
        for (low, high) in [(5.3, 444.0), (8.8, 117.0), (1.0, 1.0), (1e-9, 1e12), (30.0, 31.0), (2.0, 5.0)] {
            let axis = log_axis(low, high, 0.12);
            assert!(axis.min <= low * 1.00001 && axis.max >= high * 0.99999 && axis.max > axis.min, "{axis:?}");
            let at: Vec<f64> = axis.ticks.iter().filter_map(|t| axis.place(t.0)).collect();
            assert!(at.windows(2).all(|w| w[1] - w[0] >= 0.119), "{axis:?}");
        }
        let texts = |low, high| log_axis(low, high, 0.1).ticks.into_iter().map(|t| t.1).collect::<Vec<_>>();
        assert_eq!(texts(8.8, 117.0), ["5", "10", "20", "50", "100", "200"]);
    }

    #[test]
    fn labels_go_where_no_point_is() {
        let places = [(0.0, 10.0), (20.0, 10.0)];
        assert_eq!(place(&places, (5.0, 3.0), &[(2.0, 9.0)]), Some((20.0, 10.0)));
        assert_eq!(place(&places, (5.0, 3.0), &[]), Some((0.0, 10.0)));
        assert_eq!(place(&[], (5.0, 3.0), &[]), None);
    }
}
