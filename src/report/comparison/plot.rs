//! The drawings of the page, as inline SVG: a roofline, and bars.
//!
//! ```text
//!   GFLOP/s │      ╱‾‾‾‾‾‾‾‾ peak         each roof is a bandwidth times the operations per byte:
//!           │    ╱ ╱                      what a level allows, and no kernel can be above all of its roofs
//!           │  ╱ ╱    ○ estimate
//!           └──────────────── FLOP per byte from beyond L1
//! ```
//!
//! Colours are classes that the page defines for light and dark.

use super::{page::escape, text::time};
use regard::compare::{Comparison, lines::Line};
use regard_ir::target::Target;
use std::fmt::Write;

/// Pixels of a drawing's width.
const WIDTH: f64 = 900.0;
/// Pixels around a plot for its labels.
const MARGIN: f64 = 56.0;

/// A logarithmic axis between two powers of ten.
struct Axis {
    low: i32,
    high: i32,
    from: f64,
    to: f64,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let part = (value.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }
    fn decades(&self) -> impl Iterator<Item = (f64, f64)> {
        (self.low..=self.high).map(|power| (10f64.powi(power), self.at(10f64.powi(power))))
    }
    /// The smallest that holds the values, a decade at least.
    fn around(values: impl Iterator<Item = f64>, (from, to): (f64, f64)) -> Axis {
        let (low, high) = values
            .filter(|v| v.is_finite() && *v > 0.0)
            .fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
        let low = if low.is_finite() { low.log10().floor() as i32 } else { 0 };
        let high = if high > 0.0 { high.log10().ceil() as i32 } else { 1 };
        Axis { low, high: high.max(low + 1), from, to }
    }
}

/// One point of the roofline.
struct Point {
    intensity: f64,
    estimate: f64,
    measured: Option<f64>,
    title: String,
}

fn points(lines: &[Line]) -> Vec<Point> {
    let point = |line: &Line| {
        let estimate = &line.parts[0].estimate;
        let flops = estimate.flops as f64;
        let measured = line.measured[0].map(|ns| flops * line.launches() as f64 / ns);
        let said = time(Some(line.estimate(0)));
        let title = format!("{}: {said} estimated, {} measured", line.parts[0].kernel, time(line.measured[0]));
        Point { intensity: estimate.intensity(1), estimate: flops / estimate.ns, measured, title }
    };
    lines.iter().map(point).filter(|p| p.intensity.is_finite() && p.intensity > 0.0 && p.estimate > 0.0).collect()
}

/// Kernels of the first schedule under the roofs of the target, on logarithmic axes.
pub(crate) fn roofline(lines: &[Line], target: &Target) -> String {
    const HEIGHT: f64 = 460.0;
    let points = points(lines);
    let x = Axis::around(points.iter().map(|p| p.intensity), (MARGIN, WIDTH - MARGIN));
    let speeds = points.iter().flat_map(|p| [p.estimate, p.measured.unwrap_or(p.estimate)]);
    let y = Axis::around(speeds.chain([target.core_gflops()]), (HEIGHT - MARGIN, MARGIN / 2.0));
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Roofline\">\n");
    grid(&mut svg, &x, &y);
    for level in 0..target.levels.len() {
        roof(&mut svg, (&x, &y), target, level);
    }
    for Point { intensity, estimate, measured, title } in &points {
        let (cx, cy, title) = (x.at(*intensity), y.at(*estimate), escape(title));
        if let Some(measured) = measured {
            let my = y.at(*measured);
            let _ = writeln!(svg, "<line class=\"link\" x1=\"{cx:.1}\" y1=\"{cy:.1}\" x2=\"{cx:.1}\" y2=\"{my:.1}\"/>");
            let _ = writeln!(
                svg,
                "<circle class=\"measured\" cx=\"{cx:.1}\" cy=\"{my:.1}\" r=\"4\"><title>{title}</title></circle>"
            );
        }
        let _ = writeln!(
            svg,
            "<circle class=\"estimate\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"4.5\"><title>{title}</title></circle>"
        );
    }
    let (middle, bottom) = (WIDTH / 2.0, HEIGHT - 8.0);
    let _ = writeln!(
        svg,
        "<text x=\"{middle}\" y=\"{bottom}\" text-anchor=\"middle\">FLOP per byte from beyond the L1 cache</text>"
    );
    let _ = writeln!(
        svg,
        "<text x=\"14\" y=\"{:.0}\" transform=\"rotate(-90 14 {0:.0})\" text-anchor=\"middle\">GFLOP/s</text>",
        HEIGHT / 2.0
    );
    svg + "</svg>\n"
}

fn grid(svg: &mut String, x: &Axis, y: &Axis) {
    let (left, right, bottom, top) = (x.from, x.to, y.from, y.to);
    for (value, at) in x.decades() {
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{bottom}\" x2=\"{at:.1}\" y2=\"{top}\"/>");
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{:.0}\" text-anchor=\"middle\">{value}</text>", bottom + 18.0);
    }
    for (value, at) in y.decades() {
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{left}\" y1=\"{at:.1}\" x2=\"{right}\" y2=\"{at:.1}\"/>");
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", left - 6.0, at + 4.0);
    }
}

/// Bandwidth times intensity, up to the peak.
fn roof(svg: &mut String, (x, y): (&Axis, &Axis), target: &Target, level: usize) {
    let (bandwidth, peak) = (target.levels[level].gbps, target.core_gflops());
    let (least, most) = (10f64.powi(x.low), 10f64.powi(x.high));
    let floor = 10f64.powi(y.low);
    let start = (floor / bandwidth).max(least);
    let ridge = (peak / bandwidth).clamp(start, most);
    let end = if level == 0 { most } else { ridge };
    let corners = [(start, bandwidth * start), (ridge, bandwidth * ridge), (end, (bandwidth * end).min(peak))];
    let path: Vec<String> =
        corners.iter().map(|&(i, speed)| format!("{:.1},{:.1}", x.at(i), y.at(speed.min(peak)))).collect();
    let _ = writeln!(svg, "<polyline class=\"roof\" points=\"{}\"/>", path.join(" "));
    if ridge > start {
        // Names stand in the middle of their slopes and follow them, so that none lies on another roof.
        let (run, rise) = (x.at(ridge) - x.at(start), y.at(bandwidth * start) - y.at(peak.min(bandwidth * ridge)));
        let (tx, ty) = (x.at((start * ridge).sqrt()), y.at(bandwidth * (start * ridge).sqrt()) - 6.0);
        let angle = -rise.atan2(run).to_degrees();
        let _ = writeln!(
            svg,
            "<text class=\"name\" x=\"{tx:.1}\" y=\"{ty:.1}\" transform=\"rotate({angle:.1} {tx:.1} {ty:.1})\" text-anchor=\"middle\">{} {bandwidth} GB/s</text>",
            target.levels[level].name
        );
    }
    if level == 0 {
        let (px, py) = (x.to, y.at(peak) - 6.0);
        let _ = writeln!(
            svg,
            "<text class=\"name\" x=\"{px}\" y=\"{py:.1}\" text-anchor=\"end\">peak of one core {peak} GFLOP/s</text>"
        );
    }
}

/// A bar per kernel, longest first: the estimate as an outline, the measurement filled.
pub(crate) fn bars(comparison: &Comparison, lines: &[Line]) -> String {
    const ROW: f64 = 22.0;
    const NAME: f64 = 260.0;
    const NUMBERS: f64 = 170.0;
    let length = |line: &Line| line.estimate(0).max(line.measured[0].unwrap_or(0.0));
    let mut order: Vec<&Line> = lines.iter().collect();
    order.sort_by(|a, b| length(b).total_cmp(&length(a)));
    let longest = order.first().map_or(1.0, |line| length(line)).max(1.0);
    let scale = (WIDTH - NAME - NUMBERS) / longest;
    let height = ROW * order.len() as f64 + 8.0;
    let label = escape(&comparison.entries()[0].title);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"Kernels of {label}\">\n");
    for (i, line) in order.into_iter().enumerate() {
        let top = ROW * i as f64 + 4.0;
        let (middle, bar) = (top + 14.0, ROW - 8.0);
        let name = format!("{} × {}", escape(&line.parts[0].kernel), line.launches());
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"{middle:.1}\" text-anchor=\"end\">{name}</text>", NAME - 8.0);
        if let Some(measured) = line.measured[0] {
            let width = measured * scale;
            let _ = writeln!(
                svg,
                "<rect class=\"measured\" x=\"{NAME}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{bar}\"/>",
                top + 2.0
            );
        }
        let width = line.estimate(0) * scale;
        let _ = writeln!(
            svg,
            "<rect class=\"estimate\" x=\"{NAME}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{bar}\"/>",
            top + 2.0
        );
        let said = match line.measured[0] {
            Some(_) => format!("{} / {}", time(Some(line.estimate(0))), time(line.measured[0])),
            None => time(Some(line.estimate(0))),
        };
        let at = NAME + length(line) * scale + 6.0;
        let _ = writeln!(svg, "<text x=\"{at:.1}\" y=\"{middle:.1}\">{said}</text>");
    }
    svg + "</svg>\n"
}
