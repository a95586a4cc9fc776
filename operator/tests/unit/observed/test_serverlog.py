"""What a server prints about its buffers is read by device; lines are those of real servers."""

import pytest
from coderag_operator.observed.serverlog import Buffers, ran_out, read_buffers
from hypothesis import given
from hypothesis import strategies as st

CUDA = """
load_tensors: offloading output layer to GPU
load_tensors: offloaded 20/29 layers to GPU
load_tensors:   CPU_Mapped model buffer size =  1621.12 MiB
load_tensors:        CUDA0 model buffer size =  2957.01 MiB
llama_context:  CUDA_Host  output buffer size =     0.58 MiB
llama_kv_cache:        CPU KV buffer size =    72.00 MiB
llama_kv_cache:      CUDA0 KV buffer size =   152.00 MiB
sched_reserve:      CUDA0 compute buffer size =   200.00 MiB
sched_reserve:      CUDA0 compute buffer size =   265.50 MiB
sched_reserve:  CUDA_Host compute buffer size =    15.01 MiB
"""
CPU = """
0.00.506.723 I load_tensors:   CPU_Mapped model buffer size =     0.59 MiB
0.00.506.918 I llama_context:        CPU  output buffer size =     0.00 MiB
0.00.507.280 I llama_kv_cache:        CPU KV buffer size =     4.00 MiB
0.00.511.529 I sched_reserve:        CPU compute buffer size =     5.52 MiB
"""


def test_device_and_host_are_told_apart_and_the_last_graph_counts():
    read = read_buffers(CUDA)
    assert read == Buffers(2957.01, 152.0, 265.5, host=1708.71, offloaded=20, layers=29)
    assert read.device == 3374.51


def test_two_caches_of_one_model_are_added():
    log = "llama_kv_cache: CUDA0 KV buffer size = 10.00 MiB\nllama_kv_cache: CUDA0 KV buffer size = 5.50 MiB\n"
    assert read_buffers(log) == Buffers(kv=15.5)


def test_a_build_without_a_gpu_has_everything_on_the_host():
    assert read_buffers(CPU) == Buffers(host=10.11)


@pytest.mark.parametrize("log", ["", "srv llama_server: model loaded", "CUDA0 model buffer size = many MiB"])
def test_a_log_without_buffers_says_nothing(log):
    assert read_buffers(log) is None


@pytest.mark.parametrize(
    "text",
    [
        "alloc_buffer: allocating 2957.01 MiB on device 0: cudaMalloc failed: out of memory",
        "alloc_tensor_range: failed to allocate CUDA0 buffer of size 3100000000",
        "llama_model_load: error loading model: unable to allocate CUDA0 buffer",
        "graph_reserve: failed to allocate compute buffers",
    ],
)
def test_an_end_for_want_of_memory_is_recognised(text):
    assert ran_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "error loading model: tensor 'x' not found",
        "OOMKilled",
        "alloc_tensor_range: failed to allocate CPU buffer of size 3100000000",
        "llama_model_load: error loading model: unable to allocate CPU_REPACK buffer",
        "alloc_tensor_range: failed to allocate CUDA_Host buffer of size 3100000000",
    ],
)
def test_another_end_is_not_taken_for_it(text):
    assert not ran_out(text)


@given(st.text(max_size=400))
def test_no_log_breaks_the_reading(log):
    read_buffers(log)
