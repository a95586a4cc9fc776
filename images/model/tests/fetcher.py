"""A fetch of a site's model that never really waits."""

import hashlib
from pathlib import Path

from coderag_model.deadline import Deadline
from coderag_model.fetch import fetch
from coderag_model.source import Source
from faulty_site import Site


class Fetcher:
    """A fetch of the site's model into a folder."""

    def __init__(self, site: Site, folder: Path, waits: list[float]):
        self.site, self.folder, self.waits = site, folder, waits
        self.sha256 = hashlib.sha256(site.content).hexdigest()
        self.target = folder / f"{self.sha256}.gguf"
        self.part = folder / f"{self.sha256}.gguf.part"

    def __call__(self, path="/m.gguf", token=None, url=None, read=5.0, deadline=None):
        source = Source(url or self.site.url + path, token, read=read, connect=5.0)
        return fetch(source, self.sha256, self.folder, deadline or self.deadline())

    def deadline(self, seconds=3600.0):
        return Deadline(seconds, sleep=self.waits.append)

    def is_placed(self):
        return self.target.exists() and self.target.read_bytes() == self.site.content and not self.part.exists()
