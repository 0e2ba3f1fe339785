"""Build the documentation: `tox -e docs`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from oras_core.version import __version__

project = "oras-sdk"
copyright = "the authors of oras-sdk"  # noqa: A001 - Sphinx reads this name
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "public_names",
]
exclude_patterns = ["extensions"]
nitpicky = True

html_theme = "furo"
html_title = "oras-sdk"
html_copy_source = False

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist"]

# Docstrings name code by single backticks.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

# Nothing is fetched when the documentation is built, so names of other libraries are not linked.
OTHER_LIBRARIES = """
    _typeshed collections.abc concurrent.futures contextlib datetime io keyring logging os pathlib
    rich ssl types typing
"""
# Classes of other libraries that are named without a module.
SHORT_NAMES = " Path KeyringBackend "
# Classes that programs neither make nor get.
INTERNAL = """
    ApiError Bridge ConfigFile CopyPlan LearnedProfile LocalFiles ManifestCache ReferrersMemory
    RepositoryEndpoints ResponseHead Scope
"""
nitpick_ignore_regex = [
    *(("py:.*", rf"{module}(\..*)?") for module in OTHER_LIBRARIES.split()),
    *(("py:.*", rf"(.*\.)?{name}") for name in (SHORT_NAMES + INTERNAL).split()),
    # Private names, type variables, and the hash object of `hashlib`, which has no public class.
    ("py:.*", r"(.*\.)?_[A-Za-z]+|.*\.[A-Z](_co|_contra)?"),
]
