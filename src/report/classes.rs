//! The most probable classes of an image, with their names.

use super::{
    printable,
    screen::{plain, shorten},
};
use regard::errors::{Error, Result};
use regard_ir::count::counted;

/// Names of classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels(Vec<String>);

impl Labels {
    /// One name per line; nothing gives `class 123`.
    ///
    /// # Errors
    /// Where there are not as many names as classes.
    pub(crate) fn new(names: Vec<String>, classes: usize) -> Result<Labels> {
        if !names.is_empty() && names.len() != classes {
            let found = names.len();
            return Err(Error::Failed(format!(
                "the labels have {}, but the model has {}",
                counted(found, "line"),
                counted(classes, "class")
            )));
        }
        Ok(Labels(names))
    }
    /// The name of a class.
    pub(crate) fn name(&self, class: usize) -> String {
        self.0.get(class).map_or_else(|| format!("class {class}"), |name| printable(name).into_owned())
    }
}

/// The `k` most probable classes with their probabilities, most probable first; equal ones in order.
pub(crate) fn top(logits: &[f32], k: usize) -> Vec<(usize, f64)> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f64> = logits.iter().map(|&l| f64::from(l - largest).exp()).collect();
    let total: f64 = weights.iter().sum();
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    order.into_iter().take(k).map(|class| (class, weights[class] / total)).collect()
}

/// The lines of [`top`]; names lose their middle beyond `width`.
pub(crate) fn top_lines(logits: &[f32], k: usize, labels: &Labels, width: Option<usize>) -> String {
    let name = |class| shorten(&plain(&labels.name(class)), width.map_or(usize::MAX / 16, |w| w - 12)).into_owned();
    top(logits, k).into_iter().map(|(class, p)| format!("  {:6.2} %  {}\n", 100.0 * p, name(class))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_a_softmax_and_ties_keep_their_order() {
        let top = top(&[1.0, 3.0, 3.0, 1e4], 4);
        assert_eq!(top.iter().map(|t| t.0).collect::<Vec<_>>(), [3, 1, 2, 0]);
        assert_eq!(top[0].1, 1.0);
        let top = super::top(&[0.0, (3f32).ln()], 5);
        assert!((top[0].1 - 0.75).abs() < 1e-7 && top.len() == 2);
    }

    #[test]
    fn labels_must_be_as_many_as_classes() {
        assert!(Labels::new(vec!["cat".into()], 2).unwrap_err().to_string().contains("1 line,"));
        assert_eq!(Labels::new(vec!["cat".into(), "dog".into()], 2).unwrap().name(1), "dog");
        assert_eq!(Labels::default().name(123), "class 123");
        assert_eq!(Labels::new(vec!["a\u{1b}[31mb\u{9b}\r".into()], 1).unwrap().name(0), "a\\u{1b}[31mb\\u{9b}\\u{d}");
    }
}
