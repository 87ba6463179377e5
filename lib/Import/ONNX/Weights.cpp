//===- Weights.cpp - the mt.weights of a model ----------------------------===//
//
// The hash is over type, shape and bytes, so that equal hashes are equal weights; a TensorProto
// that is not stored raw is hashed as it is serialized.
//
//===----------------------------------------------------------------------===//
#include "Weights.h"

#include "mtc/Support/Hash.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/Twine.h"

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

std::string typeKey(mlir::RankedTensorType type, bool proto) {
  std::string text;
  llvm::raw_string_ostream(text) << type << (proto ? " proto\n" : "\n");
  return text;
}

/// A name that prints without quotes and is new.
std::string symbolName(const std::string &tenant, const std::string &name,
                       std::set<std::string> &taken) {
  std::string symbol = tenant + ".";
  for (char c : name)
    symbol += llvm::isAlnum(c) || c == '_' || c == '.' || c == '$' || c == '-' ? c : '_';
  std::string unique = symbol;
  for (int i = 1; !taken.insert(unique).second; ++i)
    unique = symbol + "_" + std::to_string(i);
  return unique;
}

} // namespace

mt::WeightOp WeightTable::create(const std::string &name, mlir::RankedTensorType type,
                                 const std::string &hash) {
  if (names.empty())
    for (mlir::Operation &op : program.getBody().front())
      if (auto symbol = mlir::SymbolTable::getSymbolName(&op))
        names.insert(symbol.str());
  // Before the tenants: weights read better first.
  mlir::Block &body = program.getBody().front();
  auto position =
      llvm::find_if(body, [](mlir::Operation &op) { return !mlir::isa<mt::WeightOp>(op); });
  mlir::OpBuilder b(&body, position);
  mlir::OperationState state(b.getUnknownLoc(), mt::WeightOp::getOperationName());
  state.addAttribute("sym_name", b.getStringAttr(symbolName(tenant, name, names)));
  state.addAttribute("type", mlir::TypeAttr::get(type));
  state.addAttribute("hash", b.getStringAttr(hash));
  state.addRegion();
  auto weight = mlir::cast<mt::WeightOp>(b.create(state));
  byHash[hash] = weight;
  weights.push_back(weight);
  return weight;
}

StatusOr<mt::WeightOp> WeightTable::get(const onnx::TensorProto &tensor, const std::string &name) {
  if (auto it = byTensor.find(&tensor); it != byTensor.end())
    return it->second;
  mlir::MLIRContext *context = program.getContext();
  mlir::Type element = elementType(tensor.data_type(), context);
  if (!element)
    return unsupported("tensor '" + name + "' is of type " + onnxTypeName(tensor.data_type()));
  auto type = mlir::RankedTensorType::get(dimsOf(tensor), element);
  if (type.getNumElements() == 0)
    return unsupported("tensor '" + name + "' has no elements");

  const Payload *payload = payloadOf(file, tensor);
  if (payload && storedBits(tensor.data_type(), !payload->proto) < 8)
    type = mlir::RankedTensorType::get(
        static_cast<int64_t>(
            storedBytes(tensor.data_type(), type.getNumElements(), !payload->proto)),
        element);
  int64_t size = type.getNumElements() * element.getIntOrFloatBitWidth() / 8;
  std::vector<uint8_t> buffer;
  std::optional<std::string> inlined;
  std::span<const uint8_t> bytes;
  if (payload) {
    MTC_ASSIGN_OR_RETURN(bytes, payloadBytes(file, *payload, buffer));
  } else if ((inlined = inlineTensorBytes(tensor))) {
    bytes = {reinterpret_cast<const uint8_t *>(inlined->data()), inlined->size()};
  }
  bool proto = payload && payload->proto;
  if (!proto && static_cast<int64_t>(bytes.size()) != size)
    return invalidInput(("tensor '" + name + "' holds " + Twine(bytes.size()) +
                         " bytes, its type and shape need " + Twine(size))
                            .str());
  if (tensor.data_type() == onnx::TensorProto::BOOL && !proto &&
      llvm::any_of(bytes, [](uint8_t byte) { return byte > 1; }))
    return invalidInput("tensor '" + name + "' is of type BOOL but holds other bytes than 0 and 1");

  std::string hash = Hasher().update(typeKey(type, proto)).update(bytes).finish().hex();
  mt::WeightOp &weight = byTensor[&tensor];
  if (auto it = byHash.find(hash); it != byHash.end())
    return weight = it->second;
  weight = create(name, type, hash);
  mlir::Builder b(context);
  if (payload) {
    weight->setAttr("file", b.getStringAttr(payload->file));
    weight->setAttr("offset", b.getI64IntegerAttr(static_cast<int64_t>(payload->offset)));
    if (proto) {
      weight->setAttr("proto", b.getUnitAttr());
      weight->setAttr("length", b.getI64IntegerAttr(static_cast<int64_t>(payload->length)));
    }
  } else {
    llvm::ArrayRef<char> raw(inlined->data(), inlined->size());
    weight->setAttr("value", mlir::DenseElementsAttr::getFromRawBuffer(type, raw));
  }
  return weight;
}

StatusOr<mt::WeightOp> WeightTable::get(mlir::DenseElementsAttr value, const std::string &name) {
  auto type = mlir::cast<mlir::RankedTensorType>(value.getType());
  llvm::ArrayRef<char> raw = value.getRawData();
  std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t *>(raw.data()), raw.size());
  // A splat holds one element; hash what it stands for, or equal contents differ.
  std::vector<uint8_t> whole;
  if (value.isSplat()) {
    for (int64_t i = 0; i < value.getNumElements(); ++i)
      whole.insert(whole.end(), bytes.begin(), bytes.end());
    bytes = whole;
  }
  std::string hash = Hasher().update(typeKey(type, false)).update(bytes).finish().hex();
  if (auto it = byHash.find(hash); it != byHash.end())
    return it->second;
  mt::WeightOp weight = create(name, type, hash);
  weight->setAttr("value", value);
  return weight;
}

void WeightTable::eraseUnused(mt::TenantOp tenant) {
  std::set<mlir::StringRef> used;
  for (mlir::Operation &entry : tenant.getBody().front())
    for (auto load : mlir::cast<mt::EntryOp>(entry).getBody().getOps<mt::GetWeightOp>())
      used.insert(load.getWeight());
  for (mt::WeightOp weight : weights)
    if (!used.count(weight.getSymName()))
      weight->erase();
  weights.clear();
  byHash.clear();
  byTensor.clear();
}

} // namespace mtc::onnx_import
