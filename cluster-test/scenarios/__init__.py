"""One scenario a file: `run(context)` does it, the module's text says what must hold."""
