//===- MigProfiles.cpp - instances that a GPU can be split into -----------===//
//
// What `nvidia-smi mig -lgip` lists on an H100 80 GB and an A100 80 GB (profiles without media
// engines); of an H200 the SMs of the H100 and the fractions of 141 GB that
// https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html says. An L4
// has none.
//
//===----------------------------------------------------------------------===//
#include "mtc/Support/MigProfiles.h"

namespace mtc {

static constexpr MigProfile profiles[] = {
    {"h200", 1, 16, 16'800},  {"h200", 2, 32, 33'600},   {"h200", 3, 60, 67'200},
    {"h200", 4, 64, 67'200},  {"h200", 7, 132, 134'400}, {"h100", 1, 16, 9'984},
    {"h100", 2, 32, 20'090},  {"h100", 3, 60, 40'448},   {"h100", 4, 64, 40'448},
    {"h100", 7, 132, 81'152}, {"a100", 1, 14, 9'728},    {"a100", 2, 28, 19'968},
    {"a100", 3, 42, 40'192},  {"a100", 4, 56, 40'192},   {"a100", 7, 98, 80'640},
};

std::span<const MigProfile> migProfiles() { return profiles; }

} // namespace mtc
