//! The picture of growth: what one request of `add-100` costs against how many members there are.

use std::fmt::Write;

use crate::growth::{Growth, Point};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
/// What is left around the plot: for the scale of times, for that of members, for the legend.
const LEFT: f64 = 70.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 78.0;
const BOTTOM: f64 = 58.0;
/// Members are drawn by their logarithm from here on; an empty group, which has none, stands here.
const FIRST_POWER: f64 = 3.0;
/// A colour for each engine that differs from the others in lightness too.
const COLOURS: [&str; 2] = ["#b45309", "#1d4ed8"];

/// Where things are in the plot.
struct Scale {
    last_power: f64,
    /// Milliseconds at the top.
    top: f64,
    /// Milliseconds between two lines.
    step: f64,
}

impl Scale {
    fn of(points: &[&Point]) -> Self {
        let members = points.iter().map(|point| point.members).max().unwrap_or(0);
        // Room above the medians; of a run that was slower by far only the beginning of its bar is seen.
        let highest = points.iter().map(|point| point.ms_per_request).fold(0.0, f64::max) * 1.2;
        let step = step(highest);
        Self {
            last_power: power(members).max(FIRST_POWER + 1.0),
            top: (highest / step).ceil().max(1.0) * step,
            step,
        }
    }

    fn x(&self, power: f64) -> f64 {
        LEFT + (power - FIRST_POWER) / (self.last_power - FIRST_POWER) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, ms: f64) -> f64 {
        HEIGHT - BOTTOM - ms.min(self.top) / self.top * (HEIGHT - TOP - BOTTOM)
    }
}

/// A power of ten.
#[expect(clippy::cast_precision_loss, reason = "a place in a picture")]
fn power(members: i64) -> f64 {
    if members == 0 { FIRST_POWER } else { (members as f64).log10() }
}

/// One, two or five times a power of ten, of which four to ten reach `highest`.
fn step(highest: f64) -> f64 {
    let rough = (highest / 5.0).max(1e-6);
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough).unwrap_or(rough)
}

/// An SVG of engines with their names.
pub(crate) fn growth(engines: &[(&str, &Growth)]) -> String {
    let all: Vec<&Point> = engines.iter().flat_map(|(_, growth)| &growth.points).collect();
    let scale = Scale::of(&all);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"13\" fill=\"#1f2937\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
    );
    let middle = f64::midpoint(LEFT, WIDTH - RIGHT);
    text(
        &mut svg,
        (LEFT, 24.0),
        "start",
        "What adding 100 customers to a group costs, by how many members there are",
    );
    text(
        &mut svg,
        (middle, HEIGHT - 14.0),
        "middle",
        "members before (logarithmic; an empty group stands at the left)",
    );
    axes(&mut svg, &scale);
    let mut legend = LEFT;
    for ((name, growth), colour) in engines.iter().zip(COLOURS) {
        line(&mut svg, &scale, growth, colour);
        entry(&mut svg, &mut legend, &format!("{name}, one shop"), colour, true);
        if let Some(many) = growth.points.iter().find(|point| point.merchants > 1) {
            let label = format!("{name}, {} shops", grouped(many.merchants));
            entry(&mut svg, &mut legend, &label, colour, false);
        }
    }
    svg + "</svg>\n"
}

fn axes(svg: &mut String, scale: &Scale) {
    let (left, right, bottom) = (LEFT, WIDTH - RIGHT, HEIGHT - BOTTOM);
    let mut ms = 0.0;
    while ms <= scale.top + scale.step / 2.0 {
        let y = scale.y(ms);
        let colour = if ms == 0.0 { "#6b7280" } else { "#e5e7eb" };
        // Writing to a string cannot fail.
        let _ = writeln!(svg, "<path d=\"M{left} {y:.1}H{right}\" stroke=\"{colour}\"/>");
        let digits = if scale.step < 0.1 { 2 } else { usize::from(scale.step < 1.0) };
        text(svg, (left - 8.0, y + 4.0), "end", &format!("{ms:.digits$} ms"));
        ms += scale.step;
    }
    let mut members = 10_i64;
    while power(members) <= scale.last_power {
        let x = scale.x(power(members));
        if power(members) > FIRST_POWER {
            let _ = writeln!(svg, "<path d=\"M{x:.1} {bottom}v5\" stroke=\"#6b7280\"/>");
            text(svg, (x, bottom + 20.0), if x > right - 40.0 { "end" } else { "middle" }, &grouped(members));
        }
        members *= 10;
    }
    text(svg, (left, bottom + 20.0), "middle", "0");
}

fn line(svg: &mut String, scale: &Scale, growth: &Growth, colour: &str) {
    let place = |point: &Point| (scale.x(power(point.members)), scale.y(point.ms_per_request));
    let one: Vec<&Point> = growth.points.iter().filter(|point| point.merchants == 1).collect();
    let path: Vec<String> =
        one.iter().map(|&point| place(point)).map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    // Writing to a string cannot fail.
    let _ = writeln!(
        svg,
        "<path d=\"M{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        path.join("L")
    );
    for point in &growth.points {
        let ((x, y), [from, to]) = (place(point), [point.fastest_ms, point.slowest_ms].map(|ms| scale.y(ms)));
        let _ = writeln!(
            svg,
            "<path d=\"M{x:.1} {from:.1}V{to:.1}\" stroke=\"{colour}\" stroke-opacity=\"0.5\"/>"
        );
        mark(svg, (x, y), colour, point.merchants == 1);
    }
}

/// A dot for one shop, a square for many.
fn mark(svg: &mut String, (x, y): (f64, f64), colour: &str, one: bool) {
    // Writing to a string cannot fail.
    let _ = if one {
        writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>")
    } else {
        let (x, y) = (x - 5.0, y - 5.0);
        writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"10\" height=\"10\" fill=\"#ffffff\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        )
    };
}

fn entry(svg: &mut String, x: &mut f64, label: &str, colour: &str, one: bool) {
    mark(svg, (*x + 6.0, 48.0), colour, one);
    text(svg, (*x + 18.0, 52.0), "start", label);
    // About how wide the letters are.
    *x += label.chars().map(|_| 6.8).sum::<f64>() + 40.0;
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}

/// A number with its thousands apart.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
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
    fn numbers_and_steps_are_round() {
        assert_eq!(grouped(10_000_000), "10,000,000");
        assert_eq!(grouped(400), "400");
        assert!((step(0.73) - 0.2).abs() < 1e-9);
        assert!((step(4.0) - 1.0).abs() < 1e-9);
    }
}
