"""Forward passes written out for a whole stack: outputs, features, losses and gradients are those of each net alone."""

import copy
from functools import partial

import pytest
import torch
from stacks import CLASSIFY, IMAGES, TEXT, with_
from torch import nn

from lorelab.nets.charmlp import CharMLP
from lorelab.nets.convnet import ConvNet
from lorelab.nets.heads import CosineHead, MLPHead, PrejudicedHead
from lorelab.nets.mlp import MLP
from lorelab.records import Batch
from lorelab.seeds import derive_seed
from lorelab.sweeps.footprint import footprint
from lorelab.tasks.classification import Classification
from lorelab.tasks.language import LanguageModel
from lorelab.training import stacked_forward
from lorelab.training.stacked_net import StackedNet
from lorelab.training.stacked_task import StackedTask

MEMBERS = 3
close = partial(torch.testing.assert_close, rtol=1e-5, atol=1e-5)
HEADS = {
    "linear": nn.Linear,
    "no bias": partial(nn.Linear, bias=False),
    "mlp": partial(MLPHead, hidden_features=7),
    "cosine": CosineHead,
    "learned cosine": partial(CosineHead, learn_temperature=True),
    "prejudiced": PrejudicedHead,
}
NETS = {
    "mlp": (IMAGES, Classification, partial(MLP, width=6, activation="tanh")),
    "mlp depth 0": (IMAGES, Classification, partial(MLP, depth=0)),
    "mlp dropout": (IMAGES, Classification, partial(MLP, width=6, dropout=0.3)),
    "convnet": (IMAGES, Classification, partial(ConvNet, channels=(4, 5), width=6, activation="tanh")),
    "convnet norm": (IMAGES, Classification, partial(ConvNet, channels=(4,), width=6, batch_norm=True)),
    "convnet dropout": (IMAGES, Classification, partial(ConvNet, channels=(4,), width=6, dropout=0.3)),
    "charmlp": (TEXT, LanguageModel, partial(CharMLP, reach=3, embedding=4, width=6)),
    "charmlp deep": (TEXT, LanguageModel, partial(CharMLP, reach=2, embedding=3, width=6, depth=3, activation="gelu")),
    "charmlp reach 1": (TEXT, LanguageModel, partial(CharMLP, reach=1, embedding=4, width=6)),
    "charmlp beyond": (TEXT, LanguageModel, partial(CharMLP, reach=20, embedding=4, width=6)),
    "charmlp dropout": (TEXT, LanguageModel, partial(CharMLP, reach=3, embedding=4, width=6, dropout=0.3, depth=2)),
}


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch) -> None:
    monkeypatch.setattr(stacked_forward, "UNFOLDED_ON", ("cpu", "cuda"))


def stack_of(net, head):
    """The task, the nets, their stack and a batch of each member's own, ``(M, B, ...)``."""
    splits, task, kind = NETS[net]
    built = task(data=splits.spec)
    nets = []
    for seed in range(MEMBERS):
        torch.manual_seed(seed)
        nets.append(kind(input_shape=splits.spec.input_shape, out_features=built.out_features, head=HEADS[head]))
    if head == "cosine":
        for row, each in enumerate(nets):
            each.head.log_temperature.sub_(row)  # a buffer, in which members may differ
    rows = torch.arange(10 * MEMBERS).view(MEMBERS, 10)
    return built, nets, StackedNet(nets, range(MEMBERS)), Batch(splits.train.inputs[rows], splits.train.targets[rows])


def alone(task, nets, batch):
    """Losses and gradients of nets that know of no other."""
    losses, gradients = [], []
    for seed, (net, inputs, targets) in enumerate(zip(nets, *batch, strict=True)):
        torch.manual_seed(derive_seed(seed, "training"))
        loss = task.loss(net.train(), Batch(inputs, targets))
        found = torch.autograd.grad(loss, list(net.parameters()))
        losses.append(loss.detach())
        gradients.append(torch.cat([part.flatten() for part in found]))
    return torch.stack(losses), torch.stack(gradients)


def of_all(stack, tasks, batch, *, shared=False):
    losses = stack.losses(tasks, batch, shared=shared)
    return losses.detach(), stack.gradients(losses)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("net", NETS)
def test_losses_and_gradients_are_those_of_vmap_and_of_each_net_alone(net, head) -> None:
    task, nets, stack, batch = stack_of(net, head)
    tasks = StackedTask([task] * MEMBERS, torch.device("cpu"))
    assert stack._forward is not None
    assert tasks.each is not None
    begun = [generator.get_state() for generator in stack.draws.generators]
    expected = alone(task, nets, batch)
    for written, each in ((stack._forward, tasks.each), (stack._forward, None), (None, None)):
        stack._forward, tasks.each = written, each
        for generator, state in zip(stack.draws.generators, begun, strict=True):
            generator.set_state(state)
        close(of_all(stack, tasks, batch), expected)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("net", [name for name in NETS if "dropout" not in name])
@pytest.mark.parametrize("method", ["forward", "features"])
def test_outputs_and_features_are_those_of_each_net_alone(net, head, method) -> None:
    _, nets, stack, batch = stack_of(net, head)
    found = stack._forward(method, stack.tensors, batch.inputs)
    close(found, torch.stack([getattr(each, method)(inputs) for each, inputs in zip(nets, batch.inputs, strict=True)]))


@pytest.mark.parametrize("net", ["mlp", "charmlp", "convnet"])
@pytest.mark.parametrize("mapped", [False, True])
def test_members_may_share_their_batch(net, mapped) -> None:
    task, nets, stack, batch = stack_of(net, "cosine")
    tasks = StackedTask([task] * MEMBERS, torch.device("cpu"))
    tasks.each = None if mapped else tasks.each
    shared = Batch(batch.inputs[0], batch.targets[0])
    repeated = Batch(*(whole.expand(MEMBERS, *whole.shape) for whole in shared))
    close(of_all(stack, tasks, shared, shared=True), alone(task, nets, repeated))


@pytest.mark.parametrize("examples", [2, 3])
def test_embeddings_are_multiplied_before_they_are_looked_up_or_after(monkeypatch, examples) -> None:
    """After, where a character of the six, "before the start" included, stands in fewer than three positions."""
    task, nets, stack, batch = stack_of("charmlp", "linear")
    few = Batch(batch.inputs[:, :examples], batch.targets[:, :examples])
    sums = []
    summed = torch.nn.functional.embedding_bag
    monkeypatch.setattr("torch.nn.functional.embedding_bag", lambda *a, **k: sums.append(1) or summed(*a, **k))
    close(of_all(stack, StackedTask([task] * MEMBERS, torch.device("cpu")), few), alone(task, nets, few))
    assert len(sums) == (8 * examples >= 3 * 6)


@pytest.mark.parametrize("head", ["cosine", "learned cosine"])
def test_those_who_stay_keep_their_own_temperature(head) -> None:
    task, nets, stack, batch = stack_of("charmlp", head)
    stack.keep([2, 0])
    tasks = StackedTask([task] * 2, torch.device("cpu"))
    kept = Batch(batch.inputs[[2, 0]], batch.targets[[2, 0]])
    close(of_all(stack, tasks, kept), alone(task, [nets[2], nets[0]], kept))


def test_running_statistics_are_those_of_each_net_alone() -> None:
    task, nets, stack, batch = stack_of("convnet norm", "linear")
    evaluated = stacked_forward.forward_of(copy.deepcopy(nets[0]).eval(), None)("forward", stack.tensors, batch.inputs)
    close(evaluated, torch.stack([net.eval()(inputs) for net, inputs in zip(nets, batch.inputs, strict=True)]))
    assert not any(net.stages[0].norm.num_batches_tracked for net in nets)
    own = [copy.deepcopy(net) for net in nets]
    of_all(stack, StackedTask([task] * MEMBERS, torch.device("cpu")), batch)
    alone(task, own, batch)
    for net, other in zip(nets, own, strict=True):
        close(dict(net.named_buffers()), dict(other.named_buffers()))
        assert net.stages[0].norm.num_batches_tracked == 1


def test_patches_count_in_the_memory_that_a_member_needs(monkeypatch) -> None:
    net = partial(ConvNet, head=nn.Linear, channels=(4,), width=8)
    member = with_(CLASSIFY, splits=IMAGES, net=net).member()
    written_out = footprint(member)
    monkeypatch.undo()
    assert written_out - footprint(member) == 2 * 9 * 4 * 10 * 8 * 8  # of ten images of a single channel, and gradients


class OwnHead(nn.Linear):
    """Computes as it likes."""


class OwnNet(CharMLP):
    """So does this."""


@pytest.mark.parametrize(
    "net",
    [
        lambda: MLP((4,), 3, OwnHead),
        lambda: CharMLP((8,), 5, OwnHead),
        lambda: OwnNet((8,), 5, nn.Linear),
        lambda: ConvNet((1, 8, 8), 3, OwnHead, channels=(4, 4), width=8),
    ],
    ids=["head of MLP", "head of CharMLP", "CharMLP", "head of ConvNet"],
)
def test_what_is_not_known_is_left_to_vmap(net) -> None:
    assert StackedNet([net(), net()], [0, 1])._forward is None


def test_a_cpu_leaves_convolutions_to_vmap(monkeypatch) -> None:
    monkeypatch.undo()
    assert stacked_forward.forward_of(ConvNet((1, 8, 8), 3, nn.Linear, channels=(4,), width=8), None) is None
