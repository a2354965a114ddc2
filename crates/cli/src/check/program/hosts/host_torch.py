"""A loss of PyTorch for `lossgraph check --program "python host.py"`; docs/protocol.md describes the lines."""
import ctypes, json, math, pydoc, sys, traceback, torch
def loss(logits, labels):  # yours, or one by its name: python host.py torch.nn.functional:huber_loss
    return torch.nn.functional.cross_entropy(logits, labels)
def read(x):  # from what follows the line
    return torch.frombuffer(data, dtype=getattr(torch, x["dtype"]), count=math.prod(x["shape"]), offset=x["offset"]).reshape(x["shape"])
def write(x):  # to what follows the line
    if x is None: return x
    # A copy, since zeros that autograd makes up have no memory.
    x, offset = x.to("cpu", torch.float64).clone(memory_format=torch.contiguous_format), sum(map(len, sent))
    sent.append(ctypes.string_at(x.data_ptr(), x.nbytes))
    return {"shape": list(x.shape), "offset": offset}
def gradients(y, x, **options):  # by position: None in integers, and in what y does not depend on
    floats = {i: each for i, each in enumerate(x) if each.is_floating_point()}
    return dict(zip(floats, torch.autograd.grad(y, floats.values(), allow_unused=True, **options))) if y.requires_grad else {}
def answer(request, inputs=(), kept=[], steps=(), multiples=(), move=0, direction=None, **_):
    kept[:] = [read(each) for each in inputs] or kept  # inputs that are left out are those of the last request
    x, steps = [each.clone() for each in kept], [step and read(step) for step in steps]
    if request == "points":
        return {"values": [loss(*[a if s is None else a + t * s for a, s in zip(x, steps)]).item() for t in multiples]}
    y = loss(*[each.requires_grad_(each.is_floating_point()) for each in x])
    slopes = gradients(y, x, create_graph=request == "products")
    if request == "products":
        if (slope := slopes.get(move)) is None or not slope.requires_grad:
            return {"missing": f"the gradient has no graph: it ends at the backward of {y.grad_fn}"}
        slopes = gradients(slope, x, grad_outputs=read(direction))
    return {"value": y.item(), "gradients": [write(slopes.get(i)) for i in range(len(x))]}
out, sys.stdout, sys.path[:0] = sys.stdout.buffer, sys.stderr, [""]  # what the loss prints is no answer
if len(sys.argv) > 1: loss = pydoc.locate(sys.argv[1].replace(":", ".")) or sys.exit(f"there is no {sys.argv[1]}")
out.write(b'{"lossgraph": 1, "features": ["bytes", "kept", "points", "products"]}\n'), out.flush()
for asked in map(json.loads, sys.stdin.buffer):
    data, sent = bytearray(sys.stdin.buffer.read(asked["bytes"])), []
    try: result = answer(**asked)
    except Exception as error: result = {"missing": str(error)} if asked["request"] == "products" else {"error": traceback.format_exc()}
    line = json.dumps({"id": asked["id"], "bytes": sum(map(len, sent)), **result}) + "\n"
    out.writelines([line.encode(), *sent]), out.flush()
