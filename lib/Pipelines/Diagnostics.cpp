//===- Diagnostics.cpp - MLIR's diagnostics as a Status -------------------===//
//
// What a pass reports about IR that the importer made is a fault of the compiler, so it is
// internal; the ONNX node's name is what a user can report.
//
//===----------------------------------------------------------------------===//
#include "Diagnostics.h"

#include "mlir/IR/Location.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;

namespace mtc {

DiagnosticText::DiagnosticText(MLIRContext *context)
    : handler_(context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return success();
        if (!text_.empty())
          text_ += "; ";
        if (auto node = diagnostic.getLocation()->findInstanceOf<NameLoc>())
          text_ += "node '" + node.getName().str() + "': ";
        std::string message = diagnostic.str();
        text_ += message.substr(0, message.find('\n'));
        return success();
      }) {}

Status DiagnosticText::toError(const std::string &what) const {
  return internalError(text_.empty() ? what + " failed" : what + ": " + text_);
}

} // namespace mtc
