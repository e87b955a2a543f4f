"""Elastic Keras layers that share weights, their training and their scoring."""
