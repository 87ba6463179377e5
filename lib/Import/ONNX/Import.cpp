//===- Import.cpp - ONNX files into the model phase -----------------------===//
//
// The whole way of a model, from top to bottom; Steps.h draws it. libonnx and protobuf throw:
// no exception leaves this file.
//
//===----------------------------------------------------------------------===//
#include "mtc/Import/ONNX/Import.h"

#include "EmitEntry.h"
#include "Steps.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/Twine.h"

namespace mtc {
namespace {

using namespace onnx_import;

/// Collects what cannot be compiled, each node once for all entries, and says it.
class Report {
public:
  Report(const std::string &tenant, const Opsets &opsets, std::vector<UnsupportedNode> &nodes)
      : tenant(tenant), opsets(opsets), nodes(nodes) {}

  void add(const ResolvedEntry &entry, const ResolvedNode &node) {
    add(entry, node, entry.wantedValues(node));
  }
  /// A node of a body in `entry`; `wanted` are the inputs of the entry that would decide it.
  void add(const ResolvedEntry &entry, const ResolvedNode &node,
           const std::vector<std::string> &wanted) {
    bool isOurs = node.domain == unknownDomain || node.domain == batchedScanDomain;
    std::string domain = isOurs ? "" : node.domain;
    UnsupportedNode row;
    row.tenant = tenant;
    row.node = node.name;
    row.op = (domain.empty() ? "" : domain + "::") + node.node->op_type();
    auto opset = opsets.original.find(domain);
    row.opset = opset == opsets.original.end() ? 0 : opset->second;
    row.reason = node.problem;
    row.wantedValues = wanted;
    if (!seen.insert(row.node + '\n' + row.op + '\n' + row.reason).second)
      return;
    text += (text.empty() ? "" : "\n") +
            (llvm::Twine(tenant) + ": node '" + row.node + "': " + row.op + " (opset " +
             llvm::Twine(row.opset) + ") is not supported: " + row.reason)
                .str();
    for (const std::string &input : row.wantedValues)
      addHint(entry, input);
    nodes.push_back(std::move(row));
  }
  Status status() const { return text.empty() ? okStatus() : unsupported(text + hints); }

private:
  void addHint(const ResolvedEntry &entry, const std::string &input) {
    if (!hinted.insert(input).second)
      return;
    llvm::raw_string_ostream os(hints);
    os << "\n"
       << tenant << ": input '" << input << "' " << callerTypeName(entry.typeOf(input)) << "[";
    llvm::interleave(*entry.staticDims(input), os, "x");
    os << "] decides what is computed; compile for its value: add --value " << tenant << "/"
       << input << "=VALUES";
  }

  const std::string &tenant;
  const Opsets &opsets;
  std::vector<UnsupportedNode> &nodes;
  std::set<std::string> seen, hinted;
  std::string text, hints;
};

/// What the verifiers say of the tenant: schemas do not check all that a node's code relies on.
Status verify(mt::TenantOp tenant) {
  std::string text;
  mlir::ScopedDiagnosticHandler handler(tenant.getContext(), [&](mlir::Diagnostic &diagnostic) {
    if (!text.empty())
      return;
    llvm::raw_string_ostream os(text);
    if (auto name = mlir::dyn_cast<mlir::NameLoc>(diagnostic.getLocation()))
      os << "node '" << name.getName().getValue() << "': ";
    os << "its inputs or attributes do not fit together: " << diagnostic;
  });
  if (mlir::succeeded(mlir::verify(tenant)))
    return okStatus();
  return invalidInput(text.substr(0, text.find('\n')));
}

/// Reports the nodes of the bodies of `node`, a node of `entry`, that cannot be compiled: without
/// bodies they would be others.
Status reportBodies(const ResolvedEntry &entry, const ResolvedNode &node, const std::string &prefix,
                    const std::vector<std::string> &wanted, Report &report) {
  if (!node.region)
    return okStatus();
  for (const auto &body : node.region->bodies)
    for (const ResolvedNode &inner : body->nodes) {
      ResolvedNode named = inner;
      named.name = prefix + "/" + inner.name;
      if (inner.invalid)
        return invalidInput("node '" + named.name + "': " + inner.problem);
      if (!inner.problem.empty())
        report.add(entry, named, wanted);
      MTC_RETURN_IF_ERROR(reportBodies(entry, inner, named.name, wanted, report));
    }
  return okStatus();
}

/// Reports the nodes of an entry, and of the bodies in it, that cannot be compiled.
Status reportNodes(const ResolvedEntry &entry, Report &report) {
  for (const ResolvedNode &node : entry.nodes) {
    if (node.invalid)
      return invalidInput("node '" + node.name + "': " + node.problem);
    if (!node.problem.empty())
      report.add(entry, node);
    if (node.region)
      MTC_RETURN_IF_ERROR(reportBodies(entry, node, node.name, entry.wantedValues(node), report));
  }
  return okStatus();
}

Status emitTenant(mt::ProgramOp program, const ImportRequest &request, const ModelFile &file,
                  const Opsets &opsets, llvm::ArrayRef<std::unique_ptr<ResolvedEntry>> entries,
                  Report &report) {
  mlir::OpBuilder b = mlir::OpBuilder::atBlockEnd(&program.getBody().front());
  mlir::OperationState state(b.getUnknownLoc(), mt::TenantOp::getOperationName());
  state.addAttribute("sym_name", b.getStringAttr(request.tenant));
  state.addRegion()->emplaceBlock();
  auto tenant = mlir::cast<mt::TenantOp>(b.create(state));
  WeightTable weights(program, file, request.tenant);
  Status status;
  for (size_t i = 0; i < entries.size() && status.ok(); ++i) {
    std::vector<ResolvedNode> rejected;
    status = emitEntry(tenant, request.entries[i].name, *entries[i], opsets, weights, rejected);
    for (const ResolvedNode &node : rejected)
      report.add(*entries[i], node);
  }
  if (status.ok() && report.status().ok())
    status = verify(tenant);
  status = status.withContext(request.tenant);
  if (status.ok())
    status = report.status();
  if (!status.ok())
    tenant.getBody().front().clear();
  weights.eraseUnused(tenant);
  if (!status.ok())
    tenant->erase();
  return status;
}

Status import(mt::ProgramOp program, const ImportRequest &request, const ImportLimits &limits,
              std::vector<UnsupportedNode> &unsupportedNodes) {
  auto named = [&](const Status &status) { return status.withContext(request.tenant); };
  auto file = readModel(request.path, limits);
  if (!file.ok())
    return named(file.status());
  auto opsets = canonicalize(file->model, limits);
  if (!opsets.ok())
    return named(opsets.status());

  Report report(request.tenant, *opsets, unsupportedNodes);
  std::vector<std::unique_ptr<ResolvedEntry>> entries;
  for (const EntryBinding &binding : request.entries) {
    MTC_ASSIGN_OR_RETURN(auto inputs,
                         bindInputs(file->model.graph(), request.tenant, binding, limits));
    auto entry = resolveEntry(*file, *opsets, std::move(inputs), limits);
    if (!entry.ok())
      return named(entry.status());
    if (Status status = reportNodes(**entry, report); !status.ok())
      return named(status);
    entries.push_back(std::move(*entry));
  }
  MTC_RETURN_IF_ERROR(report.status());
  return emitTenant(program, request, *file, *opsets, entries, report);
}

} // namespace

Status importModel(mt::ProgramOp program, const ImportRequest &request, const ImportLimits &limits,
                   std::vector<UnsupportedNode> &unsupportedNodes) {
  try {
    return import(program, request, limits, unsupportedNodes);
  } catch (const std::exception &e) {
    std::string text = e.what();
    return invalidInput(request.tenant + ": '" + request.path +
                        "': " + text.substr(0, text.find('\n')));
  }
}

} // namespace mtc
