"""The commands: one module each, with ``main(argv) -> exit status``. Imported only when called."""
