#!/usr/bin/env python3
"""PyTorch's side of the example `fashion_mnist`: the same net, rates and epochs on the same 60,000
pictures. The argument is the folder of the four files; prints the loss, the accuracy on the test part
and the seconds so far after each epoch."""

import gzip
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(2)
BATCH, EPOCHS, RATE = 64, 5, 4e-3


def read(name, header):
    raw = gzip.open(pathlib.Path(sys.argv[1]) / f"{name}-ubyte.gz").read()
    return np.frombuffer(raw, np.uint8, offset=header)


def part(name):
    pictures = read(f"{name}-images-idx3", 16).reshape(-1, 1, 28, 28).astype("float32") / 255
    return torch.tensor(pictures), torch.tensor(read(f"{name}-labels-idx1", 8).astype("int64"))


(x, y), (test, labels) = part("train"), part("t10k")
net = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
)
optimizer = torch.optim.AdamW(net.parameters(), lr=RATE)
steps = -(-len(x) // BATCH)
rates = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps * EPOCHS)
start = time.time()
for epoch in range(EPOCHS):
    total = 0.0
    for batch in torch.randperm(len(x)).split(BATCH):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        rates.step()
        total += loss.item()
    with torch.no_grad():
        right = sum((net(a).argmax(1) == b).sum().item() for a, b in zip(test.split(1000), labels.split(1000)))
    print(f"{epoch + 1:5}  {total / steps:.3f}  {100 * right / len(test):11.2f} %  {time.time() - start:7.1f}", flush=True)
