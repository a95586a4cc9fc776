"""A probe tells what is free of the GPU, and of nothing else that llama-server lists."""

import pytest
from coderag_operator.observed.child import Child
from coderag_operator.observed.details import Job, Pod
from coderag_operator.observed.probes import learn_gpu, read_free
from coderag_operator.observed.vram import Measurement

GPU = "  CUDA0: NVIDIA GeForce RTX 4060 (8188 MiB, 7100 MiB free)\n"


@pytest.mark.parametrize(
    ("listed", "free"),
    [
        (GPU, 7100),
        ("  BLAS: OpenBLAS (0 MiB, 0 MiB free)\n" + GPU, 7100),
        ("  BLAS: OpenBLAS (0 MiB, 0 MiB free)\n", None),
        (GPU.replace("7100", "0"), 0),
        ("Available devices:\n", None),
    ],
)
def test_the_first_device_with_memory_of_its_own_counts(listed: str, free: int | None) -> None:
    assert read_free(f"Available devices:\n{listed}") == free


@pytest.mark.parametrize(
    ("job", "said", "learnt"),
    [
        (Job(active=True), GPU, None),
        (Job(complete=True), GPU, Measurement("a", "580", 7100)),
        (Job(complete=True), "", Measurement("a", "580", problem="its image sees no GPU")),
        (Job(failed=True), "", Measurement("a", "580", problem="the probe did not end well")),
    ],
)
def test_a_probe_counts_once_it_has_ended(job: Job, said: str, learnt: Measurement | None) -> None:
    def child(kind: str, uid: str, owner: str, details: Job | Pod) -> Child:
        return Child(kind, "team", uid, uid, "1", "demo", "models", owner, False, details)

    pods = [child("Pod", "pod", "job", Pod(endings=(said,)))]
    assert learn_gpu(child("Job", "job", "", job), pods, "a", "580") == learnt
