//! `regard convert`: a PyTorch checkpoint becomes a safetensors file, or a list.

use super::places::Places;
use crate::{
    archive::{self, Archive, Stored},
    errors::Result,
    report,
};
use clap::Args;
use regard_ir::types::ShapeText;
use std::{
    io::{self, Write},
    path::PathBuf,
};

/// Turn a PyTorch checkpoint into a safetensors file, without Python, or list what it holds
#[derive(Args)]
#[command(
    after_help = "Nothing of a checkpoint is executed: its pickle is read for tensors, and refused where it asks for more.
The first of the keys model, state_dict, model_ema, state_dict_ema and module that holds tensors is entered; the
prefixes module. and _orig_mod. are dropped where all names have them.

Examples:
  regard convert swin_tiny_patch4_window7_224.pth -o swin.safetensors
  regard convert checkpoint.pth --key model_ema -o ema.safetensors
  regard convert checkpoint.pth --list"
)]
pub struct Convert {
    /// A PyTorch checkpoint, or a safetensors file
    #[arg(value_name = "IN.pth")]
    input: PathBuf,
    /// Where the tensors are written, types as they are
    #[arg(short, long, value_name = "OUT.safetensors", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// Print name, type and shape of every tensor
    #[arg(long)]
    list: bool,
    /// Take the tensors under this key of the checkpoint
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl Convert {
    pub fn places(&self) -> Places {
        // A safetensors file becomes what it was: it may replace itself.
        let is_copy = self.input.extension().is_some_and(|extension| extension == "safetensors");
        Places::default().reads((!is_copy).then_some(&self.input)).writes(&self.output)
    }
}

/// Lists, copies, and says on standard error what was left out.
pub fn run(args: &Convert, out: &mut dyn Write) -> Result<()> {
    let archive = Archive::open_part(&args.input, args.key.as_deref())?;
    if args.list {
        let rows: Vec<Vec<String>> = archive.tensors().iter().map(row).collect();
        write!(out, "{}", report::table(&["tensor", "type", "shape", "bytes"], &[false, false, false, true], &rows))?;
    }
    for (name, what) in archive.left_out() {
        writeln!(io::stderr(), "left out: {name}, {what}")?;
    }
    let tensors = archive.tensors().values();
    let (count, bytes) = (tensors.len(), tensors.map(Stored::bytes).sum());
    let total = format!("{count} tensors, {}", report::bytes(bytes));
    match &args.output {
        Some(output) => {
            archive::copy(&archive, output)?;
            writeln!(out, "{}: {total}", output.display())?;
        }
        None => writeln!(out, "{total}")?,
    }
    Ok(())
}

fn row((name, stored): (&String, &Stored)) -> Vec<String> {
    vec![name.clone(), stored.dtype.to_string(), ShapeText(&stored.shape).to_string(), stored.bytes().to_string()]
}
