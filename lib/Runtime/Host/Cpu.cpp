//===- Cpu.cpp - CPUID ----------------------------------------------------===//
#include "mtc/Runtime/Cpu.h"

#include "mtc/Support/Cores.h"

#include <algorithm>
#include <cpuid.h>
#include <cstdint>
#include <cstring>

namespace mtc::host {

namespace {
enum Register { A, B, C, D };
/// Register state that the operating system must save before a feature may be used (XCR0).
enum Save : uint32_t { None = 0, Ymm = 0x6, Zmm = 0xe6, Tile = 0x60000 };

struct Feature {
  const char *name; ///< LLVM's
  uint32_t leaf, subleaf;
  Register reg;
  int bit;
  uint32_t save;
};
} // namespace

// LLVM's names: llvm/TargetParser/X86TargetParser.def.
static constexpr Feature kFeatures[] = {
    {"x87", 1, 0, D, 0, None},
    {"cx8", 1, 0, D, 8, None},
    {"cmov", 1, 0, D, 15, None},
    {"mmx", 1, 0, D, 23, None},
    {"fxsr", 1, 0, D, 24, None},
    {"sse", 1, 0, D, 25, None},
    {"sse2", 1, 0, D, 26, None},
    {"sse3", 1, 0, C, 0, None},
    {"pclmul", 1, 0, C, 1, None},
    {"ssse3", 1, 0, C, 9, None},
    {"fma", 1, 0, C, 12, Ymm},
    {"cx16", 1, 0, C, 13, None},
    {"sse4.1", 1, 0, C, 19, None},
    {"sse4.2", 1, 0, C, 20, None},
    {"crc32", 1, 0, C, 20, None},
    {"movbe", 1, 0, C, 22, None},
    {"popcnt", 1, 0, C, 23, None},
    {"aes", 1, 0, C, 25, None},
    {"xsave", 1, 0, C, 26, None},
    {"avx", 1, 0, C, 28, Ymm},
    {"f16c", 1, 0, C, 29, Ymm},
    {"rdrnd", 1, 0, C, 30, None},
    {"fsgsbase", 7, 0, B, 0, None},
    {"bmi", 7, 0, B, 3, None},
    {"avx2", 7, 0, B, 5, Ymm},
    {"bmi2", 7, 0, B, 8, None},
    {"invpcid", 7, 0, B, 10, None},
    {"avx512f", 7, 0, B, 16, Zmm},
    {"avx512dq", 7, 0, B, 17, Zmm},
    {"rdseed", 7, 0, B, 18, None},
    {"adx", 7, 0, B, 19, None},
    {"avx512ifma", 7, 0, B, 21, Zmm},
    {"clflushopt", 7, 0, B, 23, None},
    {"clwb", 7, 0, B, 24, None},
    {"avx512cd", 7, 0, B, 28, Zmm},
    {"sha", 7, 0, B, 29, None},
    {"avx512bw", 7, 0, B, 30, Zmm},
    {"avx512vl", 7, 0, B, 31, Zmm},
    {"avx512vbmi", 7, 0, C, 1, Zmm},
    {"pku", 7, 0, C, 4, None},
    {"waitpkg", 7, 0, C, 5, None},
    {"avx512vbmi2", 7, 0, C, 6, Zmm},
    {"shstk", 7, 0, C, 7, None},
    {"gfni", 7, 0, C, 8, None},
    {"vaes", 7, 0, C, 9, Ymm},
    {"vpclmulqdq", 7, 0, C, 10, Ymm},
    {"avx512vnni", 7, 0, C, 11, Zmm},
    {"avx512bitalg", 7, 0, C, 12, Zmm},
    {"avx512vpopcntdq", 7, 0, C, 14, Zmm},
    {"rdpid", 7, 0, C, 22, None},
    {"movdiri", 7, 0, C, 27, None},
    {"movdir64b", 7, 0, C, 28, None},
    {"avx512vp2intersect", 7, 0, D, 8, Zmm},
    {"serialize", 7, 0, D, 14, None},
    {"amx-bf16", 7, 0, D, 22, Tile},
    {"avx512fp16", 7, 0, D, 23, Zmm},
    {"amx-tile", 7, 0, D, 24, Tile},
    {"amx-int8", 7, 0, D, 25, Tile},
    {"sha512", 7, 1, A, 0, Ymm},
    {"avxvnni", 7, 1, A, 4, Ymm},
    {"avx512bf16", 7, 1, A, 5, Zmm},
    {"avxifma", 7, 1, A, 23, Ymm},
    {"avxvnniint8", 7, 1, D, 4, Ymm},
    {"avxneconvert", 7, 1, D, 5, Ymm},
    {"xsaveopt", 0xd, 1, A, 0, None},
    {"xsavec", 0xd, 1, A, 1, None},
    {"xsaves", 0xd, 1, A, 3, None},
    {"sahf", 0x80000001, 0, C, 0, None},
    {"lzcnt", 0x80000001, 0, C, 5, None},
    {"sse4a", 0x80000001, 0, C, 6, None},
    {"prfchw", 0x80000001, 0, C, 8, None},
    {"xop", 0x80000001, 0, C, 11, Ymm},
    {"fma4", 0x80000001, 0, C, 16, Ymm},
    {"tbm", 0x80000001, 0, C, 21, None},
    {"mwaitx", 0x80000001, 0, C, 29, None},
    {"64bit", 0x80000001, 0, D, 29, None},
    {"clzero", 0x80000008, 0, B, 0, None},
    {"wbnoinvd", 0x80000008, 0, B, 9, None},
};

static uint64_t savedState() {
  uint32_t a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c >> 27 & 1)) // OSXSAVE
    return 0;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

static bool present(const Feature &feature, uint64_t saved) {
  uint32_t r[4];
  if (!__get_cpuid_count(feature.leaf, feature.subleaf, &r[0], &r[1], &r[2], &r[3]))
    return false;
  return (r[feature.reg] >> feature.bit & 1) && (saved & feature.save) == feature.save &&
         (feature.save != Tile || mayUseMatrixTiles());
}

std::vector<std::string> missingFeatures(const std::vector<std::string> &features) {
  const uint64_t saved = savedState();
  std::vector<std::string> missing;
  for (const std::string &name : features) {
    // A tuning flag of LLVM 18 to 22, not an instruction set: 512-bit registers may be used.
    if (name == "evex512")
      continue;
    const Feature *end = std::end(kFeatures);
    const Feature *row =
        std::find_if(std::begin(kFeatures), end, [&](const Feature &f) { return name == f.name; });
    if (row == end || !present(*row, saved))
      missing.push_back(name);
  }
  return missing;
}

std::vector<std::string> presentFeatures() {
  const uint64_t saved = savedState();
  std::vector<std::string> names;
  for (const Feature &feature : kFeatures)
    if (present(feature, saved))
      names.push_back(feature.name);
  std::sort(names.begin(), names.end());
  return names;
}

std::string cpuModel() {
  uint32_t r[4];
  if (!__get_cpuid(0x80000000, &r[0], &r[1], &r[2], &r[3]) || r[0] < 0x80000004)
    return "unknown";
  char brand[49] = {};
  for (uint32_t i = 0; i < 3; ++i) {
    __get_cpuid(0x80000002 + i, &r[0], &r[1], &r[2], &r[3]);
    std::memcpy(brand + 16 * i, r, 16);
  }
  const std::string text(brand);
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "unknown"
                                    : text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

} // namespace mtc::host
