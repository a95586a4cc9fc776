"""Which architectures are modelled, and in words why the others are not.

Modelled are dense decoders with one KV cache whose tensors llama.cpp places by the rule of `measure`; each entry was
read from `src/models/<name>.cpp` of llama.cpp. Sliding windows follow `load_swa_pattern` there: with a period of n, the
layers i with i mod n < n - 1 see only the window.
"""

from dataclasses import dataclass
from typing import Literal

from coderag_model.bounded import GgufError
from coderag_model.contents import Value
from coderag_model.printable import shown


@dataclass(frozen=True, slots=True)
class Architecture:
    """What differs between the architectures that are modelled."""

    tied: Literal["always", "if absent", "never"] = "if absent"  # when token_embd doubles as output
    window_period: int = 0  # 0: a window in the file is ignored
    default_window: int = 0  # tokens, where the file states none


PLAIN = Architecture()
MODELLED = {
    "llama": PLAIN,  # also Mistral; llama.cpp has no window here
    "mistral3": PLAIN,
    "qwen2": PLAIN,
    "qwen3": PLAIN,
    "gemma": Architecture(tied="always"),
    "gemma2": Architecture(tied="always", window_period=2, default_window=4096),
    "gemma3": Architecture(window_period=6),
    "phi2": Architecture(tied="never"),
    "phi3": PLAIN,  # llama.cpp reads its window and switches it off (pull request 13676)
}

RECURRENT = "it keeps a recurrent state instead of a KV cache"
HYBRID = "it mixes recurrent layers or compressed attention with a KV cache"
ENCODER = "it is an encoder, which answers no prompts"
LATENT = "it keeps a compressed KV cache (multi-head latent attention)"
DIFFUSION = "it is a diffusion model, which has no KV cache"
PART = "it is a part of another model"
EXPERTS = "it is a mixture of experts"
REFUSED = {
    name: reason
    for reason, names in {
        RECURRENT: "mamba mamba2 rwkv6 rwkv6qwen2 rwkv7 arwkv7",
        HYBRID: "jamba falcon-h1 plamo2 granitehybrid lfm2 lfm2moe nemotron_h nemotron_h_moe qwen3next kimi-linear "
        "bailingmoe3 kimi-k3 glm5-next qwen35 qwen35moe qwen4exp deepseek4 minimax-01",
        ENCODER: "bert modern-bert nomic-bert nomic-bert-moe neo-bert jina-bert-v2 jina-bert-v3 eurobert t5 t5encoder "
        "gemma-embedding llama-embed clef",
        LATENT: "deepseek2 deepseek2-ocr deepseek32 glm-dsa minicpm3 plm mistral4",
        DIFFUSION: "dream llada llada-moe rnd1",
        PART: "clip eagle3 dflash gemma4-assistant wavtokenizer-dec pockettts",
        EXPERTS: "qwen2moe qwen3moe qwen3vlmoe gpt-oss phimoe llama4 grok dbrx arctic olmoe deepseek glm4moe "
        "granitemoe ernie4_5-moe hunyuan-moe bailingmoe bailingmoe2 dots1 smallthinker grovemoe minimax-m2 exaone-moe",
    }.items()
    for name in names.split()
}


def find_architecture(name: str, values: dict[str, Value]) -> Architecture:
    """Return how to count a model; raises Unsupported with the reason."""
    reason = REFUSED.get(name) or _reason(name, values)
    if reason:
        raise unsupported(name, reason)
    if name not in MODELLED:
        raise unsupported(name, f"modelled are {', '.join(MODELLED)}")
    return MODELLED[name]


def _reason(name: str, values: dict[str, Value]) -> str | None:
    """Return what its keys say against a model of whatever architecture."""
    if values.get(f"{name}.expert_count"):
        return EXPERTS
    if values.get(f"{name}.attention.kv_lora_rank") or values.get(f"{name}.attention.key_length_mla"):
        return LATENT
    if values.get(f"{name}.nextn_predict_layers"):
        return "it has layers that predict several tokens at once"
    if values.get(f"{name}.attention.causal") == 0 or values.get(f"{name}.pooling_type"):
        return "it is an embedding model, which answers no prompts"
    return None


def unsupported(name: str, reason: str) -> GgufError:
    """Return the refusal of a model that may well run, but whose memory is not known here."""
    return GgufError("Unsupported", f"the memory of the architecture {shown(name)!r} is not modelled: {reason}")
