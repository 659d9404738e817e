"""What Hydra finds of Lorelab: thin faces, because Hydra imports them at every start."""
