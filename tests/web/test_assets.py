"""What pages are made of: vendored files are the ones that were vetted."""

import re
from hashlib import sha256
from importlib.resources import files


def test_vendored_files_are_those_that_the_list_names() -> None:
    folder = files("connector_master.web") / "static" / "vendored"
    rows = re.findall(r"\| `([^`]+\.js)` \|.*\| `([0-9a-f]{64})` \|", (folder / "README.md").read_text())

    found = {one.name: sha256(one.read_bytes()).hexdigest() for one in folder.iterdir() if one.name.endswith(".js")}

    assert dict(rows) == found
