//===- StartRuntime.h - the mtrt beside mtc -------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <string>
#include <vector>

namespace mtc::tool {

/// Where the mtrt beside this program is. Fails if this program cannot be found.
StatusOr<std::string> runtimePath();

/// What `mtrt ARGUMENTS` writes to stdout; its stderr is this process's.
/// Fails if it cannot be started (Internal) or ends with an error, which keeps its code.
StatusOr<std::string> runRuntime(const std::vector<std::string> &arguments);

} // namespace mtc::tool
