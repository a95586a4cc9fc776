"""Which layers a number of GPU layers puts on the device. Separate, because the meaning changed between builds."""

from dataclasses import dataclass

from coderag_operator.vram.builds import BuildRule


@dataclass(frozen=True, slots=True)
class Placement:
    """Blocks from `first` on and perhaps the output are on the device; token_embd never is (docs/vram.md#placement)."""

    first: int
    layers: int
    output: bool

    @property
    def on_device(self) -> range:
        """The blocks on the device: always the last ones."""
        return range(self.first, self.layers)

    @property
    def on_host(self) -> range:
        """The blocks that stay in host memory."""
        return range(self.first)


def place(layers: int, gpu_layers: int, rule: BuildRule) -> Placement:
    """Return where a model of so many layers goes; raises ValueError for a number that nobody can ask for.

    With the output first, N >= 1 are the output and the last N - 1 blocks; before, the last N blocks, and the output
    only when N is larger than the number of blocks.
    """
    if not 0 <= gpu_layers <= layers + 1:
        raise ValueError(f"gpu_layers is {gpu_layers}, not 0 to {layers + 1}")
    if rule.output_first:
        return Placement(min(layers, layers + 1 - gpu_layers), layers, gpu_layers > 0)
    return Placement(max(0, layers - gpu_layers), layers, gpu_layers > layers)
