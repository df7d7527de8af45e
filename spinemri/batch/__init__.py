"""Many studies in one run: found, analysed by the pipeline's own three steps, resumed, and put into tables.

A study that fails is a row with its cause and never stops the others; a study that is done is not done again.
"""
