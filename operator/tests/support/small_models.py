"""Small random models and wishes for property tests: every choice can be tried out one by one."""

from coderag_model.geometry import Geometry
from coderag_operator.vram.builds import MID, NEW, OLD
from coderag_operator.vram.wish import Limits, Wish
from hypothesis import strategies as st

MIB = 1024 * 1024
RULES = st.sampled_from([OLD, MID, NEW])
SIZES = st.integers(1, 64)


@st.composite
def geometries(draw: st.DrawFn) -> Geometry:
    """Models of up to five layers whose weights, cache and compute buffer are of about the same size."""
    layers = draw(st.integers(1, 5))
    largest = draw(st.lists(SIZES, min_size=layers, max_size=layers))
    rest = draw(st.lists(SIZES, min_size=layers, max_size=layers))
    return Geometry(
        architecture="llama",
        layers=layers,
        embedding_length=256 * draw(st.integers(1, 8)),
        feed_forward_length=256 * draw(st.integers(1, 32)),
        head_count=8,
        head_count_kv=tuple(draw(st.lists(st.integers(1, 8), min_size=layers, max_size=layers))),
        key_length=128,
        value_length=128,
        vocabulary=draw(st.integers(256, 32768)),
        context_length=8192,
        sliding_window=draw(st.sampled_from([0, 512])),
        sliding_layers=tuple(draw(st.lists(st.booleans(), min_size=layers, max_size=layers))),
        block_bytes=tuple((one + two) * MIB for one, two in zip(largest, rest, strict=True)),
        largest_matrix_bytes=tuple(size * MIB for size in largest),
        input_bytes=draw(SIZES) * MIB,
        output_bytes=draw(SIZES) * MIB,
        tied=draw(st.booleans()),
    )


@st.composite
def wishes_for_one(draw: st.DrawFn) -> Wish:
    """Wishes with contexts of up to six steps; numbers given by the user among them."""
    geometry = draw(geometries())
    least = draw(st.integers(1, 2048))
    return Wish(
        geometry=geometry,
        context_tokens=draw(st.integers(least, least + 1024)),
        min_context_tokens=least,
        parallel=draw(st.integers(1, 3)),
        gpu_layers=draw(st.sampled_from(["Auto", "Auto", "All", *range(geometry.layers + 3)])),
        kv_type=draw(st.sampled_from(["Auto", "Auto", "f16", "q8_0"])),
        ubatch=draw(st.sampled_from([None, None, 128, 512, 1024])),
    )


WISHES = st.one_of(
    st.fixed_dictionaries({"chat": wishes_for_one(), "code": wishes_for_one()}),
    st.fixed_dictionaries({"code": wishes_for_one()}),
)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """Budgets around what two such models take; some are split between the servers."""
    budget = draw(st.integers(1, 1500))
    return Limits(budget, draw(st.none() | st.integers(1, budget)))
