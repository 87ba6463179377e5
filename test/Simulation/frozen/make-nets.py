#!/usr/bin/env python3
"""Writes the networks of gpulet's scenarios as Problems (the text form), one file for each batch size.

Layer lists are those of the papers, with bias and activation fused into convolutions and batch
normalization folded, as mtc forms tasks. The variants are placeholders: FreezeProblem prices them.

    make-nets.py FOLDER
"""
import os
import sys


class Net:
    """Tasks over values; a value is (batch, height, width, channels) of f32."""

    def __init__(self, name, batch, height, width, channels):
        self.name, self.kernels, self.lines, self.values, self.shapes = name, {}, [], [], []
        self.input = self.value('input', (batch, height, width, channels), 0)
        self.weights = 0

    def value(self, kind, shape, index=-1):
        size = 4
        for extent in shape:
            size *= extent
        self.values.append([kind, size, index])
        self.shapes.append(shape)
        return len(self.values) - 1

    def weight(self, elements):
        self.weights += 1
        return self.value('weight', (elements,), self.weights - 1)

    def task(self, kind, operands, shape, flops, extents):
        read = sum(self.values[v][1] for v in operands)
        out = self.value('intermediate', shape)
        key = (kind, len(operands), flops, read + self.values[out][1], extents)
        kernel = self.kernels.setdefault(key, len(self.kernels))
        operands = ','.join(map(str, operands + [out]))
        self.lines.append(f'  task {len(self.lines)} {kernel} {operands} ""')
        return out

    def conv(self, x, filters, size, stride=1, groups=1, extra=(), same=True):
        n, h, w, c = self.shapes[x]
        if same:
            oh, ow = -(-h // stride), -(-w // stride)
        else:
            oh, ow = (h - size) // stride + 1, (w - size) // stride + 1
        rows, depth = n * oh * ow, size * size * c // groups
        columns = filters // groups
        operands = [x, self.weight(depth * filters), self.weight(filters), *extra]
        flops = 2 * rows * filters * depth + rows * filters * (2 + len(extra))
        return self.task('contraction', operands, (n, oh, ow, filters), flops, (groups, rows, columns, depth))

    def dense(self, x, columns):
        n, h, w, c = self.shapes[x]
        depth = h * w * c
        operands = [x, self.weight(depth * columns), self.weight(columns)]
        return self.task('contraction', operands, (n, 1, 1, columns), 2 * n * columns * depth, (1, n, columns, depth))

    def pool(self, x, size, stride, same=True):
        n, h, w, c = self.shapes[x]
        if same:
            oh, ow = -(-h // stride), -(-w // stride)
        else:
            oh, ow = (h - size) // stride + 1, (w - size) // stride + 1
        rows = n * oh * ow * c
        return self.task('rows', [x], (n, oh, ow, c), rows * size * size, (1, rows, 1, size * size))

    def average(self, x):
        n, h, w, c = self.shapes[x]
        return self.task('rows', [x], (n, 1, 1, c), n * h * w * c, (1, n * c, 1, h * w))

    def concat(self, xs):
        n, h, w, _ = self.shapes[xs[0]]
        return self.task('move', list(xs), (n, h, w, sum(self.shapes[x][3] for x in xs)), 0, (1, 1, 1, 1))

    def softmax(self, x):
        n, h, w, c = self.shapes[x]
        return self.task('rows', [x], (n, h, w, c), 13 * n * h * w * c, (1, n * h * w, 1, c))

    def text(self, outputs):
        lines = ['problem 1', 'device "none" granules 1 units 1 flops_per_ns 1 bytes_per_ns 1 launch_ns 0 barrier_ns 0']
        for number, (kind, reads, flops, size, extents) in enumerate(self.kernels):
            lines.append(f'kernel "k{number}" {kind} operands {"r" * reads}w flops {flops} bytes {size} '
                         f'extents {" ".join(map(str, extents))}')
            lines.append('  variant tiles 1 scratch 0 times 1:1m ""')
        lines.append(f'tenant "{self.name}" slo_p99_ns 0 rate 0 priority 0 isolation "guarded"')
        lines.append('entry 0 "e0"')
        shape = 'x'.join(map(str, self.shapes[self.input]))
        lines.append(f'  input "x" f32 {shape} {self.values[self.input][1]}')
        for index, out in enumerate(outputs):
            self.values[out][0], self.values[out][2] = 'output', index
            shape = 'x'.join(map(str, self.shapes[out]))
            lines.append(f'  output "y{index}" f32 {shape} {self.values[out][1]}')
        lines += [f'  value {kind} {size} {index}' for kind, size, index in self.values]
        return '\n'.join(lines + self.lines) + '\n'


def lenet(batch):
    """LeCun et al. 1998, 28x28 digits."""
    net = Net('lenet', batch, 28, 28, 1)
    x = net.pool(net.conv(net.input, 6, 5), 2, 2)
    x = net.pool(net.conv(x, 16, 5, same=False), 2, 2)
    return net.text([net.dense(net.dense(net.dense(x, 120), 84), 10)])


def vgg16(batch):
    """Simonyan and Zisserman 2014, configuration D."""
    net = Net('vgg16', batch, 224, 224, 3)
    x = net.input
    for filters, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            x = net.conv(x, filters, 3)
        x = net.pool(x, 2, 2)
    return net.text([net.softmax(net.dense(net.dense(net.dense(x, 4096), 4096), 1000))])


def resnet50(batch):
    """He et al. 2015; the stride is in the 3x3 convolution."""
    net = Net('resnet50', batch, 224, 224, 3)
    x = net.pool(net.conv(net.input, 64, 7, 2), 3, 2)
    for stage, (width, count) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            short = net.conv(x, 4 * width, 1, stride) if block == 0 else x
            y = net.conv(net.conv(x, width, 1), width, 3, stride)
            x = net.conv(y, 4 * width, 1, extra=[short])
    return net.text([net.softmax(net.dense(net.average(x), 1000))])


def mobilenet_v2(batch):
    """Sandler et al. 2018."""
    net = Net('mobilenet_v2', batch, 224, 224, 3)
    x = net.conv(net.input, 32, 3, 2)
    for expansion, filters, count, first in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                             (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(count):
            stride = first if block == 0 else 1
            channels = net.shapes[x][3]
            y = net.conv(x, expansion * channels, 1) if expansion > 1 else x
            y = net.conv(y, expansion * channels, 3, stride, groups=expansion * channels)
            keeps = stride == 1 and channels == filters
            x = net.conv(y, filters, 1, extra=[x] if keeps else [])
    return net.text([net.softmax(net.dense(net.average(net.conv(x, 1280, 1)), 1000))])


def googlenet(batch):
    """Szegedy et al. 2014, without the auxiliary classifiers."""
    net = Net('googlenet', batch, 224, 224, 3)
    x = net.pool(net.conv(net.input, 64, 7, 2), 3, 2)
    x = net.pool(net.conv(net.conv(x, 64, 1), 192, 3), 3, 2)
    for number, (a, b1, b3, c1, c5, d) in enumerate((
            (64, 96, 128, 16, 32, 32), (128, 128, 192, 32, 96, 64), (192, 96, 208, 16, 48, 64),
            (160, 112, 224, 24, 64, 64), (128, 128, 256, 24, 64, 64), (112, 144, 288, 32, 64, 64),
            (256, 160, 320, 32, 128, 128), (256, 160, 320, 32, 128, 128), (384, 192, 384, 48, 128, 128))):
        x = net.concat([net.conv(x, a, 1), net.conv(net.conv(x, b1, 1), b3, 3), net.conv(net.conv(x, c1, 1), c5, 5),
                        net.conv(net.pool(x, 3, 1), d, 1)])
        if number in (1, 6):
            x = net.pool(x, 3, 2)
    return net.text([net.softmax(net.dense(net.average(x), 1000))])


def ssd_mobilenet(batch):
    """SSD (Liu et al. 2015) on MobileNet v1 (Howard et al. 2017), 300x300, 91 classes; boxes are not decoded."""
    net = Net('ssd_mobilenet', batch, 300, 300, 3)
    x = net.conv(net.input, 32, 3, 2)
    features = []
    for number, (filters, stride) in enumerate(((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1),
                                                (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1))):
        x = net.conv(net.conv(x, net.shapes[x][3], 3, stride, groups=net.shapes[x][3]), filters, 1)
        if number in (10, 12):
            features.append(x)
    for middle, filters in ((256, 512), (128, 256), (128, 256), (64, 128)):
        x = net.conv(net.conv(x, middle, 1), filters, 3, 2)
        features.append(x)
    outputs = []
    for number, feature in enumerate(features):
        anchors = 3 if number == 0 else 6
        outputs += [net.conv(feature, anchors * 4, 1), net.conv(feature, anchors * 91, 1)]
    return net.text(outputs)


def main():
    for make in (lenet, vgg16, resnet50, mobilenet_v2, googlenet, ssd_mobilenet):
        for batch in (1, 8):
            path = os.path.join(sys.argv[1], f'{make.__name__}.b{batch}.nets')
            with open(path, 'w', encoding='utf-8') as file:
                file.write(make(batch))


if __name__ == '__main__':
    main()
