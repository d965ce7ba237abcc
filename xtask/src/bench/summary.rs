//! Medians and percentiles: one run on a noisy machine must not be told by its outliers.

/// The middle one; the lower of two. `None` for nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50.0)
}

/// The smallest value that `percent` of all values do not exceed (nearest rank).
pub(crate) fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (percent / 100.0 * sorted.len() as f64).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};

    #[test]
    fn nearest_rank() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert_eq!(median(&values), Some(3.0));
        assert_eq!(percentile(&values, 99.0), Some(5.0));
        assert_eq!(percentile(&values, 20.0), Some(1.0));
        assert_eq!(median(&[7.0, 8.0]), Some(7.0));
        assert_eq!(median(&[]), None);
    }
}
