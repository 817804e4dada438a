//! The slope of a series by Theil and Sen: the median of the slopes between all pairs of points, with the interval that
//! Kendall's tau gives. One burst or one torn reading does not move it.
//!
//! Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968). The interval takes the points
//! as independent of each other but for the trend; memory looked at in close succession is not quite so.

use super::Interval;

/// Fewer points have no interval.
pub const LEAST: usize = 5;
/// Points that are used at most, spread evenly; all pairs of them are half a million.
const MOST: usize = 1000;
/// The normal quantile of an interval of 95 %.
const Z95: f64 = 1.96;

/// The slope of `(x, y)` with its interval of 95 %, in y a unit of x; `None` for fewer than [`LEAST`] points, or where
/// all have one x.
pub fn slope(points: &[(f64, f64)]) -> Option<Interval> {
    let step = points.len().div_ceil(MOST).max(1);
    let used: Vec<(f64, f64)> = points.iter().copied().step_by(step).collect();
    if used.len() < LEAST {
        return None;
    }
    let pairs =
        used.iter().enumerate().flat_map(|(at, one)| used[at + 1..].iter().map(move |other| (one, other)));
    let mut slopes: Vec<f64> = pairs
        .map(|((x, y), (later_x, later_y))| (later_y - y) / (later_x - x))
        .filter(|slope| slope.is_finite())
        .collect();
    slopes.sort_unstable_by(f64::total_cmp);
    let (count, n) = (slopes.len(), used.len() as f64);
    if count == 0 {
        return None;
    }
    let half = Z95 * (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    let low = f64::midpoint(count as f64, -half).floor().max(0.0) as usize;
    let high = (f64::midpoint(count as f64, half).ceil() as usize).min(count - 1);
    let estimate = f64::midpoint(slopes[(count - 1) / 2], slopes[count / 2]);
    Some(Interval { estimate, low: slopes[low], high: slopes[high] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope_and_a_burst_does_not_move_it() {
        let mut line: Vec<(f64, f64)> = (0..20).map(|x| (f64::from(x), 3.0 * f64::from(x) + 1.0)).collect();
        assert_eq!(slope(&line), Some(Interval { estimate: 3.0, low: 3.0, high: 3.0 }));
        line[7].1 = 1e9;
        let burst = slope(&line).unwrap();
        assert!((burst.estimate - 3.0).abs() < 1e-9 && burst.low > 2.9 && burst.high < 3.1, "{burst:?}");
    }

    #[test]
    fn what_goes_up_and_down_has_an_interval_around_zero() {
        let wave: Vec<(f64, f64)> =
            (0..30).map(|x| (f64::from(x), if x % 2 == 0 { 5.0 } else { 9.0 })).collect();
        let found = slope(&wave).unwrap();
        assert!(found.low <= 0.0 && found.high >= 0.0, "{found:?}");
        assert_eq!(slope(&wave[..4]), None);
        assert_eq!(slope(&[(1.0, 1.0); 9]), None, "one moment has no slope");
    }
}
