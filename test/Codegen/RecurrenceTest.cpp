//===- RecurrenceTest.cpp - loops over time -------------------------------===//
//
// A gated layer against itself op by op in plain loops, with remainders of vectors and rows, and
// against the same steps written out here: the order of the steps and where slices lie.
//
//===----------------------------------------------------------------------===//
#include "ContractionText.h"
#include "KernelRunner.h"
#include "KernelText.h"

#include <cmath>
#include <gtest/gtest.h>

using namespace mtc::host;
using namespace mtc::host::test;

namespace {

struct Layer {
  int64_t steps, batch, hidden;
  bool reverse = false;
};

/// a, b = x[t] + h r', h = tanh(a) h / 2 + b / 8; every h is an output, the last one a result.
std::string gated(const Layer &l) {
  std::string x = tensor({l.steps, l.batch, 2 * l.hidden}), h = tensor({l.batch, l.hidden}),
              r = tensor({2 * l.hidden, l.hidden}), y = tensor({l.steps, l.batch, l.hidden}),
              g = tensor({l.batch, 2 * l.hidden}), id = map("i,j", "i,j");
  auto half = [&](const std::string &name, int64_t from) {
    return name + " = tensor.extract_slice %sum[0, " + n2s(from) + "] [" + n2s(l.batch) + ", " +
           n2s(l.hidden) + "] [1, 1] : " + g + " to " + h + "\n";
  };
  return "mt.kernel @k kind(recurrence) (%x: " + x + ", %first: " + h + ", %r: " + r + ") -> (" +
         y + ", " + h + ") {\n%y, %last = mt.recurrence " + (l.reverse ? "reverse " : "") +
         "inputs(%x : " + x + ") states(%first : " + h + ") invariants(%r : " + r +
         ") {\n^bb0(%slice: " + tensor({l.batch, 2 * l.hidden}) + ", %h: " + h + ", %w: " + r +
         "):\n%z = arith.constant 0.0 : f32\n%half = arith.constant 0.5 : f32\n"
         "%eighth = arith.constant 0.125 : f32\n%e = tensor.empty() : " +
         g + "\n%f = linalg.fill ins(%z : f32) outs(%e : " + g + ") -> " + g + "\n" +
         generic("%own",
                 map("i,j,k", "i,k") + ", " + map("i,j,k", "j,k") + ", " + map("i,j,k", "i,j"),
                 iterators(2, 1), "%h, %w : " + h + ", " + r, "%f : " + g, g, productBody()) +
         generic("%sum", id + ", " + id + ", " + id, iterators(2, 0),
                 "%own, %slice : " + g + ", " + g, "%e : " + g, g,
                 "^bb0(%a: f32, %b: f32, %o: f32):\n%s = arith.addf %a, %b : f32\n"
                 "linalg.yield %s : f32\n") +
         half("%ga", 0) + half("%gb", l.hidden) + "%eh = tensor.empty() : " + h + "\n" +
         generic("%next", id + ", " + id + ", " + id + ", " + id, iterators(2, 0),
                 "%ga, %gb, %h : " + h + ", " + h + ", " + h, "%eh : " + h, h,
                 "^bb0(%a: f32, %b: f32, %c: f32, %o: f32):\n%t = math.tanh %a : f32\n"
                 "%p = arith.mulf %t, %c : f32\n%q = arith.mulf %p, %half : f32\n"
                 "%s = arith.mulf %b, %eighth : f32\n%n = arith.addf %q, %s : f32\n"
                 "linalg.yield %n : f32\n") +
         "mt.yield %next, %next : " + h + ", " + h + "\n} : " + y + ", " + h +
         "\nmt.yield %y, %last : " + y + ", " + h + "\n}";
}

std::vector<double> reference(const Layer &l, const float *x, const float *first, const float *r) {
  int64_t n = l.hidden, rows = 2 * n;
  std::vector<double> y(l.steps * l.batch * n), h(first, first + l.batch * n);
  for (int64_t i = 0; i < l.steps; ++i) {
    int64_t t = l.reverse ? l.steps - 1 - i : i;
    std::vector<double> next(h.size());
    for (int64_t b = 0; b < l.batch; ++b)
      for (int64_t j = 0; j < n; ++j) {
        double sums[2];
        for (int64_t part : {0, 1}) {
          sums[part] = x[(t * l.batch + b) * rows + part * n + j];
          for (int64_t k = 0; k < n; ++k)
            sums[part] += h[b * n + k] * r[(part * n + j) * n + k];
        }
        next[b * n + j] = std::tanh(sums[0]) * h[b * n + j] / 2 + sums[1] / 8;
      }
    h = next;
    std::copy(h.begin(), h.end(), y.begin() + t * l.batch * n);
  }
  y.insert(y.end(), h.begin(), h.end());
  return y;
}

} // namespace

TEST(Recurrence, LikePlainLoops) {
  for (Layer l : {Layer{5, 1, 16}, {4, 1, 20, true}, {3, 3, 33}, {1, 2, 8}})
    expectLikePlain(gated(l), "recurrence", /*minTiles=*/1, /*tolerance=*/2e-5);
}

TEST(Recurrence, LikeItsStepsInOrder) {
  for (Layer l : {Layer{6, 2, 12}, {6, 2, 12, true}, {7, 1, 40}}) {
    SCOPED_TRACE(gated(l));
    Program p(gated(l));
    ASSERT_EQ(p.error, "");
    auto buffers = p.buffers(0);
    ASSERT_EQ(p.run(0, buffers), 0);
    std::vector<double> want =
        reference(l, buffers[0].as<float>(), buffers[1].as<float>(), buffers[2].as<float>());
    size_t steps = buffers[3].size() / 4;
    for (size_t i = 0; i < want.size(); ++i)
      ASSERT_NEAR(i < steps ? buffers[3].as<float>()[i] : buffers[4].as<float>()[i - steps],
                  want[i], 1e-5)
          << "element " << i;
  }
}

// Weights that no packing has touched, and a batch that fills register tiles.
TEST(Recurrence, LargeBatch) {
  expectLikePlain(gated({3, 20, 64}), "recurrence", /*minTiles=*/1, /*tolerance=*/2e-5);
}
