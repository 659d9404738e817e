"""From Hydra's composed config to built parts: the only floor, with the commands, that sees a ``DictConfig``."""
