//===- NpyTest.cpp - .npy arrays and element types ------------------------===//
#include "mtc/Support/Npy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <unistd.h>

using namespace mtc;

namespace {

/// An .npy file of version 1 with this header and element bytes.
std::vector<uint8_t> npy(std::string header, size_t elementBytes, uint8_t version = 1) {
  std::vector<uint8_t> bytes = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0};
  bytes.push_back(static_cast<uint8_t>(header.size() & 255));
  bytes.push_back(static_cast<uint8_t>(header.size() >> 8));
  if (version == 2)
    bytes.insert(bytes.end(), {0, 0});
  bytes.insert(bytes.end(), header.begin(), header.end());
  for (size_t i = 0; i < elementBytes; ++i)
    bytes.push_back(static_cast<uint8_t>(i));
  return bytes;
}

std::string messageOf(const std::vector<uint8_t> &bytes) {
  StatusOr<NpyArray> array = parseNpy(bytes, "x.npy");
  if (!array.ok()) {
    EXPECT_EQ(array.status().code(), ErrorCode::InvalidInput);
  }
  return array.ok() ? "ok" : array.status().message();
}

// Every element type and rank survives, byte for byte.
TEST(Npy, RoundTrip) {
  for (const ElementTypeInfo &row : elementTypes())
    for (const std::vector<int64_t> &shape :
         {std::vector<int64_t>{}, {3}, {2, 3}, {1, 0, 4}, {2, 1, 2, 1, 2}}) {
      size_t count = static_cast<size_t>(row.bytes);
      for (int64_t dim : shape)
        count *= static_cast<size_t>(dim);
      std::vector<uint8_t> elements(count);
      for (size_t i = 0; i < count; ++i)
        elements[i] = static_cast<uint8_t>(i * 7);
      StatusOr<std::vector<uint8_t>> bytes = formatNpy(row.type, shape, elements);
      ASSERT_TRUE(bytes.ok()) << bytes.status().message();
      EXPECT_EQ((bytes->size() - count) % 64, 0u);
      StatusOr<NpyArray> array = parseNpy(*bytes, "x.npy");
      ASSERT_TRUE(array.ok()) << array.status().message();
      EXPECT_EQ(array->type, row.storage);
      EXPECT_EQ(array->shape, shape);
      EXPECT_EQ(array->bytes, elements);
    }
}

// The header is what numpy 1.24 writes.
TEST(Npy, HeaderText) {
  float values[3] = {1, 2, 3};
  std::vector<int64_t> shape = {3};
  StatusOr<std::vector<uint8_t>> bytes =
      formatNpy(ElementType::F32, shape, std::span(reinterpret_cast<const uint8_t *>(values), 12));
  ASSERT_TRUE(bytes.ok());
  std::string text(bytes->begin(), bytes->begin() + 128);
  EXPECT_EQ(text.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(text.substr(10, 59), "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }  ");
  EXPECT_EQ(text.back(), '\n');
}

// Version 2, other spacing and key orders, 1-D "Fortran order" (which is C order too), and '<' or
// '|' for bytes.
TEST(Npy, AcceptsWhatNumpyMayWrite) {
  EXPECT_EQ(messageOf(npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2,)}", 16, 2)), "ok");
  EXPECT_EQ(messageOf(npy("{\"shape\":(2,1),\"descr\":\"<f4\",\"fortran_order\":False} \n", 8)),
            "ok");
  EXPECT_EQ(messageOf(npy("{'descr': '|b1', 'fortran_order': True, 'shape': (2,)}", 2)), "ok");
  EXPECT_EQ(messageOf(npy("{'descr': '<u1', 'fortran_order': False, 'shape': (2,)}", 2)), "ok");
  EXPECT_EQ(messageOf(npy("{'descr': '|V2', 'fortran_order': False, 'shape': ()}", 2)), "ok");
}

// Arrays of ml_dtypes' types of one byte come as bytes.
TEST(Npy, AcceptsBytesOfMlDtypes) {
  for (const char *descr : {"<V1", "|V1", "<f1"}) {
    auto array = parseNpy(
        npy(std::string("{'descr': '") + descr + "', 'fortran_order': False, 'shape': (2,)}", 2),
        "x.npy");
    ASSERT_TRUE(array.ok()) << descr;
    EXPECT_EQ(array->type, ElementType::U8);
  }
  EXPECT_NE(messageOf(npy("{'descr': '<V3', 'fortran_order': False, 'shape': ()}", 3)), "ok");
}

// Not an array at all, or cut short at every possible place.
TEST(Npy, RejectsDamage) {
  EXPECT_EQ(messageOf({}), "'x.npy' is not an .npy file: it does not start with \\x93NUMPY");
  EXPECT_EQ(messageOf({'P', 'K', 3, 4, 0, 0, 0, 0}),
            "'x.npy' is not an .npy file: it does not start with \\x93NUMPY");
  std::vector<uint8_t> whole = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}", 16);
  for (size_t size = 6; size < whole.size(); ++size)
    EXPECT_NE(messageOf({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)})
                  .find("'x.npy' is cut short: wanted "),
              std::string::npos)
        << size;
  EXPECT_EQ(messageOf({whole.begin(), whole.end() - 1}),
            "'x.npy' is cut short: wanted 83 bytes, got 82");
  whole.push_back(0);
  EXPECT_EQ(messageOf(whole), "'x.npy' has 1 bytes after its last element");
  EXPECT_EQ(messageOf(npy("{}", 0, 3)), "'x.npy' has .npy format version 3; supported: 1, 2");
}

// Arrays that numpy can hold and mtc cannot use.
TEST(Npy, RejectsOtherArrays) {
  EXPECT_EQ(messageOf(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}", 16)),
            "'x.npy' holds elements in Fortran order; wanted C order");
  EXPECT_EQ(messageOf(npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,)}", 4)),
            "'x.npy' holds big-endian elements (dtype '>f4'); wanted little-endian");
  std::string known =
      "; supported: <f2, <V2, <f4, <f8, |i1, <i2, <i4, <i8, |u1, <u2, <u4, <u8, |b1";
  EXPECT_EQ(messageOf(npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}", 8)),
            "'x.npy' has dtype '<c8', which is not supported" + known);
  EXPECT_EQ(messageOf(npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", 8)),
            "'x.npy' has dtype '|O', which is not supported" + known);
  EXPECT_EQ(messageOf(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", 4)),
            "'x.npy' has dtype '[('a', '<f4')]', which is not supported" + known);
}

// A header that is no dict of the three keys.
TEST(Npy, RejectsHeaders) {
  std::string wanted =
      "'x.npy' has a malformed .npy header; wanted a dict of descr, fortran_order and shape";
  for (const char *header :
       {"", "[]", "{", "{}", "{'descr': '<f4'}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1.5,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}"})
    EXPECT_EQ(messageOf(npy(header, 4)), wanted) << header;
  EXPECT_EQ(messageOf(npy(
                "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", 4)),
            "'x.npy' has shape (4611686018427387904, 4), which is too large");
}

// Writing: the bytes must be as many as the shape says, and a file comes back as it was.
TEST(Npy, Files) {
  std::vector<int64_t> shape = {2};
  std::vector<uint8_t> elements = {1, 0, 2, 0};
  EXPECT_EQ(formatNpy(ElementType::F32, shape, elements).status().message(),
            "an array of shape (2) and type f32 has not 4 bytes");
  EXPECT_EQ(formatNpy(ElementType::I8, std::vector<int64_t>(40000, 1), {elements.data(), 1})
                .status()
                .message(),
            "a shape of 40000 dimensions does not fit .npy version 1");
  std::string path =
      (std::filesystem::temp_directory_path() / ("mtc-npy-" + std::to_string(::getpid()))).string();
  ASSERT_TRUE(writeNpy(path, ElementType::I16, shape, elements).ok());
  StatusOr<NpyArray> array = readNpy(path);
  std::filesystem::remove(path);
  ASSERT_TRUE(array.ok());
  EXPECT_EQ(array->bytes, elements);
  EXPECT_EQ(readNpy(path).status().message(),
            "cannot open '" + path + "': No such file or directory");
}

// The table agrees with the enumeration; names are looked up and listed.
TEST(ElementTypes, Table) {
  for (const ElementTypeInfo &row : elementTypes()) {
    EXPECT_EQ(&elementTypeInfo(row.type), &row);
    StatusOr<ElementType> parsed = parseElementType(row.name);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(*parsed, row.type);
    EXPECT_EQ(row.dlpackBits, 8 * row.bytes);
    EXPECT_EQ(elementTypeInfo(row.storage).bytes, row.bytes);
    EXPECT_EQ(elementTypeInfo(row.storage).npyDescr, std::string(row.npyDescr));
    EXPECT_LE(row.bits, 8 * row.bytes);
  }
  EXPECT_EQ(parseElementType("float").status().message(),
            "unknown element type 'float'; known: f16, bf16, f32, f64, i8, i16, i32, i64, u8, u16, "
            "u32, u64, bool, f8e4m3fn, f8e4m3fnuz, f8e5m2, f8e5m2fnuz, f8e8m0, f6e2m3, f6e3m2, "
            "f4e2m1, i4, u4, i2, u2");
}

} // namespace
