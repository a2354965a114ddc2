"""A loss of PyTorch for `lossgraph check --program "python host.py"`; docs/protocol.md describes the lines."""
import base64, ctypes, json, pydoc, sys, traceback, torch
def loss(logits, labels):  # yours, or one by its name: python host.py torch.nn.functional:huber_loss
    return torch.nn.functional.cross_entropy(logits, labels)
read = lambda x: torch.frombuffer(bytearray(base64.b64decode(x["data"])), dtype=getattr(torch, x["dtype"])).reshape(x["shape"])
def write(x):
    return x if x is None else {"shape": list(x.shape), "data": base64.b64encode(ctypes.string_at((x := x.to("cpu", torch.float64).contiguous()).data_ptr(), x.nbytes)).decode()}
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
out, sys.stdout = sys.stdout, sys.stderr  # what the loss prints is no answer
sys.path.insert(0, "")
if len(sys.argv) > 1: loss = pydoc.locate(sys.argv[1].replace(":", ".")) or sys.exit(f"there is no {sys.argv[1]}")
print(json.dumps({"lossgraph": 1, "features": ["base64", "kept", "points", "products"]}), file=out, flush=True)
for asked in map(json.loads, sys.stdin):
    try: result = answer(**asked)
    except Exception as error: result = {"missing": str(error)} if asked["request"] == "products" else {"error": traceback.format_exc()}
    print(json.dumps({"id": asked["id"], **result}), file=out, flush=True)
