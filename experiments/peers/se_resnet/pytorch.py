#!/usr/bin/env python3
"""The SE-ResNet of this folder in PyTorch on the CPU.

    python3 pytorch.py BATCH SAMPLES STARTING_VALUES.safetensors THREADS [deterministic]
    (pip install torch numpy safetensors; the CPU build is enough)
"""

import sys

import torch
from safetensors.torch import load_file
from torch import nn

from protocol import CLASSES, data, serve


def conv(c_in, c_out, kernel, stride):
    return nn.Conv1d(c_in, c_out, kernel, stride=stride, padding=kernel // 2, bias=False)


class Block(nn.Module):
    def __init__(self, c_in, width, stride):
        super().__init__()
        self.conv1 = conv(c_in, width, 5, stride)
        self.bn1 = nn.BatchNorm1d(width)
        self.conv2 = conv(width, width, 5, 1)
        self.bn2 = nn.BatchNorm1d(width)
        self.squeeze = nn.Linear(width, width // 4)
        self.excite = nn.Linear(width // 4, width)
        self.shortcut = self.shortcut_bn = None
        if c_in != width or stride != 1:
            self.shortcut = conv(c_in, width, 1, stride)
            self.shortcut_bn = nn.BatchNorm1d(width)

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        gate = torch.relu(self.squeeze(y.mean(2)))
        y = y * torch.sigmoid(self.excite(gate)).unsqueeze(2)
        if self.shortcut is not None:
            x = self.shortcut_bn(self.shortcut(x))
        return torch.relu(y + x)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = conv(1, 32, 7, 2)
        self.bn = nn.BatchNorm1d(32)
        sizes = [(32, 32, 1), (32, 64, 2), (64, 64, 2), (64, 128, 2)]
        self.blocks = nn.Sequential(*(Block(*size) for size in sizes))
        self.head = nn.Linear(128, CLASSES)

    def forward(self, x):
        y = torch.relu(self.bn(self.stem(x)))
        return self.head(self.blocks(y).mean(2))


class Training:
    def __init__(self, batch, samples, path):
        self.net = Network()
        self.net.load_state_dict(load_file(path), strict=False)
        self.adam = torch.optim.Adam(self.net.parameters(), lr=1e-3)
        self.x, self.y = (torch.from_numpy(a) for a in data(batch, samples))

    def train(self):
        self.net.train()
        self.adam.zero_grad()
        loss = nn.functional.cross_entropy(self.net(self.x), self.y)
        loss.backward()
        self.adam.step()
        return loss.item()

    def infer(self):
        self.net.eval()
        with torch.no_grad():
            return self.net(self.x).numpy()

    # counted to here; below is what the measurement asks beside

    def parameters(self):
        state = self.net.state_dict()
        return [v.numpy() for k, v in state.items() if not k.endswith("num_batches_tracked")]

    def second_order(self):
        self.net.train()
        x = self.x.clone().requires_grad_()
        loss = nn.functional.cross_entropy(self.net(x), self.y)
        (slope,) = torch.autograd.grad(loss, x, create_graph=True)
        (second,) = torch.autograd.grad(slope.square().mean(), self.net.stem.weight)
        return second.norm().item()


batch, samples, path, threads, *options = sys.argv[1:]
torch.set_num_threads(int(threads))
torch.use_deterministic_algorithms("deterministic" in options)
name = " ".join([f"PyTorch {torch.__version__} on the CPU, {threads} threads", *options])
serve(name, Training(int(batch), int(samples), path))
