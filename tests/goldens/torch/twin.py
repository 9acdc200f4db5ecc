"""The EXGnet network in PyTorch, with the parameter names and shapes of an `exgnet` model file.

    python twin.py model.safetensors     # load with strict names, print the parameter counts
    python twin.py --presets             # parameter counts of the two presets

`load(path)` returns the network, ready for inference. A `config` is the `[network]` table of an
experiment file as a dictionary; a model file carries the same table as JSON in its metadata.
"""

import argparse
import json

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

FEATURES = 17
TRAIN_ONLY = ("feature.", "joint.", "regressor.")

PRESETS = {
    "exgnet": dict(
        kind="parallel", stem_channels=32, stem_kernel=15,
        widths=[32, 32, 64, 64, 128, 128, 256, 256], strides=[1, 2, 1, 2, 1, 2, 1, 2],
        kernels=[5, 11, 21], dilations=[1, 1, 1], se_reduction=0, dropout=0.1,
        head="linear", head_hidden=64,
    ),
    "exgnet-small": dict(
        kind="parallel", stem_channels=32, stem_kernel=15,
        widths=[16, 16, 32, 32], strides=[1, 2, 1, 2],
        kernels=[5, 11, 21], dilations=[1, 1, 1], se_reduction=0, dropout=0.1,
        head="linear", head_hidden=64,
    ),
}


def same_padding(kernel, dilation=1):
    """Zeros on the left and on the right; an even kernel has the extra one on the right."""
    total = dilation * (kernel - 1)
    return total // 2, total - total // 2


class Conv(nn.Conv1d):
    """Bias-free convolution with `same_padding`; output length floor((L - 1) / stride) + 1."""

    def __init__(self, c_in, c_out, kernel, stride=1, dilation=1):
        super().__init__(c_in, c_out, kernel, stride=stride, dilation=dilation, bias=False)
        self.pads = same_padding(kernel, dilation)

    def forward(self, x):
        return super().forward(F.pad(x, self.pads))


class Stem(nn.Module):
    def __init__(self, channels, kernel):
        super().__init__()
        self.conv = Conv(1, channels, kernel, stride=2)
        self.bn = nn.BatchNorm1d(channels)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool1d(2)

    def forward(self, x):
        return self.pool(self.relu(self.bn(self.conv(x))))


class SqueezeExcite(nn.Module):
    def __init__(self, channels, reduction):
        super().__init__()
        hidden = max(4, channels // reduction)
        self.fc1 = nn.Linear(channels, hidden)
        self.relu = nn.ReLU()
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x):
        scale = torch.sigmoid(self.fc2(self.relu(self.fc1(x.mean(2)))))
        return x * scale.unsqueeze(2)


class Shortcut(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv = Conv(c_in, c_out, 1, stride=stride)
        self.bn = nn.BatchNorm1d(c_out)

    def forward(self, x):
        return self.bn(self.conv(x))


class Block(nn.Module):
    """Convolutions - concat - BatchNorm - (SE) - + shortcut - ReLU; dropout is applied by the net.

    `parallel`: the three convolutions read the same input. `cascade`: they are chained directly,
    with no BatchNorm and no activation between them; the first one has the stride, and the
    outputs of all three are concatenated.
    """

    def __init__(self, config, c_in, c_out, stride):
        super().__init__()
        self.cascade = config["kind"] == "cascade"
        kernels = config["kernels"]
        if self.cascade:
            kernels = 3 * (kernels if isinstance(kernels, list) else [kernels])
        third = c_out // 3
        split = [third, third, c_out - 2 * third]
        inputs = [c_in, *split[:2]] if self.cascade else [c_in] * 3
        strides = [stride, 1, 1] if self.cascade else [stride] * 3
        self.branches = nn.ModuleList(
            map(Conv, inputs, split, kernels, strides, config["dilations"])
        )
        self.bn = nn.BatchNorm1d(c_out)
        reduction = config["se_reduction"]
        self.se = SqueezeExcite(c_out, reduction) if reduction else None
        same = c_in == c_out and stride == 1
        self.shortcut = None if same else Shortcut(c_in, c_out, stride)
        self.relu = nn.ReLU()

    def forward(self, x):
        outputs, h = [], x
        for conv in self.branches:
            h = conv(h if self.cascade else x)
            outputs.append(h)
        y = self.bn(torch.cat(outputs, 1))
        if self.se:
            y = self.se(y)
        return self.relu(y + (self.shortcut(x) if self.shortcut else x))


class MlpHead(nn.Module):
    def __init__(self, width, hidden, classes, dropout):
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, e):
        return self.fc2(self.dropout(self.relu(self.fc1(e))))


class FeatureBranch(nn.Module):
    def __init__(self, dropout):
        super().__init__()
        self.fc1 = nn.Linear(FEATURES, 128)
        self.fc2 = nn.Linear(128, 64)
        self.relu = nn.ReLU()
        self.dropout = nn.Dropout(dropout)

    def forward(self, f):
        return self.relu(self.fc2(self.dropout(self.relu(self.fc1(f)))))


class Exgnet(nn.Module):
    """`forward(x)` with x [B, 1, L] gives (logits, embedding, output of every block)."""

    def __init__(self, config, classes, train_only=True):
        super().__init__()
        dropout, width = config["dropout"], config["stem_channels"]
        self.stem = Stem(width, config["stem_kernel"])
        self.blocks = nn.ModuleList()
        for c_out, stride in zip(config["widths"], config["strides"], strict=True):
            self.blocks.append(Block(config, width, c_out, stride))
            width = c_out
        self.dropout = nn.Dropout(dropout)
        if config["head"] == "mlp":
            self.head = MlpHead(width, config["head_hidden"], classes, dropout)
        else:
            self.head = nn.Linear(width, classes)
        if train_only:
            self.feature = FeatureBranch(dropout)
            self.joint = nn.Linear(width + 64, classes)
            self.regressor = nn.Linear(width, FEATURES)

    def forward(self, x):
        x, blocks = self.stem(x), []
        for block in self.blocks:
            blocks.append(block(x))  # a target layer of Grad-CAM: before the dropout
            x = self.dropout(blocks[-1])
        e = x.mean(2)
        return self.head(e), e, blocks

    def joint_logits(self, e, f):
        """The train-only joint head on the embedding and the standardised features."""
        return self.joint(torch.cat([e, self.feature(f)], 1))

    def names(self):
        """The tensors of a model file by name: parameters and running statistics."""
        state = self.state_dict()
        return {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}


def load(path):
    """The network of a model file, in evaluation mode; every name and shape has to fit."""
    with safe_open(path, "pt") as file:
        metadata, names = file.metadata(), list(file.keys())
    train_only = any(name.startswith(TRAIN_ONLY) for name in names)
    classes = len(json.loads(metadata["classes"]))
    net = Exgnet(json.loads(metadata["config"]), classes, train_only)
    net.load_state_dict(load_file(path), strict=True)
    return net.eval()


def parameter_counts(net):
    """Trainable parameters: (all, without the train-only part)."""
    sizes = {name: p.numel() for name, p in net.named_parameters()}
    extra = sum(n for name, n in sizes.items() if name.startswith(TRAIN_ONLY))
    total = sum(sizes.values())
    return total, total - extra


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", help="a model.safetensors of exgnet")
    parser.add_argument("--presets", action="store_true", help="count the presets' parameters")
    args = parser.parse_args()
    nets = {}
    if args.presets:
        nets["exgnet, 5 classes"] = Exgnet(PRESETS["exgnet"], 5)
        nets["exgnet-small, 4 classes"] = Exgnet(PRESETS["exgnet-small"], 4)
    if args.model:
        nets[args.model] = load(args.model)
    if not nets:
        parser.error("give a model file or --presets")
    for name, net in nets.items():
        total, inference = parameter_counts(net)
        print(f"{name}: {total:,} trainable parameters, {inference:,} without the train-only part")


if __name__ == "__main__":
    main()
