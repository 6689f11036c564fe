//! Models of the zoo under options and checkpoint shapes that nobody meant.
//!
//! ```text
//!   debiformer_tiny          the model
//!   groups=24+2+3+4          an option
//!   size=64x32               as batch, classes, and `names` of timm or torchvision
//!   :stem.weight 48 3 3 3    a tensor of the checkpoint, by which the structure is completed
//! ```

use regard_models::{Config, Shapes, build, find, fitted, names::Style};

/// Images beyond so many pixels are not built.
const MOST_PIXELS: usize = 1 << 16;

/// Lines of options: a graph, or a sentence.
pub fn options(data: &[u8]) {
    let Ok(source) = std::str::from_utf8(data) else { return };
    let mut lines = source.lines();
    let Some(entry) = lines.next().and_then(find) else { return };
    let mut config = Config { size: Some((224, 224)), ..Config::default() };
    let (mut shapes, mut style) = (Shapes::new(), Style::Authors);
    for line in lines {
        if let Some(tensor) = line.strip_prefix(':') {
            let mut words = tensor.split_whitespace();
            let name = words.next().unwrap_or_default().to_owned();
            shapes.insert(name, words.filter_map(|w| w.parse().ok()).collect());
        } else if let Some((name, value)) = line.split_once('=') {
            match name {
                "batch" => config.batch = value.parse().unwrap_or(1),
                "names" if value == "timm" => style = Style::Timm,
                "names" if value == "torchvision" => style = Style::Torchvision,
                "classes" => config.classes = value.parse().ok(),
                "size" => {
                    config.size = value.split_once('x').and_then(|(h, w)| Some((h.parse().ok()?, w.parse().ok()?)))
                }
                _ => drop(config.options.insert(name.to_owned(), value.to_owned())),
            }
        }
    }
    let (height, width) = config.size.unwrap_or(entry.size);
    let pixels = height.saturating_mul(width).saturating_mul(config.batch);
    if pixels > MOST_PIXELS && pixels < 1 << 27 {
        return;
    }
    let config = fitted(entry.name, &config, &shapes, style);
    if let Err(error) = build(entry.name, &config) {
        assert!(!error.to_string().is_empty());
    }
}
