//! `regard convert`: a checkpoint becomes a safetensors file, or a list.

use super::{JsonArgs, PartArgs, WideArgs, places::Places};
use crate::report::{
    self, Column, Table,
    screen::{folded_lines, plain, wrapped_lines},
};
use clap::Args;
use regard::{
    archive::{self, Archive, Stored},
    errors::Result,
    units,
};
use regard_ir::{count::counted, types::ShapeText};
use serde_json::{Value, json};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

/// Turn a checkpoint of PyTorch or NumPy into a safetensors file, without Python, or list what it holds
#[derive(Args)]
#[command(
    after_help = "Nothing of a checkpoint is executed: its pickle is read for tensors, and refused where it asks for more.
The first of the keys model, state_dict, model_state_dict, model_ema, state_dict_ema, module, net and weights that holds
tensors is entered, or the only other one; the prefixes module. and _orig_mod. are dropped where all names have them.

Examples:
  regard convert swin_tiny_patch4_window7_224.pth -o swin.safetensors
  regard convert checkpoint.pth --key model_ema -o ema.safetensors
  regard convert checkpoint.pth --list"
)]
pub(crate) struct Convert {
    /// A checkpoint of PyTorch, .npz, a pickle of NumPy arrays, or safetensors: a file, the index of several, or a directory
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where the tensors are written, types as they are
    #[arg(short, long, value_name = "OUT.safetensors", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// Print name, type and shape of every tensor
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    part: PartArgs,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    json: JsonArgs,
}

impl Convert {
    pub(crate) fn places(&self) -> Places {
        // A safetensors file becomes what it was: it may replace itself.
        let is_copy = is_safetensors(&self.input);
        let places = Places::default().reads((!is_copy).then_some(&self.input)).writes(&self.output);
        places.writes(self.json.path())
    }
}

/// Whether a file begins as a safetensors file: its header is an object.
fn is_safetensors(path: &Path) -> bool {
    let mut start = [0; 9];
    path.is_file() && File::open(path).is_ok_and(|mut file| file.read_exact(&mut start).is_ok()) && start[8] == b'{'
}

/// Lists, copies, and says on standard error what was left out.
pub(crate) fn run(args: &Convert, out: &mut dyn Write) -> Result<()> {
    let archive = Archive::open_part(&args.input, args.part.part())?;
    let text = args.json.write(|| json_value(&archive))?;
    if args.list && text {
        let width = args.wide.width();
        let columns =
            [Column::name("tensor", 24), Column::left("type"), Column::name("shape", 12), Column::right("bytes")];
        write!(out, "{}", Table::new(columns).with(archive.tensors().iter().map(row)).fit(width).text)?;
    }
    for (name, what) in archive.left_out() {
        let line = format!("left out: {}, {}", plain(name), plain(what));
        write!(io::stderr(), "{}", folded_lines(&line, args.wide.width()))?;
    }
    if archive.more_left_out() > 0 {
        writeln!(io::stderr(), "left out: {} more", archive.more_left_out())?;
    }
    for line in found(&archive, args.part.key.is_none()) {
        write!(io::stderr(), "{}", wrapped_lines(&plain(&line), args.wide.width()))?;
    }
    let tensors = archive.tensors().values();
    let (count, bytes) = (tensors.len(), tensors.map(Stored::bytes).sum());
    let total = format!("{}, {}", counted(count, "tensor"), units::bytes(bytes));
    match &args.output {
        Some(output) => {
            archive::copy(&archive, output)?;
            if text {
                write!(out, "{}", folded_lines(&format!("{}: {total}", output.display()), args.wide.width()))?;
            }
        }
        None if text => writeln!(out, "{total}")?,
        None => {}
    }
    Ok(())
}

/// What was found out about the names, a line each; `searched` where no key was asked for.
fn found(archive: &Archive, searched: bool) -> Vec<String> {
    let (keys, mut lines) = (archive.keys(), Vec::new());
    if searched && !keys.entered.is_empty() {
        lines.push(format!("the tensors are from its `{}`", keys.entered));
    }
    if !keys.others.is_empty() {
        lines.push(format!("others hold tensors too, which --key would take: {}", keys.others.join(", ")));
    }
    let names = archive.tensors().keys();
    let dots = |name: &str| name.rfind('.').map_or(0, |at| at + 1);
    let shared = names.clone().map(|name| &name[..dots(name)]).reduce(|a, b| common(a, b)).unwrap_or("");
    let shared = &shared[..dots(shared)];
    if !shared.is_empty() {
        let names = match names.len() {
            1 => "its only name begins".to_owned(),
            count => format!("all {count} names begin"),
        };
        lines.push(format!("{names} with `{shared}`, which --prefix {shared} would drop"));
    }
    lines
}

/// The beginning that two texts share.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let end = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    &a[..a.floor_char_boundary(end)]
}

fn json_value(archive: &Archive) -> Value {
    let tensor = |(name, stored): (&String, &Stored)| json!({"name": name, "type": stored.dtype.to_string(), "shape": stored.shape, "bytes": stored.bytes()});
    let left_out = |(name, what): (&String, &String)| json!({"name": name, "what": what});
    json!({
        "tensors": archive.tensors().iter().map(tensor).collect::<Vec<_>>(),
        "left_out": archive.left_out().iter().map(left_out).collect::<Vec<_>>(),
    })
}

fn row((name, stored): (&String, &Stored)) -> Vec<String> {
    vec![
        report::printable(name).into_owned(),
        stored.dtype.to_string(),
        ShapeText(&stored.shape).to_string(),
        stored.bytes().to_string(),
    ]
}
