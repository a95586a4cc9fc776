"""Where two renders of a stack differ, in the short form of field_effects.py."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

SHORT = (
    ("spec.template.spec.containers.", "container."),
    ("spec.template.spec.", "pod."),
    ("spec.template.", "template."),
)


def differences(before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]], stack: str) -> dict[str, set[str]]:
    """Return the places that differ, by child; a child that is on one side only differs at `.`."""
    left, right = _by_name(before, stack), _by_name(after, stack)
    found = {child: {"."} for child in left.keys() ^ right.keys()}
    for child in left.keys() & right.keys():
        if places := {shorten(place) for place in _differ(left[child], right[child], "")}:
            found[child] = places
    return found


def shorten(place: str) -> str:
    """Return the short form of a place."""
    for long, short in SHORT:
        if place.startswith(long):
            rest = place.removeprefix(long)
            # There is one container, so its name says nothing.
            return short + (rest.partition(".")[2] if short == "container." else rest)
    return place


def _by_name(children: Iterable[dict[str, Any]], stack: str) -> dict[str, dict[str, Any]]:
    named = {}
    for child in children:
        name = child["metadata"]["name"].removeprefix(f"{stack}-")
        if child["kind"] == "Job":
            name = re.sub(r"-[0-9a-f]{10}$", "", name)
        body = child | {"metadata": {key: value for key, value in child["metadata"].items() if key != "name"}}
        named[f"{child['kind']}/{name}"] = body
    return named


def _differ(left: Any, right: Any, place: str) -> Iterator[str]:
    left, right = _keyed(left), _keyed(right)
    if not isinstance(left, dict) or not isinstance(right, dict):
        if left != right:
            yield place
        return
    for key in sorted(left.keys() | right.keys()):
        inner = f"{place}.{key}" if place else key
        if key not in left or key not in right:
            yield inner
        else:
            yield from _differ(left[key], right[key], inner)


def _keyed(value: Any) -> Any:
    if isinstance(value, list) and value and all(isinstance(one, dict) and "name" in one for one in value):
        return {one["name"]: one for one in value}
    return value


def mirrored(places: set[str]) -> set[str]:
    """Return the places in the step before a download that change as the download itself does."""
    step = "pod.initContainers.geometry."
    return {place for place in places if place.startswith(step) and "container." + place.removeprefix(step) in places}
