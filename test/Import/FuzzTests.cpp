//===- FuzzTests.cpp - damaged models, many and quickly -------------------===//
//
// Small models of this folder with bytes changed, cut, doubled and mixed, and with numbers and
// names of their messages replaced: each is imported (and the IR verified) or refused, in a process
// that may neither crash, nor hang, nor take more than 3 GiB of addresses. Seeds are fixed; a
// failure leaves its model in the working folder.
//
//===----------------------------------------------------------------------===//
#include "ImportTest.h"

#include "mlir/IR/Verifier.h"

#include <google/protobuf/text_format.h>

#include <csignal>
#include <random>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

namespace mtc::onnx_import {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::vector<onnx::ModelProto> loadModels() {
  std::vector<std::string> paths;
  for (const auto &file : std::filesystem::directory_iterator(MTC_SOURCE_DIR "/test/Import"))
    // Those of the errors are refused whatever is changed.
    if (file.path().extension() == ".textproto" &&
        file.path().string().find("errors") == std::string::npos &&
        file.path().string().find("misfits") == std::string::npos)
      paths.push_back(file.path());
  std::sort(paths.begin(), paths.end());
  std::vector<onnx::ModelProto> models;
  for (const std::string &path : paths) {
    std::ifstream file(path);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    onnx::ModelProto &model = models.emplace_back();
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &model)) << path;
  }
  return models;
}

class Mutator {
  size_t below(size_t n) { return n ? random() % n : 0; }
  template <typename List> auto &pick(List &list) { return list[below(std::size(list))]; }

public:
  Mutator(const std::vector<onnx::ModelProto> &models, unsigned seed)
      : models(models), random(seed) {}

  std::string mutate() {
    onnx::ModelProto model = pick(models);
    const int changes = 1 + below(3);
    const bool structured = below(2) == 0;
    if (structured)
      for (int i = 0; i < changes; ++i)
        changeField(model);
    std::string bytes = model.SerializeAsString();
    if (!structured)
      for (int i = 0; i < changes && !bytes.empty(); ++i)
        changeBytes(bytes);
    return bytes;
  }

private:
  int64_t number() {
    static constexpr int64_t numbers[] = {0,
                                          1,
                                          -1,
                                          2,
                                          3,
                                          7,
                                          16,
                                          255,
                                          65536,
                                          INT32_MAX,
                                          INT32_MIN,
                                          int64_t(1) << 32,
                                          int64_t(1) << 40,
                                          int64_t(1) << 62,
                                          INT64_MAX,
                                          INT64_MIN};
    return below(4) ? pick(numbers) : int64_t(random());
  }

  void changeBytes(std::string &bytes) {
    const size_t at = below(bytes.size());
    const size_t length = std::min(bytes.size() - at, 1 + below(24));
    switch (below(7)) {
    case 0:
      bytes[at] ^= char(1 << below(8));
      break;
    case 1:
      bytes[at] = char(random());
      break;
    case 2:
      bytes.erase(at, length);
      break;
    case 3:
      bytes.insert(below(bytes.size()), bytes.substr(at, length));
      break;
    case 4:
      bytes.insert(at, below(2) ? std::string(9, '\xff') + '\x01' : std::string(length, '\0'));
      break;
    case 5: {
      const std::string other = pick(models).SerializeAsString();
      const size_t from = below(other.size());
      bytes.insert(at, other.substr(from, 1 + below(64)));
      break;
    }
    default:
      bytes.resize(at);
    }
  }

  /// All fields of numbers and strings below `message`.
  void collect(Message &message,
               std::vector<std::pair<Message *, const FieldDescriptor *>> &found) {
    std::vector<const FieldDescriptor *> fields;
    message.GetReflection()->ListFields(message, &fields);
    for (const FieldDescriptor *field : fields) {
      if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
        found.emplace_back(&message, field);
        continue;
      }
      const auto *reflection = message.GetReflection();
      if (!field->is_repeated())
        collect(*reflection->MutableMessage(&message, field), found);
      else
        for (int i = 0; i < reflection->FieldSize(message, field); ++i)
          collect(*reflection->MutableRepeatedMessage(&message, field, i), found);
    }
  }

  void changeField(onnx::ModelProto &model) {
    std::vector<std::pair<Message *, const FieldDescriptor *>> fields;
    collect(model, fields);
    if (fields.empty())
      return;
    auto [message, field] = pick(fields);
    const auto *reflection = message->GetReflection();
    const bool repeated = field->is_repeated();
    const int size = repeated ? reflection->FieldSize(*message, field) : 0;
    if (below(6) == 0)
      return reflection->ClearField(message, field);
    if (repeated && below(4) == 0)
      return reflection->RemoveLast(message, field);
    const int at = repeated ? int(below(size)) : 0;
    switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT64:
      repeated ? reflection->SetRepeatedInt64(message, field, at, number())
               : reflection->SetInt64(message, field, number());
      break;
    case FieldDescriptor::CPPTYPE_INT32:
      repeated ? reflection->SetRepeatedInt32(message, field, at, int32_t(number()))
               : reflection->SetInt32(message, field, int32_t(number()));
      break;
    case FieldDescriptor::CPPTYPE_FLOAT: {
      const float values[] = {0, -1, 1e30f, -1e-30f, INFINITY, NAN, 3, 0.5f};
      repeated ? reflection->SetRepeatedFloat(message, field, at, pick(values))
               : reflection->SetFloat(message, field, pick(values));
      break;
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      repeated ? reflection->SetRepeatedEnumValue(message, field, at, int(below(24)))
               : reflection->SetEnumValue(message, field, int(below(24)));
      break;
    case FieldDescriptor::CPPTYPE_STRING: {
      // Another string of the model: operators, names and data change places.
      std::vector<std::pair<Message *, const FieldDescriptor *>> others;
      for (auto &other : fields)
        if (other.second->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
            !other.second->is_repeated())
          others.push_back(other);
      std::string text;
      if (!others.empty() && below(4)) {
        auto [from, which] = pick(others);
        text = from->GetReflection()->GetString(*from, which);
      }
      repeated ? reflection->SetRepeatedString(message, field, at, text)
               : reflection->SetString(message, field, text);
      break;
    }
    default:
      break;
    }
  }

  const std::vector<onnx::ModelProto> &models;
  std::mt19937_64 random;
};

class Fuzz : public ImportTest {
protected:
  /// "" or what is wrong with how the mutation was taken.
  std::string tryOne(const std::vector<onnx::ModelProto> &models, unsigned seed, bool &imported) {
    Status status = importBytes(Mutator(models, seed).mutate());
    std::string wrong;
    if (!status.ok() && status.code() != ErrorCode::InvalidInput &&
        status.code() != ErrorCode::Unsupported)
      wrong = status.message();
    if (status.ok() && failed(mlir::verify(*module)))
      wrong = "the IR does not verify";
    if (!status.ok() && !isEmpty())
      wrong = "an error leaves IR behind: " + status.message();
    program.getBody().front().clear();
    imported = status.ok();
    return wrong;
  }
};

/// Mutations [0, count), in processes of their own that go on behind one that dies.
TEST_F(Fuzz, Mutations) {
  constexpr unsigned count = 2000;
  const std::vector<onnx::ModelProto> models = loadModels();
  ASSERT_GT(models.size(), 10u);
  auto *shared = static_cast<volatile unsigned *>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  volatile unsigned &current = shared[0], &imported = shared[1], &wrong = shared[2];
  unsigned deaths = 0;
  for (unsigned next = 0; next < count && deaths < 10;) {
    current = next;
    const pid_t child = ::fork();
    if (child == 0) {
      const rlimit none = {0, 0};
      ::setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
      const rlimit memory = {rlim_t(3) << 30, rlim_t(3) << 30}; // libLLVM alone maps 500 MB
      ::setrlimit(RLIMIT_AS, &memory);
#endif
      for (; current < count && current < next + 400; current = current + 1) {
        const itimerval time = {{0, 0}, {10, 0}}; // of the CPU
        ::setitimer(ITIMER_PROF, &time, nullptr);
        bool taken = false;
        const std::string text = tryOne(models, current, taken);
        imported = imported + taken;
        if (text.empty())
          continue;
        wrong = wrong + 1;
        fprintf(stderr, "mutation %u: %s\n", current, text.c_str());
      }
      ::_exit(0);
    }
    int state = 0;
    ASSERT_EQ(::waitpid(child, &state, 0), child);
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0) {
      next = current;
      continue;
    }
    ++deaths;
    std::ofstream("mutation-" + std::to_string(current) + ".onnx", std::ios::binary)
        << Mutator(models, current).mutate();
    ADD_FAILURE() << "mutation " << current << " ends the process: "
                  << (WIFSIGNALED(state) ? ::strsignal(WTERMSIG(state)) : "exit");
    next = current + 1;
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(imported, count / 40) << "too few mutations reach the end: the test proves little";
  ::munmap(const_cast<unsigned *>(shared), 4096);
}

} // namespace
} // namespace mtc::onnx_import
