import pytest
import torch

from lorelab.sweeps.workers import crew_size, gpus_for, processes_to_a_memory, share, workers_for


def test_each_gpu_gets_one_worker_and_more_where_they_share_it() -> None:
    assert workers_for(None, gpus=0, gpu_share=1.0) == 1
    assert workers_for(None, gpus=4, gpu_share=1.0) == 4
    assert workers_for(None, gpus=2, gpu_share=0.25) == 8
    assert workers_for(None, gpus=1, gpu_share=0.4) == 2, "what is left over of a GPU is nobody's"
    assert workers_for(3, gpus=8, gpu_share=0.5) == 3, "what is asked for wins"


@pytest.mark.parametrize("parts", range(1, 101))
def test_an_nth_of_a_gpu_lets_n_workers_on_it(parts: int) -> None:
    assert workers_for(None, gpus=1, gpu_share=1 / parts) == parts


def gpus_of(count: int, gpus: int, **environment: str) -> list[str]:
    return [share(number, count, gpus, 8, environment)["CUDA_VISIBLE_DEVICES"] for number in range(count)]


def test_workers_take_the_gpus_in_turn() -> None:
    assert gpus_of(4, 4) == ["0", "1", "2", "3"]
    assert gpus_of(4, 2) == ["0", "1", "0", "1"]
    assert gpus_of(2, 4) == ["0", "1"]


def test_only_gpus_that_the_sweep_may_see_are_given_on() -> None:
    assert gpus_of(3, 2, CUDA_VISIBLE_DEVICES="5, 3") == ["5", "3", "5"]
    assert gpus_of(2, 2, CUDA_VISIBLE_DEVICES="GPU-8a,GPU-1f") == ["GPU-8a", "GPU-1f"]


def test_without_gpus_nothing_is_said_of_them() -> None:
    assert "CUDA_VISIBLE_DEVICES" not in share(0, 2, 0, 8, {})


def test_workers_divide_the_cores_unless_threads_are_set() -> None:
    assert share(0, 3, 0, 8, {}) == {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}
    assert share(1, 16, 0, 8, {})["OMP_NUM_THREADS"] == "1"
    assert share(0, 2, 0, 8, {"OMP_NUM_THREADS": "7"}) == {"MKL_NUM_THREADS": "4"}


def test_processes_share_a_memory_as_far_as_they_share_a_device() -> None:
    assert [processes_to_a_memory(count, gpus=2) for count in (0, 1, 2, 3, 4)] == [0, 1, 1, 2, 2]
    assert processes_to_a_memory(3, gpus=0) == 3


def test_a_crew_is_as_many_as_the_gpus_take_or_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    assert [gpus_for("auto"), gpus_for("gpu"), gpus_for("cpu")] == [2, 2, 0]
    assert crew_size(None, 0.5, "auto") == 4
    assert crew_size(None, 0.5, "cpu") == 6
    assert crew_size(3, 0.5, "auto") == crew_size(3, 0.5, "cpu") == 3
