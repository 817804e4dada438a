//! RSS against throughput: a point a candidate with both intervals, the Pareto front, the choice.

use plotters::prelude::*;

use super::axis::{Panel, Scale, byte_unit, count_unit, spread};
use super::canvas::{Align, At, Canvas, Lettering};
use super::labels::{Area, Placer};
use super::theme::{self, Family};
use crate::format::decision::Level;
use crate::report::words;

/// What a point is to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The choice.
    Choice,
    /// What the others are compared with, and is kept.
    Kept,
    /// What the others are compared with.
    Baseline,
    /// On the Pareto front.
    Front,
    /// Beaten in both figures.
    Beaten,
    /// Shown to break a constraint.
    Infeasible,
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct Point {
    /// Canonical candidate.
    pub name: String,
    /// Bytes.
    pub rss: Level,
    /// Work per second.
    pub throughput: Level,
    /// What it is.
    pub role: Role,
    /// Whether no other candidate is better in both figures.
    pub on_front: bool,
}

/// The drawing.
#[derive(Clone, Debug)]
pub struct Frontier {
    /// The finding.
    pub title: String,
    /// Scenario.
    pub subtitle: String,
    /// For example `peak RSS`.
    pub objective: &'static str,
    /// Unit of throughput.
    pub unit: String,
    /// Candidates with both figures.
    pub points: Vec<Point>,
    /// Least throughput that the constraints allow, and its name.
    pub floor: Option<(f64, String)>,
    /// Most RSS that the constraints allow.
    pub budget: Option<f64>,
}

/// Width and height.
pub const SIZE: At = (theme::WIDTH, 480.0);

/// With more candidates than this only those that matter are named at a distance.
const CROWD: usize = 16;
/// The most room that a name takes.
const LONGEST: f64 = 260.0;

struct Scales {
    panel: Panel,
    x: Scale,
    y: Scale,
}

impl Frontier {
    /// Draws.
    pub fn draw<B: DrawingBackend>(&self, canvas: &mut Canvas<B>) {
        super::heading(canvas, &self.title, &self.subtitle, SIZE.0);
        let panel = Panel { left: 58.0, right: SIZE.0 - 20.0, top: 88.0, bottom: SIZE.1 - 50.0 };
        let rss = self.points.iter().flat_map(|p| [p.rss.low, p.rss.high]).chain(self.budget);
        let floor = self.floor.as_ref().map(|(v, _)| *v);
        let rates = self.points.iter().flat_map(|p| [p.throughput.low, p.throughput.high]).chain(floor);
        let (rss, rates) = (spread(rss), spread(rates));
        let scales = Scales {
            x: Scale::linear(rss, (panel.left, panel.right)),
            y: Scale::linear(rates, (panel.bottom, panel.top)),
            panel,
        };
        let mut placer = Placer::new(Area {
            left: scales.panel.left,
            top: scales.panel.top - 6.0,
            right: scales.panel.right + 14.0,
            bottom: scales.panel.bottom - 2.0,
        });
        self.bounds(canvas, &scales, &mut placer);
        let (bytes, counts) = (byte_unit(rss.1), count_unit(rates.1));
        scales.panel.x_axis(canvas, &scales.x, bytes, &format!("← {} ({})", self.objective, bytes.name));
        scales.panel.y_axis(
            canvas,
            &scales.y,
            counts,
            &format!("↑ throughput ({}{})", counts.name, self.unit),
        );
        self.front(canvas, &scales, &mut placer);
        self.points(canvas, &scales, &mut placer);
        self.names(canvas, &scales, &mut placer);
    }

    fn bounds<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, scales: &Scales, placer: &mut Placer) {
        let Scales { panel, x, y } = scales;
        let look = Lettering::new(theme::SMALL, theme::MUTED);
        if let Some((floor, name)) = self.floor.as_ref().filter(|(v, _)| y.holds(*v)) {
            let at = y.at(*floor);
            canvas.rect((panel.left, at), (panel.right, panel.bottom), theme::FORBIDDEN);
            canvas.line(&[(panel.left, at), (panel.right, at)], theme::BAD, 1.0);
            let width = look.width(name);
            placer.block(Area { left: panel.left, top: at - 2.0, right: panel.right, bottom: at + 2.0 });
            canvas.text((panel.right - 6.0, panel.bottom - 8.0), name, look.align(Align::End));
            placer.block(Area {
                left: panel.right - width - 8.0,
                top: panel.bottom - 22.0,
                right: panel.right,
                bottom: panel.bottom,
            });
        }
        if let Some(budget) = self.budget.filter(|v| x.holds(*v)) {
            let at = x.at(budget);
            canvas.rect((at, panel.top), (panel.right, panel.bottom), theme::FORBIDDEN);
            canvas.line(&[(at, panel.top), (at, panel.bottom)], theme::BAD, 1.0);
            canvas.text((at - 5.0, panel.top + 12.0), "RSS budget", look.align(Align::End));
        }
    }

    fn front<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, scales: &Scales, placer: &mut Placer) {
        let mut front: Vec<&Point> = self.points.iter().filter(|p| p.on_front).collect();
        front.sort_by(|a, b| a.rss.estimate.total_cmp(&b.rss.estimate));
        // Overlapping intervals keep candidates on the front that the estimates alone would not: the line
        // goes through those that no other beats in both estimates, so that it only ever rises.
        let mut fastest = 0.0;
        front.retain(|p| {
            let rises = p.throughput.estimate > fastest;
            fastest = p.throughput.estimate.max(fastest);
            rises
        });
        let path: Vec<At> =
            front.iter().map(|p| (scales.x.at(p.rss.estimate), scales.y.at(p.throughput.estimate))).collect();
        if path.len() > 1 {
            canvas.dashed(&path, theme::MUTED, 1.0);
            path.windows(2).for_each(|pair| placer.block_line(pair[0], pair[1]));
        }
    }

    fn points<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, scales: &Scales, placer: &mut Placer) {
        let Scales { x, y, .. } = scales;
        let mut ordered: Vec<&Point> = self.points.iter().collect();
        ordered.sort_by_key(|p| std::cmp::Reverse(p.role));
        for point in ordered {
            let family = Family::of(&point.name);
            let at = (x.at(point.rss.estimate), y.at(point.throughput.estimate));
            let faint = point.role >= Role::Beaten;
            let colour = family.colour().mix(if faint { 0.55 } else { 1.0 });
            let (rss, rate) = (&point.rss, &point.throughput);
            canvas.interval((x.at(rss.low), at.1), (x.at(rss.high), at.1), colour, 1.2);
            canvas.interval((at.0, y.at(rate.low)), (at.0, y.at(rate.high)), colour, 1.2);
            if matches!(point.role, Role::Baseline | Role::Kept) {
                canvas.mark(at, family.shape(), 6.5, theme::INK);
            }
            if matches!(point.role, Role::Choice | Role::Kept) {
                canvas.ring(at, 11.0, theme::INK, 2.0);
            }
            canvas.mark(at, family.shape(), if faint { 3.0 } else { 4.2 }, colour);
            let says = format!(
                "{}: {} {}, throughput {}",
                point.name,
                self.objective,
                words::bytes(rss),
                words::rate(rate, &self.unit)
            );
            canvas.spot(at, 10.0, says);
            let own = clearance(point.role) - 3.0;
            placer.block(Area::around(at, own, own));
            if point.role <= Role::Front || self.points.len() <= CROWD {
                let wide = (x.at(rss.high) - x.at(rss.low)) / 2.0;
                let tall = (y.at(rate.low) - y.at(rate.high)) / 2.0;
                placer.block(Area::around(at, wide, 2.0));
                placer.block(Area::around(at, 2.0, tall));
                for end in [x.at(rss.low), x.at(rss.high)] {
                    placer.block(Area::around((end, at.1), 2.0, 7.0));
                }
            }
        }
    }

    /// The part of a region that lies on the same side of the floor as `y`.
    fn side(&self, scales: &Scales, whole: Area, y: f64) -> Area {
        match self.floor.as_ref().filter(|(v, _)| scales.y.holds(*v)).map(|(v, _)| scales.y.at(*v)) {
            Some(floor) if y <= floor => Area { bottom: floor, ..whole },
            Some(floor) => Area { top: floor, ..whole },
            None => whole,
        }
    }

    fn names<B: DrawingBackend>(&self, canvas: &mut Canvas<B>, scales: &Scales, placer: &mut Placer) {
        let mut ordered: Vec<&Point> = self.points.iter().collect();
        ordered.sort_by_key(|p| p.role);
        let full: Vec<&str> = ordered.iter().map(|p| p.name.as_str()).collect();
        let names = super::distinct(&full, Lettering::new(theme::SMALL, theme::INK).bold(), LONGEST);
        for (point, name) in ordered.into_iter().zip(names) {
            let (suffix, bold) = match point.role {
                Role::Choice => (" (choice)", true),
                Role::Kept => (" (baseline, kept)", true),
                Role::Baseline => (" (baseline)", true),
                _ => ("", false),
            };
            let faint = point.role >= Role::Beaten;
            let colour = if faint { theme::MUTED } else { theme::INK };
            let look = Lettering { bold, ..Lettering::new(theme::SMALL, colour) };
            let name = format!("{name}{suffix}");
            let at = (scales.x.at(point.rss.estimate), scales.y.at(point.throughput.estimate));
            let near = clearance(point.role);
            let far = !faint || self.points.len() <= CROWD;
            let size = (look.width(&name) + 2.0, look.size);
            // A name on the other side of the floor would say the opposite of its point.
            let own_side = self.side(scales, placer.border(), at.1);
            let beside = placer.place_within(own_side, at, near, size, far);
            if let Some(placed) = beside.or_else(|| placer.place(at, near, size, far)) {
                if placed.led {
                    let end = nearest(&placed.area, at);
                    canvas.line(&[at, end], theme::MUTED.mix(0.6), 0.7);
                }
                canvas.text(placed.at, &name, look);
            }
        }
    }
}

/// How far a label stays from the middle of its point.
fn clearance(role: Role) -> f64 {
    if matches!(role, Role::Choice | Role::Kept) { 17.0 } else { 10.0 }
}

fn nearest(area: &Area, (x, y): At) -> At {
    (x.clamp(area.left - 1.0, area.right + 1.0), y.clamp(area.top, area.bottom))
}
