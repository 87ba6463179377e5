//===- CApiTest.cpp - mtrt.h and mtrt.hpp as applications use them --------===//
#include "SampleContents.h"
#include "mtc/Bundle/Writer.h"
#include "mtc/Runtime/mtrt.h"
#include "mtc/Runtime/mtrt.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <unistd.h>

namespace {

constexpr int64_t kElements = mtc::test::kElements;

class CApiTest : public testing::Test {
protected:
  void SetUp() override {
    error_.size = sizeof(error_);
    path_ =
        std::filesystem::temp_directory_path() / ("mtc-capi-" + std::to_string(getpid()) + ".mtb");
    ASSERT_TRUE(mtc::writeBundle(path_, mtc::test::sampleContents(2)).ok());
    ASSERT_EQ(mtrt_program_open(path_.c_str(), &program_, &error_), MTRT_OK) << error_.message;
    ASSERT_EQ(mtrt_session_create(program_, "host", nullptr, &session_, &error_), MTRT_OK)
        << error_.message;
  }
  void TearDown() override {
    mtrt_session_destroy(session_);
    mtrt_program_close(program_);
    std::filesystem::remove(path_);
  }
  mtrt_request *request(const char *tenant) {
    mtrt_request *made = nullptr;
    EXPECT_EQ(mtrt_request_create(session_, tenant, nullptr, &made, &error_), MTRT_OK)
        << error_.message;
    return made;
  }
  /// A tensor of the sample's x or y over `data`.
  static DLTensor tensor(void *data) {
    static int64_t shape[] = {8, 128};
    return {data, {kDLCPU, 0}, 2, {kDLFloat, 32, 1}, shape, nullptr, 0};
  }
  /// The message of a call that fails with `status`.
  template <typename Call> std::string fails(mtrt_status status, Call call) {
    std::strcpy(error_.message, "untouched");
    EXPECT_EQ(call(&error_), status) << error_.message;
    return error_.message;
  }

  std::filesystem::path path_;
  mtrt_error error_ = {};
  mtrt_program *program_ = nullptr;
  mtrt_session *session_ = nullptr;
};

// What a bundle holds can be asked: tenants, entries, tensors with DLPack types.
TEST_F(CApiTest, DescribesPrograms) {
  ASSERT_EQ(mtrt_program_tenants(program_), 5);
  mtrt_tenant_info tenant = {};
  tenant.size = sizeof(tenant);
  ASSERT_EQ(mtrt_program_tenant(program_, 2, &tenant, &error_), MTRT_OK);
  EXPECT_STREQ(tenant.name, "phases");
  EXPECT_EQ(tenant.entries, 1);
  EXPECT_EQ(tenant.inputs, 1);
  EXPECT_EQ(tenant.outputs, 2);
  const char *entry = nullptr;
  ASSERT_EQ(mtrt_program_entry(program_, 2, 0, &entry, &error_), MTRT_OK);
  EXPECT_STREQ(entry, "n1");
  mtrt_tensor_info info = {};
  info.size = sizeof(info);
  ASSERT_EQ(mtrt_program_input(program_, 2, 0, 0, &info, &error_), MTRT_OK);
  EXPECT_STREQ(info.name, "x");
  EXPECT_STREQ(info.element_type, "f32");
  EXPECT_EQ(info.dtype.code, kDLFloat);
  EXPECT_EQ(info.dtype.bits, 32);
  ASSERT_EQ(info.ndim, 2);
  EXPECT_EQ(info.shape[1], 128);
  EXPECT_EQ(info.bytes, 4096);
  ASSERT_EQ(mtrt_program_output(program_, 2, 0, 1, &info, &error_), MTRT_OK);
  EXPECT_STREQ(info.name, "value:sums");
  EXPECT_EQ(mtrt_program_verify(program_, &error_), MTRT_OK);
  EXPECT_EQ(fails(MTRT_INVALID_ARGUMENT,
                  [&](mtrt_error *e) { return mtrt_program_tenant(program_, 5, &tenant, e); }),
            "tenant 5 of 5 does not exist");
  EXPECT_EQ(fails(MTRT_INVALID_ARGUMENT,
                  [&](mtrt_error *e) { return mtrt_program_input(program_, 0, 0, 1, &info, e); }),
            "tensor 1 of 1 does not exist");
  EXPECT_EQ(fails(MTRT_INVALID_ARGUMENT,
                  [&](mtrt_error *e) { return mtrt_program_entry(program_, 0, 1, &entry, e); }),
            "entry 1 of 1 does not exist");
}

// An entry is chosen by the shapes at hand; where none fits, the message says what there is.
TEST_F(CApiTest, ChoosesEntries) {
  mtrt_tensor_info info = {};
  info.size = sizeof(info);
  ASSERT_EQ(mtrt_program_input(program_, 2, 0, 0, &info, &error_), MTRT_OK);
  const mtrt_input_shape fits = {"x", info.shape, info.ndim};
  int32_t index = -1;
  const char *name = nullptr;
  ASSERT_EQ(mtrt_program_choose_entry(program_, 2, &fits, 1, &index, &name, &error_), MTRT_OK);
  EXPECT_EQ(index, 0);
  EXPECT_STREQ(name, "n1");
  EXPECT_EQ(mtrt_program_choose_entry(program_, 2, nullptr, 0, nullptr, nullptr, &error_), MTRT_OK);
  const int64_t dims[] = {3, 5};
  const auto choose = [&](mtrt_input_shape shape) {
    return fails(MTRT_INVALID_ARGUMENT, [&](mtrt_error *e) {
      return mtrt_program_choose_entry(program_, 2, &shape, 1, &index, &name, e);
    });
  };
  EXPECT_EQ(choose({"x", dims, 2}), "no entry of tenant 'phases' takes an input 'x' of shape 3x5; "
                                    "there are: n1 (8x128)");
  EXPECT_EQ(choose({"z", dims, 2}), "unknown input 'z' of tenant 'phases'; known: x");
  EXPECT_EQ(fails(MTRT_INVALID_ARGUMENT,
                  [&](mtrt_error *e) {
                    return mtrt_program_choose_entry(program_, 2, nullptr, 1, &index, &name, e);
                  }),
            "shapes is null");
}

// Structs of an older or forgetful caller: what lies beyond its size is not touched, no size is an
// error.
TEST_F(CApiTest, RespectsStructSizes) {
  mtrt_tensor_info info;
  std::memset(&info, 0x55, sizeof(info));
  info.size = offsetof(mtrt_tensor_info, bytes);
  ASSERT_EQ(mtrt_program_input(program_, 0, 0, 0, &info, &error_), MTRT_OK);
  EXPECT_EQ(info.size, offsetof(mtrt_tensor_info, bytes));
  EXPECT_EQ(info.ndim, 2);
  EXPECT_EQ(info.bytes, 0x5555555555555555);
  info.size = 0;
  EXPECT_EQ(fails(MTRT_INVALID_ARGUMENT,
                  [&](mtrt_error *e) { return mtrt_program_input(program_, 0, 0, 0, &info, e); }),
            "the size of a struct is not set");
  // A short error gets a cut message that still ends.
  mtrt_error small = {};
  small.size = offsetof(mtrt_error, message) + 8;
  small.message[8] = 'x';
  EXPECT_EQ(mtrt_program_tenant(program_, -1, nullptr, &small), MTRT_INVALID_ARGUMENT);
  EXPECT_STREQ(small.message, "tenant ");
  EXPECT_EQ(small.message[8], 'x');
  EXPECT_EQ(mtrt_program_tenant(program_, -1, nullptr, nullptr), MTRT_INVALID_ARGUMENT);
}

// Bound memory is used in place; a request runs again and again with new values.
TEST_F(CApiTest, RunsOnBoundMemory) {
  alignas(64) static float x[kElements], y[kElements];
  mtrt_request *chain = request("chain");
  const DLTensor in = tensor(x), out = tensor(y);
  ASSERT_EQ(mtrt_request_bind(chain, "x", &in, &error_), MTRT_OK) << error_.message;
  ASSERT_EQ(mtrt_request_bind(chain, "y", &out, &error_), MTRT_OK) << error_.message;
  for (int round = 1; round < 4; ++round) {
    std::fill(x, x + kElements, static_cast<float>(round));
    ASSERT_EQ(mtrt_run(chain, &error_), MTRT_OK) << error_.message;
    EXPECT_EQ(y[100], 200.0f * static_cast<float>(round));
  }
  mtrt_timing timing = {};
  timing.size = sizeof(timing);
  ASSERT_EQ(mtrt_request_timing(chain, &timing, &error_), MTRT_OK);
  EXPECT_LE(timing.submitted_ns, timing.started_ns);
  EXPECT_LT(timing.started_ns, timing.finished_ns);
  DLTensor bound = {};
  ASSERT_EQ(mtrt_request_tensor(chain, "y", &bound, &error_), MTRT_OK);
  EXPECT_EQ(bound.data, y);
  int64_t shape[2] = {};
  ASSERT_EQ(mtrt_request_shape(chain, "y", shape, 2, &error_), MTRT_OK);
  EXPECT_EQ(shape[0] * shape[1], kElements);
  EXPECT_EQ(fails(MTRT_INVALID_ARGUMENT,
                  [&](mtrt_error *e) { return mtrt_request_shape(chain, "y", shape, 1, e); }),
            "output 'y' has 2 dimensions, there is room for 1");
  mtrt_statistics statistics = {};
  statistics.size = sizeof(statistics);
  ASSERT_EQ(mtrt_session_statistics(session_, &statistics, &error_), MTRT_OK);
  EXPECT_EQ(statistics.completed, 3u);
  EXPECT_GE(statistics.workers, 1);
  mtrt_request_destroy(chain);
}

// A tensor that does not fit is an error that says how, never a copy.
TEST_F(CApiTest, RefusesTensorsThatDoNotFit) {
  alignas(64) static float data[2 * kElements];
  mtrt_request *chain = request("chain");
  const auto bind = [&](const char *name, DLTensor t) {
    return fails(MTRT_INVALID_ARGUMENT,
                 [&](mtrt_error *e) { return mtrt_request_bind(chain, name, &t, e); });
  };
  EXPECT_EQ(bind("z", tensor(data)), "unknown input or output 'z' of tenant 'chain'; known: x, y");
  DLTensor bad = tensor(data + 1);
  EXPECT_EQ(bind("x", bad), "input 'x' is bound to an address that is not 64-byte aligned");
  bad = tensor(data);
  bad.byte_offset = 32;
  EXPECT_EQ(bind("x", bad), "input 'x' is bound to an address that is not 64-byte aligned");
  EXPECT_EQ(bind("x", tensor(nullptr)), "input 'x' is bound to no memory");
  int64_t strides[] = {256, 1};
  bad = tensor(data);
  bad.strides = strides;
  EXPECT_EQ(bind("x", bad), "tensor 'x': has stride 256 in dimension 0, expected 128 (row-major)");
  strides[0] = 128;
  EXPECT_EQ(mtrt_request_bind(chain, "x", &bad, &error_), MTRT_OK) << error_.message;
  int64_t shape[] = {128, 8};
  bad = tensor(data);
  bad.shape = shape;
  EXPECT_EQ(bind("x", bad), "tensor 'x': has 8 in dimension 1, expected 128");
  bad.ndim = 3;
  EXPECT_EQ(bind("x", bad), "tensor 'x': has 3 dimensions, expected 2");
  bad = tensor(data);
  bad.dtype.bits = 64;
  EXPECT_EQ(bind("x", bad), "tensor 'x': has DLPack type {2, 64, 1}, expected f32 {2, 32, 1}");
  bad = tensor(data);
  bad.device.device_type = kDLCUDA;
  EXPECT_EQ(bind("x", bad), "input 'x' is bound to memory of a device in a session of a host");
  EXPECT_EQ(fails(MTRT_INVALID_ARGUMENT, [&](mtrt_error *e) { return mtrt_run(chain, e); }),
            "tenant 'chain': output 'y' is not bound");
  mtrt_request_destroy(chain);
}

// A round of requests calls back once for each; one with a failing kernel fails alone.
TEST_F(CApiTest, RunsRoundsWithCallbacks) {
  mtrt_request *requests[] = {request("fragile"), request("diamond"), request("phases")};
  for (mtrt_request *r : requests) {
    DLTensor x = {}, ignored = {};
    ASSERT_EQ(mtrt_request_tensor(r, "x", &x, &error_), MTRT_OK);
    std::fill_n(static_cast<float *>(x.data), kElements, 13.0f);
    ASSERT_EQ(mtrt_request_tensor(r, "y", &ignored, &error_), MTRT_OK);
  }
  DLTensor sums = {};
  ASSERT_EQ(mtrt_request_tensor(requests[2], "value:sums", &sums, &error_), MTRT_OK);
  struct Calls {
    std::atomic<int> ok{0}, failed{0};
  } calls;
  const mtrt_done_fn done = [](void *user, mtrt_request *, mtrt_status status) {
    ++(status == MTRT_OK ? static_cast<Calls *>(user)->ok : static_cast<Calls *>(user)->failed);
  };
  ASSERT_EQ(mtrt_submit_round(requests, 3, 0, done, &calls, &error_), MTRT_OK) << error_.message;
  EXPECT_EQ(mtrt_wait(requests[1], 0, &error_), MTRT_OK);
  EXPECT_EQ(mtrt_wait(requests[2], 0, &error_), MTRT_OK);
  EXPECT_EQ(fails(MTRT_KERNEL_FAILED, [&](mtrt_error *e) { return mtrt_wait(requests[0], 0, e); }),
            "tenant 'fragile': task 0 (fragile) failed with status 7");
  EXPECT_EQ(mtrt_request_status(requests[0], nullptr), MTRT_KERNEL_FAILED);
  EXPECT_EQ(calls.ok, 2);
  EXPECT_EQ(calls.failed, 1);
  for (mtrt_request *r : requests)
    mtrt_request_destroy(r);
}

// Null pointers, unknown devices and options out of range are errors, not crashes.
TEST_F(CApiTest, RefusesBadArguments) {
  mtrt_program *program = nullptr;
  mtrt_session *session = nullptr;
  mtrt_request *made = nullptr;
  EXPECT_EQ(mtrt_program_open(nullptr, &program, nullptr), MTRT_INVALID_ARGUMENT);
  EXPECT_EQ(mtrt_program_open("/no/such.mtb", &program, nullptr), MTRT_INVALID_ARGUMENT);
  EXPECT_EQ(mtrt_program_open(path_.c_str(), nullptr, nullptr), MTRT_INVALID_ARGUMENT);
  EXPECT_EQ(fails(MTRT_DEVICE_UNAVAILABLE,
                  [&](mtrt_error *e) {
                    return mtrt_session_create(program_, "tpu", nullptr, &session, e);
                  }),
            "no device 'tpu'; known: host, cuda, cuda:N");
  mtrt_session_options options = {};
  options.size = sizeof(options);
  options.queue_capacity = -2;
  EXPECT_EQ(mtrt_session_create(program_, "host", &options, &session, nullptr),
            MTRT_INVALID_ARGUMENT);
  EXPECT_EQ(session, nullptr);
  EXPECT_EQ(mtrt_request_create(session_, nullptr, nullptr, &made, nullptr), MTRT_INVALID_ARGUMENT);
  EXPECT_EQ(mtrt_request_create(session_, "chain", "n7", &made, nullptr), MTRT_INVALID_ARGUMENT);
  EXPECT_EQ(mtrt_submit(nullptr, 0, nullptr, nullptr, nullptr), MTRT_INVALID_ARGUMENT);
  EXPECT_EQ(mtrt_submit_round(nullptr, 1, 0, nullptr, nullptr, nullptr), MTRT_INVALID_ARGUMENT);
  EXPECT_EQ(mtrt_wait(nullptr, 0, nullptr), MTRT_INVALID_ARGUMENT);
  mtrt_request_destroy(nullptr);
  mtrt_session_destroy(nullptr);
  mtrt_program_close(nullptr);
  EXPECT_STREQ(mtrt_status_string(MTRT_BUSY), "busy");
  EXPECT_STREQ(mtrt_status_string(static_cast<mtrt_status>(31)), "unknown");
}

// Handles keep what they need: program and session can be closed before the request runs.
TEST_F(CApiTest, HandlesKeepWhatTheyNeed) {
  mtrt_request *phases = request("phases");
  DLTensor x = {}, y = {}, sums = {};
  ASSERT_EQ(mtrt_request_tensor(phases, "x", &x, &error_), MTRT_OK);
  ASSERT_EQ(mtrt_request_tensor(phases, "y", &y, &error_), MTRT_OK);
  ASSERT_EQ(mtrt_request_tensor(phases, "value:sums", &sums, &error_), MTRT_OK);
  std::fill_n(static_cast<float *>(x.data), kElements, 1.0f);
  mtrt_session_destroy(session_);
  mtrt_program_close(program_);
  session_ = nullptr;
  program_ = nullptr;
  ASSERT_EQ(mtrt_run(phases, &error_), MTRT_OK) << error_.message;
  EXPECT_EQ(static_cast<float *>(y.data)[5], 1.0f / kElements);
  mtrt_request_destroy(phases);
}

// The C++ wrapper: handles with destructors, errors as exceptions.
TEST_F(CApiTest, WrapperThrowsAndRuns) {
  const mtrt::Program program(path_);
  EXPECT_EQ(program.tenants(),
            (std::vector<std::string>{"chain", "diamond", "phases", "fragile", "slow"}));
  program.verify();
  const mtrt::Session session(program);
  mtrt::Request a(session, "diamond"), b(session, "chain");
  for (mtrt::Request *r : {&a, &b}) {
    std::fill_n(static_cast<float *>(r->tensor("x").data), kElements, 1.0f);
    (void)r->tensor("y");
  }
  a.run();
  EXPECT_EQ(static_cast<float *>(a.tensor("y").data)[3], 5.0f);
  mtrt::submitRound({&a, &b});
  a.wait();
  b.wait();
  EXPECT_EQ(static_cast<float *>(b.tensor("y").data)[3], 6.0f);
  try {
    mtrt::Request none(session, "nobody");
    FAIL();
  } catch (const mtrt::Error &error) {
    EXPECT_EQ(error.status(), MTRT_INVALID_ARGUMENT);
    EXPECT_STREQ(error.what(),
                 "unknown tenant 'nobody'; known: chain, diamond, phases, fragile, slow");
  }
}

} // namespace
