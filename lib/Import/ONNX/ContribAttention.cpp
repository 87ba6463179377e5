//===- ContribAttention.cpp - onnxruntime's attention operators -----------===//
#include "ContribText.h"

using llvm::formatv;

namespace mtc::onnx_import {

/// Inputs: x, positions, cosines, sines. One position is that of the first token.
std::string rotaryEmbedding(const ContribCall &c) {
  Text t(c);
  auto x = c.dims(0), positions = c.dims(1), cosines = c.dims(2);
  if (c.intAttr("is_packed_batching", 0) || (x.size() != 3 && x.size() != 4) || cosines.size() != 2)
    return c.reject("packed batches, or an input of rank " + std::to_string(x.size()));
  int64_t batch = x[0], length = x.size() == 3 ? x[1] : x[2];
  if (length > 8192)
    return c.reject("more than 8192 positions");
  int64_t heads = c.intAttr("num_heads", 0), rotated = c.intAttr("rotary_embedding_dim", 0);
  if (x.size() == 3 && heads == 0 && cosines[1] > 0)
    heads = x[2] / (2 * cosines[1]);
  std::string at = "i1";
  if (positions.size() != 2) {
    std::string steps = t.node("Constant <value_ints: ints = [" + range("0", length) + "]> ()");
    at = t.node("Expand (" + t.node("Add (" + steps + ", i1)") + ", " + t.ints({batch, length}) +
                ")");
  }
  t.line(formatv("o0 = RotaryEmbedding <interleaved = {0}, num_heads = {1}, rotary_embedding_dim = "
                 "{2}> (i0, i2, i3, {3})",
                 c.intAttr("interleaved", 0), x.size() == 3 ? heads : 0, rotated, at));
  return t.text;
}

/// What is added to the scores for a mask of integers (0: not to be looked at): the filter's value.
static std::string additiveMask(Text &t, int input, int64_t keys, const std::string &like) {
  auto dims = t.c.dims(input);
  std::string on;
  if (dims.size() == 1) { // how many keys of each batch count
    if (keys > 8192) {
      t.c.reject("more than 8192 keys");
      return "";
    }
    std::string places = t.node("Constant <value_ints: ints = [" + range("0", keys) + "]> ()");
    std::string lengths = t.node(formatv("Unsqueeze (i{0}, {1})", input, t.ints({1, 2, 3})));
    on = t.node("Less (" + places + ", " + t.node("Cast <to = 7> (" + lengths + ")") + ")");
  } else {
    on = t.node(formatv("Cast <to = 9> (i{0})", input));
    if (dims.size() == 2)
      on = t.node("Unsqueeze (" + on + ", " + t.ints({1, 2}) + ")");
    else if (dims.size() == 3)
      on = t.node("Unsqueeze (" + on + ", " + t.ints({1}) + ")");
  }
  double filter = t.c.floatAttr("mask_filter_value", -10000.0f);
  return t.node("Where (" + on + ", " + t.number(0, like) + ", " + t.number(filter, like) + ")");
}

/// scale = 0 and an absent scale mean 1 / sqrt(head size).
static std::string scaleAttribute(const ContribCall &c) {
  double scale = c.floatAttr("scale", 0);
  return scale == 0 ? "" : ", scale: float = " + Text::digits(scale);
}

/// Inputs: query, key, value, bias, key padding, bias of scores, past key, past value.
std::string multiHeadAttention(const ContribCall &c) {
  Text t(c);
  auto q = c.dims(0);
  int64_t heads = c.intAttr("num_heads", 0);
  if (q.size() != 3 || !c.has(1) || !c.has(2) || c.dims(1).size() != 3 || c.dims(2).size() != 3 ||
      heads < 1 || c.has(8) || c.has(9))
    return c.reject("packed or separate heads, or a shared cache");
  int64_t keyWidth = c.extent(1, 2), valueWidth = c.extent(2, 2);
  std::string parts[] = {"i0", "i1", "i2"};
  if (c.has(3)) {
    std::string sizes = t.ints({q[2], keyWidth, valueWidth});
    std::string names[] = {t.fresh(), t.fresh(), t.fresh()};
    t.line(names[0] + ", " + names[1] + ", " + names[2] + " = Split <axis = 0> (i3, " + sizes +
           ")");
    for (int i = 0; i < 3; ++i)
      parts[i] = t.node("Add (" + parts[i] + ", " + names[i] + ")");
  }
  int64_t keys = c.extent(1, 1) + (c.has(6) ? c.extent(6, 2) : 0);
  std::string mask;
  if (c.has(4)) {
    if (c.dims(4).size() == 1 && c.extent(4, 0) != q[0])
      return c.reject("a mask of sequences' ends");
    mask = additiveMask(t, 4, keys, "i0");
  }
  if (c.has(5))
    mask = mask.empty() ? "i5" : t.node("Add (" + mask + ", i5)");
  t.line(formatv("o0{0}{1}{2} = Attention <q_num_heads = {3}, kv_num_heads = {3}, is_causal = {4}"
                 "{5}> ({6}, {7}, {8}{9}{10}{11})",
                 c.wants(1) || c.wants(2) || c.wants(3) ? ", o1" : "",
                 c.wants(2) || c.wants(3) ? ", o2" : "", c.wants(3) ? ", o3" : "", heads,
                 c.intAttr("unidirectional", 0), scaleAttribute(c), parts[0], parts[1], parts[2],
                 mask.empty() && !c.has(6) ? "" : ", " + mask, c.has(6) ? ", i6" : "",
                 c.has(7) ? ", i7" : ""));
  return t.text;
}

/// Inputs: x, weights of queries, keys and values side by side, bias, mask, past, bias of scores.
std::string packedAttention(const ContribCall &c) {
  Text t(c);
  auto x = c.dims(0), weights = c.dims(1);
  int64_t heads = c.intAttr("num_heads", 0);
  llvm::SmallVector<int64_t> sizes = c.intsAttr("qkv_hidden_sizes");
  if (sizes.empty() && weights.size() == 2)
    sizes.assign(3, weights[1] / 3);
  if (x.size() != 3 || weights.size() != 2 || sizes.size() != 3 || heads < 1 || c.has(6) ||
      c.intAttr("do_rotary", 0))
    return c.reject("rotary embeddings, a shared cache, or shapes that do not fit");
  std::string all = t.node("MatMul (i0, i1)");
  if (c.has(2))
    all = t.node("Add (" + all + ", i2)");
  std::string q = t.fresh(), k = t.fresh(), v = t.fresh();
  t.line(q + ", " + k + ", " + v + " = Split <axis = -1> (" + all + ", " + t.ints(sizes) + ")");
  std::string pastKey, pastValue;
  int64_t past = 0;
  if (c.has(4)) { // 2, batch, heads, past, channels
    past = c.extent(4, 3);
    pastKey = t.node("Gather <axis = 0> (i4, " + t.node("Constant <value_int: int = 0> ()") + ")");
    pastValue =
        t.node("Gather <axis = 0> (i4, " + t.node("Constant <value_int: int = 1> ()") + ")");
  }
  std::string mask;
  if (c.has(3)) {
    if (c.dims(3).size() == 1 && c.extent(3, 0) != x[0])
      return c.reject("a mask of sequences' ends");
    mask = additiveMask(t, 3, past + x[1], "i0");
  }
  if (c.has(5))
    mask = mask.empty() ? "i5" : t.node("Add (" + mask + ", i5)");
  std::string keys = t.fresh(), values = t.fresh();
  t.line(formatv("o0, {0}, {1} = Attention <q_num_heads = {2}, kv_num_heads = {2}, is_causal = {3}"
                 "{4}> ({5}, {6}, {7}{8}{9})",
                 keys, values, heads, c.intAttr("unidirectional", 0), scaleAttribute(c), q, k, v,
                 mask.empty() && !past ? "" : ", " + mask,
                 past ? ", " + pastKey + ", " + pastValue : std::string()));
  if (c.wants(1)) {
    std::string first = t.ints({0});
    t.line("o1 = Concat <axis = 0> (" + t.node("Unsqueeze (" + keys + ", " + first + ")") + ", " +
           t.node("Unsqueeze (" + values + ", " + first + ")") + ")");
  }
  return t.text;
}

} // namespace mtc::onnx_import
