"""Builds the package. `setup.cfg` says what the package contains and what its metadata says."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

ROOT = Path(__file__).parent
# A link or a picture whose target is a file of the checkout.
RELATIVE_LINK = re.compile(r"(!?)\[([^\]]+)\]\((?![a-z]+:|#)([^)\s]+)\)")


def index_page(readme: str, source: str | None) -> str:
    """Return the README as the package index shows it: a relative link leads nowhere there.

    source is the address of the repository, such as https://github.com/OWNER/NAME. Without it,
    the text of a link stays, and the description of a picture.
    """

    def absolute(link: re.Match[str]) -> str:
        picture, text, path = link.groups()
        if source is None:
            return text
        return f"{picture}[{text}]({source}/{'raw' if picture else 'blob'}/HEAD/{path})"

    return RELATIVE_LINK.sub(absolute, readme)


def source_address(setup_cfg: str) -> str | None:
    """Return the address called `Source` in `project_urls` of setup.cfg, or None if it has none."""
    config = ConfigParser()
    config.read_string(setup_cfg)
    lines = config.get("metadata", "project_urls", fallback="").strip().splitlines()
    urls = {name.strip(): url.strip() for name, _, url in (line.partition("=") for line in lines)}
    return urls.get("Source")


if __name__ == "__main__":
    from setuptools import setup

    setup(
        long_description=index_page(
            ROOT.joinpath("README.md").read_text(encoding="utf-8"),
            source_address(ROOT.joinpath("setup.cfg").read_text(encoding="utf-8")),
        )
    )
