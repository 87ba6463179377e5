//===- Evaluate.cpp - the bytes of weights --------------------------------===//
#include "mtc/Dialect/MT/Evaluation/Evaluate.h"

#include "Expression.h"
#include "TensorProto.h"
#include "mtc/Support/File.h"
#include "mtc/Support/Hash.h"

#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace mtc::mt {

int64_t elementBytes(Type elementType) {
  return elementType.isIndex() ? 8 : llvm::divideCeil(elementType.getIntOrFloatBitWidth(), 8);
}

int64_t tensorBytes(RankedTensorType type) {
  return type.getNumElements() * elementBytes(type.getElementType());
}

std::string hashOf(RankedTensorType type, ArrayRef<uint8_t> bytes) {
  std::string typeText;
  llvm::raw_string_ostream(typeText) << type;
  return Hasher().update(typeText).update({bytes.data(), bytes.size()}).finish().hex();
}

/// The mapped files, by path.
struct Evaluation::Files {
  llvm::StringMap<std::shared_ptr<MappedFile>> mapped;

  StatusOr<std::shared_ptr<MappedFile>> open(StringRef path) {
    std::shared_ptr<MappedFile> &file = mapped[path];
    if (!file) {
      MTC_ASSIGN_OR_RETURN(MappedFile opened, MappedFile::open(path.str()));
      file = std::make_shared<MappedFile>(std::move(opened));
    }
    return file;
  }
};

Evaluation::Evaluation(ProgramOp program) : files_(std::make_unique<Files>()) {
  for (WeightOp weight : program.getBody().getOps<WeightOp>())
    weights_[weight.getSymName()] = weight;
  for (auto &entry : weights_)
    if (ArrayAttr sources = entry.second.getSourcesAttr())
      for (auto source : sources.getAsRange<FlatSymbolRefAttr>())
        ++pendingUses_[weights_.lookup(source.getValue())];
}

Evaluation::~Evaluation() = default;

/// Bytes of a weight that needs no other.
StatusOr<TensorBytes> Evaluation::read(WeightOp weight) {
  RankedTensorType type = weight.getTensorType();
  if (auto value = weight.getValueAttr())
    return constantBytes(value);
  MTC_ASSIGN_OR_RETURN(std::shared_ptr<MappedFile> file, files_->open(*weight.getFile()));
  ArrayRef<uint8_t> bytes(file->bytes().data(), file->bytes().size());
  uint64_t offset = *weight.getOffset();
  uint64_t length = weight.getLength() ? *weight.getLength() : tensorBytes(type);
  if (offset > bytes.size() || length > bytes.size() - offset)
    return invalidInput(weight.getFile()->str() + ": wanted " + std::to_string(length) +
                        " bytes at " + std::to_string(offset) + ", the file has " +
                        std::to_string(bytes.size()));
  bytes = bytes.slice(offset, length);
  if (weight.getProto()) {
    MTC_ASSIGN_OR_RETURN(std::vector<uint8_t> decoded, decodeTensorProto(bytes, type));
    auto owner = std::make_shared<std::vector<uint8_t>>(std::move(decoded));
    return TensorBytes{type, *owner, owner};
  }
  if (static_cast<int64_t>(length) != tensorBytes(type))
    return invalidInput("has " + std::to_string(length) + " bytes, its type wants " +
                        std::to_string(tensorBytes(type)));
  TensorBytes mapped{type, bytes, file};
  // Only aligned bytes may be read as numbers.
  bool aligned =
      reinterpret_cast<uintptr_t>(bytes.data()) % elementBytes(type.getElementType()) == 0;
  return aligned ? mapped : NewTensor::copyOf(mapped).freeze();
}

/// Bytes of a derived weight whose sources are read or kept.
StatusOr<TensorBytes> Evaluation::derive(WeightOp weight) {
  SmallVector<TensorBytes> arguments;
  for (auto name : weight.getSourcesAttr().getAsRange<FlatSymbolRefAttr>()) {
    WeightOp source = weights_.lookup(name.getValue());
    if (auto kept = kept_.find(source); kept != kept_.end()) {
      arguments.push_back(kept->second);
      continue;
    }
    StatusOr<TensorBytes> bytes = read(source);
    if (!bytes.ok())
      return bytes.status().withContext("weight '" + source.getSymName().str() + "'");
    arguments.push_back(*bytes);
  }
  return evaluateExpression(weight.getBody(), arguments);
}

StatusOr<TensorBytes> Evaluation::bytesOf(WeightOp weight) {
  // Depth first over the sources with an explicit stack; expressions are acyclic (the verifier's
  // C4).
  SmallVector<std::pair<WeightOp, bool>> stack = {{weight, false}};
  TensorBytes last;
  while (!stack.empty()) {
    auto [current, sourcesDone] = stack.pop_back_val();
    if (auto kept = kept_.find(current); kept != kept_.end()) {
      last = kept->second;
      continue;
    }
    ArrayAttr sources = current.getSourcesAttr();
    if (sources && !sourcesDone) {
      stack.push_back({current, true});
      for (auto name : sources.getAsRange<FlatSymbolRefAttr>())
        if (WeightOp source = weights_.lookup(name.getValue()); source.getSources())
          stack.push_back({source, false});
      continue;
    }
    StatusOr<TensorBytes> bytes = sources ? derive(current) : read(current);
    if (!bytes.ok())
      return bytes.status().withContext("weight '" + current.getSymName().str() + "'");
    last = *bytes;
    if (sources)
      keepWhileNeeded(current, last);
  }
  for (auto &entry : llvm::make_early_inc_range(kept_))
    if (pendingUses_.lookup(entry.first) == 0)
      kept_.erase(entry.first);
  return last;
}

void Evaluation::keepWhileNeeded(WeightOp weight, const TensorBytes &bytes) {
  kept_[weight] = bytes;
  if (!evaluated_.insert(weight).second)
    return;
  for (auto name : weight.getSourcesAttr().getAsRange<FlatSymbolRefAttr>()) {
    WeightOp source = weights_.lookup(name.getValue());
    if (--pendingUses_[source] == 0)
      kept_.erase(source);
  }
}

} // namespace mtc::mt
