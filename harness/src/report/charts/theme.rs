//! One look for all charts: fonts, sizes and colours.
//!
//! Lengths are logical pixels; a chart is drawn at [`SCALE`] device pixels each, in SVG and in PNG alike.
//! Data colours are from the palette of Okabe and Ito (2008), which colour-blind readers can tell apart;
//! shape and label repeat what colour says. In SVG the [`STYLE`] sheet swaps each colour for a light or
//! dark one, so a drawing never names any but these.

use std::sync::OnceLock;

use plotters::style::{FontStyle, RGBColor, register_font};

/// Device pixels in a logical pixel.
pub const SCALE: f64 = 2.0;
/// The embedded font, a subset of `DejaVu` Sans (see `harness/assets/README.md`).
pub const FONT: &str = "Arenalab Sans";
/// The same font as CSS `@font-face` rules with data URIs.
pub const FONT_FACES: &str = include_str!("../../../assets/fonts.css");
/// Swaps the colours of this module for dark ones where the reader asks for dark.
pub const STYLE: &str = include_str!("../chart.css");

/// Width of every chart.
pub const WIDTH: f64 = 820.0;

/// Height of an em in axis and data labels.
pub const SMALL: f64 = 12.0;
/// Height of an em in titles of panels.
pub const NORMAL: f64 = 13.0;
/// Height of an em in the title.
pub const TITLE: f64 = 16.0;

/// Background.
pub const SURFACE: RGBColor = RGBColor(0xFF, 0xFF, 0xFE);
/// Text and the baseline.
pub const INK: RGBColor = RGBColor(0x1B, 0x1F, 0x24);
/// Secondary text and axes.
pub const MUTED: RGBColor = RGBColor(0x57, 0x60, 0x6A);
/// Grid lines.
pub const GRID: RGBColor = RGBColor(0xE1, 0xE4, 0xE8);
/// What leads from a figure to its name.
pub const LEADER: RGBColor = RGBColor(0xB9, 0xC0, 0xC8);
/// A region that is out of bounds.
pub const FORBIDDEN: RGBColor = RGBColor(0xF6, 0xE9, 0xE4);
/// Verdict `better`.
pub const GOOD: RGBColor = RGBColor(0x00, 0x6B, 0x4F);
/// Verdict `worse`.
pub const BAD: RGBColor = RGBColor(0xB0, 0x3A, 0x00);

/// An allocator's colour and shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// GNU C library.
    Glibc,
    /// jemalloc.
    Jemalloc,
    /// mimalloc.
    Mimalloc,
    /// tcmalloc of gperftools.
    Tcmalloc,
    /// A preloaded library or anything else.
    Other,
}

/// How a point is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A disc.
    Disc,
    /// A square.
    Square,
    /// A triangle, point up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A triangle, point down.
    Wedge,
}

impl Family {
    /// Of a canonical candidate.
    pub fn of(candidate: &str) -> Self {
        match candidate.split([':', '=']).next().unwrap_or_default() {
            "glibc" => Self::Glibc,
            "jemalloc" => Self::Jemalloc,
            "mimalloc" => Self::Mimalloc,
            "tcmalloc" => Self::Tcmalloc,
            _ => Self::Other,
        }
    }

    /// Its colour on a light ground.
    pub fn colour(self) -> RGBColor {
        match self {
            Self::Glibc => RGBColor(0x00, 0x72, 0xB2),
            Self::Jemalloc => RGBColor(0xD5, 0x5E, 0x00),
            Self::Mimalloc => RGBColor(0x00, 0x9E, 0x73),
            Self::Tcmalloc => RGBColor(0xCC, 0x79, 0xA7),
            Self::Other => RGBColor(0xB3, 0x7A, 0x00),
        }
    }

    /// Its shape.
    pub fn shape(self) -> Shape {
        match self {
            Self::Glibc => Shape::Disc,
            Self::Jemalloc => Shape::Square,
            Self::Mimalloc => Shape::Triangle,
            Self::Tcmalloc => Shape::Diamond,
            Self::Other => Shape::Wedge,
        }
    }
}

/// Makes the embedded fonts known to plotters. `false` where they cannot be read.
pub fn fonts_ready() -> bool {
    static READY: OnceLock<bool> = OnceLock::new();
    *READY.get_or_init(|| {
        let regular = include_bytes!("../../../assets/ArenalabSans-Regular.ttf");
        let bold = include_bytes!("../../../assets/ArenalabSans-Bold.ttf");
        register_font(FONT, FontStyle::Normal, regular).is_ok()
            && register_font(FONT, FontStyle::Bold, bold).is_ok()
    })
}
