"""In which form an answer was given, and in which it is expected."""

import ast
import inspect
from collections.abc import Collection, Iterator
from types import GeneratorType, ModuleType
from typing import Any


def no_function(given: Any, takes: str = "the function") -> str:
    """What to give instead of a module, or of what a call has returned; "" for a function."""
    if callable(given):
        return ""
    if isinstance(given, ModuleType):
        name = given.__name__.rpartition(".")[2]
        return f"{name} is a module: give {takes} in it, as {name}.serve"
    if inspect.iscoroutine(given) or isinstance(given, GeneratorType):
        return f"that is what {given.__name__}() returns when it is called: give {takes} itself"
    if given is None:
        return f"None is what a call may have returned: give {takes} itself, without brackets"
    return f"{given!r} is no function: give {takes} itself, without brackets behind its name"


def listed(answer: Any) -> Any:
    """A generator, a range or the keys of a dict count where a list would; the rest stays."""
    lazy = isinstance(answer, Iterator | range | dict) or type(answer).__name__ in (
        "dict_keys",
        "dict_values",
    )
    return [*answer] if lazy else answer


def as_expected(given: Any, right: Collection[Any]) -> Any:
    """The one of `right` that is meant if only the form differs, else what was given.

    Quotes, capitals, spaces, `()` behind a name and "asleep in" before one are no part of it.
    """
    for one in right:
        if given == one and isinstance(given, bool) == isinstance(one, bool):
            return one
    plain = {bare(one): one for one in right}
    return plain.get(bare(given), given) if isinstance(given, str | bytes | int) else given


def bare(value: Any) -> str:
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    text = str(value).strip().lower().removesuffix("()")
    return text.removeprefix("asleep in ")


def form_of(right: Collection[Any]) -> str:
    """In words that give nothing away: "a number", "a text in quotes"."""
    kinds = {
        bool: "True or False",
        int: "a number, without quotes",
        float: "a number, without quotes",
        bytes: 'bytes, as b"..."',
        str: "a text in quotes",
    }
    found = {kinds.get(type(one), f"a {type(one).__name__}") for one in right}
    return found.pop() if len(found) == 1 else "as they are printed above"


def other_kind(said: Collection[Any], right: Collection[Any]) -> str:
    """Which part of an answer is of another kind than all that are expected; "" if none is."""
    kinds = {type(one) for one in right}
    for one in said:
        if type(one) not in kinds:
            return f"{one!r} is wrong in its form: expected is {form_of(right)}"
    return ""


def same_line(old: str, new: str) -> bool:
    """Whether two lines are the same to Python: spaces, quotes and comments differ at most."""
    if old.strip() == new.strip():
        return True
    try:
        trees = [ast.dump(ast.parse(closed(line))) for line in (old, new)]
    except SyntaxError:
        return False
    return trees[0] == trees[1]


def closed(line: str) -> str:
    """A line that opens a block is a statement only with one."""
    text = line.strip()
    code = text.partition("#")[0].rstrip()
    if code.startswith(("elif ", "else")):
        code = "if x:\n pass\n" + code
    return f"{code} pass" if code.endswith(":") else code
