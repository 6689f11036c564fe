//! Options that say how a picture becomes a model's input.

use clap::Args;
use regard::images::{Interpolation, Preparation, prepare};

/// How pictures are prepared.
#[derive(Args, Clone, Default)]
#[command(next_help_heading = "Pictures")]
pub(crate) struct PictureArgs {
    /// What is subtracted from red, green and blue after they were divided by 255; ImageNet's mean by default
    #[arg(long, value_name = "R,G,B", value_parser = prepare::mean)]
    mean: Option<[f32; 3]>,
    /// What they are then divided by; ImageNet's standard deviation by default
    #[arg(long, value_name = "R,G,B", value_parser = prepare::deviation)]
    std: Option<[f32; 3]>,
    /// Pixels of the short side, or of both, that a picture is resized to before it is cropped; by default 8/7 of the
    /// model's size, or what its weights were trained with
    #[arg(long, value_name = "N|HxW", value_parser = prepare::size)]
    resize: Option<prepare::Size>,
    /// The middle that the model sees: a part of the resized picture, such as 0.875, or pixels, such as 224
    #[arg(long, value_name = "PART|N|HxW", value_parser = prepare::crop)]
    crop: Option<prepare::Crop>,
    /// How pictures are resized: bicubic, bilinear or nearest
    #[arg(long, value_name = "NAME", value_parser = prepare::interpolation)]
    interpolation: Option<Interpolation>,
}

impl PictureArgs {
    /// What the options say.
    pub(crate) fn preparation(&self) -> Preparation {
        let PictureArgs { mean, std: deviation, resize, crop, interpolation } = *self;
        Preparation { mean, deviation, resize, crop, interpolation }
    }
    /// The first of these options that is given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        super::first([
            (self.mean.is_some(), "--mean"),
            (self.std.is_some(), "--std"),
            (self.resize.is_some(), "--resize"),
            (self.crop.is_some(), "--crop"),
            (self.interpolation.is_some(), "--interpolation"),
        ])
    }
}
