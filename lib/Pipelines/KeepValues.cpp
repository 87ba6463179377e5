//===- KeepValues.cpp - inner values as extra outputs ---------------------===//
//
// To find where an answer goes wrong, one compares values inside the model, so they must survive
// fusion: as results of the entry they do, and the runtime needs nothing new. A value leaves a node
// when an operation of another node uses it; every operation carries its node's name as location.
//
//===----------------------------------------------------------------------===//
#include "KeepValues.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Regex.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace mtc {

static StringRef nodeName(Operation *op) {
  auto name = op->getLoc()->findInstanceOf<NameLoc>();
  return name ? name.getName().getValue() : StringRef();
}

static bool leavesNode(Value value, StringRef node) {
  return llvm::any_of(value.getUsers(), [&](Operation *user) { return nodeName(user) != node; });
}

static std::string typeName(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// The values of one entry to keep, with their names.
static void keepInEntry(mt::EntryOp entry, const llvm::Regex &regex, int64_t &kept) {
  Block &body = entry.getBody().front();
  Operation *terminator = body.getTerminator();
  Builder b(entry.getContext());
  llvm::StringMap<int> uses;
  SmallVector<Value> values;
  SmallVector<DictionaryAttr> attributes;
  for (Operation &op : body.without_terminator()) {
    StringRef node = nodeName(&op);
    if (node.empty() || isa<mt::GetWeightOp>(op) || !regex.match(node))
      continue;
    for (Value result : op.getResults()) {
      auto type = dyn_cast<RankedTensorType>(result.getType());
      if (!type || !leavesNode(result, node))
        continue;
      int use = uses[node]++;
      std::string name = "value:" + node.str() + (use ? ":" + std::to_string(use) : "");
      values.push_back(result);
      attributes.push_back(b.getDictionaryAttr(
          {b.getNamedAttr("mt.name", b.getStringAttr(name)),
           b.getNamedAttr("mt.element_type", b.getStringAttr(typeName(type.getElementType())))}));
    }
  }
  kept += values.size();
  SmallVector<unsigned> positions(values.size(), entry.getNumResults());
  SmallVector<Type> types = llvm::map_to_vector(values, [](Value v) { return v.getType(); });
  if (values.empty())
    return;
  (void)entry.insertResults(positions, types, attributes);
  terminator->insertOperands(terminator->getNumOperands(), values);
}

Status keepValues(mt::ProgramOp program, const std::string &regex) {
  llvm::Regex compiled(regex);
  std::string reason;
  if (!compiled.isValid(reason))
    return invalidInput("--keep-values '" + regex + "': " + reason);
  int64_t kept = 0;
  program->walk([&](mt::EntryOp entry) {
    if (!entry.getIsBody()) // a region's values are gone when it ends
      keepInEntry(entry, compiled, kept);
  });
  return kept ? okStatus() : invalidInput("--keep-values '" + regex + "' matches no node");
}

} // namespace mtc
