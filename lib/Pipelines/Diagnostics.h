//===- Diagnostics.h - MLIR's diagnostics as a Status ---------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include "mlir/IR/Diagnostics.h"

#include <string>

namespace mtc {

/// Collects the errors that MLIR reports while it lives; warnings and remarks are dropped.
class DiagnosticText {
public:
  explicit DiagnosticText(mlir::MLIRContext *context);

  /// The errors so far in one line, behind `what`: an internal error.
  Status toError(const std::string &what) const;

private:
  std::string text_;
  mlir::ScopedDiagnosticHandler handler_;
};

} // namespace mtc
