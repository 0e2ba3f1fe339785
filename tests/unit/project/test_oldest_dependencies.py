"""`tox -e lowest` tests what setup.cfg promises."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def read(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(ROOT / name)
    return parser


def versions(lines: str, operator: str) -> dict[str, list[int]]:
    found = re.findall(rf"^([a-z0-9-]+){operator}([\d.]+)$", lines, flags=re.MULTILINE)
    padded = {name: [*map(int, version.split("."))] for name, version in found}
    return {name: [*numbers, 0, 0][:3] for name, numbers in padded.items()}


def test_lowest_environment_pins_every_lower_bound():
    promised = versions(read("setup.cfg")["options"]["install_requires"], ">=")
    tested = versions(read("tox.ini")["testenv:lowest"]["deps"], "==")
    assert len(promised) == 4
    assert tested == promised
