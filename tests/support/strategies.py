"""Hypothesis strategies for the values of the model."""

from __future__ import annotations

import string

from hypothesis import strategies as st

from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import HEX_LENGTH, Digest
from oras_core.model.platform import Platform

__all__ = ["annotations", "descriptors", "digests", "media_types", "platforms", "texts"]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any text that has UTF-8."""

annotations = st.dictionaries(texts.filter(bool), texts, max_size=4).map(Annotations)

media_types = st.from_regex(r"[a-z]{1,8}/[a-z0-9][a-z0-9.+-]{0,12}", fullmatch=True)

digests = st.sampled_from(sorted(HEX_LENGTH)).flatmap(
    lambda algorithm: st.text(
        "0123456789abcdef", min_size=HEX_LENGTH[algorithm], max_size=HEX_LENGTH[algorithm]
    ).map(lambda encoded: Digest(algorithm, encoded))
)

_names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=6)

platforms = st.builds(
    Platform,
    os=_names,
    architecture=_names,
    variant=st.none() | _names,
    os_version=st.none() | texts.filter(bool),
    os_features=st.lists(texts, max_size=2).map(tuple),
)

_promised = st.builds(
    Descriptor,
    media_type=media_types,
    digest=digests,
    size=st.integers(0, 2**63 - 1),
    urls=st.lists(texts, max_size=2).map(tuple),
    annotations=annotations,
    artifact_type=st.none() | media_types,
    platform=st.none() | platforms,
)

_embedded = st.builds(
    lambda content, media_type, algorithm: Descriptor(
        media_type, Digest.of(content, algorithm), len(content), data=content
    ),
    st.binary(max_size=20),
    media_types,
    st.sampled_from(sorted(HEX_LENGTH)),
)

descriptors = _promised | _embedded
