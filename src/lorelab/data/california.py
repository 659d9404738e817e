"""California housing: the 1990 census by district, with a categorical column and missing values."""

from __future__ import annotations

from pathlib import Path

from lorelab.data.csvfile import read_csv
from lorelab.data.files import data_root, fetch, verify
from lorelab.data.splits import DataSplits, provides
from lorelab.data.tables import table_splits

URL = (
    "https://raw.githubusercontent.com/ageron/handson-ml2/"
    "aa555aa16b9d0af6c84e67c7757f3317d05acb12/datasets/housing/housing.csv"
)
MD5 = "d1c47305887e2252bf1ccbd74ff159a6"


@provides(inputs="table", targets="real")
def california(
    root: str | None = None,
    val_fraction: float = 0.15,
    test_fraction: float = 0.15,
    split_seed: int = 0,
    limit_train: int | None = None,
) -> DataSplits:
    """20,640 districts (Pace and Barry 1997, with ``ocean_proximity`` and holes added by Géron), median house value in
    USD, capped at 500,001.

    Raises:
        DataError: the file is absent and not to be downloaded, or damaged.
    """
    folder = data_root(root) / "california_housing"
    path = folder / "housing.csv"
    fetch("California housing", [path], lambda: _download(folder))
    verify(folder, {path.name: MD5})
    return table_splits(
        read_csv(path),
        "median_house_value",
        name="california",
        target_kind="real",
        target_unit="USD",
        source=str(path),
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        split_seed=split_seed,
        limit_train=limit_train,
    )


def _download(folder: Path) -> None:
    from torchvision.datasets.utils import download_url

    download_url(URL, folder, "housing.csv", MD5)
