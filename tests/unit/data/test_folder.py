"""Folders of images as users have them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lorelab.data.cautions import DataWarning
from lorelab.data.folder import image_folder
from lorelab.errors import DataError


def grey(path: Path, value: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of 20 and 40 images of one grey each: cats are below 100, dogs are 100 and more; some lie deeper."""
    for number in range(20):
        grey(tmp_path / "pets" / "cat" / f"{number}.png", number)
    for number in range(40):
        grey(tmp_path / "pets" / "dog" / ("old/big" if number % 2 else "") / f"{number}.png", 100 + number)
    return tmp_path / "pets"


def values(split) -> list[int]:
    return split.inputs[:, 0, 0, 0].tolist()


def test_the_folder_is_the_class_however_deep_the_file(root) -> None:
    splits = image_folder(str(root), size=4)
    assert splits.spec.name == "pets"
    assert splits.spec.class_names == ("cat", "dog")
    assert splits.spec.input_shape == (1, 4, 4)
    for split in splits.by_name().values():
        assert [int(value >= 100) for value in values(split)] == split.targets.tolist()
    assert sorted(v for split in splits.by_name().values() for v in values(split)) == [*range(20), *range(100, 140)]


def test_splits_keep_the_classes_shares_and_counts_are_of_training(root) -> None:
    splits = image_folder(str(root), size=4, val_fraction=0.2, test_fraction=0.2)
    assert splits.val.targets.bincount().tolist() == splits.test.targets.bincount().tolist() == [4, 8]
    assert splits.spec.class_counts == (12, 24)
    assert image_folder(str(root), size=4, limit_train=9).spec.class_counts == (3, 6)


def test_pictures_are_kept_as_bytes_and_normalised_by_the_training_images(root) -> None:
    splits = image_folder(str(root), size=4)
    assert splits.train.inputs.dtype is torch.uint8
    assert splits.normalise is not None
    assert splits.normalise(splits.train.inputs).mean().item() == pytest.approx(0, abs=1e-5)


def test_the_same_folder_gives_the_same_data_and_another_seed_other_splits(root) -> None:
    one, again, other = (image_folder(str(root), size=4, split_seed=seed) for seed in (0, 0, 1))
    assert one.record == again.record
    assert one.record.fingerprint != other.record.fingerprint


def test_what_is_no_image_and_what_is_hidden_is_passed_over_and_counted(root) -> None:
    (root / "cat" / "Thumbs.db").write_text("")
    (root / "cat" / ".DS_Store").write_text("")
    (root / ".git").mkdir()
    (root / ".git" / "x.png").write_text("")
    (root / "stray.png").write_text("")
    assert image_folder(str(root), size=4).record.schema["ignored"] == {
        "hidden": 2,
        "not images": 1,
        "images outside a class folder": 1,
    }


@pytest.fixture
def official(tmp_path: Path) -> Path:
    for split, start, count in (("train", 0, 30), ("test", 50, 10)):
        for name, offset in (("cat", 0), ("dog", 100)):
            for number in range(count):
                grey(tmp_path / split / name / f"{number}.png", offset + start + number)
    return tmp_path


def test_a_test_folder_stays_the_test_split_and_validation_comes_from_training(official) -> None:
    splits = image_folder(str(official), size=4, val_fraction=0.2, test_fraction=0.5)
    assert splits.record.sizes == {"train": 48, "val": 12, "test": 20}
    assert set(values(splits.test)) == {*range(50, 60), *range(150, 160)}
    assert splits.record.schema["official_splits"] == ["test"]


def test_all_three_folders_are_taken_as_they_are(official) -> None:
    (official / "test").rename(official / "Valid")
    grey(official / "test" / "cat" / "0.png", 7)
    with pytest.warns(DataWarning, match=r"the test split has no example of 'dog'"):
        splits = image_folder(str(official), size=4)
    assert splits.record.sizes == {"train": 60, "val": 20, "test": 1}
    assert splits.record.schema["cautions"] == ["the test split has no example of 'dog'"]


def test_a_csv_of_paths_and_labels_does_as_well(official) -> None:
    rows = [
        f"{split}/{name}/{n}.png,{label},{split}"
        for split, count in (("train", 30), ("test", 10))
        for name, label in (("cat", "meows"), ("dog", "barks"))
        for n in range(count)
    ]
    (official / "labels.csv").write_text("\n".join(["path,label,split", *rows]))
    splits = image_folder(str(official), labels="labels.csv", size=4)
    assert splits.spec.class_names == ("barks", "meows")
    assert [int(value < 100) for value in values(splits.test)] == splits.test.targets.tolist()
    assert splits.record.sizes["test"] == 20


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("file,label\na.png,x\n", r"found the columns file, label; expected 'path' and 'label'"),
        ("path,label\na.png,\n", r"labels.csv: found 1 row .*\n  line 2: found nothing in column 'label'"),
        ("path,label\n,x\n", r"line 2: found nothing in column 'path'; expected a path"),
        ("path,label\na.png,x\nb.png,y\n\na.png,y\n", r"line 5: found a.png again, as on line 2; expected it once"),
        ("path,label,split\na.png,x,dev\n", r"line 2: found split 'dev'; expected train, val or test"),
        ("path,label,split\na.png,x,\n", r"line 2: found nothing in column 'split'; expected train, val or test"),
        ("path,label\nc.png,x\n", r"line 2: found no file {root}/c.png; expected an image there"),
        ("path,label\na.png,x\nb.png,x\n", r"found the class 'x' alone; expected images in two class"),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused_with_its_line(tmp_path, rows, message) -> None:
    grey(tmp_path / "a.png", 1)
    grey(tmp_path / "b.png", 2)
    message = message.replace("{root}", str(tmp_path))
    (tmp_path / "labels.csv").write_text(rows)
    with pytest.raises(DataError, match=message):
        image_folder(str(tmp_path), labels="labels.csv")


def test_all_bad_rows_of_a_csv_are_listed_at_once(root) -> None:
    rows = ["cat/0.png,x,train", "cat/no.png,x,train", "cat/1.png,,train", "dog/0.png,y,dev", "cat/0.png,,dve"]
    (root / "labels.csv").write_text("\n".join(["path,label,split", *rows, *["dog/nor.png,y,val"] * 30]))
    with pytest.raises(DataError, match=r"labels.csv: found 34 rows that cannot be used") as raised:
        image_folder(str(root), labels="labels.csv")
    message = str(raised.value)
    for found in (
        f"  line 3: found no file {root}/cat/no.png",
        "  line 4: found nothing in column 'label'",
        "  line 5: found split 'dev'",
        "  line 6: found cat/0.png again, as on line 2; expected it once; found nothing in column 'label'; expected a "
        "label; found split 'dve'; expected train, val or test",
        f"  line 7: found no file {root}/dog/nor.png",
        "  line 36: found dog/nor.png again, as on line 7",
    ):
        assert found in message
    assert "line 2:" not in message


def test_files_that_a_csv_names_and_that_cannot_be_read_are_all_listed(root) -> None:
    for name in ("cat/no.png", "dog/nor.png"):
        (root / name).write_text("no image")
    (root / "labels.csv").write_text("path,label\ncat/0.png,x\ncat/no.png,x\ndog/nor.png,y\n")
    with pytest.raises(DataError, match=r"(?s)2 of 3 image files cannot be read.*cat/no.png.*dog/nor.png"):
        image_folder(str(root), labels="labels.csv")


def test_labels_of_a_csv_are_what_is_written(root) -> None:
    labels = ["None", "NA", "null", "nan", "007", "7"]
    rows = [f"dog/{n}.png,{labels[n // 2 % 6]}" for n in range(0, 36, 2)]
    (root / "labels.csv").write_text("\n".join(["path,label", *rows]))
    splits = image_folder(str(root), labels="labels.csv", size=4, val_fraction=0.34, test_fraction=0.34)
    assert splits.spec.class_names == tuple(sorted(labels))


def test_a_class_with_too_few_images_is_named_with_its_count(root) -> None:
    grey(root / "bird" / "1.png", 1)
    grey(root / "bird" / "2.png", 2)
    with pytest.raises(DataError, match=r"too few examples of 'bird' \(2\); expected at least 3 of each class"):
        image_folder(str(root), size=4)
    assert image_folder(str(root), size=4, val_fraction=0.4, test_fraction=0).spec.class_counts[0] == 1


@pytest.mark.parametrize(
    ("prepare", "options", "message"),
    [
        (lambda root: None, {"size": 0}, r"data.size: found 0, expected at least 1 pixel"),
        (lambda root: None, {"channels": 2}, r"data.channels: found 2, expected auto, 1 \(grey\) or 3"),
        (lambda root: None, {"fit": "corp"}, r"data.fit: found 'corp', expected crop.*did you mean 'crop'"),
        (lambda root: grey(root / "train" / "a" / "1.png", 1), {}, r"/dog: found beside .*/train, which"),
        (
            lambda root: (root / "dog").rename(root / "cat" / "x"),
            {},
            r"found the class 'cat' alone; expected images in",
        ),
    ],
)
def test_what_cannot_be_understood_is_refused(root, prepare, options, message) -> None:
    prepare(root)
    with pytest.raises(DataError, match=message):
        image_folder(str(root), **options)


def test_a_folder_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(DataError, match=rf"data.root: found no folder {tmp_path}/nowhere"):
        image_folder(str(tmp_path / "nowhere"))


def test_an_empty_folder_says_what_was_passed_over(tmp_path) -> None:
    grey(tmp_path / "1.png", 1)
    with pytest.raises(DataError, match=r"no images for training \(passed over: 1 images outside a class folder\)"):
        image_folder(str(tmp_path))


def test_a_class_that_training_has_not_is_refused(official) -> None:
    grey(official / "test" / "bird" / "1.png", 1)
    with pytest.raises(DataError, match=r"the test part has the class 'bird', which training has not"):
        image_folder(str(official))


def test_an_empty_official_split_is_refused(official) -> None:
    (official / "val").mkdir()
    with pytest.raises(DataError, match=r"the val part has no image in a class folder"):
        image_folder(str(official))


def test_a_class_that_is_called_train_is_told_what_to_do(root) -> None:
    grey(root / "train" / "1.png", 1)
    with pytest.raises(DataError) as raised:
        image_folder(str(root))
    message = str(raised.value)
    assert message.startswith(f"{root}/cat, {root}/dog: found beside {root}/train, which is taken for the training ")
    assert "expected only val/ and test/ beside it" in message
    assert (
        "if 'train' is a class of yours, rename that folder or name every file in a CSV: data.labels=FILE.csv"
        in message
    )


def test_two_folders_for_one_part_are_refused(official) -> None:
    grey(official / "val" / "cat" / "1.png", 1)
    grey(official / "Validation" / "cat" / "1.png", 1)
    with pytest.raises(DataError, match=r"found the folders Validation and val for the val part; expected one"):
        image_folder(str(official))
