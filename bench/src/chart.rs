//! The growth chart: the time of one `add-100` request by number of members.

use std::fmt::Write;

use crate::report::{Growth, GrowthPoint};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// Margins around the plot, for the axis labels and the legend.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 78.0;
const BOTTOM: f64 = 58.0;
/// The left end of the logarithmic member axis, as a power of ten. Empty groups are drawn here.
const FIRST_POWER: f64 = 3.0;
/// One color per engine. They differ in lightness too.
const COLORS: [&str; 2] = ["#b45309", "#1d4ed8"];

/// The conversion of values to coordinates in the plot.
struct Scale {
    last_power: f64,
    /// Upper end of the time axis in milliseconds.
    max_ms: f64,
    /// Distance between two grid lines in milliseconds.
    step_ms: f64,
}

impl Scale {
    fn from_points(points: &[&GrowthPoint]) -> Self {
        let members = points.iter().map(|point| point.members).max().unwrap_or(0);
        // 20 % above the medians. The bar of a much slower run is cut off at the top.
        let highest = points.iter().map(|point| point.ms_per_request).fold(0.0, f64::max) * 1.2;
        let step_ms = grid_step(highest);
        Self {
            last_power: power(members).max(FIRST_POWER + 1.0),
            max_ms: (highest / step_ms).ceil().max(1.0) * step_ms,
            step_ms,
        }
    }

    fn x(&self, power: f64) -> f64 {
        LEFT + (power - FIRST_POWER) / (self.last_power - FIRST_POWER) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, ms: f64) -> f64 {
        HEIGHT - BOTTOM - ms.min(self.max_ms) / self.max_ms * (HEIGHT - TOP - BOTTOM)
    }
}

/// Returns the decimal logarithm, or the left end of the axis for an empty group.
#[expect(clippy::cast_precision_loss, reason = "a coordinate in a chart")]
fn power(members: i64) -> f64 {
    if members == 0 { FIRST_POWER } else { (members as f64).log10() }
}

/// Returns 1, 2 or 5 times a power of ten, so that four to ten steps reach `highest`.
fn grid_step(highest: f64) -> f64 {
    let rough = (highest / 5.0).max(1e-6);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough).unwrap_or(rough)
}

/// Draws an SVG with one line per engine. `engines` are names and results.
pub(crate) fn growth(engines: &[(&str, &Growth)]) -> String {
    let points: Vec<&GrowthPoint> = engines.iter().flat_map(|(_, growth)| &growth.points).collect();
    let scale = Scale::from_points(&points);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\" fill=\"#1f2937\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    draw_text(&mut svg, (LEFT, 24.0), "start", "Time to add 100 customers to a group, by number of members");
    draw_text(
        &mut svg,
        (middle, HEIGHT - 14.0),
        "middle",
        "members before (logarithmic; empty groups at the left)",
    );
    draw_axes(&mut svg, &scale);
    let mut legend_x = LEFT;
    for ((name, growth), color) in engines.iter().zip(COLORS) {
        draw_line(&mut svg, &scale, growth, color);
        legend_entry(&mut svg, &mut legend_x, &format!("{name}, one merchant"), color, true);
        if let Some(many) = growth.points.iter().find(|point| point.merchants > 1) {
            let label = format!("{name}, {} merchants", with_separators(many.merchants));
            legend_entry(&mut svg, &mut legend_x, &label, color, false);
        }
    }
    svg + "</svg>\n"
}

fn draw_axes(svg: &mut String, scale: &Scale) {
    let (left, right, bottom) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);
    let mut ms = 0.0;
    while ms <= scale.max_ms + scale.step_ms / 2.0 {
        let y = scale.y(ms);
        let color = if ms == 0.0 { "#6b7280" } else { "#e5e7eb" };
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "<path d=\"M{left} {y:.1}H{right}\" stroke=\"{color}\"/>");
        let digits = if scale.step_ms < 0.1 { 2 } else { usize::from(scale.step_ms < 1.0) };
        draw_text(svg, (left - 8.0, y + 4.0), "end", &format!("{ms:.digits$} ms"));
        ms += scale.step_ms;
    }
    let mut members = 10_i64;
    while power(members) <= scale.last_power {
        let x = scale.x(power(members));
        if power(members) > FIRST_POWER {
            let _ = writeln!(svg, "<path d=\"M{x:.1} {bottom}v5\" stroke=\"#6b7280\"/>");
            draw_text(
                svg,
                (x, bottom + 20.0),
                if x > right - 40.0 { "end" } else { "middle" },
                &with_separators(members),
            );
        }
        members *= 10;
    }
    draw_text(svg, (left, bottom + 20.0), "middle", "0");
}

fn draw_line(svg: &mut String, scale: &Scale, growth: &Growth, color: &str) {
    let position = |point: &GrowthPoint| (scale.x(power(point.members)), scale.y(point.ms_per_request));
    let line: Vec<&GrowthPoint> = growth.points.iter().filter(|point| point.merchants == 1).collect();
    let path: Vec<String> =
        line.iter().map(|&point| position(point)).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<path d=\"M{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
        path.join("L")
    );
    for point in &growth.points {
        let ((x, y), [fastest_y, slowest_y]) =
            (position(point), [point.fastest_ms, point.slowest_ms].map(|ms| scale.y(ms)));
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {fastest_y:.1}V{slowest_y:.1}\" stroke=\"{color}\" stroke-opacity=\"0.5\"/>"
        );
        draw_mark(svg, (x, y), color, point.merchants == 1);
    }
}

/// Draws a dot for one merchant, a square for many.
fn draw_mark(svg: &mut String, (x, y): (f64, f64), color: &str, is_one_merchant: bool) {
    // Writing to a string cannot fail.
    let _ = if is_one_merchant {
        writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{color}\"/>")
    } else {
        let (x, y) = (x - 5.0, y - 5.0);
        writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"10\" height=\"10\" fill=\"#ffffff\" stroke=\"{color}\" stroke-width=\"2\"/>"
        )
    };
}

fn legend_entry(svg: &mut String, x: &mut f64, label: &str, color: &str, is_one_merchant: bool) {
    draw_mark(svg, (*x + 6.0, 48.0), color, is_one_merchant);
    draw_text(svg, (*x + 18.0, 52.0), "start", label);
    // The approximate width of a letter.
    *x += label.chars().map(|_| 6.8).sum::<f64>() + 40.0;
}

fn draw_text(svg: &mut String, (x, y): (f64, f64), anchor: &str, text: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>");
}

/// Returns a number with a comma between groups of three digits.
fn with_separators(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_separators_and_grid_steps_are_round() {
        assert_eq!(with_separators(10_000_000), "10,000,000");
        assert_eq!(with_separators(400), "400");
        assert!((grid_step(0.73) - 0.2).abs() < 1e-9);
        assert!((grid_step(4.0) - 1.0).abs() < 1e-9);
    }
}
