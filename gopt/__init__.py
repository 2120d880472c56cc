"""gopt: an optimizing compiler for ONNX graphs."""
