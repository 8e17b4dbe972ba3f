"""The five I/O models, each in two phases, as they were observed."""

from collections.abc import Mapping

from echo.lab.display import Shown
from echo.lab.record.phase import Phase, phase_state, phase_words
from echo.lab.show.tables import Cell, table_html
from echo.lab.words import amount

PHASES = "Phase 1: waiting for data", "Phase 2: copying it to the program"


def five_models(rows: Mapping[str, tuple[Phase | str, Phase | str]]) -> Shown:
    """Models of I/O, a row each, and what a thread does in the two phases of a read.

    `rows`: name of the model -> (waiting, copying), each a Phase as it was measured, or what
    where_is() said.  Nothing is shown that is not in them: yellow where the thread was asleep,
    blue where it made calls or ran, gray where it did neither.
    (The table is that of W. R. Stevens, UNIX Network Programming, vol. 1, chapter 6.2.)
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
    cells = [
        [
            Cell(model),
            *(Cell("\n".join(phase_words(phase)), phase_state(phase)) for phase in phases),
        ]
        for model, phases in table.items()
    ]
    return Shown("\n".join([summary, *details]), table_html(summary, ["", *PHASES], cells))
