"""The five I/O models, each in two phases, drawn from what was observed."""

import textwrap
from collections.abc import Mapping

from echo.lab.record.phase import Phase, phase_state, phase_words
from echo.lab.show.paper import EDGE, LETTER, Drawing, Sheet
from echo.lab.words import amount

PHASES = "Phase 1: waiting for data", "Phase 2: copying it to the program"


def five_models(rows: Mapping[str, tuple[Phase | str, Phase | str]]) -> Drawing:
    """Models of I/O, a row each, and what a thread does in the two phases of a read.

    `rows`: name of the model -> (waiting, copying), each a Phase as it was measured, or what
    where_is() said.  Nothing is drawn that is not in them: hatched where the thread was asleep,
    solid where it made calls or ran, hollow where it did neither.
    (The figure is that of W. R. Stevens, UNIX Network Programming, vol. 1, chapter 6.2.)
    """
    table = {
        model: [phase if isinstance(phase, Phase) else Phase(phase) for phase in phases]
        for model, phases in rows.items()
    }
    table = {
        model: [phase._replace(calls=tuple(phase.calls)) for phase in phases]
        for model, phases in table.items()
    }
    if not table or any(len(phases) != len(PHASES) for phases in table.values()):
        raise TypeError("five_models needs {model: (waiting, copying), ...}")
    details = [
        line
        for model, phases in table.items()
        for line in (
            f"{model}",
            *(
                f"  {head.partition(': ')[2]}: {'; '.join(phase_words(phase))}"
                for head, phase in zip(PHASES, phases, strict=True)
            ),
        )
    ]
    summary = f"What a thread does in the two phases of a read, in {amount(len(table), 'model')}."
    return Drawing(summary, details, models_svg(table))


def models_svg(table: Mapping[str, list[Phase]]) -> str:
    names = {model: textwrap.wrap(model, 18) for model in table}
    margin = EDGE + max(len(line) for lines in names.values() for line in lines) * LETTER * 1.1 + 8
    column, strip, line_high = 232.0, 20.0, 13.0
    letters = int((column - strip - 14) / LETTER)
    texts: dict[str, list[list[tuple[str, bool]]]] = {
        model: [
            [
                (part, number == 0)
                for number, line in enumerate(phase_words(phase))
                for part in textwrap.wrap(line, letters - 3 * (number == 0))
            ]
            for phase in phases
        ]
        for model, phases in table.items()
    }
    heights = {
        model: max(len(names[model]), *map(len, texts[model])) * line_high + 10 for model in table
    }
    width = margin + 2 * column + 12 + EDGE
    height = EDGE + 20 + sum(high + 8 for high in heights.values()) + 2
    lefts = margin, margin + column + 12
    with Sheet(width, height) as sheet:
        for left, head in zip(lefts, PHASES, strict=True):
            sheet.text(left, EDGE + 10, head, bold=True)
        top = EDGE + 20.0
        for model, phases in table.items():
            high = heights[model]
            for number, line in enumerate(names[model]):
                sheet.text(EDGE, top + 15 + number * line_high, line, bold=True)
            for left, phase, lines in zip(lefts, phases, texts[model], strict=True):
                kind = phase_state(phase)
                sheet.box(left, top, column, high, "vain" if kind == "vain" else "plate edge")
                if kind != "vain":
                    sheet.box(left, top, strip, high, kind)
                for number, (line, bold) in enumerate(lines):
                    sheet.text(left + strip + 8, top + 15 + number * line_high, line, bold=bold)
            top += high + 8
    return sheet.svg
