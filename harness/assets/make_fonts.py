#!/usr/bin/env python3
"""Makes the two small fonts of the charts from DejaVu Sans, and the style sheet that embeds them.

Needs fonttools and brotli. What is changed, and why, is told in README.md.
"""

import base64
import io
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

FAMILY = "Arenalab Sans"
SYMBOLS = "‐–—‘’“”•…′″←↑→↓−×≈≠≤≥±·√∞▲▼◆●■✓✗\ufffd"
# plotters sizes text in SVG as size / 1.24 and in bitmaps by the font's line height: a line height of
# 1.24 em makes both agree.
LINE_HEIGHT_EM = 1.24


def characters():
    return [*range(0x20, 0x7F), *range(0xA0, 0x100), *(ord(c) for c in SYMBOLS)]


def shrink(source):
    options = subset.Options()
    options.layout_features = ["kern"]
    options.legacy_kern = True
    options.hinting = False
    options.name_IDs = [1, 2, 4, 6]
    options.notdef_outline = True
    font = TTFont(source)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=characters())
    subsetter.subset(font)
    return font


def rename(font, style):
    for record in font["name"].names:
        text = {1: FAMILY, 2: style, 4: f"{FAMILY} {style}", 6: f"ArenalabSans-{style}"}[record.nameID]
        record.string = text.encode(record.getEncoding())


def set_line_height(font):
    em = font["head"].unitsPerEm
    head, os2 = font["hhea"], font["OS/2"]
    spare = round(LINE_HEIGHT_EM * em) - (head.ascent - head.descent) - head.lineGap
    head.ascent += spare // 2
    head.descent -= spare - spare // 2
    os2.sTypoAscender, os2.sTypoDescender, os2.sTypoLineGap = head.ascent, head.descent, 0
    os2.usWinAscent, os2.usWinDescent = head.ascent, -head.descent
    head.lineGap = 0


def face(font, weight):
    font.flavor = "woff2"
    packed = io.BytesIO()
    font.save(packed)
    data = base64.b64encode(packed.getvalue()).decode()
    return (
        f'@font-face{{font-family:"{FAMILY}";font-weight:{weight};'
        f"src:url(data:font/woff2;base64,{data})format(\"woff2\")}}\n"
    )


def main():
    source, here = Path(sys.argv[1]), Path(__file__).parent
    css = ""
    for name, style, weight in [("DejaVuSans", "Regular", 400), ("DejaVuSans-Bold", "Bold", 700)]:
        font = shrink(source / f"{name}.ttf")
        rename(font, style)
        set_line_height(font)
        font["head"].modified = font["head"].created
        font.recalcTimestamp = False
        font.save(here / f"ArenalabSans-{style}.ttf")
        css += face(font, weight)
    (here / "fonts.css").write_text(css)


if __name__ == "__main__":
    main()
