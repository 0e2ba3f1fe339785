"""omlmd: push a model with its metadata, pull it, and read its config."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from omlmd.helpers import Helper

target = f"{sys.argv[1]}/downstream/omlmd:v1"
Path("model.joblib").write_bytes(b"model")
helper = Helper()
helper.push(
    target, "model.joblib", name="Model", description="A model", author="A team", accuracy=0.9
)
helper.pull(target, "out")
assert Path("out/model.joblib").read_bytes() == b"model"
metadata = json.loads(Path("out/model_metadata.omlmd.json").read_text())
assert metadata["customProperties"] == {"accuracy": 0.9}, metadata
helper.pull(target, "some", media_types=["application/x-mlmodel"])
assert [path.name for path in Path("some").iterdir()] == ["model.joblib"]
config = json.loads(helper.get_config(target))
assert config["config"]["name"] == "Model", config
assert len(json.loads(helper.crawl([target, target]))) == 2
response = helper.registry.get_manifest_response(target)
assert response.json()["layers"], response
