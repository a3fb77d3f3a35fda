//! Two kinds of plot as SVG: bars on a logarithmic scale, lines on a plain one.
//!
//! Ours, and not a library's: it is a hundred lines, and a drawing crate brings fonts, colours and floats.

use std::fmt::Write as _;

use crate::ground::grouped;

/// The size of a plot and where its axes are, in pixels.
const SIZE: [u64; 2] = [860, 380];
const LEFT: u64 = 90;
const RIGHT: u64 = 20;
const TOP: u64 = 76;
const BOTTOM: u64 = 340;
/// Told apart by the colour-blind too (Okabe and Ito 2008).
const COLOURS: [&str; 6] = ["#0072b2", "#56b4e9", "#999999", "#e69f00", "#cc79a7", "#009e73"];

/// A named row of points.
pub(super) struct Series {
    pub(super) name: String,
    pub(super) points: Vec<(u64, u64)>,
}

/// Bars in groups; a point's first number is its group. Nothing, if there are no points.
pub(super) fn bars(title: &str, groups: &[String], series: &[Series]) -> Option<String> {
    let shown: Vec<&Series> = series.iter().filter(|series| !series.points.is_empty()).collect();
    let values = || shown.iter().flat_map(|series| &series.points).map(|(_, value)| *value);
    let (low, high) = (power_below(values().min()?), power_below(values().max()?) * 10);
    let height = |value: u64| {
        let (low, high) = (logarithm(low), logarithm(high));
        (logarithm(value).saturating_sub(low)) * (BOTTOM - TOP) / (high - low).max(1)
    };
    let mut svg = begin(title, &shown);
    let mut tick = low;
    while tick <= high {
        grid(&mut svg, BOTTOM - height(tick), tick);
        tick *= 10;
    }
    let room = (SIZE[0] - LEFT - RIGHT) / (groups.len() as u64).max(1);
    let wide = room * 4 / 5 / (shown.len() as u64).max(1);
    for (at, group) in (0u64..).zip(groups) {
        text(&mut svg, [LEFT + room * at + room / 2, BOTTOM + 22], "middle", group);
    }
    for (at, series) in shown.iter().enumerate() {
        for (group, value) in &series.points {
            let (x, tall) = (LEFT + room * group + room / 10 + wide * at as u64, height(*value));
            let (y, colour) = (BOTTOM - tall, COLOURS[at % COLOURS.len()]);
            let _ = writeln!(
                svg,
                r#"<rect x="{x}" y="{y}" width="{}" height="{tall}" fill="{colour}">"#,
                wide - 2
            );
            let _ = writeln!(svg, "<title>{}: {}</title></rect>", series.name, grouped(*value));
        }
    }
    Some(svg + "</svg>\n")
}

/// Lines over a count that begins at nothing.
pub(super) fn lines(title: &str, series: &[Series]) -> Option<String> {
    let points = || series.iter().flat_map(|series| &series.points);
    let right = points().map(|(x, _)| *x).max()?.max(1);
    let highest = points().map(|(_, y)| *y).max()?.max(4);
    let step = power_below(highest).max(1) / if highest / power_below(highest) < 4 { 2 } else { 1 };
    let top = highest.div_ceil(step.max(1)) * step.max(1);
    let mut svg = begin(title, &series.iter().collect::<Vec<_>>());
    for tick in (0..=top / step.max(1)).map(|n| n * step.max(1)) {
        grid(&mut svg, BOTTOM - tick * (BOTTOM - TOP) / top, tick);
    }
    let across = |x: u64| LEFT + x * (SIZE[0] - LEFT - RIGHT) / right;
    for quarter in 1..=4 {
        text(&mut svg, [across(right * quarter / 4), BOTTOM + 22], "end", &grouped(right * quarter / 4));
    }
    for (at, series) in series.iter().enumerate() {
        let mut way = String::new();
        for (x, y) in &series.points {
            let _ = write!(way, "{},{} ", across(*x), BOTTOM - y * (BOTTOM - TOP) / top);
        }
        let colour = COLOURS[at % COLOURS.len()];
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
            way.trim_end()
        );
    }
    Some(svg + "</svg>\n")
}

fn begin(title: &str, series: &[&Series]) -> String {
    let [width, height] = SIZE;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    text(&mut svg, [LEFT, 24], "start", title);
    let mut x = LEFT;
    for (at, series) in series.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let _ = writeln!(svg, r#"<rect x="{x}" y="42" width="12" height="12" fill="{colour}"/>"#);
        text(&mut svg, [x + 18, 53], "start", &series.name);
        x += 44 + series.name.len() as u64 * 7;
    }
    svg
}

fn grid(svg: &mut String, y: u64, value: u64) {
    let right = SIZE[0] - RIGHT;
    let _ = writeln!(svg, r##"<line x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}" stroke="#dddddd"/>"##);
    text(svg, [LEFT - 8, y + 4], "end", &grouped(value));
}

fn text(svg: &mut String, [x, y]: [u64; 2], anchor: &str, words: &str) {
    let _ = writeln!(svg, r##"<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#222222">{words}</text>"##);
}

/// The greatest power of ten not above `n`.
fn power_below(n: u64) -> u64 {
    10u64.pow(n.max(1).ilog10())
}

/// A thousand times the logarithm to the base of two, straight between powers: at most 0.086 too small, which
/// is a pixel or two here.
fn logarithm(n: u64) -> u64 {
    let whole = n.max(1).ilog2();
    let power = 1u64 << whole;
    u64::from(whole) * 1_000 + (n.max(1) - power) * 1_000 / power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_hold_every_point_and_stay_in_their_frame() {
        let series = [("a", 900), ("b", 350_000)]
            .map(|(name, value)| Series { name: name.to_owned(), points: vec![(0, value), (1, value * 2)] });
        let drawn = bars("title", &["one".to_owned(), "two".to_owned()], &series).unwrap();
        assert_eq!(drawn.matches("<title>").count(), 4);
        let drawn = lines("title", &series).unwrap();
        assert_eq!(drawn.matches("<polyline").count(), 2);
        for y in drawn.split("y1=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse::<u64>().ok()) {
            assert!((TOP..=BOTTOM).contains(&y), "{y}");
        }
        assert!(bars("nothing", &[], &[]).is_none());
    }

    #[test]
    fn the_logarithm_grows_and_is_right_at_powers() {
        assert_eq!((logarithm(1), logarithm(1_024)), (0, 10_000));
        assert!((1..10_000).all(|n| logarithm(n) <= logarithm(n + 1)));
    }
}
