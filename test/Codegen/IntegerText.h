//===- IntegerText.h - products of integers as text, for tests ------------===//
#pragma once

#include "KernelText.h"

namespace mtc::host::test {

/// How the two sides are extended to i32.
struct Signs {
  bool a, b;
};
inline constexpr Signs mixed[] = {{false, true}, {true, false}};
inline constexpr Signs all[] = {{false, true}, {true, false}, {false, false}, {true, true}};

inline std::string extend(const char *result, const char *value, const std::string &type,
                          bool isSigned) {
  return std::string(result) + " = arith.ext" + (isSigned ? "si " : "ui ") + value + " : " + type +
         " to i32\n";
}

inline std::string productBody(Signs signs, const std::string &type) {
  if (type == "i32")
    return "^bb0(%a: i32, %b: i32, %o: i32):\n%p = arith.muli %a, %b : i32\n"
           "%s = arith.addi %o, %p : i32\nlinalg.yield %s : i32\n";
  return "^bb0(%a: " + type + ", %b: " + type + ", %o: i32):\n" +
         extend("%x1", "%a", type, signs.a) + extend("%x2", "%b", type, signs.b) +
         "%p = arith.muli %x1, %x2 : i32\n%s = arith.addi %o, %p : i32\nlinalg.yield %s : i32\n";
}

/// A kernel that begins with `head`; %c is the contraction's result.
inline std::string kernel(const std::string &arguments, const std::string &out,
                          const std::string &head) {
  return "mt.kernel @k kind(contraction) (" + arguments + ") -> " + out +
         " {\n%z = arith.constant 0 : i32\n%z8 = arith.constant 0 : i8\n%e = tensor.empty() : " +
         out + "\n%f = linalg.fill ins(%z : i32) outs(%e : " + out + ") -> " + out + "\n" + head +
         "mt.yield %c : " + out + "\n}";
}

/// Random bytes, a third of them 0, 127, 128 or 255.
inline void fillBytes(Buffer &buffer, unsigned seed) {
  std::mt19937 random(seed);
  constexpr uint8_t extreme[] = {0, 127, 128, 255};
  for (size_t i = 0; i < buffer.size(); ++i)
    buffer.as<uint8_t>()[i] = random() % 3 ? uint8_t(random()) : extreme[random() % 4];
}

} // namespace mtc::host::test
