//! Maps small enough to count by hand, and the definitions spelled out.

use super::*;
use proptest::prelude::*;

const RULES: Rules = Rules { classes: None, ignore: 255, from_one: false, boundary: None };

fn map(rows: &[&[u8]]) -> LabelMap {
    LabelMap { width: rows[0].len(), height: rows.len(), classes: rows.concat() }
}

fn close(found: Option<f64>, expected: f64) {
    assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
}

#[test]
fn scores_of_a_map_counted_by_hand() {
    let truth = map(&[&[0, 0, 1, 1], &[0, 0, 1, 255]]);
    let predicted = map(&[&[0, 1, 1, 1], &[0, 0, 2, 9]]);
    let score = pair(&predicted, &truth, &RULES).unwrap();
    let class = |c: usize| (score.all.0[c].both, score.all.0[c].predicted, score.all.0[c].truth);
    assert_eq!((class(0), class(1), class(2), class(9)), ((3, 3, 4), (2, 3, 3), (0, 1, 0), (0, 0, 0)));
    close(score.all.all_accuracy(), 5.0 / 7.0);
    close(score.all.mean_accuracy(), (3.0 / 4.0 + 2.0 / 3.0) / 2.0);
    // Class 2 was predicted where it is not: its union counts. Class 9 stands on an ignored pixel.
    close(score.all.mean_iou(), (3.0 / 4.0 + 2.0 / 4.0 + 0.0) / 3.0);
}

#[test]
fn the_band_follows_the_true_boundary() {
    let truth = map(&[&[0, 0, 0, 0, 1, 1, 1, 1], &[0, 0, 0, 0, 1, 1, 1, 1]]);
    let predicted = map(&[&[1, 0, 0, 1, 1, 1, 1, 0], &[0, 0, 0, 0, 1, 1, 0, 1]]);
    let band = |r| pair(&predicted, &truth, &Rules { boundary: Some(r), ..RULES }).unwrap().boundary.unwrap();
    // Columns 3 and 4, then one more on each side.
    assert_eq!([band(0).pixels(), band(1).pixels(), band(2).pixels(), band(9).pixels()], [4, 8, 12, 16]);
    close(band(0).all_accuracy(), 3.0 / 4.0);
    close(band(1).mean_iou(), (3.0 / 4.0 + 4.0 / 5.0) / 2.0);
    assert_eq!(band(99), pair(&predicted, &truth, &RULES).unwrap().all);
}

#[test]
fn ignored_pixels_make_no_edge_and_do_not_count_in_the_band() {
    let truth = map(&[&[0, 255, 1], &[0, 255, 1]]);
    let rules = Rules { boundary: Some(5), ..RULES };
    assert_eq!(pair(&truth, &truth, &rules).unwrap().boundary.unwrap().mean_iou(), None);
    let truth = map(&[&[0, 255, 1], &[0, 1, 1]]);
    let score = pair(&truth, &truth, &Rules { boundary: Some(1), ..RULES }).unwrap();
    // The edge is between the two left pixels below; around it lie all, one of them ignored.
    assert_eq!(score.boundary.unwrap().pixels(), 5);
}

#[test]
fn labels_may_count_from_one() {
    let truth = map(&[&[0, 1, 2, 255]]);
    let predicted = map(&[&[7, 0, 1, 7]]);
    let rules = Rules { from_one: true, classes: Some(2), ..RULES };
    close(pair(&predicted, &truth, &rules).unwrap().all.mean_iou(), 1.0);
}

#[test]
fn labels_and_sizes_must_fit() {
    let (a, b) = (map(&[&[0, 1], &[2, 3]]), map(&[&[0, 1]]));
    let wrong = pair(&b, &a, &RULES).unwrap_err();
    assert!(!wrong.in_truth && wrong.sentence.contains("2x1 pixels, expected 2x2"), "{}", wrong.sentence);
    let rules = Rules { classes: Some(3), ..RULES };
    let wrong = pair(&a, &a, &rules).unwrap_err();
    assert!(wrong.in_truth && wrong.sentence.contains("label 3 at column 1, row 1, expected at most 2"));
    let fine = map(&[&[0, 1], &[2, 2]]);
    assert!(!pair(&a, &fine, &rules).unwrap_err().in_truth);
}

proptest! {
    #[test]
    fn scores_are_their_definition(
        width in 1usize..9, height in 1usize..9, r in 0usize..4, draws in proptest::collection::vec((0u8..4, 0u8..4), 64),
    ) {
        let ignore = |label: u8| if label == 3 { 255 } else { label };
        let part = &draws[..width * height];
        let truth = LabelMap { width, height, classes: part.iter().map(|d| ignore(d.0)).collect() };
        let predicted = LabelMap { width, height, classes: part.iter().map(|d| d.1).collect() };
        let at = |x: usize, y: usize| truth.classes[y * width + x];
        let places = || (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let edge = |x: usize, y: usize| places().any(|(u, v)| {
            x.abs_diff(u) + y.abs_diff(v) == 1 && at(x, y) != at(u, v) && at(x, y) != 255 && at(u, v) != 255
        });
        let near = |x: usize, y: usize| places().any(|(u, v)| x.abs_diff(u).max(y.abs_diff(v)) <= r && edge(u, v));
        let mut expected = Counts::default();
        for (x, y) in places().filter(|&(x, y)| at(x, y) != 255 && near(x, y)) {
            expected.add(predicted.classes[y * width + x], at(x, y));
        }
        let found = pair(&predicted, &truth, &Rules { boundary: Some(r), ..RULES }).unwrap();
        prop_assert_eq!(found.boundary.unwrap(), expected);
    }
}
