"""A page taken apart for tests."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "input", "br", "img"}


class Page(HTMLParser):
    """Elements of a page with their attributes, checking that every element is closed in order."""

    def __init__(self):
        super().__init__()
        self.elements, self.open, self.text, self.unlabelled = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in {"input", "select"} and "label" not in self.open and "aria-label" not in dict(attributes):
            self.unlabelled.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def controls_without_a_label(self):
        """Inputs and lists of choices that no label names: one around them, one that points to them, or their own."""
        return [attributes for _, attributes in self.unlabelled if attributes.get("id") not in self.pointed_at]

    @property
    def pointed_at(self):
        return {label["for"] for label in self.all("label") if "for" in label}

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]
