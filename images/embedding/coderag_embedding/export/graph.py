"""Write BERT's encoder as an ONNX graph, straight from its weights.

Standard operators only, so that any ONNX runtime can read it; the runtime fuses what it likes. Pooling and normalising
are in the graph: what leaves it is the sentence vector, and no caller can pool differently by mistake.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 20  # the first with Gelu
IR_VERSION = 10
LOWEST = np.float32(np.finfo(np.float32).min / 2)  # masks a token; half, so that adding a score cannot overflow

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Shape:
    """The numbers of a BERT encoder that its weights alone do not tell."""

    hidden: int
    heads: int
    layers: int
    epsilon: float

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> "Shape":
        """Read a Hugging Face config.json; refuses an architecture that this graph does not write."""
        wanted = {"model_type": "bert", "hidden_act": "gelu", "position_embedding_type": "absolute"}
        for key, value in wanted.items():
            if config.get(key) != value:
                raise ValueError(f"config.json: {key} is {config.get(key)!r}, this build writes only {value!r}")
        numbers = [config[key] for key in ("hidden_size", "num_attention_heads", "num_hidden_layers")]
        return cls(*(int(str(number)) for number in numbers), epsilon=float(str(config["layer_norm_eps"])))


@dataclass
class _Graph:
    """Collects nodes and constants; each method returns the name of the tensor that it made."""

    weights: Weights
    shape: Shape
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: object) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, operator: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def linear(self, x: str, names: list[str], output: str) -> str:
        """Several linear maps of one input as a single multiplication, their results side by side."""
        weight = np.concatenate([self.weights[f"{name}.weight"].T for name in names], axis=1)
        bias = np.concatenate([self.weights[f"{name}.bias"] for name in names])
        product = self.node("MatMul", [x, self.constant(f"{output}.weight", weight)], f"{output}.product")
        return self.node("Add", [product, self.constant(f"{output}.bias", bias)], output)

    def norm(self, x: str, name: str, output: str) -> str:
        scale = self.constant(f"{output}.scale", self.weights[f"{name}.weight"])
        bias = self.constant(f"{output}.bias", self.weights[f"{name}.bias"])
        return self.node("LayerNormalization", [x, scale, bias], output, axis=-1, epsilon=self.shape.epsilon)


def build_graph(weights: Weights, shape: Shape) -> onnx.ModelProto:
    """Return the whole encoder: token ids and mask in, normalised sentence vectors out."""
    graph = _Graph(weights, shape)
    x = _embed_tokens(graph)
    _prepare_mask(graph)
    for layer in range(shape.layers):
        x = _encode(graph, x, f"encoder.layer.{layer}", f"layer{layer}")
    _pool(graph, x)
    return _model(graph)


def _embed_tokens(graph: _Graph) -> str:
    """Word + position + segment. The segment is always 0, so its row is added to the positions here, once."""
    weights = graph.weights
    positions = weights["embeddings.position_embeddings.weight"] + weights["embeddings.token_type_embeddings.weight"][0]
    graph.constant("words", weights["embeddings.word_embeddings.weight"])
    graph.constant("positions", positions)
    graph.constant("first", np.array([0], np.int64))
    graph.node("Shape", ["input_ids"], "length", start=1, end=2)
    graph.node("Slice", ["positions", "first", "length", "first"], "position")
    word = graph.node("Gather", ["words", "input_ids"], "word")
    return graph.norm(graph.node("Add", [word, "position"], "embedded"), "embeddings.LayerNorm", "embedded.norm")


def _prepare_mask(graph: _Graph) -> None:
    """`keep` is 1 for a token and 0 for padding; `ignore` is added to scores; the shapes serve every layer."""
    shape = graph.shape
    graph.node("Cast", ["attention_mask"], "keep", to=TensorProto.FLOAT)
    padding = graph.node("Sub", [graph.constant("unit", np.float32(1)), "keep"], "padding")
    lowest = graph.node("Mul", [padding, graph.constant("lowest", LOWEST)], "ignore.flat")
    graph.node("Unsqueeze", [lowest, graph.constant("ignore.axes", np.array([1, 2], np.int64))], "ignore")
    graph.constant("split", np.array([0, 0, shape.heads, shape.hidden // shape.heads], np.int64))
    graph.constant("join", np.array([0, 0, shape.hidden], np.int64))
    graph.constant("temperature", np.float32(1 / np.sqrt(shape.hidden // shape.heads)))


def _encode(graph: _Graph, x: str, source: str, out: str) -> str:
    attended = graph.linear(_attend(graph, x, source, out), [f"{source}.attention.output.dense"], f"{out}.attended")
    x = graph.norm(
        graph.node("Add", [attended, x], f"{out}.first"), f"{source}.attention.output.LayerNorm", f"{out}.middle"
    )
    wide = graph.node("Gelu", [graph.linear(x, [f"{source}.intermediate.dense"], f"{out}.wide")], f"{out}.active")
    narrow = graph.linear(wide, [f"{source}.output.dense"], f"{out}.narrow")
    return graph.norm(graph.node("Add", [narrow, x], f"{out}.second"), f"{source}.output.LayerNorm", f"{out}.end")


def _attend(graph: _Graph, x: str, source: str, out: str) -> str:
    names = [f"{out}.{name}" for name in ("query", "key", "value")]
    both = graph.linear(x, [f"{source}.attention.self.{name}" for name in ("query", "key", "value")], f"{out}.qkv")
    graph.nodes.append(helper.make_node("Split", [both], names, name=f"{out}.parts", axis=-1, num_outputs=3))
    query, key, value = (
        _heads(graph, name, order)
        for name, order in zip(names, ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]), strict=True)
    )
    scores = graph.node("Mul", [graph.node("MatMul", [query, key], f"{out}.scores"), "temperature"], f"{out}.scaled")
    masked = graph.node("Add", [scores, "ignore"], f"{out}.masked")
    mixed = graph.node("MatMul", [graph.node("Softmax", [masked], f"{out}.share", axis=-1), value], f"{out}.mixed")
    rows = graph.node("Transpose", [mixed], f"{out}.rows", perm=[0, 2, 1, 3])
    return graph.node("Reshape", [rows, "join"], f"{out}.context")


def _heads(graph: _Graph, x: str, order: list[int]) -> str:
    return graph.node("Transpose", [graph.node("Reshape", [x, "split"], f"{x}.split")], f"{x}.heads", perm=order)


def _pool(graph: _Graph, x: str) -> None:
    """Mean over the tokens that are not padding, then unit length; the length makes dividing by the count needless."""
    keep = graph.node("Unsqueeze", ["keep", graph.constant("last", np.array([2], np.int64))], "keep.column")
    kept = graph.node("Mul", [x, keep], "kept")
    graph.node("ReduceSum", [kept, graph.constant("tokens", np.array([1], np.int64))], "sum", keepdims=0)
    graph.node("LpNormalization", ["sum"], "sentence_embedding", axis=-1, p=2)


def _model(graph: _Graph) -> onnx.ModelProto:
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    hidden = graph.shape.hidden
    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", hidden])
    body = helper.make_graph(graph.nodes, "bert", inputs, [output], graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model
