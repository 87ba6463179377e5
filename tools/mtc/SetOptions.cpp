//===- SetOptions.cpp - options that compile and explain share ------------===//
#include "SetOptions.h"

namespace mtc::tool {

/// An option that may be given repeatedly, one value each time: it never swallows the models behind
/// it.
static CLI::Option *addRepeated(CLI::App &app, const std::string &name,
                                std::vector<std::string> &values, const std::string &description) {
  return app.add_option(name, values, description)->type_size(1)->allow_extra_args(false);
}

void addSetOptions(CLI::App &app, SetArguments &set) {
  app.add_option("models", set.models, "SET.yaml, or [TENANT=]MODEL.onnx ...")
      ->type_name("")
      ->required();
  addRepeated(
      app, "--target", set.targets,
      "host (this CPU), host:x86-64-v3,cores=4, cuda:sm_90a, ...; repeat for several in one "
      "bundle")
      ->type_name("T");
  addRepeated(app, "--shapes", set.shapes, "shape of an input, e.g. det/x:1x3x480x640")
      ->type_name("[TENANT/]INPUT:DIMS");
  addRepeated(app, "--dim", set.dims, "value of a dimension, or several: an entry for each")
      ->type_name("[TENANT/]N=1,4");
  addRepeated(app, "--value", set.values,
              "value of an input that is known when compiling, e.g. m/axes=1 or m/axes=@axes.npy")
      ->type_name("[TENANT/]INPUT=1,2,3");
  addRepeated(
      app, "--pad", set.pads,
      "requests may give a smaller input than was compiled for: it is filled with the number")
      ->type_name("[TENANT/]INPUT=0");
  app.add_option(
         "--precision", set.precision,
         "of the factors of products, of all tenants; default: f32, which is all that hosts have")
      ->type_name("P")
      ->check(CLI::IsMember({"f32", "tf32", "f16", "bf16"}));
}

void addCalibrationOption(CLI::App &app, CompileOptions &options) {
  app.add_option("--calibration", options.calibration,
                 "what `mtc tune --calibrate` measured: times of kernels on this host")
      ->type_name("FILE");
}

void addMergeOption(CLI::App &app, CompileOptions &options) {
  app.add_option_function<std::string>(
         "--merge", [&options](const std::string &value) { options.merge = value == "auto"; },
         "auto: small tasks that need not wait for each other run in one command, on a GPU equal "
         "ones in one launch, where that is predicted to pay; default: on GPUs only")
      ->type_name("auto|off")
      ->check(CLI::IsMember({"auto", "off"}));
}

void addLimitOptions(CLI::App &app, ModelLimits &limits) {
  auto add = [&](const char *name, int64_t &value, const char *description) {
    app.add_option(name, value, description)
        ->type_name("N")
        ->capture_default_str()
        ->check(CLI::Range(int64_t(1), int64_t(1) << 50));
  };
  add("--max-nodes", limits.maxNodes, "refuse models with more nodes after function expansion");
  add("--max-nesting", limits.maxNesting, "refuse models with deeper subgraphs");
  add("--max-subgraphs", limits.maxSubgraphs, "refuse models with more subgraphs");
  add("--max-rank", limits.maxRank, "refuse tensors of higher rank");
  add("--max-elements", limits.maxElements, "refuse tensors with more elements");
  add("--max-folded-mib", limits.maxFoldedMib, "refuse more constants folded by the importer");
  add("--max-parsed-mib", limits.maxParsedMib,
      "refuse models that take more memory beyond twice their file");
  add("--max-trips", limits.maxTrips,
      "iterations of all loops of a task at run time; one more fails the request");
  add("--max-unrolled-nodes", limits.maxUnrolledNodes,
      "unroll loops of a model to at most so many nodes");
}

} // namespace mtc::tool
