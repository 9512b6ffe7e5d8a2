"""The collections that Galaxy's users get are those that come with the pinned Ansible."""

import json
from importlib.metadata import distribution
from pathlib import Path

import yaml

REQUIREMENTS = Path(__file__).resolve().parents[2] / "ansible/requirements.yml"


def test_galaxy_and_pip_bring_the_same_versions() -> None:
    named = yaml.safe_load(REQUIREMENTS.read_text())["collections"]
    root = Path(str(distribution("ansible").locate_file("ansible_collections")))
    for collection in named:
        manifest = root.joinpath(*collection["name"].split("."), "MANIFEST.json")
        assert json.loads(manifest.read_text())["collection_info"]["version"] == collection["version"], collection[
            "name"
        ]
