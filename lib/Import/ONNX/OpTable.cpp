//===- OpTable.cpp - which handler a node gets ----------------------------===//
#include "ContribFunctions.h"
#include "NodeContext.h"

#include "mtc/Import/ONNX/Import.h"

#include "llvm/ADT/StringMap.h"

#include <array>

namespace mtc::onnx_import {

static std::array<llvm::ArrayRef<OpRow>, 17> families() {
  return {elementwiseOps(), activationOps(),    contractionOps(), poolingOps(),
          reductionOps(),   normalizationOps(), shapeOps(),       moveOps(),
          attentionOps(),   samplingOps(),      signalOps(),      randomOps(),
          trainingOps(),    textOps(),          compactOps(),     mlOps(),
          microsoftOps()};
}

using Rows = llvm::StringMap<llvm::SmallVector<const OpRow *, 1>>;

static Rows collectRows() {
  Rows rows;
  for (llvm::ArrayRef<OpRow> family : families())
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

std::string mtc::operatorTable() {
  using mtc::onnx_import::OpRow;
  std::vector<const OpRow *> rows;
  for (llvm::ArrayRef<OpRow> family : mtc::onnx_import::families())
    for (const OpRow &row : family)
      rows.push_back(&row);
  std::sort(rows.begin(), rows.end(), [](const OpRow *a, const OpRow *b) {
    return std::tuple(llvm::StringRef(a->domain), llvm::StringRef(a->name), a->sinceVersion) <
           std::tuple(llvm::StringRef(b->domain), llvm::StringRef(b->name), b->sinceVersion);
  });
  std::string text = "| operator | since | types | notes |\n|---|---|---|---|\n";
  for (const OpRow *row : rows) {
    std::string domain = *row->domain ? std::string(row->domain) + "::" : std::string();
    text += "| " + domain + row->name + " | " + std::to_string(row->sinceVersion) + " | " +
            row->types + " | " + row->notes + " |\n";
  }
  return text +
         "\nOperators of onnxruntime that are replaced by standard ones:\n\n"
         "| operator | notes |\n|---|---|\n" +
         mtc::onnx_import::contribTable();
}
