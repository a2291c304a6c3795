"""Whether a page is one file that needs nothing else."""

from __future__ import annotations

import re
from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags, and whatever a browser would fetch."""

    def __init__(self, text):
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.said = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.fetched += [
            value
            for name, value in attributes
            if name in ("src", "href", "xlink:href", "srcset", "data", "poster")
            and not value.startswith(("data:", "#"))
        ]

    def handle_data(self, data):
        self.said += f" {' '.join(data.split())}"


def assert_stands_alone(text):
    page = Page(text)
    assert page.fetched == []
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert not re.search(r"url\((?!#)|@import", text)
    assert page.tags.count("html") == page.tags.count("h1") == 1
    return page
