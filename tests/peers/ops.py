#!/usr/bin/env python3
"""The side of PyTorch of `lossgraph-bench ops`: reads an expression of a list x of inputs, their shapes
and the interval that they are drawn from, a line each, and prints the least time of value and
gradients in microseconds. The argument is how many threads it may use."""

import json
import sys
import time

try:
    import torch
    import torch.nn.functional as F
except ImportError as error:
    for _ in sys.stdin:
        print(error, flush=True)
    sys.exit()

torch.set_num_threads(int(sys.argv[1]))
INDICES = torch.arange(100) * 37 % 100


def least(expression, shapes, low, high):
    inputs = [(torch.rand(shape) * (high - low) + low).requires_grad_() for shape in shapes]
    record = eval("lambda x, i: " + expression, {"torch": torch, "F": F})

    def step():
        total = record(inputs, INDICES).sum()
        if total.requires_grad:
            torch.autograd.grad(total, inputs, allow_unused=True)

    for _ in range(3):
        step()
    start, times = time.perf_counter(), []
    while time.perf_counter() - start < 0.15:
        before = time.perf_counter()
        step()
        times.append(time.perf_counter() - before)
    return min(times) * 1e6


for line in sys.stdin:
    expression, shapes, low, high = line.rstrip("\n").split("\t")
    try:
        print(least(expression, json.loads(shapes), float(low), float(high)), flush=True)
    except Exception as error:
        print(str(error).split("\n")[0], flush=True)
