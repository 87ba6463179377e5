//===- Weights.h - the mt.weights of a model ------------------------------===//
#pragma once

#include "Steps.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mtc::onnx_import {

/// Makes the mt.weights that a tenant's entries use, each content once. Weights are made on first
/// use, so what nobody needs is neither hashed nor in the program.
class WeightTable {
public:
  WeightTable(mt::ProgramOp program, const ModelFile &file, std::string tenant)
      : program(program), file(file), tenant(std::move(tenant)) {}

  /// The weight for a tensor; `name` is its name in the model. A large tensor of elements of fewer
  /// than 8 bits gives its packed bytes, of rank 1 (unpackWeight).
  /// Fails if the bytes are not what the type needs (InvalidInput).
  StatusOr<mt::WeightOp> get(const onnx::TensorProto &tensor, const std::string &name);
  /// The weight for a constant that a handler computed.
  StatusOr<mt::WeightOp> get(mlir::DenseElementsAttr value, const std::string &name);

  /// Removes the weights that no mt.get_weight of `tenant` names: handlers read shapes, axes and
  /// limits when compiling.
  void eraseUnused(mt::TenantOp tenant);

private:
  mt::WeightOp create(const std::string &name, mlir::RankedTensorType type,
                      const std::string &hash);

  mt::ProgramOp program;
  const ModelFile &file;
  std::string tenant;
  std::map<const onnx::TensorProto *, mt::WeightOp> byTensor;
  std::map<std::string, mt::WeightOp> byHash;
  std::set<std::string> names;
  std::vector<mt::WeightOp> weights;
};

} // namespace mtc::onnx_import
