//! How well one list of numbers orders another.

/// Spearman's rank correlation: 1 where both lists have the same order, −1 where the opposite one; equal numbers
/// share the mean of their ranks. 1 where there is nothing to order.
pub(crate) fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let sum = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let scale = (sum(&a, &a) * sum(&b, &b)).sqrt();
    if scale == 0.0 { 1.0 } else { sum(&a, &b) / scale }
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let below = |v: f64| sorted.partition_point(|&other| other < v) as f64;
    let upto = |v: f64| sorted.partition_point(|&other| other <= v) as f64;
    values.iter().map(|&v| (below(v) + upto(v) - 1.0) / 2.0).collect()
}

/// The middle of a list; NaN where it is empty.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n.is_multiple_of(2) => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
        n => sorted[n / 2],
    }
}
