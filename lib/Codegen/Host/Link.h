//===- Link.h - objects to one shared object ------------------------------===//
#pragma once

#include "mtc/Support/Status.h"

#include <cstdint>
#include <string>
#include <vector>

namespace mtc::host {

/// Links relocatable objects into a shared object without dependencies, with LLD in a contained
/// process. The bytes depend on the objects and their order only. Fails if a symbol is undefined or
/// defined twice; the linker's message is part of the error.
StatusOr<std::vector<uint8_t>> linkObjects(const std::vector<std::string> &objects);

} // namespace mtc::host
