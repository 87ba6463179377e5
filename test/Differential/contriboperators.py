"""Models of one operator of onnxruntime's own domains each, in the forms that exporters write."""

import numpy as np
from onnx import helper

MICROSOFT = "com.microsoft"


def models(random):
    """(name, node, {input: array}) of every model."""

    def real(*shape):
        return (random.standard_normal(shape) / 2).astype(np.float32)

    def case(name, op, inputs, outputs=("y",), domain=MICROSOFT, **attributes):
        names = [n if a is not None else "" for n, a in inputs.items()]
        return name, helper.make_node(op, names, outputs, domain=domain, **attributes), \
            {n: a for n, a in inputs.items() if a is not None}

    x = real(2, 5, 8)
    yield case("fused_matmul", "FusedMatMul", dict(a=x, b=real(2, 3, 8)), transB=1, alpha=0.5)
    yield case("fused_matmul_a", "FusedMatMul", dict(a=real(2, 8, 5), b=real(8, 3)), transA=1)
    yield case("gelu", "Gelu", dict(a=x))
    yield case("bias_gelu", "BiasGelu", dict(a=x, b=real(8)))
    yield case("fast_gelu", "FastGelu", dict(a=x))
    yield case("fast_gelu_bias", "FastGelu", dict(a=x, b=real(8)))
    yield case("quick_gelu", "QuickGelu", dict(a=x))
    yield case("skip_norm", "SkipLayerNormalization", dict(a=x, b=real(2, 5, 8), g=real(8)), epsilon=1e-5)
    yield case("skip_norm_all", "SkipLayerNormalization", dict(a=x, b=real(2, 5, 8), g=real(8), e=real(8), i=real(8)),
               ["y", "", "", "s"], epsilon=1e-5)
    yield case("rms_norm", "SimplifiedLayerNormalization", dict(a=x, g=real(8)), domain="", axis=-1, epsilon=1e-5)
    yield case("skip_rms_norm", "SkipSimplifiedLayerNormalization", dict(a=x, b=real(2, 5, 8), g=real(8)), ["y", "", "", "s"],
               epsilon=1e-5)
    ids = random.integers(0, 9, (2, 5)).astype(np.int32)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)
    yield case("embed_norm", "EmbedLayerNormalization",
               dict(ids=ids, seg=random.integers(0, 2, (2, 5)).astype(np.int32), w=real(9, 8), p=real(6, 8), s=real(2, 8),
                    g=real(8), b=real(8), m=mask), ["y", "mi"], epsilon=1e-5)
    yield case("embed_norm_plain", "EmbedLayerNormalization",
               dict(ids=ids, seg=None, w=real(9, 8), p=real(6, 8), s=None, g=real(8), b=real(8)), ["y", "mi"], epsilon=1e-5)
    angles = random.random((10, 4)).astype(np.float32)
    turns, places = dict(c=np.cos(angles), s=np.sin(angles)), np.array([[0, 1, 2], [3, 4, 5]])
    yield case("rotary", "RotaryEmbedding", dict(a=real(2, 3, 16), p=places) | turns)
    yield case("rotary_from", "RotaryEmbedding", dict(a=real(2, 3, 16), p=np.array([4])) | turns, interleaved=1)
    yield case("rotary_heads", "RotaryEmbedding", dict(a=real(2, 2, 3, 8), p=places) | turns)

    def heads(length=6):
        return dict(q=real(2, 4, 16), k=real(2, length, 16), v=real(2, length, 16))

    padding = np.array([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1]], np.int32)
    yield case("mha", "MultiHeadAttention", heads(), num_heads=4)
    yield case("mha_bias", "MultiHeadAttention", heads() | dict(b=real(48)), num_heads=4)
    yield case("mha_mask", "MultiHeadAttention", heads() | dict(b=real(48), m=padding), num_heads=4)
    yield case("mha_lengths", "MultiHeadAttention", heads() | dict(b=None, m=np.array([4, 6], np.int32)), num_heads=4)
    yield case("mha_scores", "MultiHeadAttention", heads() | dict(b=None, m=None, r=real(1, 4, 4, 6)), num_heads=4, scale=0.3)
    yield case("mha_past", "MultiHeadAttention",
               heads(4) | dict(b=None, m=None, r=None, pk=real(2, 4, 3, 4), pv=real(2, 4, 3, 4)), ["y", "ok", "ov"], num_heads=4)
    yield case("mha_causal", "MultiHeadAttention", heads(4), num_heads=4, unidirectional=1)

    def packed():
        return dict(x=real(2, 4, 8), w=real(8, 48), b=real(48))

    yield case("attention", "Attention", packed(), num_heads=4)
    yield case("attention_mask", "Attention", packed() | dict(m=padding[:, 2:].copy()), num_heads=4)
    yield case("attention_lengths", "Attention", packed() | dict(m=np.array([3, 4], np.int32)), num_heads=4)
    yield case("attention_3d_mask", "Attention", packed() | dict(m=np.tril(np.ones((2, 4, 4), np.int32))), num_heads=4)
    yield case("attention_causal", "Attention", packed(), ["y", "o"], num_heads=4, unidirectional=1)
    yield case("attention_past", "Attention", packed() | dict(m=None, p=real(2, 2, 4, 3, 4)), ["y", "o"], num_heads=4,
               unidirectional=1)
    image = dict(x=real(1, 4, 6, 6), w=real(3, 4, 3, 3), b=real(3))
    conv = dict(pads=[1, 1, 1, 1], kernel_shape=[3, 3])
    for activation, parameters in {"Relu": {}, "Tanh": {}, "LeakyRelu": {"activation_params": [0.1]},
                                   "Clip": {"activation_params": [-0.2, 0.3]},
                                   "HardSigmoid": {"activation_params": [0.1, 0.4]}}.items():
        yield case(f"fused_conv_{activation.lower()}", "FusedConv", image, activation=activation, **conv, **parameters)
    yield case("fused_conv_sum", "FusedConv", image | dict(z=real(1, 3, 6, 6)), activation="Relu", **conv)
    yield case("fused_gemm", "FusedGemm", dict(x=real(3, 4), w=real(5, 4), b=real(5)), activation="LeakyRelu", activation_alpha=0.2,
               transB=1)
    yield case("trilu", "Trilu", dict(x=real(4, 4)), upper=0)
    yield case("grid_sample", "GridSample", dict(x=real(1, 2, 4, 5), g=real(1, 3, 3, 2)), mode="bilinear")
    yield case("gather_nd", "GatherND", dict(x=real(2, 5), i=np.array([[0, 1], [1, 3]])))
    yield from quantized(random, case, real)


def quantized(random, case, real):
    """Operators on codes of 8 and 4 bits."""

    def codes(*shape):
        return random.integers(0, 256, shape).astype(np.uint8)

    def scale(value):
        return np.array(value, np.float32)

    def zero(value):
        return np.array(value, np.uint8)

    def value(name, *shape):
        return {name: codes(*shape), name + "s": scale(0.02), name + "z": zero(120)}

    result = dict(ys=scale(0.031), yz=zero(110))  # no averages half way between two codes
    for op in ("QLinearAdd", "QLinearMul"):
        yield case(op.lower(), op, value("a", 2, 5) | value("b", 5) | result)
    yield case("qlinear_sigmoid", "QLinearSigmoid", value("a", 2, 5) | dict(ys=scale(1 / 256), yz=zero(0)))
    yield case("qlinear_leaky", "QLinearLeakyRelu", value("a", 2, 5) | result, alpha=0.1)
    yield case("qlinear_global", "QLinearGlobalAveragePool", value("a", 1, 3, 4, 4) | result)
    yield case("qlinear_pool", "QLinearAveragePool", value("a", 1, 3, 4, 4) | result, kernel_shape=[2, 2])
    yield case("qlinear_concat", "QLinearConcat", result | value("a", 2, 3) | value("b", 2, 4), axis=1)
    yield case("qgemm", "QGemm", value("a", 3, 8) | value("b", 8, 4) | dict(c=random.integers(-999, 999, 4).astype(np.int32)) |
               dict(ys=scale(0.3), yz=zero(120)))
    yield case("qgemm_float", "QGemm", value("a", 3, 8) | value("b", 4, 8), transB=1, alpha=0.5)
    yield case("integers_to_float", "MatMulIntegerToFloat",
               dict(a=codes(3, 8), b=codes(8, 4), s=scale(0.02), t=scale(0.03), az=zero(120), bz=zero(130), c=real(4)))
    yield case("dynamic_matmul", "DynamicQuantizeMatMul", dict(a=real(3, 8), b=codes(8, 4), s=scale(0.03), z=zero(130), c=real(4)))
    for k in (64, 40):
        blocks = -(-k // 32)
        weight = dict(a=real(3, k), b=codes(6, blocks, 16), s=np.abs(real(6 * blocks)))
        yield case(f"nbits_{k}", "MatMulNBits", weight, K=k, N=6, bits=4, block_size=32)
        yield case(f"nbits_{k}_zeros", "MatMulNBits", weight | dict(z=codes(6 * ((blocks + 1) // 2))), K=k, N=6, bits=4, block_size=32)
    yield case("norm_early", "LayerNormalization", dict(a=real(2, 5, 8), g=real(8), b=real(8)), domain="", axis=-1, epsilon=1e-5)
