"""Inputs that are almost right: what a parser reads well, changed in a few places."""

from __future__ import annotations

from hypothesis import strategies as st

from support.fuzz_targets import Target

__all__ = ["MAX_INPUT", "mutations"]

MAX_INPUT = 64 * 1024
"""Bytes of an input; more of the same finds nothing more."""


@st.composite
def _mutated(draw: st.DrawFn, target: Target) -> bytes:
    content = draw(st.sampled_from(target.seeds))
    piece = st.binary(max_size=6) | st.sampled_from(target.tokens or (b"",))
    for _ in range(draw(st.integers(1, 6))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        kind = draw(st.sampled_from(["insert", "replace", "drop", "double", "cut"]))
        if kind == "insert":
            content = content[:start] + draw(piece) + content[start:]
        elif kind == "replace":
            content = content[:start] + draw(piece) + content[end:]
        elif kind == "drop":
            content = content[:start] + content[end:]
        elif kind == "double":
            content = content[:end] + content[start:end] * draw(st.integers(1, 20)) + content[end:]
        else:
            content = content[:start]
    return content[:MAX_INPUT]


def mutations(target: Target) -> st.SearchStrategy[bytes]:
    """Return inputs for a target: mostly almost right, some joined of tokens, some of anything."""
    pieces = st.sampled_from([*target.tokens, *target.seeds, b"a"])
    joined = st.lists(pieces, max_size=12).map(b"".join)
    return st.one_of(_mutated(target), _mutated(target), joined, st.binary(max_size=200))
