//===- FileFixture.h - a folder for each case -----------------------------===//
#pragma once

#include "mtc/Support/File.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

namespace mtc {
namespace fs = std::filesystem;

/// Each case has an empty folder of its own.
class File : public ::testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "mtc-file-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string path(const std::string &name) const { return folder + "/" + name; }
  size_t fileCount() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder), {}));
  }
  std::string content(const std::string &name) const {
    StatusOr<std::string> text = readTextFile(path(name));
    return text.ok() ? *text : text.status().message();
  }

  std::string folder;
};

inline std::span<const uint8_t> bytesOf(std::string_view text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

} // namespace mtc
