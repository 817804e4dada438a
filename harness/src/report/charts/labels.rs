//! Places labels beside points so that none covers another, a point or an interval.

use super::canvas::At;

/// A rectangle in logical pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// Left border.
    pub left: f64,
    /// Upper border.
    pub top: f64,
    /// Right border.
    pub right: f64,
    /// Lower border.
    pub bottom: f64,
}

impl Area {
    /// Around a point.
    pub fn around((x, y): At, dx: f64, dy: f64) -> Self {
        Self { left: x - dx, top: y - dy, right: x + dx, bottom: y + dy }
    }

    /// Whether it shares room with another.
    pub fn meets(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn within(&self, border: &Self) -> bool {
        self.left >= border.left
            && self.right <= border.right
            && self.top >= border.top
            && self.bottom <= border.bottom
    }
}

/// Where a label went: its left end on the baseline, and whether it needs a line to its point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Placed {
    /// Left end of the baseline.
    pub at: At,
    /// The label's own rectangle.
    pub area: Area,
    /// Too far from its point to be understood without a line.
    pub led: bool,
}

/// Rooms taken so far.
pub struct Placer {
    border: Area,
    taken: Vec<Area>,
}

const DIRECTIONS: [(f64, f64); 8] =
    [(1.0, 0.0), (0.8, -0.8), (0.8, 0.8), (-1.0, 0.0), (-0.8, -0.8), (-0.8, 0.8), (0.0, -1.0), (0.0, 1.0)];
const DISTANCES: [f64; 4] = [0.0, 8.0, 20.0, 36.0];

impl Placer {
    /// Nothing placed yet; labels stay within `border`.
    pub fn new(border: Area) -> Self {
        Self { border, taken: Vec::new() }
    }

    /// Keeps labels off a line.
    pub fn block_line(&mut self, from: At, to: At) {
        let steps = ((to.0 - from.0).hypot(to.1 - from.1) / 5.0).ceil().max(1.0);
        for step in 0..=steps as u32 {
            let share = f64::from(step) / steps;
            let at = (from.0 + (to.0 - from.0) * share, from.1 + (to.1 - from.1) * share);
            self.block(Area::around(at, 2.5, 2.5));
        }
    }

    /// Keeps labels out of a rectangle.
    pub fn block(&mut self, area: Area) {
        self.taken.push(area);
    }

    /// Places a label of a size (width, em) beside a point, at least `clear` from its middle; `None` where
    /// there is no room near it, or close to it unless `far`. Call in the order of importance.
    pub fn place(&mut self, point: At, clear: f64, size: At, far: bool) -> Option<Placed> {
        self.place_within(self.border, point, clear, size, far)
    }

    /// Where labels stay.
    pub fn border(&self) -> Area {
        self.border
    }

    /// The same as [`Self::place`], within a part of the border.
    pub fn place_within(
        &mut self,
        border: Area,
        point: At,
        clear: f64,
        size: At,
        far: bool,
    ) -> Option<Placed> {
        let distances = if far { &DISTANCES[..] } else { &DISTANCES[..2] };
        for distance in distances {
            for direction in DIRECTIONS {
                let placed = candidate(point, direction, clear + distance, clear, size);
                let free = |area: &Area| !self.taken.iter().any(|taken| taken.meets(area));
                if placed.area.within(&border) && free(&placed.area) {
                    self.taken.push(placed.area);
                    return Some(placed);
                }
            }
        }
        None
    }
}

fn candidate((x, y): At, (dx, dy): At, distance: f64, clear: f64, (width, size): At) -> Placed {
    let left = match dx {
        d if d > 0.0 => x + d * distance,
        d if d < 0.0 => x + d * distance - width,
        _ => x - width / 2.0,
    };
    let middle = y + dy * (distance + size * 0.3);
    let area = Area { left, top: middle - size * 0.6, right: left + width, bottom: middle + size * 0.6 };
    Placed { at: (left, middle + size * 0.36), area, led: distance > clear + 10.0 }
}

/// Moves figures on a line apart until each has `room`, keeping their order and staying within `low..high`
/// where that is possible. Gives the new places in the order given.
pub fn spread_out(wanted: &[f64], room: f64, (low, high): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| wanted[*a].total_cmp(&wanted[*b]));
    let mut places = vec![0.0; wanted.len()];
    let mut floor = low;
    for index in &order {
        places[*index] = wanted[*index].max(floor);
        floor = places[*index] + room;
    }
    let mut ceiling = high;
    for index in order.iter().rev() {
        places[*index] = places[*index].min(ceiling);
        ceiling = places[*index] - room;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn labels_never_cover_each_other(points in prop::collection::vec((0.0..500.0, 0.0..300.0), 1..40)) {
            let border = Area { left: 0.0, top: 0.0, right: 500.0, bottom: 300.0 };
            let mut placer = Placer::new(border);
            let placed: Vec<_> = points.iter().filter_map(|p| placer.place(*p, 9.0, (80.0, 12.0), true)).collect();
            for (i, a) in placed.iter().enumerate() {
                prop_assert!(a.area.within(&border));
                prop_assert!(placed[..i].iter().all(|b| !a.area.meets(&b.area)));
            }
        }

        #[test]
        fn spreading_keeps_room(wanted in prop::collection::vec(0.0..100.0, 0..8)) {
            let mut places = spread_out(&wanted, 12.0, (0.0, 100.0));
            places.sort_by(f64::total_cmp);
            prop_assert!(places.windows(2).all(|w| w[1] - w[0] >= 12.0 - 1e-9));
        }
    }

    #[test]
    fn a_lone_label_goes_right_of_its_point() {
        let border = Area { left: 0.0, top: 0.0, right: 500.0, bottom: 300.0 };
        let placed = Placer::new(border).place((100.0, 100.0), 9.0, (50.0, 12.0), true).unwrap();
        assert!(placed.at.0 > 100.0 && !placed.led);
    }
}
