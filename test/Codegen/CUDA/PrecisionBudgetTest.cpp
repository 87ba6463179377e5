//===- PrecisionBudgetTest.cpp - how precisely products are computed ------===//
#include "Codegen/CUDA/PrecisionBudget.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

using namespace mtc::cuda;

namespace {

/// A chain of products that arithmetic bounds, the first one first.
std::vector<RoundedProduct> chain(int64_t length, Precision precision, double flops = 1e9) {
  std::vector<RoundedProduct> products;
  for (int64_t i = 0; i < length; ++i)
    products.push_back({flops, 1e6, length - 1 - i, precision});
  return products;
}

int64_t count(const std::vector<RoundedProduct> &products, Precision precision) {
  return std::count_if(products.begin(), products.end(),
                       [&](const RoundedProduct &p) { return p.precision == precision; });
}

// One product's error is its roundings' own; what depends on it adds as much again, in squares.
TEST(PrecisionBudget, Errors) {
  EXPECT_NEAR(errorOf(chain(1, Precision::F16)), 0.59 / 2048, 1e-12);
  EXPECT_NEAR(errorOf(chain(2, Precision::BF16)), 0.59 / 256 * std::sqrt(3), 1e-12);
  EXPECT_EQ(errorOf(chain(9, Precision::F32)), 0);
}

// What the promise allows is left as asked.
TEST(PrecisionBudget, LeavesShortChains) {
  for (auto [precision, length] : {std::pair(Precision::TF32, 9), std::pair(Precision::BF16, 11),
                                   std::pair(Precision::F16, 97)}) {
    std::vector<RoundedProduct> products = chain(length, precision);
    fitPrecision(products, precision);
    EXPECT_EQ(count(products, precision), length) << nameOf(precision).str();
    products = chain(length + 1, precision);
    fitPrecision(products, precision);
    EXPECT_EQ(count(products, precision), length) << nameOf(precision).str();
    EXPECT_LE(errorOf(products), toleranceOf(precision));
  }
}

// The error of any network is below its tolerance, and no product becomes more precise than that
// needs.
TEST(PrecisionBudget, KeepsPromises) {
  for (Precision precision : {Precision::TF32, Precision::F16, Precision::BF16})
    for (int64_t length : {1, 20, 80, 400}) {
      std::vector<RoundedProduct> products = chain(length, precision);
      fitPrecision(products, precision);
      EXPECT_LE(errorOf(products), toleranceOf(precision));
      if (length == 80 && precision == Precision::BF16) {
        EXPECT_EQ(count(products, Precision::F32), 0);
        EXPECT_GT(count(products, Precision::BF16), 0);
      }
    }
  // Not even in tf32 are there so few errors.
  std::vector<RoundedProduct> products = chain(400, Precision::BF16);
  fitPrecision(products, Precision::BF16);
  EXPECT_EQ(count(products, Precision::BF16), 0);
  EXPECT_GT(count(products, Precision::F32), 0);
}

// What costs least for the error that it removes is first: what memory bounds, then early and small
// ones.
TEST(PrecisionBudget, CheapestFirst) {
  std::vector<RoundedProduct> products = chain(11, Precision::TF32);
  products[7].bytes = 1e9;
  products[4].flops = 2e8;
  fitPrecision(products, Precision::TF32);
  EXPECT_EQ(products[7].precision, Precision::F32);
  EXPECT_EQ(products[4].precision, Precision::F32);
  EXPECT_EQ(count(products, Precision::F32), 3);
  EXPECT_EQ(products[0].precision, Precision::F32);
}

// In tf32 what memory bounds gains nothing; halves move fewer bytes. What is more precise stays so.
TEST(PrecisionBudget, Bounded) {
  for (auto [precision, wanted] :
       {std::pair(Precision::TF32, Precision::F32), std::pair(Precision::F16, Precision::F16),
        std::pair(Precision::BF16, Precision::BF16)}) {
    std::vector<RoundedProduct> products = chain(2, precision, 1e6);
    products[1].precision = Precision::F32;
    fitPrecision(products, precision);
    EXPECT_EQ(products[0].precision, wanted);
    EXPECT_EQ(products[1].precision, Precision::F32);
  }
}

} // namespace
