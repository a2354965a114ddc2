"""A loss of PyTorch for `lossgraph check --program "python host.py"`; docs/protocol.md describes the lines."""
import array, base64, importlib, json, os, sys, traceback
import torch

def loss(logits, labels):  # yours, or one by its name: python host.py torch.nn.functional:huber_loss
    return torch.nn.functional.cross_entropy(logits, labels)

def read(x):
    return torch.frombuffer(bytearray(base64.b64decode(x["data"])), dtype=getattr(torch, x["dtype"])).reshape(x["shape"])

def write(x):
    return x if x is None else {"shape": list(x.shape), "data": base64.b64encode(array.array("d", x.flatten().tolist())).decode()}

def answer(request, inputs, move=0, step=None, multiples=(), direction=None, **_):
    if request == "values":
        step = read(step)
        with torch.no_grad():
            return {"values": [loss(*inputs[:move], inputs[move] + t * step, *inputs[move + 1:]).item() for t in multiples]}
    floats = {i: x.requires_grad_() for i, x in enumerate(inputs) if x.is_floating_point()}
    value = loss(*inputs)
    gradient = lambda y, **options: dict(zip(floats, torch.autograd.grad(y, floats.values(), allow_unused=True, **options)))
    gradients = gradient(value, create_graph=request == "products") if value.requires_grad else {}
    if request == "products":
        slope = gradients.get(move)
        if slope is None or not slope.requires_grad:
            return {"missing": f"the gradient has no graph: it ends at the backward of {value.grad_fn}"}
        try:
            gradients = gradient(slope, grad_outputs=read(direction))
        except RuntimeError as error:
            return {"missing": str(error)}
    return {"value": value.item(), "gradients": [write(gradients.get(i)) for i in range(len(inputs))]}

out, sys.stdout = sys.stdout, sys.stderr  # what the loss prints is no answer
sys.path.insert(0, os.getcwd())
if len(sys.argv) > 1:
    module, name = sys.argv[1].split(":")
    loss = getattr(importlib.import_module(module), name)
print(json.dumps({"lossgraph": 1, "features": ["base64", "values", "products"]}), file=out, flush=True)
for line in sys.stdin:
    request = json.loads(line)
    try:
        result = answer(**{**request, "inputs": [read(x) for x in request["inputs"]]})
    except Exception:
        result = {"error": traceback.format_exc()}
    print(json.dumps({"id": request["id"], **result}), file=out, flush=True)
