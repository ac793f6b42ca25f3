"""Reverse-mode differentiation of the few operations that SwAV on a RegNetY
needs, over NumPy arrays of any float type.

An operation gives a `Node`: its value, the nodes it was made from, and `pull`,
which turns a gradient of the value into gradients of those. Images are
[N, C, H, W].
"""
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

BATCH_NORM_EPSILON = 1e-5
NORMALISE_EPSILON = 1e-12


class Node:
    def __init__(self, value, parents=(), pull=None):
        self.value, self.parents, self.pull = value, parents, pull
        self.gradient = None


def backward(loss):
    """Leaves d loss / d value in `gradient` of every node `loss` came from."""
    order, seen = [], set()

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for parent in node.parents:
                visit(parent)
            order.append(node)

    visit(loss)
    loss.gradient = np.ones_like(loss.value)
    for node in reversed(order):
        if node.pull is None:
            continue
        for parent, part in zip(node.parents, node.pull(node.gradient)):
            parent.gradient = (part if parent.gradient is None
                               else parent.gradient + part)


def convolution(x, weight, stride=1, groups=1):
    """Square kernel k, padding k // 2, no bias; weight [O, C / groups, k, k]."""
    n, c, height, width = x.value.shape
    out, _, k, _ = weight.value.shape
    pad = k // 2
    padded = np.pad(x.value, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(padded, (k, k), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride]
    h, w = windows.shape[2:4]

    # One matrix product a group: rows are output pixels, columns its inputs.
    rows = windows.reshape(n, groups, c // groups, h, w, k, k)
    rows = rows.transpose(1, 0, 3, 4, 2, 5, 6).reshape(groups, n * h * w, -1)
    matrix = weight.value.reshape(groups, out // groups, -1)
    y = rows @ matrix.transpose(0, 2, 1)
    y = y.reshape(groups, n, h, w, -1).transpose(1, 0, 4, 2, 3)

    def pull(dy):
        dy = dy.reshape(n, groups, out // groups, h, w)
        dy = dy.transpose(1, 0, 3, 4, 2).reshape(groups, n * h * w, -1)
        d_weight = (dy.transpose(0, 2, 1) @ rows).reshape(weight.value.shape)
        d_rows = (dy @ matrix).reshape(groups, n, h, w, c // groups, k, k)
        d_windows = d_rows.transpose(1, 0, 4, 2, 3, 5, 6)
        d_windows = d_windows.reshape(n, c, h, w, k, k)
        d_padded = np.zeros_like(padded)
        for i in range(k):
            for j in range(k):
                d_padded[:, :, i:i + stride * h:stride,
                         j:j + stride * w:stride] += d_windows[..., i, j]
        return d_padded[:, :, pad:pad + height, pad:pad + width], d_weight

    return Node(y.reshape(n, out, h, w), (x, weight), pull)


def batch_norm(x, weight, bias):
    """With the batch's statistics. Gives the node, the batch's means and its
    unbiased variances."""
    axes = (0,) + tuple(range(2, x.value.ndim))
    count = x.value.size // x.value.shape[1]

    def per_channel(a):
        return a.reshape((1, -1) + (1,) * (x.value.ndim - 2))

    mean = x.value.mean(axes)
    centred = x.value - per_channel(mean)
    variance = (centred ** 2).mean(axes)
    scale = per_channel(1 / np.sqrt(variance + BATCH_NORM_EPSILON))
    normal = centred * scale
    y = normal * per_channel(weight.value) + per_channel(bias.value)

    def pull(dy):
        d_bias = dy.sum(axes)
        d_weight = (dy * normal).sum(axes)
        mean_part = per_channel(d_bias / count)
        spread_part = normal * per_channel(d_weight / count)
        dx = (dy - mean_part - spread_part) * scale * per_channel(weight.value)
        return dx, d_weight, d_bias

    return (Node(y, (x, weight, bias), pull), mean,
            variance * (count / (count - 1)))


def relu(x):
    return Node(np.maximum(x.value, 0), (x,), lambda dy: (dy * (x.value > 0),))


def sigmoid(x):
    y = 1 / (1 + np.exp(-x.value))
    return Node(y, (x,), lambda dy: (dy * y * (1 - y),))


def add(a, b):
    return Node(a.value + b.value, (a, b), lambda dy: (dy, dy))


def scale_channels(x, scales):
    """Images [N, C, H, W] times scales [N, C]."""
    wide = scales.value[:, :, None, None]
    return Node(x.value * wide, (x, scales),
                lambda dy: (dy * wide, (dy * x.value).sum((2, 3))))


def mean_of_pixels(x):
    pixels = x.value.shape[2] * x.value.shape[3]
    return Node(x.value.mean((2, 3)), (x,), lambda dy: (
        np.broadcast_to(dy[:, :, None, None] / pixels, x.value.shape),))


def linear(x, weight, bias=None):
    """Rows [N, I] to [N, O]. Of a weight [O, I, 1, 1], as a 1x1 convolution
    has it, too."""
    matrix = weight.value.reshape(weight.value.shape[0], -1)

    def pull(dy):
        parts = (dy @ matrix, (dy.T @ x.value).reshape(weight.value.shape))
        return parts if bias is None else parts + (dy.sum(0),)

    y = x.value @ matrix.T
    if bias is None:
        return Node(y, (x, weight), pull)
    return Node(y + bias.value, (x, weight, bias), pull)


def stack_rows(parts):
    ends = np.cumsum([len(p.value) for p in parts])[:-1]
    return Node(np.concatenate([p.value for p in parts]), tuple(parts),
                lambda dy: np.split(dy, ends))


def normalise_rows(x):
    length = np.sqrt((x.value ** 2).sum(1, keepdims=True))
    length = np.maximum(length, NORMALISE_EPSILON)
    y = x.value / length
    return Node(y, (x,), lambda dy: (
        (dy - y * (dy * y).sum(1, keepdims=True)) / length,))


def log_softmax(x):
    shifted = x.value - x.value.max(1, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return Node(y, (x,), lambda dy: (
        dy - np.exp(y) * dy.sum(1, keepdims=True),))


def times(x, factor):
    return Node(x.value * factor, (x,), lambda dy: (dy * factor,))


def weighted_sum(x, weights):
    """Sum of x * weights; the weights are given, not learnt."""
    return Node((x.value * weights).sum(), (x,), lambda dy: (dy * weights,))
