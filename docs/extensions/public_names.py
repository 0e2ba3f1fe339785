"""The API reference: a page for each public package, written from its `__all__`.

Docstrings and signatures name classes by the modules that define them. A reference to such a name
is resolved to the page of the public name.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

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
        parts.append(f"```{{eval-rst}}\n.. {directive}:: {package}.{name}\n{options}```\n")
    return "\n".join(parts)


def page_of_types(names: list[str]) -> str:
    """Return the page of the types that users meet as results and arguments only."""
    parts = ["# Other types\n", "Results and arguments of the public names; import them for annotations only.\n"]
    parts += [f"```{{eval-rst}}\n.. autoclass:: {name}\n   :members:\n```\n" for name in names]
    return "\n".join(parts)


def write_pages(app: Sphinx) -> None:
    """Write the pages of the reference before the sources are read."""
    folder = Path(app.srcdir, "reference")
    folder.mkdir(exist_ok=True)
    types = Path(__file__).with_name("other-types.txt").read_text("utf-8").split()
    pages = {package: page_of(package) for package in PAGES} | {"types": page_of_types(types)}
    for name, text in pages.items():
        page = folder / f"{name}.md"
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def public_name(target: str) -> str | None:
    """Return the public name of something that another module defines."""
    last = target.rpartition(".")[2]
    return next((f"{package}.{last}" for package in PAGES if last in names_of(package)), None)


def resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | None:
    """Resolve a reference to the module that defines a name to the page of the public name."""
    target = node.get("reftarget", "")
    name = public_name(target) if node.get("refdomain") == "py" else None
    if name is None or name == target:
        return None
    domain = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, content)


def setup(app: Sphinx) -> dict[str, object]:
    """Register the extension."""
    app.connect("builder-inited", write_pages)
    app.connect("missing-reference", resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
