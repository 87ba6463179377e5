//===- MakeContents.cpp - from compiled programs to a bundle's contents ---===//
#include "mtc/Target/Bundle/MakeContents.h"
#include "mtc/Dialect/MT/Evaluation/Evaluate.h"

#include <memory>

namespace mtc {

void shiftWeights(Problem &problem, int32_t offset) {
  auto shift = [&](Entry &entry) {
    for (Value &value : entry.values)
      if (value.kind == ValueKind::Weight)
        value.index += offset;
  };
  for (Entry &entry : problem.entries)
    shift(entry);
  for (Body &body : problem.bodies)
    shift(body.graph);
}

StatusOr<Contents> makeContents(std::vector<CompiledTarget> targets) {
  Contents contents;
  for (CompiledTarget &target : targets) {
    if (target.firstWeight != int32_t(contents.weights.size()))
      return internalError("the weights of target '" + target.data.target + "' start at " +
                           std::to_string(target.firstWeight) + " instead of " +
                           std::to_string(contents.weights.size()));
    auto evaluation = std::make_shared<mt::Evaluation>(target.program);
    for (mt::WeightOp weight : target.weights) {
      auto produce = [evaluation, weight](std::vector<uint8_t> &bytes) -> Status {
        MTC_ASSIGN_OR_RETURN(mt::TensorBytes tensor, evaluation->bytesOf(weight));
        bytes.assign(tensor.data.begin(), tensor.data.end());
        return okStatus();
      };
      contents.weights.push_back(
          {weight.getSymName().str(), mt::tensorBytes(weight.getTensorType()), produce});
    }
    contents.targets.push_back(std::move(target.data));
  }
  return contents;
}

std::string capText(std::string text, size_t maxBytes) {
  if (text.size() <= maxBytes)
    return text;
  size_t end = text.rfind('\n', maxBytes);
  end = end == std::string::npos ? maxBytes : end + 1;
  std::string note = "// " + std::to_string(text.size() - end) + " more bytes are left out\n";
  text.resize(end);
  return text + note;
}

} // namespace mtc
