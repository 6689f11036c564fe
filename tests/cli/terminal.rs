//! What users and programs read: lines that fit, names of modules, JSON, completions, the manual.

use super::*;
use regard_cli::report::screen::columns;
use serde_json::Value;

/// Standard output of a command that must succeed, in lines of at most so many columns.
#[track_caller]
fn fits(args: &[&str], width: usize) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_regard"));
    if width != 100 {
        command.env("COLUMNS", width.to_string());
    }
    let Ran { code, out, err } = ran(command.args(args));
    assert_eq!(code, 0, "{args:?}: {err}");
    let long: Vec<&str> = out.lines().chain(err.lines()).filter(|line| columns(line) > width).collect();
    assert!(long.is_empty(), "{args:?} in {width} columns\n{}", long.join("\n"));
    out
}

#[test]
fn a_terminal_that_knows_only_its_columns_is_as_wide_as_they_are() {
    let program = env!("CARGO_BIN_EXE_regard");
    for (columns, args) in [(40, "models swin_tiny"), (60, "models"), (70, "score --help"), (130, "models")] {
        let line = format!("stty cols {columns} rows 0; '{program}' {args}");
        let mut script = Command::new("script");
        script.args(["-qec", &line, "/dev/null"]).env("NO_COLOR", "1").stdin(std::process::Stdio::null());
        let run = script.output();
        let Ok(run) = run else {
            eprintln!("skipped: there is no `script` that makes terminals");
            return;
        };
        let text = String::from_utf8(run.stdout).unwrap();
        let widest = text.lines().map(|line| self::columns(line.trim_end())).max().unwrap_or(0);
        assert!(run.status.success() && (columns / 2..=columns).contains(&widest), "{widest} of {columns}\n{text}");
    }
}

/// The names of all commands.
fn commands() -> Vec<String> {
    let help = regard(&["--help"]).ok();
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What is wrapped is indented further.
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_once(' ')).map(|(name, _)| name.to_owned());
    let names: Vec<String> = names.filter(|name| !name.is_empty() && name != "help").collect();
    assert!(names.len() >= 15, "{help}");
    names
}

/// A model whose parameters have the names of modules, one of them long.
const MODULES: &str = "graph modules {
  %x = input : f32[2, 49, 32]
  %stages.0.blocks.0.attn.q.weight = weight : f32[32, 32]
  %stages.0.blocks.0.mlp.fc1.weight = weight : f32[32, 64]
  %stages.0.blocks.0.mlp.fc1.bias = weight : f32[64]
  %stages.0.blocks.0.mlp.a_projection_with_a_name_that_is_longer_than_anyone_would_type_by_hand.weight = weight : f32[64, 32]
  %1 = matmul %x, %stages.0.blocks.0.attn.q.weight
  %2 = transpose %x { order = [-1, -2] }
  %3 = matmul %1, %2
  %4 = softmax %3 { axis = -1 }
  %5 = matmul %4, %x
  %6 = add %x, %5
  %7 = matmul %6, %stages.0.blocks.0.mlp.fc1.weight
  %8 = add %7, %stages.0.blocks.0.mlp.fc1.bias
  %9 = gelu %8
  %10 = matmul %9, %stages.0.blocks.0.mlp.a_projection_with_a_name_that_is_longer_than_anyone_would_type_by_hand.weight
  %11 = add %6, %10
  return %11
}
";

#[test]
fn no_line_is_wider_than_a_hundred_columns() {
    let dir = Dir::new();
    let modules = dir.file("modules.rg", MODULES);
    let classifier = dir.file("tiny.rg", CLASSIFIER);
    let checkpoint = "tests/golden/checkpoints/training.pth";
    let golden = "tests/golden/levit_128s_1x224x224_seed0.safetensors";
    for args in [
        &["models"][..],
        &["models", "sasa_resnet50"],
        &["table"],
        &["compare", "swin_tiny"],
        &["compare", "swin_tiny", "--all", "--top", "2"],
        &["compare", "pattern_*"],
        &["compare", &modules, "--measure"],
        &["check", &modules, "--trials", "1"],
        &["check", "--golden", golden],
        &["check", "--rules", "--trials", "4"],
        &["bench", &modules, "--kernels"],
        &["run", &classifier],
        &["run", &modules, "--check"],
        &["explain", "swin_tiny"],
        &["explain", &modules, "--replay"],
        &["convert", checkpoint, "--list"],
    ] {
        fits(args, 100);
    }
    // The graph is data; what is said about it is not.
    let Ran { err, .. } = regard(&["optimize", "swin_tiny"]);
    assert!(err.lines().all(|line| columns(line) <= 100), "{err}");
    for command in commands() {
        fits(&[&command, "--help"], 100);
    }
}

#[test]
fn tables_fit_terminals_of_any_width() {
    let dir = Dir::new();
    let modules = dir.file("modules.rg", MODULES);
    for width in [60, 80, 130] {
        for args in [
            &["models"][..],
            &["table"],
            &["compare", "swin_tiny", "--all"],
            &["compare", "pattern_*"],
            &["check", &modules, "--trials", "1"],
            &["bench", &modules, "--kernels"],
            &["explain", &modules],
            &["convert", "tests/golden/checkpoints/training.pth", "--list"],
        ] {
            let text = fits(args, width);
            assert!(text.lines().count() >= 3, "{text}");
        }
    }
    let wide = regard(&["compare", "swin_tiny", "--wide"]).ok();
    assert!(wide.contains("where intermediates live") && wide.lines().any(|line| columns(line) > 200), "{wide}");
}

/// What is said beside tables: weights, times, errors, memory.
#[test]
fn sentences_fit_terminals_of_any_width() {
    let dir = Dir::new();
    let (modules, classifier) = (dir.file("modules.rg", MODULES), dir.file("tiny.rg", CLASSIFIER));
    let out = dir.arg("compiled");
    for width in [40, 50, 60] {
        for args in [
            &["run", &classifier, "--check"][..],
            &["run", &modules],
            &["compile", &classifier, "-o", &out],
            &["run", &out],
            &["check", &modules, "--trials", "1"],
            &["check", "--rules", "--rules-limit", "3"],
            &["bench", &modules, "--kernels"],
            &["explain", &modules, "--replay", "--node", "stages.0.blocks.0.mlp.fc1"],
            &["show", &modules, "--stage", "buffers"],
            &["show", "swin_tiny", "--stage", "buffers"],
        ] {
            fits(args, width);
        }
        for args in [
            &["run", "swin_tinny"][..],
            &["run", &modules, "--weights", "tests/golden/checkpoints/training.pth"],
            &["run", &classifier, "no_such_directory/and_no_such_file_in_it_either_whatever_it_is_called.jpg"],
            &["check", &classifier, "--trials", "many"],
            &["show", &classifier, "--stage", "buffer"],
        ] {
            let run = ran(regard_command().args(args).env("COLUMNS", width.to_string()));
            assert!(run.code > 0 && run.out.lines().all(|line| columns(line) <= width), "{args:?}: {}", run.out);
            assert!(run.err.lines().all(|line| columns(line) <= width), "{args:?} in {width} columns\n{}", run.err);
        }
    }
    // In a pipe an error is a line, whatever it names.
    let err = regard(&["run", &classifier, &"long/".repeat(60)]).fails(1);
    assert_eq!(err.lines().count(), 1, "{err}");
    // What programs read stays as it is.
    let narrow = ran(regard_command().args(["show", "swin_tiny", "--stage", "plan"]).env("COLUMNS", "40")).ok();
    assert_eq!(narrow, regard(&["show", "swin_tiny", "--stage", "plan"]).ok());
}

fn regard_command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_regard"))
}

#[test]
fn the_first_screen_says_where_the_time_goes() {
    let text = regard(&["compare", "swin_tiny", "--target", "x86-64-v3"]).ok();
    assert!(text.lines().count() <= 40, "{text}");
    assert!(text.contains("Where the time goes: 10 of") && text.contains("layers.2.blocks.{0-5}.mlp.fc1"), "{text}");
    let share = |line: &str| line.split_once(" %").and_then(|(share, _)| share.trim().parse::<f64>().ok());
    let shares: Vec<f64> = text.lines().filter_map(share).collect();
    assert_eq!(shares.len(), 10, "{text}");
    assert!(shares.is_sorted_by(|a, b| a >= b), "{text}");
    let all = regard(&["compare", "swin_tiny", "--target", "x86-64-v3", "--all"]).ok();
    let total: f64 = all.lines().filter_map(share).sum();
    assert!((total - 100.0).abs() < 2.5, "{total}\n{all}");
}

/// Numbers of nodes in a text: ` %12`; views divide with the same sign.
fn numbers(text: &str) -> Vec<&str> {
    let words = text.split([' ', '\n', ',']).filter_map(|word| word.strip_prefix('%'));
    words.filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).collect()
}

#[test]
fn nodes_are_called_after_the_modules_of_the_model() {
    let dir = Dir::new();
    for (model, name) in [
        ("swin_tiny", "layers.2.blocks.3.mlp.fc1"),
        ("levit_128s", "blocks.0.m.qkv.c"),
        ("debiformer_tiny", "stages.0.0.mlp1.linear1.0"),
        ("resnet50", "layer1.0.conv1"),
    ] {
        for stage in ["graph", "optimized", "plan", "schedule"] {
            let text = regard(&["show", model, "--stage", stage]).ok();
            assert!(text.contains(name), "{model} {stage} lacks {name}");
            assert!(numbers(&text).is_empty(), "{model} {stage}: {:?}", numbers(&text));
        }
    }
    let text = regard(&["explain", "swin_tiny"]).ok();
    assert!(text.contains("layers.2.blocks.1.attn.qkv.weight") && !text.contains("region %8"), "{text}");
    let one = regard(&["explain", "swin_tiny", "--node", "layers.2.blocks.3.mlp.fc1"]).ok();
    assert!(one.matches("region %").count() == 1, "{one}");
    // Schedules read back, under these names.
    let schedule = dir.file("swin.schedule", regard(&["show", "swin_tiny", "--stage", "schedule"]).ok());
    let alike = regard(&["compare", "swin_tiny", &schedule]).ok();
    assert!(alike.contains("kernels are cut alike everywhere"), "{alike}");
    // What is written by hand keeps its names.
    let block = dir.file("block.rg", BLOCK);
    let plan = regard(&["show", &block, "--stage", "plan"]).ok();
    assert!(plan.contains("%q = matmul") && plan.contains("%y = attend"), "{plan}");
}

/// A graph with the names of its modules is the same graph.
#[test]
fn names_change_nothing_that_is_compiled() {
    let dir = Dir::new();
    let named = dir.file("named.rg", regard(&["show", "levit_128s"]).ok());
    // Comments name the buffers of launches.
    let kernels = |model: &str| -> Vec<String> {
        let text = regard(&["show", model, "--stage", "kernels", "--target", "x86-64-v3"]).ok();
        text.lines().filter(|line| !line.starts_with("//")).map(str::to_owned).collect()
    };
    assert_eq!(kernels(&named), kernels("levit_128s"));
}

#[track_caller]
fn json(args: &[&str], keys: &[&str]) -> Value {
    let Ran { code, out, err } = regard(args);
    assert_eq!(code, 0, "{args:?}: {err}");
    let value: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{args:?}: {e}\n{out}"));
    keys.iter().for_each(|key| assert!(value.get(key).is_some(), "{args:?} has no {key}: {value}"));
    value
}

#[test]
fn every_command_speaks_json() {
    let dir = Dir::new();
    let (block, classifier) = (dir.file("block.rg", BLOCK), dir.file("tiny.rg", CLASSIFIER));
    let models = json(&["models", "--json"], &["models"]);
    let swin = models["models"].as_array().unwrap().iter().find(|m| m["name"] == "swin_tiny").expect("Swin-T");
    assert_eq!(swin["parameters"], 28_288_354);
    let checked =
        json(&["check", &block, "--trials", "1", "--json"], &["model", "target", "weights", "holds", "tolerance"]);
    assert_eq!((&checked["holds"], &checked["outputs"][0]["name"]), (&Value::from(true), &Value::from("y")));
    assert!(checked["outputs"][0]["error"].as_f64().is_some_and(|error| error < 1e-5));
    let rules = json(&["check", "--rules", "--rules-limit", "2", "--json"], &["rules", "broken"]);
    assert_eq!(rules["rules"].as_array().unwrap().len(), 2);
    let compared = json(&["compare", &block, "--json"], &["model", "target", "schedules", "kernels"]);
    assert!(compared["kernels"][0]["share"].as_f64().is_some_and(|share| share > 0.0));
    assert_eq!(
        compared["kernels"][0]["tiles"].as_array().unwrap().len(),
        compared["schedules"].as_array().unwrap().len()
    );
    json(&["compare", &block, &classifier, "--json"], &["models"]);
    let bench = json(&["bench", &block, "--kernels", "--json"], &["median_ms", "kernels"]);
    assert!(bench["kernels"][0]["ns"].as_f64().is_some_and(|ns| ns > 0.0));
    let run = json(&["run", &classifier, "--json", "--top", "3"], &["model", "images", "runs"]);
    let classes = run["images"][0]["classes"].as_array().unwrap();
    assert!(classes.len() == 3 && classes[0]["probability"].as_f64() >= classes[1]["probability"].as_f64());
    let run = json(&["run", &block, "--json", "--check"], &["ms", "outputs"]);
    assert!(run["outputs"][0]["error"].as_f64().is_some_and(|error| error < 1e-5));
    let list =
        json(&["convert", "tests/golden/checkpoints/training.pth", "--list", "--json"], &["tensors", "left_out"]);
    assert_eq!(list["tensors"][0]["shape"], Value::from(vec![2]));
    let explained = json(&["explain", &block, "--replay", "--json"], &["stages", "regions", "replay"]);
    assert!(explained["replay"]["held"].as_u64().is_some_and(|held| held > 0));
    json(&["optimize", &block, "--json"], &["nodes_before", "nodes_after", "graph", "regions"]);
    assert!(json(&["show", &block, "--stage", "plan", "--json"], &["stage", "text"])["text"].is_string());
    let table = json(&["table", "--paper", "bisa", "--json"], &["rows"]);
    assert!(table["rows"][0]["params"].is_u64());
    // In a file, beside the text.
    let file = dir.arg("out.json");
    let text = regard(&["models", &format!("--json={file}")]).ok();
    assert!(text.starts_with("model "), "{text}");
    let written: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(written, models);
    // Errors stay on standard error.
    let ran = regard(&["check", "swin_tinny", "--json"]);
    assert!(ran.out.is_empty() && ran.fails(2).contains("swin_tiny"));
}

#[test]
fn one_number_is_a_square() {
    let dir = Dir::new();
    let square = regard(&["show", "levit_128s", "--size", "64"]).ok();
    assert_eq!(square, regard(&["show", "levit_128s", "--size", "64x64"]).ok());
    assert!(square.contains("f32[1, 3, 64, 64]"), "{square}");
    assert!(regard(&["show", "levit_128s", "--size", "64x"]).fails(2).contains("224 or 224x448"));
    assert!(dir.names().is_empty());
}

#[test]
fn shells_and_man_are_served() {
    let commands = commands();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = regard(&["completions", shell]).ok();
        assert!(commands.iter().all(|command| script.contains(command)) && script.contains("target"), "{shell}");
    }
    let dir = Dir::new();
    let script = dir.file("regard.bash", regard(&["completions", "bash"]).ok());
    match Command::new("bash").args(["-n", &script]).output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(_) => eprintln!("skipped: there is no bash that could read the script"),
    }
    let page = regard(&["man"]).ok();
    assert!(page.contains(".TH regard 1") && commands.iter().all(|command| page.contains(command)), "{page}");
    assert!(regard(&["man", "run"]).ok().contains("\\-\\-labels"));
    assert!(regard(&["man", "rnu"]).fails(2).contains("there is no command called `rnu`"));
}

#[test]
fn names_from_files_neither_command_the_terminal_nor_break_a_table() {
    let dir = Dir::new();
    let long = "x".repeat(100_000);
    let names = [long.as_str(), "layers.0\u{1b}[31m.weight", "\u{202e}thgir", "中文"];
    let all: Vec<(&str, &[usize], Vec<f32>)> = names.iter().map(|name| (*name, &[2usize][..], vec![0.0; 2])).collect();
    let escaped = |bytes: Vec<u8>| {
        let text = String::from_utf8(bytes[8..].to_vec()).expect("zeros").replace('\u{1b}', "\\u001b");
        let (header, data) = text.split_at(text.rfind('}').unwrap() + 1);
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data.as_bytes()].concat()
    };
    let file = dir.file("names.safetensors", escaped(tensors(&all)));
    let list = fits(&["convert", &file, "--list"], 100);
    assert!(list.contains("xxx…xxx") && list.contains("\\u{1b}[31m") && list.contains("中文"), "{list}");
    let labels: String = (0..10).map(|class| format!("\u{1b}]0;{class}\u{7}{}\n", "y".repeat(200))).collect();
    let (labels, model) = (dir.file("labels.txt", labels), dir.file("tiny.rg", CLASSIFIER));
    for text in [list, fits(&["run", &model, "--labels", &labels], 100)] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()) && !text.contains('\u{202e}'), "{text:?}");
    }
    let err = regard(&["run", "no\u{1b}[2Jsuch"]).fails(2);
    assert!(!err.contains('\u{1b}'), "{err:?}");
}
