//! How much of the noise lies between processes, and how much within one: the first calls for more
//! processes, the second for longer ones.

use super::summary::Summary;

/// Variances of a one-way random-effects model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Components {
    /// Between groups; 0 where the groups differ less than chance would make them.
    pub between: f64,
    /// Within a group.
    pub within: f64,
}

/// Splits the variance of groups (processes) of equal size (measurements of one process), by the mean
/// squares of an analysis of variance. `None` below 2 groups of 2, or for unequal sizes.
pub fn components(groups: &[Vec<f64>]) -> Option<Components> {
    let size = groups.first()?.len();
    if groups.len() < 2 || size < 2 || groups.iter().any(|group| group.len() != size) {
        return None;
    }
    let summaries: Vec<Summary> = groups.iter().filter_map(|group| Summary::of(group)).collect();
    let within = summaries.iter().map(|s| s.sd.powi(2)).sum::<f64>() / groups.len() as f64;
    let means: Vec<f64> = summaries.iter().map(|s| s.mean).collect();
    let of_means = Summary::of(&means)?.sd.powi(2);
    Some(Components { between: (of_means - within / size as f64).max(0.0), within })
}

impl Components {
    /// Variance of the mean of so many groups of so many values.
    pub fn of_mean(&self, groups: usize, size: usize) -> f64 {
        (self.between + self.within / size as f64) / groups as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_differ_and_groups_that_do_not() {
        let apart = components(&[vec![1.0, 1.2, 0.8], vec![3.0, 3.2, 2.8]]).unwrap();
        assert!((apart.within - 0.04).abs() < 1e-12);
        assert!((apart.between - (2.0 - 0.04 / 3.0)).abs() < 1e-12);
        let alike = components(&[vec![1.0, 2.0], vec![2.0, 1.0]]).unwrap();
        assert!(alike.between.abs() < 1e-12);
        assert!(alike.of_mean(4, 1) > alike.of_mean(4, 2));
        assert_eq!(components(&[vec![1.0, 2.0], vec![1.0]]), None);
        assert_eq!(components(&[]), None);
    }
}
