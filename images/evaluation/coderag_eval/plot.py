"""The report as a picture: bars with intervals, as SVG by hand: a plotting library would weigh more than the rest."""

from xml.sax.saxutils import escape

from coderag_eval.report import Report
from coderag_eval.statistics import Interval

_COLOURS = ("#3b6ea5", "#d08c3c", "#5a9a6a", "#a35d7c", "#7a7a7a", "#8a7cc2")
_BAR, _GAP, _HEIGHT, _LEFT, _TOP = 34, 24, 240, 48, 40


def plot(report: Report) -> str:
    """Return an SVG image: a group of bars for each set, a bar for each measure, 0 to 1."""
    figures, measures = report.figures(), report.measures
    parts, x = [], _LEFT + _GAP
    for name, row in figures.items():
        start = x
        for number, measure in enumerate(measures):
            if measure in row:
                parts.append(_bar(x, row[measure], _COLOURS[number % len(_COLOURS)]))
                x += _BAR
        parts.append(_text((start + x) / 2, _TOP + _HEIGHT + 18, name))
        x += _GAP
    return _image(max(x, _LEFT + 130 * max(1, len(measures))), [*_scale(x), *parts, *_legend(measures)])


def _y(value: float) -> float:
    return _TOP + _HEIGHT * (1 - min(max(value, 0.0), 1.0))


def _bar(x: float, interval: Interval, colour: str) -> str:
    top, middle = _y(interval.value), x + (_BAR - 4) / 2
    return (
        f'<rect x="{x}" y="{top:.1f}" width="{_BAR - 4}" height="{_TOP + _HEIGHT - top:.1f}" fill="{colour}"/>'
        f'<path d="M{middle} {_y(interval.low):.1f}V{_y(interval.high):.1f}" stroke="#222" stroke-width="1.5"/>'
        + _text(middle, _y(interval.high) - 4, f"{interval.value:.2f}")
    )


def _scale(width: float) -> list[str]:
    lines = []
    for tenth in range(0, 11, 2):
        y = _y(tenth / 10)
        lines.append(
            f'<path d="M{_LEFT} {y:.1f}H{width}" stroke="#ddd"/>' + _text(_LEFT - 18, y + 4, f"{tenth / 10:.1f}")
        )
    return lines


def _legend(measures: list[str]) -> list[str]:
    return [
        f'<rect x="{_LEFT + 130 * number}" y="8" width="12" height="12" fill="{_COLOURS[number % len(_COLOURS)]}"/>'
        + _text(_LEFT + 130 * number + 60, 18, measure)
        for number, measure in enumerate(measures)
    ]


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{escape(text)}</text>'


def _image(width: float, parts: list[str]) -> str:
    size = f'width="{width:.0f}" height="{_TOP + _HEIGHT + 40}"'
    style = 'font-family="sans-serif" font-size="11"'
    background = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>{background}{"".join(parts)}</svg>\n'
