"""The other networks of `exgnet` in PyTorch, with the parameter names and shapes of its model files.

ResNet1d: Wang, Yan, Oates 2017, in the form that ECG benchmarks call resnet1d_wang. InceptionTime: Ismail Fawaz et al. 2020.
"""

import torch
from torch import nn

from twin import FEATURES, Conv, Exgnet, FeatureBranch, Shortcut


class Network(nn.Module):
    """A linear head on the global average, and the parts that exist only while training."""

    def finish(self, config, width, classes, train_only):
        self.dropout = nn.Dropout(config["dropout"])
        self.head = nn.Linear(width, classes)
        if train_only:
            self.feature = FeatureBranch(config["dropout"])
            self.joint = nn.Linear(width + 64, classes)
            self.regressor = nn.Linear(width, FEATURES)

    def forward(self, x):
        blocks = self.trunk(x)
        e = blocks[-1].mean(2)
        return self.head(self.dropout(e)), e, blocks

    joint_logits = Exgnet.joint_logits
    names = Exgnet.names


class ResidualBlock(nn.Module):
    def __init__(self, c_in, c_out, kernels, stride):
        super().__init__()
        self.conv1 = Conv(c_in, c_out, kernels[0], stride=stride)
        self.bn1 = nn.BatchNorm1d(c_out)
        self.relu1 = nn.ReLU()
        self.conv2 = Conv(c_out, c_out, kernels[1])
        self.bn2 = nn.BatchNorm1d(c_out)
        same = c_in == c_out and stride == 1
        self.shortcut = None if same else Shortcut(c_in, c_out, stride)
        self.relu2 = nn.ReLU()

    def forward(self, x):
        y = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(y + (self.shortcut(x) if self.shortcut else x))


class Stem(nn.Module):
    def __init__(self, channels, kernel, stride):
        super().__init__()
        self.conv = Conv(1, channels, kernel, stride=stride)
        self.bn = nn.BatchNorm1d(channels)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class ResNet1d(Network):
    def __init__(self, config, classes, train_only=True):
        super().__init__()
        width = config["widths"][0]
        self.stem = Stem(width, config["stem_kernel"], config["stem_stride"])
        self.blocks = nn.ModuleList()
        for c_out, stride in zip(config["widths"], config["strides"], strict=True):
            self.blocks.append(ResidualBlock(width, c_out, config["kernels"], stride))
            width = c_out
        self.finish(config, width, classes, train_only)

    def trunk(self, x):
        outputs, x = [], self.stem(x)
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        return outputs


class InceptionModule(nn.Module):
    def __init__(self, c_in, filters, kernels, residual):
        super().__init__()
        self.bottleneck = Conv(c_in, filters, 1) if c_in > 1 else None
        narrow = filters if c_in > 1 else c_in
        self.branches = nn.ModuleList(Conv(narrow, filters, k) for k in kernels)
        self.pool = nn.MaxPool1d(3, stride=1, padding=1)
        self.pooled = Conv(c_in, filters, 1)
        width = 4 * filters
        self.bn = nn.BatchNorm1d(width)
        self.relu = nn.ReLU()
        self.shortcut = Shortcut(residual, width, 1) if residual else None
        self.relu2 = nn.ReLU()

    def forward(self, x, residual):
        narrow = self.bottleneck(x) if self.bottleneck else x
        parts = [conv(narrow) for conv in self.branches] + [self.pooled(self.pool(x))]
        y = self.relu(self.bn(torch.cat(parts, 1)))
        return self.relu2(y + self.shortcut(residual)) if self.shortcut else y


class InceptionTime(Network):
    def __init__(self, config, classes, train_only=True):
        super().__init__()
        filters = config["filters"]
        width = 4 * filters
        self.blocks = nn.ModuleList()
        for i in range(config["depth"]):
            residual = (1 if i == 2 else width) if i % 3 == 2 else 0
            self.blocks.append(
                InceptionModule(1 if i == 0 else width, filters, config["kernels"], residual)
            )
        self.finish(config, width, classes, train_only)

    def trunk(self, x):
        outputs, residual = [], x
        for module in self.blocks:
            x = module(x, residual)
            if module.shortcut:
                residual = x
            outputs.append(x)
        return outputs


class CnnBlock(nn.Module):
    def __init__(self, c_in, c_out, kernel, stride):
        super().__init__()
        self.conv = Conv(c_in, c_out, kernel, stride=stride)
        self.bn = nn.BatchNorm1d(c_out)
        self.relu = nn.ReLU()

    def forward(self, x):
        return self.relu(self.bn(self.conv(x)))


class Cnn(Network):
    def __init__(self, config, classes, train_only=True):
        super().__init__()
        inputs = [1, *config["widths"]]
        sizes = zip(inputs, config["widths"], config["strides"])
        self.blocks = nn.ModuleList(CnnBlock(i, o, config["kernel"], s) for i, o, s in sizes)
        self.pool = nn.MaxPool1d(2)
        self.finish(config, config["widths"][-1], classes, train_only)

    def trunk(self, x):
        outputs = []
        for block in self.blocks:
            x = block(self.pool(x) if outputs else x)
            outputs.append(x)
        return outputs


KINDS = dict(parallel=Exgnet, cascade=Exgnet, resnet1d=ResNet1d, inceptiontime=InceptionTime, cnn=Cnn)


def network(config, classes, train_only=True):
    """The network of a `[network]` table."""
    return KINDS[config["kind"]](config, classes, train_only)
