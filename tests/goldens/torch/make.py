"""Reference values from PyTorch for the tests of `exgnet`.

    python make.py            # write the .safetensors files next to this script
    python make.py --check    # recompute, compare with the files, write nothing

Inputs and weights are drawn in float32 and stored as F32; everything is then computed in float64
and stored as F64. The random numbers come from numpy's RandomState, whose streams are frozen, so
the inputs do not depend on the versions of numpy or PyTorch. Where a scalar S is differentiated
to test second-order gradients it is written in the docstring of the function that makes the file.
"""

import argparse
import json
import math
import re
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save

import networks
import twin

HERE = Path(__file__).resolve().parent
EPS_BN, MOMENTUM = 1e-5, 0.1
JOINT, FEATURE = 0.5, 0.1


class Golden:
    """The tensors and the metadata of one file, and the random stream its inputs come from."""

    def __init__(self, seed):
        self.random = np.random.RandomState(seed)
        self.tensors = {}
        self.metadata = {"torch": torch.__version__}

    def normal(self, *shape, name=None):
        """Standard normal values that float32 holds exactly, in float64."""
        return self.given(self.random.standard_normal(shape), name)

    def uniform(self, low, high, *shape, name=None):
        return self.given(self.random.uniform(low, high, shape), name)

    def given(self, values, name=None):
        x = torch.from_numpy(np.asarray(values, dtype=np.float32))
        if name:
            self.tensors[name] = x
        return x.double()

    def put(self, prefix="", **values):
        """Store results: float64 as it is, integers as int64."""
        for name, value in values.items():
            self.tensors[prefix + name] = value.detach().clone().contiguous()

    def describe(self, **entries):
        for key, value in entries.items():
            self.metadata[key] = value if isinstance(value, str) else json.dumps(value)


def leaf(*tensors):
    return [t.requires_grad_() for t in tensors]


def grads(output, inputs, **options):
    return torch.autograd.grad(output, inputs, **options)


# ---------------------------------------------------------------- single operations


def conv1d():
    """Convolution, its gradients, and the gradients of S = sum(dx u) + sum(dw v)."""
    golden, cases = Golden(1), []
    for c_in, c_out, length, kernel, stride, dilation, groups in [
        (3, 5, 37, 5, 1, 1, 1),
        (3, 5, 38, 11, 2, 1, 1),
        (3, 5, 37, 21, 1, 1, 1),
        (3, 5, 37, 16, 1, 1, 1),
        (3, 5, 37, 16, 2, 1, 1),
        (3, 5, 37, 3, 1, 4, 1),
        (4, 6, 37, 5, 1, 1, 2),
        (4, 6, 37, 4, 2, 3, 2),
        (3, 5, 37, 1, 2, 1, 1),
        (1, 7, 51, 15, 2, 1, 1),
    ]:
        case = f"case{len(cases)}."
        left, right = twin.same_padding(kernel, dilation)
        x, w = leaf(
            golden.normal(2, c_in, length, name=case + "x"),
            golden.normal(c_out, c_in // groups, kernel, name=case + "w"),
        )
        padded = F.pad(x, (left, right))
        y = F.conv1d(padded, w, stride=stride, dilation=dilation, groups=groups)
        (g,) = leaf(golden.normal(*y.shape, name=case + "g"))
        dx, dw = grads(y, [x, w], grad_outputs=g, create_graph=True)
        u = golden.normal(*x.shape, name=case + "u")
        v = golden.normal(*w.shape, name=case + "v")
        s_g, s_x, s_w = grads((dx * u).sum() + (dw * v).sum(), [g, x, w])
        golden.put(case, y=y, dx=dx, dw=dw, s_g=s_g, s_x=s_x, s_w=s_w)
        cases.append(
            dict(stride=stride, dilation=dilation, pad_left=left, pad_right=right, groups=groups)
        )
    golden.describe(cases=cases)
    return golden


def batch_norm():
    """Batch normalisation, its gradients, and the gradients of S = sum(dx u)."""
    golden = Golden(2)
    x = golden.given(golden.random.standard_normal((4, 3, 11)) * 1.5 + 0.7, name="x")
    weight, bias = golden.normal(3, name="weight"), golden.normal(3, name="bias")
    mean = golden.normal(3, name="running_mean")
    var = golden.uniform(0.5, 2.0, 3, name="running_var")
    g, u = golden.normal(4, 3, 11, name="g"), golden.normal(4, 3, 11, name="u")
    leaf(x, weight, bias, g)
    for mode, training in [("train", True), ("eval", False)]:
        after_mean, after_var = mean.clone(), var.clone()
        y = F.batch_norm(x, after_mean, after_var, weight, bias, training, MOMENTUM, EPS_BN)
        inputs = [x, weight, bias]
        dx, dweight, dbias = grads(y, inputs, grad_outputs=g, create_graph=True)
        s_g, s_x, s_weight = grads(
            (dx * u).sum(), [g, x, weight], allow_unused=True, materialize_grads=True
        )
        golden.put(mode + ".", y=y, dx=dx, dweight=dweight, dbias=dbias)
        golden.put(mode + ".", s_g=s_g, s_x=s_x, s_weight=s_weight)
        if training:
            golden.put(mode + ".", running_mean=after_mean, running_var=after_var)
    golden.describe(eps=EPS_BN, momentum=MOMENTUM)
    return golden


def max_pool():
    """Pooling: maximum, mean, adaptive mean and global mean, with gradients."""
    golden, cases = Golden(3), []

    def case(pool, length=37, **options):
        name = f"case{len(cases)}."
        (x,) = leaf(golden.normal(2, 3, length, name=name + "x"))
        y = pool(x, **options)
        g = golden.normal(*y.shape, name=name + "g")
        (dx,) = grads(y, x, grad_outputs=g)
        golden.put(name, y=y, dx=dx)
        cases.append(dict(op=pool.__name__, **options))

    def global_avg_pool1d(x):
        return x.mean(2)

    case(F.max_pool1d, kernel_size=2, stride=2, padding=0)
    case(F.max_pool1d, kernel_size=3, stride=2, padding=1)
    case(F.max_pool1d, kernel_size=3, stride=1, padding=0)
    case(F.max_pool1d, length=38, kernel_size=3, stride=2, padding=1)
    case(F.avg_pool1d, kernel_size=3, stride=2, padding=1, count_include_pad=False)
    case(F.avg_pool1d, kernel_size=3, stride=2, padding=1, count_include_pad=True)
    case(F.avg_pool1d, kernel_size=2, stride=2, padding=0, count_include_pad=True)
    case(F.adaptive_avg_pool1d, output_size=5)
    case(F.adaptive_avg_pool1d, output_size=37)
    case(global_avg_pool1d)
    golden.describe(cases=cases)
    return golden


def functions():
    """Functions of one tensor and of several, var, layer_norm and embedding, their gradients `d0`,
    `d1`.. and those of S = sum(d0 u0) + sum(d1 u1).. with respect to g and the inputs.

    The inputs of maximum and minimum have equal values, those of the activations ones far from 0.
    """
    golden, cases = Golden(6), []

    def case(op, f, *inputs, **options):
        name = f"case{len(cases)}."
        inputs = leaf(*[golden.given(x, f"{name}x{i}") for i, x in enumerate(inputs)])
        y = f(*inputs)
        (g,) = leaf(golden.normal(*y.shape, name=name + "g"))
        first = grads(y, inputs, grad_outputs=g, create_graph=True)
        scalar = sum((d * golden.normal(*d.shape, name=f"{name}u{i}")).sum() for i, d in enumerate(first))
        second = grads(scalar, [g, *inputs], allow_unused=True, materialize_grads=True)
        golden.put(name, y=y, **{f"d{i}": d for i, d in enumerate(first)}, s_g=second[0])
        golden.put(name, **{f"s{i}": s for i, s in enumerate(second[1:])})
        cases.append(dict(op=op, inputs=len(inputs), **options))

    def normal(*shape):
        return golden.random.standard_normal(shape)

    def positive(*shape):
        return golden.random.uniform(0.5, 2, shape)

    far = np.concatenate([normal(30) * 2, [-50, -12, -5, 0, 5, 12, 50]])
    case("gelu", F.gelu, far)
    case("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), far)
    case("silu", F.silu, far)
    case("erf", torch.erf, far)
    for exponent in [1.7, -0.5]:
        case("pow_scalar", lambda x: x**exponent, positive(3, 5), exponent=exponent)
    for exponent in [1.0, 2.0, 3.0]:
        case("pow_scalar", lambda x: x**exponent, np.append(normal(9), 0), exponent=exponent)
    case("pow_scalar", lambda x: x**-2.0, -positive(3, 5), exponent=-2.0)
    case("pow", torch.pow, positive(2, 3, 5), normal(3, 1))
    equal = np.round(normal(2, 4, 6) * 2)
    case("maximum", torch.maximum, equal[0], equal[1])
    case("minimum", torch.minimum, equal[0], equal[1])
    case("maximum", torch.maximum, normal(4, 1), normal(6))
    condition = torch.from_numpy(golden.random.uniform(size=(4, 6)) < 0.4)
    golden.put(f"case{len(cases)}.", condition=condition.long())
    case("where", lambda a, b: torch.where(condition, a * a, b * a), normal(4, 6), normal(6))
    for dims, correction in [([1], 0), ([1], 1), ([0, 2], 1)]:
        case(
            "var", lambda x: x.var(dims, correction=correction, keepdim=True),
            normal(2, 3, 7) + 3, dims=dims, correction=correction,
        )
    case(
        "layer_norm", lambda x, w, b: F.layer_norm(x, w.shape, w, b, EPS_BN),
        normal(2, 3, 7) * 1.5 + 0.7, normal(7), normal(7),
    )
    case(
        "layer_norm", lambda x, w, b: F.layer_norm(x, w.shape, w, b, EPS_BN),
        normal(4, 3, 5), normal(3, 5), normal(3, 5),
    )
    index = torch.from_numpy(golden.random.randint(0, 6, (3, 5)))
    golden.put(f"case{len(cases)}.", index=index)
    case("embedding", lambda table: F.embedding(index, table) ** 3, normal(8, 4))
    golden.describe(cases=cases, eps=EPS_BN)
    return golden


def adam():
    """Three steps of Adam and of AdamW on given gradients; clipping at a global norm."""
    golden = Golden(4)
    start = golden.normal(300, name="start")
    scales = [1.0, 0.01, 10.0]
    steps = [
        golden.given(golden.random.standard_normal(300) * scale, name=f"grad{i}")
        for i, scale in enumerate(scales)
    ]
    options = dict(lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    decays = dict(adam=0.0, adamw=0.01)
    for name, optimizer in [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]:
        p = torch.nn.Parameter(start.clone())
        opt = optimizer([p], weight_decay=decays[name], **options)
        for i, gradient in enumerate(steps):
            p.grad = gradient.clone()
            opt.step()
            golden.put(f"{name}.", **{f"step{i}": p})
    for name, scale in [("clip.large.", 1.0), ("clip.small.", 0.1)]:
        parts = {}
        for part, shape in [("a", (7, 11)), ("b", (23,))]:
            p = torch.nn.Parameter(torch.zeros(shape, dtype=torch.float64))
            p.grad = golden.given(golden.random.standard_normal(shape) * scale, name + part)
            parts[part] = p
        norm = torch.nn.utils.clip_grad_norm_(parts.values(), 5.0)
        golden.put(name, norm=norm, a_clipped=parts["a"].grad, b_clipped=parts["b"].grad)
    golden.describe(options=options, weight_decay=decays, max_norm=5.0)
    return golden


def sgd():
    """Four steps of SGD on given gradients: its options, and groups of parameters of SGD and AdamW."""
    golden = Golden(6)
    start = golden.normal(300, name="start")
    steps = [
        golden.given(golden.random.standard_normal(300) * scale, name=f"grad{i}")
        for i, scale in enumerate([1.0, 0.01, 10.0, 1.0])
    ]
    cases = dict(
        plain=dict(momentum=0.0),
        momentum=dict(momentum=0.9),
        nesterov=dict(momentum=0.8, nesterov=True),
        decay=dict(momentum=0.9, weight_decay=0.1),
        dampened=dict(momentum=0.9, dampening=0.4, weight_decay=0.1),
        dampened_plain=dict(momentum=0.0, dampening=0.4),
        all=dict(momentum=0.9, nesterov=True, weight_decay=0.05),
    )
    for name, options in cases.items():
        p = torch.nn.Parameter(start.clone())
        opt = torch.optim.SGD([p], lr=0.01, **options)
        for i, gradient in enumerate(steps):
            p.grad = gradient.clone()
            opt.step()
            golden.put(f"{name}.", **{f"step{i}": p})
    # the first 100 with a rate of their own, the next 100 without decay, the rest as all; the second
    # is frozen in steps 1 and 2, or, dampened, in the first two, so that its own first step is the third
    for name, kind, options in [
        ("groups_sgd", torch.optim.SGD, dict(lr=0.01, momentum=0.9, weight_decay=0.1)),
        (
            "groups_dampened", torch.optim.SGD,
            dict(lr=0.01, momentum=0.9, dampening=0.4, weight_decay=0.1),
        ),
        ("groups_adamw", torch.optim.AdamW, dict(lr=0.01, weight_decay=0.1)),
    ]:
        parts = [torch.nn.Parameter(part.clone()) for part in start.split(100)]
        groups = [
            dict(params=parts[:1], lr=0.03),
            dict(params=parts[1:2], weight_decay=0.0),
            dict(params=parts[2:]),
        ]
        opt = kind(groups, **options)
        frozen = (0, 1) if name == "groups_dampened" else (1, 2)
        for i, gradient in enumerate(steps):
            for j, (p, g) in enumerate(zip(parts, gradient.split(100), strict=True)):
                p.grad = None if j == 1 and i in frozen else g.clone()
            opt.step()
            golden.put(f"{name}.", **{f"step{i}": torch.cat([p.detach() for p in parts])})
    golden.describe(cases=cases, lr=0.01)
    return golden


# ---------------------------------------------------------------- layers


class Layers(torch.nn.Module):
    """Layers with options other than the default."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv1d(4, 6, 5, stride=2, padding=3, dilation=2, groups=2)
        self.bn = torch.nn.BatchNorm1d(6, eps=1e-3, momentum=0.25)
        self.depthwise = torch.nn.Conv1d(6, 6, 3, groups=6, bias=False)
        self.head = torch.nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.depthwise(F.relu(self.bn(self.conv(x)))).mean(2))


def layers_state():
    """The state of `Layers` as PyTorch saves it, the count of BatchNorm's batches included."""
    golden = Golden(7)
    for name, old in Layers().state_dict().items():
        if old.dtype.is_floating_point:
            value = golden.random.uniform(0.5, 1.5, old.shape) if "var" in name else (
                golden.random.standard_normal(old.shape) * 0.5
            )
            golden.given(value, name)
        else:
            golden.put(**{name: torch.tensor(12)})
    return golden


def layers():
    """`Layers` with `layers_state` on an input, in both modes; running estimates afterwards."""
    golden, net = Golden(8), Layers().double()
    net.load_state_dict(layers_state().tensors)
    x = golden.normal(3, 4, 29, name="x")
    for mode in ["eval", "train"]:
        net.train(mode == "train")
        golden.put(**{mode: net(x)})
    golden.put("after.", running_mean=net.bn.running_mean, running_var=net.bn.running_var)
    return golden


class Tokens(torch.nn.Module):
    """An embedding, layer normalisation over its width, and a linear layer at each position."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(7, 6)
        self.norm = torch.nn.LayerNorm(6, eps=1e-3)
        self.head = torch.nn.Linear(6, 3)

    def forward(self, index):
        return self.head(self.norm(self.table(index)))


def tokens():
    """`Tokens` on numbers of which some come often and one never; gradients of the sum of squares."""
    golden, net = Golden(9), Tokens().double()
    net.load_state_dict({k: golden.normal(*v.shape, name=k) for k, v in net.state_dict().items()})
    index = torch.from_numpy(golden.random.randint(0, 6, (4, 5)))
    y = net(index)
    (y**2).sum().backward()
    golden.put(index=index, y=y)
    golden.put("grad.", **{name: p.grad for name, p in net.named_parameters()})
    return golden


# ---------------------------------------------------------------- losses


def ncc(maps, truth):
    """Normalised cross-correlation of the rows of two [B, T] tensors; 0 where a row is constant."""
    a = maps - maps.mean(1, keepdim=True)
    b = truth - truth.mean(1, keepdim=True)
    norm_a = (a.square().sum(1) + 1e-12).sqrt()
    norm_b = (b.square().sum(1) + 1e-12).sqrt()
    return (a * b).sum(1) / (norm_a * norm_b + 1e-6)


def xai_loss(maps, truth, valid):
    """Mean of 1 - NCC over the valid records; `truth` [B, L] is pooled to the map's length."""
    score = ncc(maps, F.adaptive_avg_pool1d(truth, maps.shape[1]))
    return (valid * (1 - score)).sum() / valid.sum(), score


def losses():
    """Cross-entropy, SmoothL1 and the NCC loss, with gradients.

    NCC: `pre` is the map before its ReLU, `map` after. Row 2 is dead: its gradient is finite with
    respect to `map` (there it is the formula's one-sided value, of no use to anyone) and exactly
    zero with respect to `pre`. Row 3 has a constant truth and is not valid.
    """
    golden = Golden(5)
    logits = golden.given(golden.random.standard_normal((7, 4)) * 2, name="ce.logits")
    labels = torch.tensor([0, 1, 2, 3, 3, 1, 0])
    weights = golden.given([0.4, 1.3, 2.1, 0.7], name="ce.weights")
    golden.put("ce.", labels=labels)
    leaf(logits)
    for name, weight, smoothing in [
        ("plain", None, 0.0),
        ("weighted", weights, 0.0),
        ("smooth", None, 0.1),
        ("weighted_smooth", weights, 0.1),
    ]:
        value = F.cross_entropy(logits, labels, weight, label_smoothing=smoothing)
        (dlogits,) = grads(value, logits)
        golden.put(f"ce.{name}.", value=value, dlogits=dlogits)

    (x,) = leaf(golden.given(golden.random.standard_normal((6, 17)) * 1.5, name="smooth_l1.x"))
    target = golden.normal(6, 17, name="smooth_l1.target")
    value = F.smooth_l1_loss(x, target, beta=1.0)
    (dx,) = grads(value, x)
    golden.put("smooth_l1.", value=value, dx=dx)

    pre = golden.random.standard_normal((5, 13)) + 0.3
    pre[2] = -np.abs(pre[2])
    truth = golden.random.uniform(0, 1, (5, 200)) ** 4
    truth[3] = 0.25
    (pre,) = leaf(golden.given(pre, name="ncc.pre"))
    truth = golden.given(truth, name="ncc.truth")
    valid = golden.given([1, 1, 1, 0, 1], name="ncc.valid")
    maps = F.relu(pre)
    loss, score = xai_loss(maps, truth, valid)
    dmap, dpre = grads(loss, [maps, pre])
    assert torch.isfinite(dmap).all() and (dpre[2] == 0).all()
    pooled = F.adaptive_avg_pool1d(truth, 13)
    golden.put("ncc.", map=maps, pooled=pooled, score=score, loss=loss, dmap=dmap, dpre=dpre)
    golden.describe(smoothing=0.1, beta=1.0)
    return golden


# ---------------------------------------------------------------- the whole network


def weights(golden, net):
    """Fresh values for every tensor of a model file; norms a little away from 1 and 0."""
    state = net.names()
    for name, old in state.items():
        shape, owner = tuple(old.shape), name.rsplit(".", 1)[0]
        if name.endswith("running_var"):
            value = golden.random.uniform(0.5, 1.5, shape)
        elif name.endswith("running_mean") or re.search(r"bn\d*\.bias$", name):
            value = golden.random.standard_normal(shape) * 0.2
        elif re.search(r"bn\d*\.weight$", name):
            value = 1 + golden.random.standard_normal(shape) * 0.2
        else:
            bound = 1 / math.sqrt(state[owner + ".weight"][0].numel())
            value = golden.random.uniform(-bound, bound, shape)
        state[name] = golden.given(value, name)
    return state


def watch_kinks(net):
    """The distances of all ReLU and max-pool inputs from a kink, as a list that a forward fills.

    A float32 engine that lands on the other side of a kink has a different gradient and is not
    wrong, so the references keep away from kinks.
    """
    margins = []

    def relu(_module, inputs, _output):
        margins.append(inputs[0].abs().min().item())

    def pool(module, inputs, _output):
        size, stride, pad = module.kernel_size, module.stride, module.padding
        x = F.pad(inputs[0], (pad, pad), value=-torch.inf).unfold(2, size, stride)
        top = x.topk(2, 3).values
        gap = top[..., 0] - top[..., 1]
        # equal ones are zeros of a ReLU, without a gradient, or one value that an earlier pooling repeats
        margins.append(gap[gap > 0].min().item())

    for module in net.modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_hook(relu)
        elif isinstance(module, torch.nn.MaxPool1d):
            module.register_forward_hook(pool)
    return margins


def grad_cam(logits, activation, labels, create_graph):
    """Weights alpha [B, K] and the map [B, T] before its ReLU, for the logits of the labels."""
    picked = logits.gather(1, labels[:, None]).sum()
    options = dict(create_graph=create_graph, retain_graph=True)
    (dz,) = grads(picked, activation, **options)
    alpha = dz.mean(2)
    return alpha, (alpha[:, :, None] * activation).sum(1)


def resized(maps, length):
    """Linear interpolation between bin centres, then divided by the maximum of every record."""
    full = F.interpolate(maps[:, None], size=length, mode="linear", align_corners=False)[:, 0]
    peak = full.amax(1, keepdim=True)
    return torch.where(peak > 0, full / peak, 0.0)


def put_losses(golden, net, mode, logits, embedding, inputs):
    """Loss terms and the gradient of their weighted sum for every parameter."""
    _, labels, features, _, _ = inputs
    terms = dict(
        ce=F.cross_entropy(logits, labels),
        joint=F.cross_entropy(net.joint_logits(embedding, features), labels),
        feature=F.smooth_l1_loss(net.regressor(embedding), features, beta=1.0),
    )
    total = terms["ce"] + JOINT * terms["joint"] + FEATURE * terms["feature"]
    golden.put(f"loss_{mode}.", **terms, total=total)
    params = dict(net.named_parameters())
    gradient = grads(total, list(params.values()), retain_graph=True)
    golden.put(f"grad_{mode}.", **dict(zip(params, gradient, strict=True)))


def put_maps(golden, net, mode, logits, blocks, inputs, margins):
    """Grad-CAM of the first and the last block; the NCC loss and its second-order gradients."""
    x, labels, _, truth, valid = inputs
    params = {k: p for k, p in net.named_parameters() if not k.startswith(twin.TRAIN_ONLY)}
    for name, activation in [("first", blocks[0]), ("last", blocks[-1])]:
        alpha, pre = grad_cam(logits, activation, labels, create_graph=True)
        relative = pre.abs() / pre.abs().amax(1, keepdim=True)
        margins.append(relative[relative > 0].min().item())  # 0: every channel is 0 in this bin
        maps = F.relu(pre)
        if mode == "eval":
            full = resized(maps, x.shape[2])
            golden.put(f"cam.{name}.", activation=activation, alpha=alpha, pre=pre)
            golden.put(f"cam.{name}.", map=maps, resized=full)
        loss, score = xai_loss(maps, truth, valid)
        alive = ((maps > 0).sum(1) > 2)[valid > 0]
        assert alive.sum() >= 2, "dead maps test nothing, take another seed"
        gradient = grads(
            loss, list(params.values()), retain_graph=True, allow_unused=True,
            materialize_grads=True,
        )
        golden.put(f"xai_{mode}.{name}.", loss=loss, ncc=score)
        golden.put(f"grad_xai_{mode}.{name}.", **dict(zip(params, gradient, strict=True)))


def whole(seed, classes=("AF", "SB", "SR", "ST"), **config):
    """A small network: outputs, loss terms, gradients, running statistics, Grad-CAM.

    `grad_{train,eval}` is of CE(signal) + 0.5 CE(joint) + 0.1 SmoothL1(regressor);
    `grad_xai_{train,eval}.{first,last}` is of the NCC loss alone with that block as its target.
    """
    golden = Golden(seed)
    golden.describe(
        format="exgnet-1", config=config, classes=classes, fs="250", seconds="0.8", lead="II",
        feature_mean=[0.0] * twin.FEATURES, feature_sd=[1.0] * twin.FEATURES,
        loss=dict(a_joint=JOINT, a_feature=FEATURE),
    )
    state = weights(golden, networks.network(config, len(classes)))
    x = golden.random.standard_normal((4, 1, 200))
    mean, sd = x.mean(2, keepdims=True), x.std(2, keepdims=True)
    x = (x - mean) / np.maximum(sd + np.minimum(1e-8, 1e-7 * sd), 1e-10 * np.abs(mean))
    centres, t = golden.random.uniform(40, 160, (4, 1)), np.arange(200)
    bumps = np.exp(-(((t - centres) / 15) ** 2)) + 0.5 * np.exp(-(((t - centres / 3) / 6) ** 2))
    inputs = (
        golden.given(x, name="in.x"),
        torch.tensor([0, 1, 2, 3]),
        golden.normal(4, twin.FEATURES, name="in.features"),
        golden.given(bumps, name="in.truth"),
        golden.given([1, 1, 0, 1], name="in.valid"),
    )
    golden.put("in.", labels=inputs[1])
    for mode in ["eval", "train"]:
        net = networks.network(config, len(classes)).double()
        net.load_state_dict(state, strict=True)
        margins = watch_kinks(net.train(mode == "train"))
        logits, embedding, blocks = net(inputs[0])
        golden.put(**{f"out.logits_{mode}": logits, f"out.embedding_{mode}": embedding})
        put_losses(golden, net, mode, logits, embedding, inputs)
        put_maps(golden, net, mode, logits, blocks, inputs, margins)
        assert min(margins) > 5e-6, f"{mode}: {min(margins):.1e} from a kink, take another seed"
    golden.put("after.", **{k: v for k, v in net.names().items() if "running" in k})
    return golden


def exgnet_parallel():
    return whole(
        15, kind="parallel", stem_channels=8, stem_kernel=15, widths=[6, 10], strides=[1, 2],
        kernels=[5, 11, 21], dilations=[1, 1, 2], se_reduction=0, dropout=0.0,
        head="linear", head_hidden=8,
    )


def exgnet_cascade_se_mlp():
    return whole(
        8, kind="cascade", stem_channels=8, stem_kernel=15, widths=[6, 9], strides=[1, 2],
        kernels=[16], dilations=[1, 1, 1], se_reduction=4, dropout=0.0,
        head="mlp", head_hidden=8,
    )


def resnet1d():
    return whole(
        6, kind="resnet1d", stem_kernel=7, stem_stride=1, widths=[4, 4, 5], strides=[1, 2, 2],
        kernels=[5, 3], dropout=0.0,
    )


def inceptiontime():
    return whole(1, kind="inceptiontime", depth=4, filters=2, kernels=[12, 7, 4], dropout=0.0)


def cnn():
    return whole(1, kind="cnn", widths=[4, 6, 8], strides=[2, 1, 1], kernel=5, dropout=0.0)


# ---------------------------------------------------------------- files


def read(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()


def differences(path, golden):
    """What differs between a file and fresh values; F64 may differ by rounding."""
    if not path.exists():
        return ["no such file"]
    tensors, metadata = read(path)
    if tensors.keys() != golden.tensors.keys():
        return [f"names differ: {sorted(tensors.keys() ^ golden.tensors.keys())[:5]}"]
    found = []
    ours = {**golden.metadata, "torch": metadata.get("torch")}  # another version is no difference
    if ours != metadata:
        found.append("metadata differ")
    for name, new in golden.tensors.items():
        old = tensors[name]
        if (old.dtype, old.shape) != (new.dtype, new.shape):
            found.append(f"{name}: {old.dtype} {tuple(old.shape)} in the file")
        elif old.dtype != torch.float64:
            if not torch.equal(old, new):
                found.append(f"{name}: input differs")
        elif not torch.allclose(old, new, rtol=1e-8, atol=1e-10):
            found.append(f"{name}: differs by up to {(old - new).abs().max().item():.1e}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the files, write none")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    failed = False
    for make in [
        conv1d, batch_norm, max_pool, functions, adam, sgd, layers_state, layers, tokens,
        losses,
        exgnet_parallel, exgnet_cascade_se_mlp, resnet1d, inceptiontime, cnn,
    ]:
        golden, path = make(), HERE / f"{make.__name__}.safetensors"
        for name, value in golden.tensors.items():
            assert torch.isfinite(value).all(), f"{path.name}: {name} is not finite"
        found = differences(path, golden)
        if found and not check:
            path.write_bytes(save(golden.tensors, golden.metadata))
        failed |= bool(found)
        word = ("differs" if check else "written") if found else "same"
        print(f"{word:8} {path.name} {path.stat().st_size if path.exists() else 0:,} bytes")
        for line in found if check else []:
            print(f"         {line}")
    if check and failed:
        sys.exit(1)


if __name__ == "__main__":
    main()
