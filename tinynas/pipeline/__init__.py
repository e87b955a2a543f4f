"""One search from request to verified .tflite: stages in order, each leaving its artefact in the run."""
