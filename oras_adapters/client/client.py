"""The client: one object with a verb for each operation on artifacts."""

from __future__ import annotations

from oras_adapters.client.accounts import AccountVerbs
from oras_adapters.client.artifacts import ArtifactVerbs
from oras_adapters.client.copies import CopyVerbs
from oras_adapters.client.graphs import GraphVerbs
from oras_adapters.client.names import NameVerbs

__all__ = ["Client"]


class Client(ArtifactVerbs, NameVerbs, GraphVerbs, CopyVerbs, AccountVerbs):
    """Pushes, pulls, copies and inspects artifacts. Thread-safe; usable after a fork.

    Artifacts are named as skopeo and oras name them, `HOST/REPOSITORY[:TAG][@DIGEST]`,
    `oci:FOLDER[:TAG]` or `oci-archive:FILE[:TAG]`. A target of the caller is accepted too,
    or a pair of a target and a tag. The default tag is `latest`.

    Errors are `OrasError`s, with a note that says what to do. A `CancelToken` cancels running
    verbs (see `oras_core.cancellation`).

    ::

        with Client(progress=True) as client:
            client.push("localhost:5001/team/model:v1", ["weights", "card.md:text/markdown"])
            client.pull("localhost:5001/team/model:v1", "out", include="*.md")
    """
