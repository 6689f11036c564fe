//! What users compile: the zoo, its configurations and its checkpoint names.
//!
//! A model is a function from a [`Config`] to a graph. Weights carry the names of the authors' checkpoint;
//! names that other libraries gave the same tensors are translated by [`names`]. Nodes that are a module's
//! output carry the module's name, so that a value inside the network can be asked for by name.

mod biformer;
pub(crate) mod bisa;
mod dat;
mod debiformer;
mod deit;
pub mod flops;
mod layers;
pub(crate) mod levit;
pub mod names;
pub(crate) mod options;
pub mod papers;
mod pattern;
pub mod resnet;
mod routed;
mod stem;
pub(crate) mod swin;
pub mod synthetic;
pub(crate) mod upernet;

pub use options::ModelOption;

use regard_ir::graph::{Graph, attempt};
use std::{collections::BTreeMap, fmt};

/// The shapes of a checkpoint's tensors by name.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// How to build a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Images per run.
    pub batch: usize,
    /// Height and width of the image in pixels; the model's own size where absent.
    pub size: Option<(usize, usize)>,
    /// Classes; the model's own number where absent.
    pub classes: Option<usize>,
    /// Options of the model by name.
    pub options: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { batch: 1, size: None, classes: None, options: BTreeMap::new() }
    }
}

/// A row of the zoo.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As given on the command line.
    pub name: &'static str,
    /// One line for users.
    pub summary: &'static str,
    /// Paper and code.
    pub source: &'static str,
    /// Height and width the authors trained at, in pixels.
    pub size: (usize, usize),
    /// Number of classes of the published checkpoint.
    pub classes: usize,
    /// Other names of the same.
    pub aliases: &'static [&'static str],
    /// What variants there are.
    pub options: &'static [ModelOption],
    /// How a checkpoint's shapes complete a configuration, where they can.
    fit: Option<fn(&Config, &Shapes, names::Style) -> Config>,
    build: fn(&Config) -> Result<Graph, String>,
}

/// All models, in alphabetical order.
pub const ZOO: &[Entry] = &[
    biformer::BASE,
    biformer::SMALL,
    biformer::TINY,
    dat::TINY,
    dat::TINY_2023,
    debiformer::BASE,
    debiformer::BASE_DENSE,
    debiformer::SMALL,
    debiformer::SMALL_DENSE,
    debiformer::TINY,
    debiformer::TINY_DENSE,
    deit::TINY,
    levit::SMALL,
    bisa::LEVIT,
    bisa::LEVIT_NORM,
    pattern::AGENT,
    pattern::BIDIRECTIONAL,
    pattern::DEFORMABLE,
    pattern::GLOBAL,
    pattern::GRID,
    pattern::NEIGHBOURHOOD,
    pattern::ROUTED,
    pattern::SHIFTED_WINDOW,
    pattern::WINDOW,
    resnet::RESNET26,
    resnet::RESNET38,
    resnet::RESNET50,
    resnet::SASA26,
    resnet::SASA38,
    resnet::SASA50,
    resnet::SASA50_CONV12_ATTN34,
    resnet::SASA50_CONVSTEM,
    resnet::SASA50_CONVSTEM_K11,
    swin::TINY,
    bisa::SWIN,
    bisa::SWIN_NORM,
    upernet::SWIN_BISA,
    upernet::SWIN,
];

/// Why a model cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelError {
    /// No model has that name.
    Unknown(String),
    /// The configuration is not one the model has; the sentence says why.
    Config(String),
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelError::Unknown(name) => write!(f, "there is no model called `{name}`"),
            ModelError::Config(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ModelError {}

/// The zoo's row of that name, or of another name of the same model.
pub fn find(name: &str) -> Option<&'static Entry> {
    ZOO.iter().find(|entry| entry.name == name || entry.aliases.contains(&name))
}

/// The configuration with what the shapes of a checkpoint, whose names are of that style, say of the model's structure.
/// What `config` says goes first.
pub fn fitted(name: &str, config: &Config, stored: &Shapes, style: names::Style) -> Config {
    match find(name).and_then(|entry| entry.fit) {
        Some(fit) => fit(config, stored, style),
        None => config.clone(),
    }
}

/// Builds the graph of a model: input `image` f32 `[batch, 3, height, width]`, output `logits`.
pub fn build(name: &str, config: &Config) -> Result<Graph, ModelError> {
    let entry = find(name).ok_or_else(|| ModelError::Unknown(name.to_string()))?;
    if config.batch == 0 || config.batch > 1024 {
        return Err(ModelError::Config(format!("batch is {}, expected 1 to 1024", config.batch)));
    }
    if config.classes.is_some_and(|c| c == 0 || c > 1 << 20) {
        return Err(ModelError::Config("the number of classes must lie between 1 and 1048576".to_string()));
    }
    options::check(entry.name, config, entry.options).map_err(ModelError::Config)?;
    // What an op refuses, a tensor that is too large for example, is refused here in its words.
    let refused = |why| format!("{} cannot be built so: {why}", entry.name);
    attempt(|| (entry.build)(config)).map_err(refused).and_then(|built| built).map_err(ModelError::Config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swin_tiny_has_the_published_parameter_count() {
        let graph = build("swin_tiny", &Config::default()).unwrap();
        assert_eq!(graph.parameters(), 28_288_354);
        let graph = build("swin_tiny", &Config { classes: Some(100), ..Config::default() }).unwrap();
        assert_eq!(graph.parameters(), 27_596_254);
    }

    #[test]
    fn levit_has_the_published_parameter_count() {
        let graph = build("levit_128s", &Config::default()).unwrap();
        assert_eq!(graph.parameters(), 7_777_058);
        let graph = build("levit_128s", &Config { classes: Some(100), ..Config::default() }).unwrap();
        assert_eq!(graph.parameters(), 7_084_058);
        let config = Config { size: Some((224, 230)), ..Config::default() };
        let why = build("levit_128s", &config).unwrap_err().to_string();
        assert!(why.contains("224x230") && why.contains("multiple of 16"), "{why}");
    }

    #[test]
    fn deit_has_the_published_parameter_count() {
        assert_eq!(build("deit_tiny", &Config::default()).unwrap().parameters(), 5_717_416);
        let config = Config { size: Some((224, 230)), ..Config::default() };
        let why = build("deit_tiny", &config).unwrap_err().to_string();
        assert!(why.contains("224x230") && why.contains("multiple of 16"), "{why}");
    }

    #[test]
    fn upernet_has_the_published_parameter_count() {
        let config = Config { size: Some((64, 48)), ..Config::default() };
        assert_eq!(build("swin_tiny_upernet", &config).unwrap().parameters(), 59_941_862 - 923_798);
        let graph = build("swin_tiny_upernet", &config.with("auxiliary", "yes")).unwrap();
        assert_eq!((graph.parameters(), graph.outputs.len()), (59_941_862, 3));
    }

    #[test]
    fn names_are_in_order_and_mean_one_model() {
        assert!(ZOO.is_sorted_by(|a, b| a.name < b.name));
        for entry in ZOO {
            for alias in entry.aliases {
                assert!(ZOO.iter().all(|other| other.name != *alias), "{alias}");
                assert_eq!(find(alias).map(|found| found.name), Some(entry.name));
            }
        }
    }

    #[test]
    fn sizes_that_do_not_divide_are_rejected_with_the_reason() {
        let config = Config { size: Some((224, 230)), ..Config::default() };
        let why = build("swin_tiny", &config).unwrap_err().to_string();
        assert!(why.contains("224x230") && why.contains("multiple of 224"), "{why}");
    }

    #[test]
    fn routed_and_deformable_models_have_the_parameters_of_the_code() {
        let expected = [
            ("biformer_tiny", 13_142_760),
            ("dat_tiny", 28_319_138),
            ("dat_tiny_2023", 28_319_138),
            ("debiformer_tiny", 21_495_598),
            ("debiformer_small", 44_008_028),
            ("debiformer_base", 95_501_926),
            ("debiformer_tiny_dense", 20_983_494),
            ("debiformer_small_dense", 43_495_924),
            ("debiformer_base_dense", 94_734_270),
        ];
        for (name, parameters) in expected {
            assert_eq!(build(name, &Config::default()).unwrap().parameters(), parameters, "{name}");
        }
        let millions = |name| build(name, &Config::default()).unwrap().parameters() as f64 / 1e6;
        assert!(
            (millions("biformer_small") - 25.536).abs() < 5e-4 && (millions("biformer_base") - 56.805).abs() < 5e-4
        );
    }

    #[test]
    fn backbones_take_any_size_and_have_no_classes() {
        let config = Config { size: Some((33, 50)), ..Config::default() };
        let graph = build("debiformer_tiny_dense", &config).unwrap();
        let shapes: Vec<&[usize]> = graph.outputs.iter().map(|&o| &graph.ty(o).shape[..]).collect();
        assert_eq!(shapes, [&[1, 64, 9, 13][..], &[1, 128, 5, 7], &[1, 256, 3, 4], &[1, 512, 2, 2]]);
        let why = build("debiformer_tiny_dense", &Config { classes: Some(10), ..Config::default() }).unwrap_err();
        assert!(why.to_string().contains("four maps"), "{why}");
        let why = build("dat_tiny", &Config { size: Some((224, 230)), ..Config::default() }).unwrap_err().to_string();
        assert!(why.contains("224x230") && why.contains("multiple of 224"), "{why}");
        assert!(build("dat_tiny", &Config::default().with("conventions", "2021")).is_err());
    }

    #[test]
    fn images_that_no_machine_holds_are_refused_with_the_reason() {
        for name in ["biformer_tiny", "debiformer_base", "debiformer_tiny_dense", "swin_tiny_upernet"] {
            let why = |batch, size| {
                let config = Config { batch, size: Some(size), ..Config::default() };
                build(name, &config).unwrap_err().to_string()
            };
            let long = why(1, (1, 100_000));
            assert!(long.contains("1x100000") && long.contains("between 1 and 4096"), "{long}");
            let many = why(9, (4096, 4096));
            assert!(many.contains("9 images of 4096x4096") && many.contains("at most 134217728"), "{many}");
            assert!(build(name, &Config { batch: 8, size: Some((4096, 4096)), ..Config::default() }).is_ok());
        }
    }

    /// Every value of every model can be called after a module.
    #[test]
    fn every_node_has_the_name_of_a_module() {
        for entry in ZOO {
            let graph = build(entry.name, &Config::default()).unwrap();
            let names = graph.names();
            let numbered = graph.nodes.ids().filter(|&id| names.of(id).parse::<usize>().is_ok()).count();
            assert_eq!(numbered, 0, "{} of {} nodes of {}", numbered, graph.nodes.len(), entry.name);
        }
    }

    #[test]
    fn options_that_a_model_lacks_are_refused() {
        let why = build("levit_128s", &Config::default().with("k", "7")).unwrap_err().to_string();
        assert_eq!(why, "levit_128s has no option `k`, this model has no options");
    }
}
