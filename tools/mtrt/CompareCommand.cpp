//===- CompareCommand.cpp - mtrt compare ----------------------------------===//
//
// Two folders that `mtrt run --dump-values` (or --output-dir) wrote, e.g. with fusion and with
// -O0. Values are matched by their node's name, since tasks differ between the two, and looked at
// in the task order of the first folder: the first that diverges is where to look.
//
//===----------------------------------------------------------------------===//
#include "Commands.h"
#include "Tensors.h"
#include "mtc/Support/Percent.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>

namespace mtc::tool {
namespace {

struct CompareArguments {
  std::string folder, reference;
  Tolerance tolerance;
  OutputOptions output;
};

/// A file of a dump: "TENANT.ENTRY/00017.NODE.npy", or "TENANT/OUTPUT.npy".
struct Dumped {
  std::string key; ///< folder and node, as in the other dump
  std::string node;
  std::string where; ///< "det.n1"
  int32_t task = -1; ///< -1: the file's name has none
  std::string path;
};

/// The .npy files below `folder`, by folder, task and name.
StatusOr<std::vector<Dumped>> listDump(const std::string &folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<Dumped> files;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() != ".npy")
      continue;
    Dumped file;
    file.path = at->path();
    file.where = fs::path(file.path).parent_path().lexically_relative(folder);
    std::string name = at->path().stem();
    if (name.size() > 6 && name[5] == '.' &&
        std::all_of(name.begin(), name.begin() + 5,
                    [](unsigned char c) { return std::isdigit(c); })) {
      file.task = std::stoi(name.substr(0, 5));
      name = name.substr(6);
    }
    file.key = file.where + "/" + name;
    const auto decoded = percentDecode(name);
    file.node = decoded.ok() ? *decoded : name;
    files.push_back(std::move(file));
  }
  if (error)
    return invalidInput(fmt::format("cannot read the folder '{}': {}", folder, error.message()));
  if (files.empty())
    return invalidInput(fmt::format("'{}' holds no .npy file", folder));
  std::sort(files.begin(), files.end(), [](const Dumped &a, const Dumped &b) {
    return std::tie(a.where, a.task, a.key) < std::tie(b.where, b.task, b.key);
  });
  return files;
}

std::string describe(const Dumped &file) {
  return fmt::format("{} value '{}'{}", file.where, file.node,
                     file.task >= 0 ? fmt::format(" of task {}", file.task) : "");
}

Status compare(CompareArguments &arguments) {
  arguments.tolerance.setDefaults();
  MTC_ASSIGN_OR_RETURN(const auto files, listDump(arguments.folder));
  MTC_ASSIGN_OR_RETURN(const auto references, listDump(arguments.reference));
  std::map<std::string, const Dumped *> byKey;
  for (const Dumped &file : references)
    byKey[file.key] = &file;
  nlohmann::ordered_json json = {{"version", 1}, {"values", nlohmann::ordered_json::array()}};
  int compared = 0, diverged = 0;
  std::string first;
  for (const Dumped &file : files) {
    const auto other = byKey.find(file.key);
    if (other == byKey.end())
      continue;
    MTC_ASSIGN_OR_RETURN(const NpyArray got, readNpy(file.path));
    MTC_ASSIGN_OR_RETURN(const NpyArray wanted, readNpy(other->second->path));
    ++compared;
    std::string mismatch;
    Difference d;
    if (got.type != wanted.type || got.shape != wanted.shape) {
      mismatch =
          fmt::format("is {}[{}], the reference {}[{}]", elementTypeName(got.type),
                      shapeText(got.shape), elementTypeName(wanted.type), shapeText(wanted.shape));
    } else {
      d = difference(got.type, got.bytes, wanted.bytes, arguments.tolerance);
      mismatch = describeMismatch(d, arguments.tolerance, got.shape);
    }
    if (arguments.output.verbose && arguments.output.printsText())
      fmt::print("{:>10.2e}  {}{}\n", d.relNorm, describe(file),
                 mismatch.empty() ? "" : "  DIVERGES");
    json["values"].push_back({{"where", file.where},
                              {"node", file.node},
                              {"task", file.task},
                              {"rel_norm", d.relNorm},
                              {"ok", mismatch.empty()}});
    if (!mismatch.empty() && diverged++ == 0)
      first = fmt::format("{} is the first to diverge: {}", describe(file), mismatch);
  }
  MTC_RETURN_IF_ERROR(writeJson(arguments.output, json));
  if (compared == 0)
    return invalidInput(fmt::format("'{}' and '{}' have no value in common", arguments.folder,
                                    arguments.reference));
  if (diverged > 0)
    return {ErrorCode::NumericMismatch,
            diverged == 1 ? first : fmt::format("{}; {} more do", first, diverged - 1)};
  if (arguments.output.printsText())
    fmt::print("{} values agree{}\n", compared,
               static_cast<size_t>(compared) == files.size() && files.size() == references.size()
                   ? ""
                   : fmt::format(", {} are only in '{}', {} only in '{}'", files.size() - compared,
                                 arguments.folder, references.size() - compared,
                                 arguments.reference));
  return okStatus();
}

} // namespace

std::function<Status()> declareCompare(CLI::App &app) {
  auto arguments = std::make_shared<CompareArguments>();
  app.add_option("folder", arguments->folder, "DIR of mtrt run --dump-values or --output-dir")
      ->type_name("")
      ->required();
  app.add_option("reference", arguments->reference, "REFDIR to compare with")
      ->type_name("")
      ->required();
  addToleranceOptions(app, arguments->tolerance);
  addOutputOptions(app, arguments->output);
  return [arguments] { return compare(*arguments); };
}

} // namespace mtc::tool
