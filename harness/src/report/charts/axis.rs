//! Scales: from figures to logical pixels, with round ticks and units.

use plotters::coord::ranged1d::Ranged;
use plotters::coord::types::RangedCoordf64;

use super::canvas::{Align, Canvas, Lettering};
use super::theme;
use plotters::prelude::DrawingBackend;

/// What a figure is divided by to be shown on an axis, and the name of that unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unit {
    /// Divisor.
    pub size: f64,
    /// Name or prefix.
    pub name: &'static str,
}

/// The unit in which bytes up to `most` are best read.
pub fn byte_unit(most: f64) -> Unit {
    let units = [(1u64 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")];
    unit(&units, most)
}

/// The decimal prefix with which a rate or count up to `most` is best read.
pub fn count_unit(most: f64) -> Unit {
    unit(&[(1_000_000_000, "G "), (1_000_000, "M "), (1000, "k "), (1, "")], most)
}

fn unit(units: &[(u64, &'static str)], most: f64) -> Unit {
    let found = units.iter().find(|(size, _)| most >= *size as f64 * 1.5);
    let (size, name) = found.or(units.last()).copied().unwrap_or((1, ""));
    Unit { size: size as f64, name }
}

/// A linear or logarithmic scale.
#[derive(Clone, Debug)]
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    logarithmic: bool,
}

impl Scale {
    /// From figures `low..high` to pixels `from..to`. A range that is empty or not finite becomes one of 1.
    pub fn linear((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let sound = low.is_finite() && high.is_finite() && high > low;
        let (low, high) = if sound { (low, high) } else { (0.0, 1.0) };
        Self { low, high, from, to, logarithmic: false }
    }

    /// The same over the logarithm; `low` must be above 0, else the range becomes 1..10.
    pub fn logarithmic((low, high): (f64, f64), pixels: (f64, f64)) -> Self {
        let sound = low > 0.0 && high > low && high.is_finite();
        let (low, high) = if sound { (low, high) } else { (1.0, 10.0) };
        Self { logarithmic: true, ..Self::linear((low, high), pixels) }
    }

    /// The pixel of a figure; figures outside are held at the border.
    pub fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.low, self.high);
        let share = if self.logarithmic {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share * (self.to - self.from)
    }

    /// Whether a figure is on the scale.
    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Whether it starts at zero.
    pub fn from_zero(&self) -> bool {
        self.low == 0.0
    }

    /// About `count` round figures, in units.
    pub fn ticks(&self, count: usize, unit: Unit) -> Vec<(f64, String)> {
        let range: RangedCoordf64 = (self.low / unit.size..self.high / unit.size).into();
        let points = range.key_points(count.max(2));
        let step = points.windows(2).map(|w| w[1] - w[0]).fold(f64::INFINITY, f64::min);
        let digits =
            if step.is_finite() && step > 0.0 { (-step.log10().floor()).clamp(0.0, 6.0) } else { 0.0 };
        let digits = if (step * 10f64.powf(digits)).fract().abs() > 1e-6 { digits + 1.0 } else { digits };
        let label = |v: f64| format!("{:.*}", digits as usize, if v.abs() < step / 1e3 { 0.0 } else { v });
        points.iter().map(|v| (v * unit.size, label(*v).replace('-', "−"))).collect()
    }
}

/// A range from zero to a little above `most`.
pub fn from_zero(most: f64) -> (f64, f64) {
    (0.0, if most > 0.0 { most * 1.06 } else { 1.0 })
}

/// From zero where the figures spread far enough to be seen there; else the spread with some air.
pub fn spread(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(0.0, f64::max);
    if !(low.is_finite() && high > 0.0) || low < high * 0.35 {
        return from_zero(high);
    }
    let air = ((high - low) * 0.12).max(high * 0.01);
    ((low - air).max(0.0), high + air)
}

/// The plotting area of one panel: pixel borders and both scales.
pub struct Panel {
    /// Left border.
    pub left: f64,
    /// Right border.
    pub right: f64,
    /// Upper border.
    pub top: f64,
    /// Lower border.
    pub bottom: f64,
}

impl Panel {
    /// Draws horizontal grid lines with labels, and the name of the axis above it.
    pub fn y_axis<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, scale: &Scale, unit: Unit, name: &str) {
        let look = Lettering::new(theme::SMALL, theme::MUTED).align(Align::End);
        let count = ((self.bottom - self.top) / 26.0) as usize;
        for (value, label) in scale.ticks(count, unit) {
            let y = scale.at(value);
            canvas.line(&[(self.left, y), (self.right, y)], theme::GRID, 0.5);
            canvas.text((self.left - 7.0, y + 4.0), &label, look);
        }
        let name = if scale.from_zero() { name.to_owned() } else { format!("{name}; does not start at 0") };
        let look = Lettering::new(theme::SMALL, theme::MUTED);
        canvas.text((self.left - 44.0, self.top - 12.0), &name, look);
    }

    /// Draws vertical grid lines with labels, and the name of the axis below it.
    pub fn x_axis<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, scale: &Scale, unit: Unit, name: &str) {
        let look = Lettering::new(theme::SMALL, theme::MUTED).align(Align::Middle);
        let count = ((self.right - self.left) / 60.0) as usize;
        for (value, label) in scale.ticks(count, unit) {
            let x = scale.at(value);
            canvas.line(&[(x, self.top), (x, self.bottom)], theme::GRID, 0.5);
            canvas.text((x, self.bottom + 18.0), &label, look);
        }
        let name = if scale.from_zero() { name.to_owned() } else { format!("{name}; does not start at 0") };
        let look = Lettering::new(theme::SMALL, theme::MUTED).align(Align::End);
        canvas.text((self.right, self.bottom + 36.0), &name, look);
        self.base_line(canvas);
    }

    /// Draws the lower border.
    pub fn base_line<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        canvas.line(&[(self.left, self.bottom), (self.right, self.bottom)], theme::MUTED, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within_the_range() {
        let scale = Scale::linear((0.0, 3.3e8), (0.0, 100.0));
        let ticks = scale.ticks(6, byte_unit(3.3e8));
        assert!(ticks.len() >= 3, "{ticks:?}");
        assert!(ticks.iter().all(|(v, label)| scale.holds(*v) && label.len() <= 4), "{ticks:?}");
        assert_eq!(ticks[0].1, "0");
    }

    #[test]
    fn scales_survive_ranges_that_are_none() {
        for range in [(0.0, 0.0), (f64::NAN, 1.0), (1.0, f64::INFINITY), (5.0, 5.0)] {
            assert!(Scale::linear(range, (0.0, 10.0)).at(5.0).is_finite());
            assert!(Scale::logarithmic(range, (0.0, 10.0)).at(5.0).is_finite());
        }
    }

    #[test]
    fn close_figures_are_spread_and_distant_ones_start_at_zero() {
        assert!(spread([10.0, 100.0].into_iter()).0 < 1e-9);
        assert!(spread([90.0, 100.0].into_iter()).0 > 80.0);
    }
}
