//! Human-readable formatting: units, tables, the most probable classes.

pub mod dot;
pub mod screen;
mod table;

use regard_ir::count::counted;
pub(crate) use table::{Column, Table};

use crate::errors::{Error, Result};
use std::{borrow::Cow, time::Duration};

/// Text from a file as a terminal may see it: control characters are written out as `\u{1b}`, but for line ends.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let harmful = |c: char| c.is_control() && c != '\n';
    match text.contains(harmful) {
        false => Cow::Borrowed(text),
        true => text.chars().map(|c| if harmful(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect(),
    }
}

/// A time in the unit that suits it.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.1} ms", s * 1e3),
        s => format!("{:.1} µs", s * 1e6),
    }
}

/// An estimate in femtoseconds in the unit that suits it.
pub(crate) fn femtoseconds(time: u64) -> String {
    match time {
        t if t >= 1_000_000_000_000 => format!("{:.3} ms", t as f64 / 1e12),
        t => format!("{:.3} µs", t as f64 / 1e9),
    }
}

/// A size in the unit that suits it.
pub(crate) fn bytes(n: u64) -> String {
    match n {
        n if n >= 10_000_000 => format!("{:.1} MB", n as f64 / 1e6),
        n if n >= 10_000 => format!("{:.1} kB", n as f64 / 1e3),
        n => counted(n, "byte"),
    }
}

/// A number of floating-point operations in the unit that suits it.
pub fn flops(n: u64) -> String {
    match n as f64 {
        n if n >= 1e9 => format!("{:.3} GFLOP", n / 1e9),
        n if n >= 1e6 => format!("{:.3} MFLOP", n / 1e6),
        n => format!("{:.3} kFLOP", n / 1e3),
    }
}

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
    let name = |class| {
        screen::shorten(&screen::plain(&labels.name(class)), width.map_or(usize::MAX / 16, |w| w - 12)).into_owned()
    };
    top(logits, k).into_iter().map(|(class, p)| format!("  {:6.2} %  {}\n", 100.0 * p, name(class))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_suit_the_number() {
        assert_eq!(duration(Duration::from_micros(1500)), "1.5 ms");
        assert_eq!(duration(Duration::from_millis(2340)), "2.34 s");
        assert_eq!(duration(Duration::from_nanos(900)), "0.9 µs");
        assert_eq!([bytes(500), bytes(50_000), bytes(113_153_416)], ["500 bytes", "50.0 kB", "113.2 MB"]);
        assert_eq!([flops(9_063_000_000), flops(4_200_000), flops(512)], ["9.063 GFLOP", "4.200 MFLOP", "0.512 kFLOP"]);
    }

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
        assert_eq!(printable("two\nlines, é"), "two\nlines, é");
    }
}
