#!/usr/bin/env python3
"""Writes crates/nn/tests/it/torch/numbers.rs: what PyTorch's layers make of patterns of numbers, in double
precision, with the names and shapes of their parameters. Run it where torch is installed:

    venv/bin/python tests/peers/layers.py > crates/nn/tests/it/torch/numbers.rs
"""

import torch
from torch import nn

torch.set_default_dtype(torch.float64)


def pattern(seed, shape):
    """Eighths between −1 and 1."""
    i = torch.arange(torch.Size(shape).numel())
    return (((7 * i + 5 * seed + 3 * (i * i % 13)) % 17 - 8) / 8).reshape(shape)


def weighted(tensor, seed):
    return (tensor * pattern(seed, tensor.shape)).sum()


def flat(outputs):
    for output in outputs if isinstance(outputs, tuple) else (outputs,):
        yield from flat(output) if isinstance(output, tuple) else (output,)


def case(name, module, shapes, call=None):
    call = call or (lambda module, *x: module(*x))
    parameters = list(module.named_parameters())
    for seed, (_, parameter) in enumerate(parameters):
        parameter.data = pattern(seed, parameter.shape)
    inputs = [pattern(20 + i, shape).requires_grad_() for i, shape in enumerate(shapes)]
    outputs = list(flat(call(module, *inputs)))
    loss = sum(weighted(output, 40 + i) for i, output in enumerate(outputs))
    of = inputs + [parameter for _, parameter in parameters]
    slopes = [weighted(g, 60 + i) for i, g in enumerate(torch.autograd.grad(loss, of))]
    numbers = torch.cat([output.flatten() for output in outputs])
    listed = lambda numbers: ", ".join(repr(float(x)) for x in numbers)
    names = ", ".join(f'("{n}", &{list(p.shape)})' for n, p in parameters)
    print(f"""
pub const {name}: Case = Case {{
    parameters: &[{names}],
    inputs: &[{", ".join(f"&{list(shape)}" for shape in shapes)}],
    outputs: &[{listed(numbers)}],
    slopes: &[{listed(slopes)}],
}};""")


print("""//! What PyTorch's layers give, as tests/peers/layers.py writes it.

use super::Case;""")

deep = dict(num_layers=2, bidirectional=True, batch_first=True)
case("RNN", nn.RNN(2, 3, batch_first=True), [(2, 4, 2)])
case("RNN_RELU_DEEP", nn.RNN(2, 3, nonlinearity="relu", **deep), [(2, 3, 2), (4, 2, 3)])
case("LSTM", nn.LSTM(2, 3, batch_first=True), [(2, 4, 2)])
case("LSTM_DEEP", nn.LSTM(2, 2, **deep), [(2, 3, 2), (4, 2, 2), (4, 2, 2)], lambda m, x, h, c: m(x, (h, c)))
case("GRU", nn.GRU(2, 3, batch_first=True), [(2, 4, 2)])
case("GRU_DEEP", nn.GRU(2, 2, **deep), [(2, 3, 2), (4, 2, 2)])
case("GRU_OF_ONE_EXAMPLE", nn.GRU(2, 3, num_layers=2, bias=False), [(4, 2), (2, 3)])


def attend(m, q, k, v, **masks):
    return m(q, k, v, need_weights=False, **masks)[0]


causal = torch.ones(3, 3).triu(1).bool()
padding = torch.tensor([[False, False, True], [False, False, False]])
case("ATTENTION", nn.MultiheadAttention(4, 2, batch_first=True), [(2, 3, 4)], lambda m, x: attend(m, x, x, x))
case(
    "ATTENTION_MASKED",
    nn.MultiheadAttention(4, 2, batch_first=True, bias=False),
    [(2, 3, 4)],
    lambda m, x: attend(m, x, x, x, attn_mask=causal, key_padding_mask=padding),
)
case(
    "ATTENTION_ACROSS",
    nn.MultiheadAttention(4, 2, kdim=3, vdim=5, batch_first=True),
    [(2, 2, 4), (2, 3, 3), (2, 3, 5), (2, 3)],
    lambda m, q, k, v, mask: attend(m, q, k, v, attn_mask=mask),
)
case("ATTENTION_TO_ANOTHER", nn.MultiheadAttention(4, 4), [(2, 4), (3, 4)], lambda m, q, k: attend(m, q, k, k))

block = dict(d_model=4, nhead=2, dim_feedforward=5, dropout=0.0, batch_first=True)
case("BLOCK_AFTER", nn.TransformerEncoderLayer(**block), [(2, 3, 4)])
case(
    "BLOCK_BEFORE",
    nn.TransformerEncoderLayer(activation="gelu", norm_first=True, layer_norm_eps=1e-3, **block),
    [(2, 3, 4)],
    lambda m, x: m(x, src_mask=causal, src_key_padding_mask=padding),
)

ids = torch.tensor([[1, 0], [3, 1]])
case("EMBEDDING", nn.Embedding(4, 3, padding_idx=1), [], lambda m: m(ids))
case("CONV1D", nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), [(2, 4, 7)])
case("PRELU", nn.PReLU(3), [(2, 3, 4)])
