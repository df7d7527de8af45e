"""From a ``Case`` to files: one module per format, one line in ``write.WRITERS`` each."""
