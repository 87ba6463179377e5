//===- PaddingTest.cpp - inputs smaller than their entry's ----------------===//
#include "Padding.h"
#include "SampleContents.h"
#include "mtc/Bundle/Writer.h"
#include "mtc/Runtime/Session.h"
#include "mtc/Runtime/mtrt.h"
#include "mtc/Support/Random.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <numeric>
#include <unistd.h>

using namespace mtc;

namespace {

/// Where element `at` of a tensor of `shape` is in one of `full`.
int64_t positionIn(int64_t at, const std::vector<int64_t> &shape,
                   const std::vector<int64_t> &full) {
  int64_t position = 0, stride = 1;
  for (size_t dim = shape.size(); dim-- > 0; at /= shape[dim], stride *= full[dim])
    position += at % shape[dim] * stride;
  return position;
}

// Padding puts every element where it belongs and the filler elsewhere; cropping takes them back.
TEST(Padding, PadsAndCrops) {
  SplitMix64 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<int64_t> full(random.next() % 5), shape;
    for (int64_t &size : full) {
      size = static_cast<int64_t>(random.next() % 5 + (round % 10 != 0));
      // Equal in many dims, so that runs span several.
      shape.push_back(random.next() % 2 ? size : static_cast<int64_t>(random.next() % (size + 1)));
    }
    const int64_t given = countElements(shape), all = countElements(full);
    std::vector<uint32_t> from(given), wanted(all, 7u << 24), to(all + 1, 99);
    for (int64_t i = 0; i < given; ++i)
      wanted[positionIn(i, shape, full)] = from[i] = static_cast<uint32_t>(i) + 1000;
    const std::vector<uint8_t> element = {0, 0, 0, 7};
    padTensor(from.data(), shape, to.data(), full, element);
    EXPECT_EQ(to.back(), 99u);
    to.pop_back();
    EXPECT_EQ(to, wanted);
    cropTensor(to.data(), full, shape, 4);
    to.resize(given);
    EXPECT_EQ(to, from);
  }
}

class PaddingTest : public testing::Test {
protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("mtc-padding-" + std::to_string(getpid()));
    Contents contents = test::sampleContents(2);
    for (Entry &entry : contents.targets[0].problem.entries) {
      const float one = 1;
      entry.inputs[0].pad.emplace(sizeof one);
      std::memcpy(entry.inputs[0].pad->data(), &one, sizeof one);
    }
    contents.targets[0].problem.entries[0].outputs[0].follows = {{0, 0, 0}, {1, 0, 1}};
    ASSERT_TRUE(writeBundle(path_, contents).ok());
    auto reader = BundleReader::open(path_);
    ASSERT_TRUE(reader.ok()) << reader.status().message();
    auto session = Session::create(*reader);
    ASSERT_TRUE(session.ok()) << session.status().message();
    session_ = *session;
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::unique_ptr<Request> request(const char *tenant) {
    auto made = session_->createRequest(tenant);
    EXPECT_TRUE(made.ok());
    for (const Tensor &output : (*made)->entry().outputs)
      EXPECT_TRUE((*made)->memory(output.name, false).ok());
    return std::move(*made);
  }
  RequestStatus run(Request &request) {
    Request *one = &request;
    RequestStatus status = session_->submit({&one, 1});
    return status.ok() ? request.wait() : status;
  }

  std::filesystem::path path_;
  std::shared_ptr<Session> session_;
};

// chain is y = x * 2 * i: what follows x is cut to it, run after run, with any shape.
TEST_F(PaddingTest, CutsWhatFollows) {
  auto chain = request("chain");
  EXPECT_FALSE(chain->shapeOf("y").ok());
  for (const std::vector<int64_t> &shape :
       {std::vector<int64_t>{3, 5}, {8, 1}, {1, 128}, {8, 128}, {2, 0}, {3, 5}}) {
    std::vector<float> x(countElements(shape));
    std::iota(x.begin(), x.end(), 1.0f);
    ASSERT_TRUE(chain->bindSmaller("x", x.data(), shape).ok());
    const RequestStatus status = run(*chain);
    ASSERT_TRUE(status.ok()) << status.message;
    EXPECT_EQ(*chain->shapeOf("y"), shape);
    const auto *y = static_cast<const float *>(chain->bound("y", false));
    for (int64_t i = 0; i < countElements(shape); ++i)
      ASSERT_EQ(y[i], x[i] * 2 * static_cast<float>(positionIn(i, shape, {8, 128}))) << i;
  }
  // As large as compiled again.
  ASSERT_TRUE(chain->memory("x", true).ok());
  ASSERT_TRUE(run(*chain).ok());
  EXPECT_EQ(*chain->shapeOf("y"), (std::vector<int64_t>{8, 128}));
}

// phases is y = x / sum(x): the ones behind x count, and y keeps its size.
TEST_F(PaddingTest, FillsTheRest) {
  auto phases = request("phases");
  const std::vector<float> x = {5, 6};
  ASSERT_TRUE(phases->bindSmaller("x", x.data(), std::vector<int64_t>{1, 2}).ok());
  ASSERT_TRUE(run(*phases).ok());
  EXPECT_EQ(*phases->shapeOf("y"), (std::vector<int64_t>{8, 128}));
  const auto *y = static_cast<const float *>(phases->bound("y", false));
  EXPECT_FLOAT_EQ(y[0], 5.0f / 1033);
  EXPECT_FLOAT_EQ(y[1], 6.0f / 1033);
  EXPECT_FLOAT_EQ(y[1023], 1.0f / 1033);
}

TEST_F(PaddingTest, RefusesWhatDoesNotFit) {
  auto chain = request("chain");
  const float x[9] = {};
  for (const std::vector<int64_t> &shape : {std::vector<int64_t>{9, 1}, {1}, {1, 1, 1}, {-1, 1}})
    EXPECT_NE(chain->bindSmaller("x", x, shape)
                  .message()
                  .find("input 'x' takes shape 8x128 and smaller ones, "),
              std::string::npos);
  EXPECT_EQ(chain->bindSmaller("x", nullptr, std::vector<int64_t>{1, 1}).message(),
            "input 'x' is bound to no memory");
  EXPECT_FALSE(chain->bindSmaller("z", x, std::vector<int64_t>{1, 1}).ok());
  EXPECT_NE(run(*chain).message.find("input 'x' is not bound"), std::string::npos);
}

// An exact entry goes first; else the smallest that all inputs fit into.
TEST(ChooseEntry, TakesTheNearest) {
  Problem problem;
  problem.tenants = {{"t", 0, 0, 0, "guarded"}};
  const auto add = [&](const char *name, std::vector<int64_t> x, int64_t rows) {
    Entry entry;
    entry.name = name;
    entry.inputs = {{"x", "u8", x, x[0] * x[1]}, {"n", "u8", {rows}, rows}};
    entry.inputs[0].pad.emplace(1);
    problem.entries.push_back(entry);
  };
  add("large", {16, 16}, 2);
  add("wide", {1, 40}, 2);
  add("small", {4, 8}, 2);
  add("other", {4, 8}, 3);
  const auto choose = [&](std::vector<int64_t> x, std::vector<int64_t> n) {
    const std::vector<GivenShape> given = {{"x", x}, {"n", n}};
    const auto chosen = chooseEntry(problem, 0, given);
    return chosen.ok() ? problem.entries[*chosen].name : chosen.status().message();
  };
  EXPECT_EQ(choose({16, 16}, {2}), "large");
  EXPECT_EQ(choose({4, 8}, {2}), "small");
  EXPECT_EQ(choose({4, 8}, {3}), "other");
  EXPECT_EQ(choose({3, 8}, {2}), "small");
  EXPECT_EQ(choose({1, 9}, {2}), "wide");
  EXPECT_EQ(choose({2, 9}, {2}), "large");
  EXPECT_EQ(choose({1, 40}, {2}), "wide");
  EXPECT_NE(choose({17, 1}, {2}).find("takes an input 'x' of shape 17x1"), std::string::npos);
  EXPECT_NE(choose({5, 1}, {3})
                .find("takes an input 'n' of shape 3; with the other inputs as they "
                      "are there are: large (2)"),
            std::string::npos);
  EXPECT_NE(choose({4, 8}, {1}).find("takes an input 'n' of shape 1"), std::string::npos);
}

// The C API: a padded input says what fills it, and takes a tensor of smaller shape.
TEST_F(PaddingTest, IsInTheCApi) {
  mtrt_error error = {};
  error.size = sizeof error;
  mtrt_program *program = nullptr;
  mtrt_session *session = nullptr;
  mtrt_request *request = nullptr;
  ASSERT_EQ(mtrt_program_open(path_.c_str(), &program, &error), MTRT_OK) << error.message;
  ASSERT_EQ(mtrt_session_create(program, "host", nullptr, &session, &error), MTRT_OK);
  ASSERT_EQ(mtrt_request_create(session, "chain", nullptr, &request, &error), MTRT_OK);
  mtrt_tensor_info info = {};
  info.size = sizeof info;
  ASSERT_EQ(mtrt_program_input(program, 0, 0, 0, &info, &error), MTRT_OK);
  float pad = 0;
  ASSERT_NE(info.pad, nullptr);
  std::memcpy(&pad, info.pad, sizeof pad);
  EXPECT_EQ(pad, 1);
  float x[2] = {3, 4};
  int64_t shape[2] = {2, 1}, got[2] = {};
  DLTensor tensor = {x, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, nullptr, 0}, y = {};
  ASSERT_EQ(mtrt_request_bind(request, "x", &tensor, &error), MTRT_OK) << error.message;
  ASSERT_EQ(mtrt_request_tensor(request, "y", &y, &error), MTRT_OK);
  ASSERT_EQ(mtrt_run(request, &error), MTRT_OK) << error.message;
  ASSERT_EQ(mtrt_request_shape(request, "y", got, 2, &error), MTRT_OK);
  EXPECT_EQ(got[0], 2);
  EXPECT_EQ(got[1], 1);
  EXPECT_EQ(static_cast<float *>(y.data)[1], 4 * 2 * 128);
  shape[0] = 9;
  EXPECT_EQ(mtrt_request_bind(request, "x", &tensor, &error), MTRT_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "tensor 'x': has shape 9x1, expected 8x128 or smaller");
  mtrt_request_destroy(request);
  mtrt_session_destroy(session);
  mtrt_program_close(program);
}

} // namespace
