//! Options, sizes, batches and numbers of classes drawn for every model: a builder answers with a graph or with a sentence.

use proptest::prelude::*;
use regard_models::{Config, Entry, Shapes, ZOO, build, fitted, names::Style};
use std::panic::catch_unwind;

/// Words and numbers as users may write them for any option.
const WORDS: [&str; 24] = [
    "0", "1", "2", "3", "4", "5", "7", "8", "9", "11", "16", "24", "32", "48", "64", "96", "none", "conv", "relative",
    "qr", "0.25", "4096", "1e3", "-1",
];

/// A value for an option: a word, a word of its help, or several joined.
fn value(help: &'static str) -> impl Strategy<Value = String> {
    let own: Vec<&str> = help.split([' ', ',', ';', ':', '(', ')']).filter(|word| !word.is_empty()).collect();
    let word = prop_oneof![2 => prop::sample::select(own), 3 => prop::sample::select(&WORDS[..])];
    prop_oneof![
        3 => word.clone().prop_map(str::to_owned),
        3 => prop::collection::vec(word, 4).prop_map(|words| words.join("+")),
        3 => prop::collection::vec(1usize..33, 4).prop_map(|n| n.iter().map(usize::to_string).collect::<Vec<_>>().join("+")),
        1 => "[0-9+.]{0,9}",
    ]
}

/// A configuration of a model with some of its options.
fn config(entry: &'static Entry) -> impl Strategy<Value = Config> {
    let mut options = Just(Config::default()).boxed();
    for option in entry.options.iter() {
        let drawn = prop::option::weighted(0.4, value(option.values));
        options = (options, drawn)
            .prop_map(|(config, drawn)| match drawn {
                Some(value) => config.with(option.name, &value),
                None => config,
            })
            .boxed();
    }
    let side = prop::sample::select(vec![1usize, 4, 5, 28, 32, 33, 50, 64, 160, 200, 224, 231, 448, 4096, 5000]);
    let size = prop::option::of((side.clone(), side));
    let classes = prop::option::of(prop::sample::select(vec![0usize, 1, 7, 1000]));
    (options, size, classes, prop::sample::select(vec![1usize, 2, 1024]))
        .prop_map(|(config, size, classes, batch)| Config { batch, size, classes, ..config })
}

/// Draws configurations of a model until one makes its builder panic.
fn never_panics(entry: &'static Entry, cases: u32) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&config(entry), |config| {
        let built = catch_unwind(|| build(entry.name, &config).map_err(|error| error.to_string()));
        prop_assert!(built.is_ok(), "{} panics on {config:?}", entry.name);
        if let Ok(Err(why)) = built {
            prop_assert!(!why.is_empty() && !why.contains('\n'), "{why:?}");
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{}: {error}", entry.name));
}

#[test]
fn no_options_make_a_builder_panic() {
    for entry in ZOO {
        never_panics(entry, if entry.options.is_empty() { 4 } else { 24 });
    }
}

#[test]
fn seeds_that_once_failed() {
    for (model, options) in [
        ("debiformer_base", &[("groups", "24+2+3+4")][..]),
        ("debiformer_tiny", &[("width", "32"), ("groups", "1+1+1+3")]),
        ("sasa_resnet26", &[("heads", "1"), ("width", "1.03")]),
    ] {
        let config = options.iter().fold(Config::default(), |config, (name, value)| config.with(name, value));
        assert!(build(model, &config).unwrap_err().to_string().contains(" split into "), "{model}");
    }
}

/// A checkpoint says the structure, and may say anything.
#[test]
fn no_shapes_of_a_checkpoint_make_a_builder_panic() {
    let graph = build("debiformer_tiny", &Config::default()).unwrap();
    let stored: Shapes = graph.weights().iter().map(|&id| (graph.text_name(id), graph.ty(id).shape.clone())).collect();
    let names: Vec<String> = stored.keys().filter(|name| name.contains(".0.")).cloned().collect();
    let extent = prop::sample::select(vec![0usize, 1, 2, 3, 5, 7, 24, 32, 64, 96, 100, 4096, 8191, usize::MAX / 2]);
    let change = (prop::sample::select(names), 0usize..4, extent);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let outcome = runner.run(&prop::collection::vec(change, 1..4), |changes| {
        let mut stored = stored.clone();
        for (name, axis, extent) in &changes {
            if let Some(shape) = stored.get_mut(name).and_then(|shape| shape.get_mut(*axis)) {
                *shape = *extent;
            }
        }
        for style in Style::ALL {
            let built = catch_unwind(|| {
                let config = fitted("debiformer_tiny", &Config::default(), &stored, style);
                build("debiformer_tiny", &config).is_ok()
            });
            prop_assert!(built.is_ok(), "panics on {changes:?}");
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
