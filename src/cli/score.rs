//! `regard score`: predicted label maps against the truth.

use super::{JsonArgs, WideArgs};
use crate::report::{Column, Table};
use clap::Args;
use regard::{
    errors::{Error, Result},
    score::{self, Counts, Rules, Score},
};
use regard_ir::count::counted;
use serde_json::{Value, json};
use std::{io::Write, path::PathBuf};

/// Score predicted label maps: mIoU, mAcc and aAcc, on all pixels and along boundaries
#[derive(Args)]
#[command(
    after_help = "Maps are PNG files of the same names in both directories, grey or palette, one class per pixel. The band
of --boundary holds pixels at most R rows and columns away from a true edge; predictions outside do not count.

Examples:
  regard score --pred out --truth labels
  regard score --pred out --truth ade20k/annotations/validation --classes 150 --from-one --boundary 3 --per-class"
)]
pub(crate) struct Arguments {
    /// Directory of predicted maps
    #[arg(long, value_name = "DIR")]
    pred: PathBuf,
    /// Directory of true maps
    #[arg(long, value_name = "DIR")]
    truth: PathBuf,
    /// Also score pixels within R of a boundary between classes
    #[arg(long, value_name = "R")]
    boundary: Option<usize>,
    /// Number of classes; larger labels are errors. Without, as many as occur
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    classes: Option<u16>,
    /// Label of true pixels that do not count
    #[arg(long, value_name = "LABEL", default_value_t = 255)]
    ignore: u8,
    /// True labels count from 1, and 0 does not count, as in ADE20K
    #[arg(long)]
    from_one: bool,
    /// Print a row per class
    #[arg(long)]
    per_class: bool,
    #[command(flatten)]
    wide: WideArgs,
    #[command(flatten)]
    pub json: JsonArgs,
}

/// Compares and prints.
pub(crate) fn run(args: &Arguments, out: &mut dyn Write) -> Result<()> {
    let rules = Rules {
        classes: args.classes.map(usize::from),
        ignore: args.ignore,
        from_one: args.from_one,
        boundary: args.boundary,
    };
    for dir in [&args.pred, &args.truth] {
        if !dir.is_dir() {
            return Err(Error::Failed(format!(
                "{} is not a directory, expected one that holds label maps",
                dir.display()
            )));
        }
    }
    let score = score::directories(&args.pred, &args.truth, &rules)?;
    let classes = rules.classes.unwrap_or_else(|| {
        let occurs = score.all.0.iter().rposition(|class| class.predicted + class.truth > 0);
        occurs.map_or(0, |last| last + 1)
    });
    if !args.json.write(|| json_text(&score, classes, args))? {
        return Ok(());
    }
    let width = args.wide.width();
    writeln!(out, "{}, {}", counted(score.images, "image"), counted(classes, "class"))?;
    let row = |name: String, counts: &Counts| {
        let means = [counts.mean_iou(), counts.mean_accuracy(), counts.all_accuracy()].map(percent);
        [vec![name], means.to_vec(), vec![counts.pixels().to_string()]].concat()
    };
    let band = score.boundary.as_ref().zip(args.boundary);
    let rows =
        [Some(row("all".into(), &score.all)), band.map(|(band, r)| row(format!("within {r} of a boundary"), band))];
    let rows: Vec<Vec<String>> = rows.into_iter().flatten().collect();
    let columns = [
        Column::left("pixels"),
        Column::right("mIoU"),
        Column::right("mAcc"),
        Column::right("aAcc"),
        Column::right("counted"),
    ];
    write!(out, "{}", Table::new(columns).with(rows).fit(width).text)?;
    if args.per_class {
        let band = score.boundary.as_ref();
        let rows: Vec<Vec<String>> = (0..classes).map(|class| class_row(class, &score.all, band)).collect();
        let head = ["class", "IoU", "accuracy", "pixels", "IoU at boundary", "accuracy at boundary"];
        let columns = head[..if band.is_some() { 6 } else { 4 }].iter().map(|head| Column::right(head));
        write!(out, "\n{}", Table::new(columns).with(rows).fit(width).text)?;
    }
    Ok(())
}

fn class_row(class: usize, all: &Counts, band: Option<&Counts>) -> Vec<String> {
    let of = &all.0[class];
    let mut row = vec![class.to_string(), percent(of.iou()), percent(of.accuracy()), of.truth.to_string()];
    row.extend(band.into_iter().flat_map(|band| [band.0[class].iou(), band.0[class].accuracy()].map(percent)));
    row
}

/// In per cent; a dash where nothing is counted.
fn percent(part: Option<f64>) -> String {
    part.map_or("–".into(), |part| format!("{:.2}", 100.0 * part))
}

fn json_text(score: &Score, classes: usize, args: &Arguments) -> Value {
    let means = |counts: &Counts| {
        let (miou, macc, aacc) = (counts.mean_iou(), counts.mean_accuracy(), counts.all_accuracy());
        json!({"pixels": counts.pixels(), "miou": miou, "macc": macc, "aacc": aacc})
    };
    let mut value = json!({"images": score.images, "classes": classes, "all": means(&score.all)});
    if let Some((band, r)) = score.boundary.as_ref().zip(args.boundary) {
        value["boundary"] = means(band);
        value["boundary"]["width"] = json!(r);
    }
    if args.per_class {
        let class = |counts: &Counts, class: usize| {
            let of = &counts.0[class];
            json!({"iou": of.iou(), "acc": of.accuracy(), "both": of.both, "predicted": of.predicted, "truth": of.truth})
        };
        let row = |c: usize| {
            let mut row = class(&score.all, c);
            row["class"] = json!(c);
            if let Some(band) = &score.boundary {
                row["boundary"] = class(band, c);
            }
            row
        };
        value["per_class"] = (0..classes).map(row).collect();
    }
    value
}
