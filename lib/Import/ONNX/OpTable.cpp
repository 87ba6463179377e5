//===- OpTable.cpp - which handler a node gets ----------------------------===//
#include "NodeContext.h"

#include "llvm/ADT/StringMap.h"

namespace mtc::onnx_import {

using Rows = llvm::StringMap<llvm::SmallVector<const OpRow *, 1>>;

static Rows collectRows() {
  Rows rows;
  for (llvm::ArrayRef<OpRow> family :
       {elementwiseOps(), activationOps(), contractionOps(), poolingOps(), reductionOps(),
        normalizationOps(), shapeOps(), moveOps()})
    for (const OpRow &row : family)
      rows[(llvm::Twine(row.domain) + ":" + row.name).str()].push_back(&row);
  return rows;
}

const OpRow *findOp(llvm::StringRef domain, llvm::StringRef name, int64_t opset) {
  static const Rows rows = collectRows(); // the families' tables are constant
  auto it = rows.find((domain + ":" + name).str());
  const OpRow *best = nullptr;
  if (it != rows.end())
    for (const OpRow *row : it->second)
      if (row->sinceVersion <= opset && (!best || row->sinceVersion > best->sinceVersion))
        best = row;
  return best;
}

} // namespace mtc::onnx_import
