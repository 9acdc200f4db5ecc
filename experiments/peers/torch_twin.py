#!/usr/bin/env python3
"""The network of preset `exgnet` in PyTorch, as a peer of `exgnet bench --suite`.

It speaks the suite's protocol: one line `ready NAME` when it is built and warm, then for each line on standard input one
number on standard output: `train` and `infer` do one training step or one inference batch and print its milliseconds,
`memory` prints the most bytes that the process held. Same sizes, BatchNorm in the shortcuts, dropout, cross-entropy and
Adam as ours; noise as input.

    python3 torch_twin.py BATCH SAMPLES THREADS [DEVICE]    (pip install torch numpy; the CPU build is enough)

DEVICE is `cpu` or `cuda`; without it the CPU.
"""

import resource
import sys
import time

import torch
from torch import nn

WIDTHS = (32, 32, 64, 64, 128, 128, 256, 256)
KERNELS = (5, 11, 21)


class Block(nn.Module):
    def __init__(self, c_in, width, stride):
        super().__init__()
        third = width // 3
        widths = (third, third, width - 2 * third)
        self.branches = nn.ModuleList(
            nn.Conv1d(c_in, c, k, stride=stride, padding=k // 2, bias=False) for c, k in zip(widths, KERNELS)
        )
        self.bn = nn.BatchNorm1d(width)
        self.shortcut = nn.Identity()
        if c_in != width or stride != 1:
            conv = nn.Conv1d(c_in, width, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm1d(width))
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        y = self.bn(torch.cat([branch(x) for branch in self.branches], 1))
        return self.dropout(torch.relu(y + self.shortcut(x)))


def network(classes=5):
    layers = [nn.Conv1d(1, 32, 15, stride=2, padding=7, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2)]
    c_in = 32
    for i, width in enumerate(WIDTHS):
        layers.append(Block(c_in, width, 1 + i % 2))
        c_in = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(c_in, classes))


def main():
    batch, samples, threads = (int(a) for a in sys.argv[1:4])
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    device = torch.device(sys.argv[4] if len(sys.argv) > 4 else "cpu")
    cuda = device.type == "cuda"
    net = network().to(device)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    x, y = torch.randn(batch, 1, samples, device=device), torch.arange(batch, device=device) % 5

    def train():
        net.train()
        adam.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        adam.step()
        return loss.item()

    def infer():
        net.eval()
        with torch.no_grad():
            return net(x).sum().item()

    work = {"train": train, "infer": infer}
    for f in work.values():
        f()
    where = torch.cuda.get_device_name() if cuda else f"the CPU, {threads} threads"
    print(f"ready PyTorch {torch.__version__} on {where}", flush=True)
    for line in sys.stdin:
        name = line.strip()
        if name == "memory":
            used = torch.cuda.max_memory_allocated() if cuda else 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(used, flush=True)
            continue
        start = time.perf_counter()
        work[name]()
        print(1e3 * (time.perf_counter() - start), flush=True)


main()
