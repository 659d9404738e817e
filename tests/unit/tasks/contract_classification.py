"""A toy problem for task=classification: in which part of the plane does a point lie?"""

from contract import ONE_HIDDEN_LAYER, Shaken, configured, normal, toy_splits
from sklearn.metrics import accuracy_score, f1_score, log_loss

from lorelab.records import DataSpec
from lorelab.testing import Toy


def reference(task, net, data):
    held = data.held("val")
    probabilities = task.predict(net, held.inputs).double()
    probabilities /= probabilities.sum(1, keepdim=True)
    classes = probabilities.argmax(1)
    return {
        "accuracy": accuracy_score(held.targets, classes),
        "macro_f1": f1_score(held.targets, classes, average="macro"),
        "loss": log_loss(held.targets, probabilities, labels=[0, 1, 2]),
    }


SPEC = DataSpec("sides", "points", (2,), "class", num_classes=3)
TOYS = {
    name: Toy(
        task=configured("classification", loss=loss),
        splits=toy_splits(SPEC, normal(600, 2), lambda x: (x[:, 0] > 0) + (x[:, 1] > 0).long()),
        net=ONE_HIDDEN_LAYER,
        score=0.93,
        predicts=(3,),
        reference=reference,
        augment=Shaken(),
    )
    for name, loss in (("classification", "cross_entropy"), ("classification by probability", "one_minus_p"))
}
