"""The API reference: a page for each public package, written from its `__all__`.

Docstrings and signatures name classes by the modules that define them. A reference to such a name
is resolved to the page of the public name.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import inspect
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

PAGES = {
    "oras": "The client, and the names of oras-py.",
    "oras_core": "The verbs, values and targets of the core.",
    "oras_core.ports": "The protocols that an embedder implements.",
    "oras_core.errors": "Every error, under `OrasError`.",
    "oras_core.testing": "Contract suites, doubles and faults for tests.",
    "oras_adapters": "The adapters, and the factory that composes them.",
}


WITH_VERBS_OF_BASES = ("AsyncClient", "Client")
"""Classes whose methods come from bases that are not public."""


def names_of(package: str) -> list[str]:
    """Return the public names of a package that are documented on its page.

    Modules, and what `oras` passes on from `oras_adapters`, have pages of their own.
    """
    module = importlib.import_module(package)
    values = ((name, getattr(module, name)) for name in module.__all__)
    return [
        name
        for name, value in values
        if not inspect.ismodule(value)
        and not (package == "oras_adapters" and name in importlib.import_module("oras").__all__)
    ]


def directive_of(value: object) -> str:
    """Return the autodoc directive for a public value."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if callable(value) else "autodata"


def page_of(package: str) -> str:
    """Return the page of a package as MyST Markdown."""
    module = importlib.import_module(package)
    parts = [f"# `{package}`\n", PAGES[package] + "\n"]
    for name in names_of(package):
        directive = directive_of(getattr(module, name))
        options = "   :members:\n" if directive in ("autoclass", "autoexception") else ""
        options += "   :inherited-members:\n" if name in WITH_VERBS_OF_BASES else ""
        parts.append(f"```{{eval-rst}}\n.. {directive}:: {package}.{name}\n{options}```\n")
    return "\n".join(parts)


@functools.cache
def other_types() -> list[str]:
    """Return the types that users meet as results and arguments only."""
    return Path(__file__).with_name("other-types.txt").read_text("utf-8").split()


def page_of_types() -> str:
    """Return the page of the other types: classes with their members, and type aliases."""
    text = "Results and arguments of the public names; import them for annotations only."
    parts = [f"# Other types\n\n{text}\n"]
    for name in other_types():
        module, _, last = name.rpartition(".")
        is_class = inspect.isclass(getattr(importlib.import_module(module), last))
        directive = f"autoclass:: {name}\n   :members:" if is_class else f"autodata:: {name}"
        parts.append(f"```{{eval-rst}}\n.. {directive}\n```\n")
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """Return the pages of the reference by name."""
    return {package: page_of(package) for package in PAGES} | {"types": page_of_types()}


def write_pages(app: Sphinx) -> None:
    """Write the pages of the reference before the sources are read."""
    folder = Path(app.srcdir, "reference")
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        page = folder / f"{name}.md"
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


@functools.cache
def documented() -> dict[str, str]:
    """Return the full names that the reference documents, by their last part."""
    found: dict[str, str] = {}
    for package in PAGES:
        for name in names_of(package):
            found.setdefault(name, f"{package}.{name}")
    for name in other_types():
        found.setdefault(name.rpartition(".")[2], name)
    return found


def unlink_builtins(_app: Sphinx, doctree: nodes.document) -> None:
    """Replace references to builtins by their text: attributes have names such as `bytes`, too."""
    from docutils import nodes  # noqa: PLC0415 - the tests of this module run without Sphinx
    from sphinx.addnodes import pending_xref, pending_xref_condition  # noqa: PLC0415

    for node in list(doctree.findall(pending_xref)):
        target = node.get("reftarget", "")
        if node.get("refdomain") == "py" and hasattr(builtins, target):
            bare = any(isinstance(child, pending_xref_condition) for child in node.children)
            node.replace_self([nodes.Text(target)] if bare else node.children)


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve a reference to the module that defines a name to the page of the public name."""
    target = node.get("reftarget", "")
    if node.get("refdomain") != "py":
        return None
    name = documented().get(target.rpartition(".")[2])
    if name is None or name == target:
        return None
    domain = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)


def setup(app: Sphinx) -> dict[str, object]:
    """Register the extension."""
    app.connect("builder-inited", write_pages)
    app.connect("doctree-read", unlink_builtins)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
