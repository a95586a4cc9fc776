"""Which rules a llama.cpp build plans memory by; an image's build number decides, and nothing else does."""

from dataclasses import dataclass

# llama.cpp PR 18148, merged between 17 and 31 December 2025. Its exact build is not known here: the end of that time is
# taken, because the older rule never plans less.
OUTPUT_FIRST_SINCE = 7600
# PR 23861 (b9460, 1 June 2026) asks for few rows, PR 23907 (b9489, 3 June 2026) moves the f16 copy of a quantised cache
# into the compute buffer; the builds between the two are planned by the older rule, which is the larger.
FEW_OUTPUTS_SINCE = 9489


@dataclass(frozen=True, slots=True)
class BuildRule:
    """How one generation of llama.cpp places layers and sizes its compute buffer (docs/vram.md#builds)."""

    output_first: bool
    few_outputs: bool
    name: str


OLD = BuildRule(output_first=False, few_outputs=False, name="output-last, rows per batch")
MID = BuildRule(output_first=True, few_outputs=False, name="output-first, rows per batch")
NEW = BuildRule(output_first=True, few_outputs=True, name="output-first, rows per slot")


def rule_of(build: int | None) -> BuildRule:
    """Return the rule of a llama.cpp build number (the NNNN of bNNNN); None stands for the image that comes with us."""
    if build is None or build >= FEW_OUTPUTS_SINCE:
        return NEW
    return MID if build >= OUTPUT_FIRST_SINCE else OLD
