//===- ObjectCache.cpp - compiled kernels on disk -------------------------===//
#include "ObjectCache.h"

#include "mtc/Support/File.h"
#include "mtc/Support/Hash.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

namespace mtc::host {

static constexpr size_t trailerBytes = 32;

static std::string trailer(llvm::StringRef object) {
  Hash hash = hashText(std::string_view(object.data(), object.size()));
  return std::string(hash.bytes.begin(), hash.bytes.end());
}

std::string ObjectCache::pathOf(const std::string &key) const {
  return folder + "/" + key.substr(0, 2) + "/" + key + ".o";
}

std::optional<std::string> ObjectCache::find(const std::string &key) const {
  if (folder.empty())
    return std::nullopt;
  auto file =
      llvm::MemoryBuffer::getFile(pathOf(key), /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file || (*file)->getBufferSize() < trailerBytes)
    return std::nullopt;
  llvm::StringRef content = (*file)->getBuffer();
  llvm::StringRef object = content.drop_back(trailerBytes);
  if (content.take_back(trailerBytes) != trailer(object))
    return std::nullopt;
  return object.str();
}

void ObjectCache::store(const std::string &key, const std::string &object) const {
  if (folder.empty())
    return;
  std::string path = pathOf(key);
  if (llvm::sys::fs::create_directories(llvm::sys::path::parent_path(path)))
    return;
  // The trailer tells what a power cut has left half; a failure costs a compile, no more.
  (void)writeFile(path, object + trailer(object), {.durable = false});
}

std::string canonicalText(mt::KernelOp kernel) {
  auto clone = llvm::cast<mt::KernelOp>(kernel->clone());
  clone.setSymName("k");
  clone.removeVariantsAttr();
  std::string text;
  llvm::raw_string_ostream stream(text);
  clone->print(stream, mlir::OpPrintingFlags().useLocalScope());
  clone->destroy();
  return text;
}

} // namespace mtc::host
