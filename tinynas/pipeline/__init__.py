"""One search from request to verified .tflite: the stages in order, each leaving its artefact in the run folder."""
