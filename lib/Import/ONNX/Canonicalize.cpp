//===- Canonicalize.cpp - one opset, no local functions -------------------===//
//
// libonnx inlines and converts; the order and the checks around it are ours, since (onnx 1.23.2)
// - ConvertVersion silently drops model-local functions: inline first;
// - 2 KB of nested functions expand without end: count the nodes before;
// - it throws on sparse tensors and on operators without a schema: look for them before, and hide
//   the latter in a domain that it passes over, so that they are reported with all others.
//
//===----------------------------------------------------------------------===//
#include "Steps.h"

#include "llvm/ADT/Twine.h"

#include <onnx/defs/schema.h>
#include <onnx/inliner/inliner.h>
#include <onnx/version_converter/convert.h>

using llvm::Twine;

namespace mtc::onnx_import {
namespace {

std::string defaultDomain(const std::string &domain) {
  return domain == "ai.onnx" ? std::string() : domain;
}

/// Calls `visit` for every graph's nodes in `nodes`, also in subgraphs; depth is bounded by the
/// reader.
template <typename Nodes, typename Visit> void forEachNode(Nodes &nodes, Visit visit) {
  for (auto &node : nodes) {
    visit(node);
    for (auto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g())
        forEachNode(*attribute.mutable_g()->mutable_node(), visit);
      for (auto &graph : *attribute.mutable_graphs())
        forEachNode(*graph.mutable_node(), visit);
    }
  }
}

/// Counts the nodes that inlining all local functions would give, on the call graph.
class ExpansionCounter {
public:
  ExpansionCounter(onnx::ModelProto &model, const ImportLimits &limits) : limits(limits) {
    for (onnx::FunctionProto &function : *model.mutable_functions())
      functions[key(function.domain(), function.name(), function.overload())] = {&function};
  }

  template <typename Nodes> StatusOr<int64_t> count(Nodes &nodes, int depth) {
    if (depth > limits.maxNesting)
      return invalidInput(
          ("local functions call each other deeper than " + Twine(limits.maxNesting)).str());
    int64_t total = 0;
    Status status;
    forEachNode(nodes, [&](onnx::NodeProto &node) {
      if (!status.ok() || total > limits.maxNodes)
        return;
      auto it = functions.find(key(node.domain(), node.op_type(), node.overload()));
      if (it == functions.end()) {
        ++total;
        return;
      }
      Callee &callee = it->second;
      if (callee.nodes < 0) {
        auto inner = count(*callee.function->mutable_node(), depth + 1);
        if (!inner.ok()) {
          status = inner.status();
          return;
        }
        callee.nodes = *inner;
      }
      total += callee.nodes + 1;
    });
    MTC_RETURN_IF_ERROR(status);
    if (total > limits.maxNodes)
      return invalidInput(("has more than " + Twine(limits.maxNodes) +
                           " nodes once its local functions are expanded")
                              .str());
    return total;
  }

private:
  struct Callee {
    onnx::FunctionProto *function;
    int64_t nodes = -1;
  };
  static std::string key(const std::string &domain, const std::string &name,
                         const std::string &overload) {
    return defaultDomain(domain) + '\0' + name + '\0' + overload;
  }
  const ImportLimits &limits;
  std::map<std::string, Callee> functions;
};

bool hasSparse(onnx::ModelProto &model, std::string &where) {
  if (model.graph().sparse_initializer_size())
    where = model.graph().sparse_initializer(0).values().name();
  bool found = model.graph().sparse_initializer_size() != 0;
  forEachNode(*model.mutable_graph()->mutable_node(), [&](onnx::NodeProto &node) {
    for (const onnx::AttributeProto &attribute : node.attribute()) {
      if (!attribute.has_sparse_tensor() && !attribute.sparse_tensors_size() &&
          !attribute.g().sparse_initializer_size())
        continue;
      found = true;
      where = node.name();
    }
  });
  return found;
}

/// What libonnx says, without the place in its source of a failed assertion.
std::string firstLine(const std::exception &e) {
  auto [text, rest] = llvm::StringRef(e.what()).split('\n');
  auto [place, words] = text.split("` failed: ");
  return (words.empty() ? text : words).str();
}

Status failed(const std::string &action, const std::exception &e) {
  return invalidInput("cannot " + action + ": " + firstLine(e));
}

/// libonnx's conversion takes for granted that nodes fit their schemas.
Status checkNode(const onnx::NodeProto &node, const onnx::OpSchema &schema,
                 const ImportLimits &limits) {
  std::string problem = checkAttributes(node, limits);
  try {
    schema.Verify(node);
  } catch (const std::exception &e) {
    problem = firstLine(e);
  }
  if (problem.empty())
    return okStatus();
  const std::string &name =
      node.name().empty() && node.output_size() ? node.output(0) : node.name();
  return invalidInput("node '" + name + "': " + problem);
}

/// libonnx's inliner binds attributes of any type and converts function bodies as they then are: a
/// call's attributes have the types that the body's references to them say, and the body's nodes
/// fit the schemas of the function's own opset.
class FunctionChecker {
public:
  FunctionChecker(onnx::ModelProto &model, const ImportLimits &limits) : limits(limits) {
    for (onnx::FunctionProto &function : *model.mutable_functions())
      functions[{defaultDomain(function.domain()), function.name()}].push_back(&function);
  }

  Status check(onnx::ModelProto &model) {
    MTC_RETURN_IF_ERROR(checkCalls(*model.mutable_graph()->mutable_node()));
    for (onnx::FunctionProto &function : *model.mutable_functions()) {
      MTC_RETURN_IF_ERROR(checkCalls(*function.mutable_node()));
      MTC_RETURN_IF_ERROR(checkBody(function));
    }
    return okStatus();
  }

private:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;

  Status checkBody(onnx::FunctionProto &function) {
    int64_t version = 0;
    for (const onnx::OperatorSetIdProto &import : function.opset_import())
      if (defaultDomain(import.domain()).empty())
        version = import.version();
    Status status;
    forEachNode(*function.mutable_node(), [&](onnx::NodeProto &node) {
      const onnx::OpSchema *schema =
          status.ok() && version > 0 && version <= canonicalOpset &&
                  defaultDomain(node.domain()).empty()
              ? onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(version), "")
              : nullptr;
      if (schema)
        status = checkNode(node, *schema, limits);
    });
    return status.ok() ? status : status.withContext("function '" + function.name() + "'");
  }

  Status checkCalls(Nodes &nodes) {
    Status status;
    forEachNode(nodes, [&](onnx::NodeProto &call) {
      auto callees = functions.find({defaultDomain(call.domain()), call.op_type()});
      if (status.ok() && callees != functions.end())
        for (onnx::FunctionProto *function : callees->second)
          if (status.ok() && function->overload() == call.overload())
            status = checkCall(call, *function);
    });
    return status;
  }

  static Status checkCall(const onnx::NodeProto &call, onnx::FunctionProto &function) {
    std::map<std::string, int> types;
    for (const onnx::AttributeProto &attribute : function.attribute_proto())
      types[attribute.name()] = attribute.type();
    for (const onnx::AttributeProto &attribute : call.attribute())
      types[attribute.name()] = attribute.type();
    Status status;
    forEachNode(*function.mutable_node(), [&](onnx::NodeProto &node) {
      for (const onnx::AttributeProto &attribute : node.attribute()) {
        auto bound = types.find(attribute.ref_attr_name());
        if (status.ok() && !attribute.ref_attr_name().empty() && bound != types.end() &&
            bound->second != attribute.type())
          status = invalidInput("node '" + call.name() + "': attribute '" + bound->first +
                                "' is not of the type that function '" + function.name() +
                                "' uses it as");
      }
    });
    return status;
  }

  const ImportLimits &limits;
  std::map<std::pair<std::string, std::string>, std::vector<onnx::FunctionProto *>> functions;
};

} // namespace

StatusOr<Opsets> canonicalize(onnx::ModelProto &model, const ImportLimits &limits) {
  Opsets opsets;
  for (onnx::OperatorSetIdProto &import : *model.mutable_opset_import()) {
    import.set_domain(defaultDomain(import.domain()));
    opsets.original[import.domain()] = import.version();
  }
  if (opsets.original.empty())
    return invalidInput("not an ONNX model, or cut short: it imports no opset");
  opsets.canonical = opsets.original;
  std::string where;
  if (hasSparse(model, where))
    return unsupported("'" + where + "' is a sparse tensor, which is not supported");

  if (model.functions_size()) {
    ExpansionCounter counter(model, limits);
    MTC_RETURN_IF_ERROR(counter.count(*model.mutable_graph()->mutable_node(), 0).status());
    MTC_RETURN_IF_ERROR(FunctionChecker(model, limits).check(model));
    try {
      onnx::inliner::InlineLocalFunctions(model, /*convert_version=*/true);
    } catch (const std::exception &e) {
      return failed("inline its local functions", e);
    }
  }

  auto current = opsets.original.find("");
  if (current == opsets.original.end())
    return opsets;
  int64_t version = current->second;
  if (version < 1 || version > canonicalOpset)
    return invalidInput(
        ("uses opset " + Twine(version) + ", known are 1 to " + Twine(canonicalOpset)).str());
  std::set<std::string> domains;
  Status status;
  forEachNode(*model.mutable_graph()->mutable_node(), [&](onnx::NodeProto &node) {
    node.set_domain(defaultDomain(node.domain()));
    if (node.domain().empty()) {
      if (const auto *schema =
              onnx::OpSchemaRegistry::Schema(node.op_type(), static_cast<int>(version), ""))
        status = status.ok() ? checkNode(node, *schema, limits) : status;
      else
        node.set_domain(unknownDomain);
    }
    domains.insert(node.domain());
  });
  MTC_RETURN_IF_ERROR(status);
  // libonnx cannot infer past a node whose domain is not imported.
  for (const std::string &domain : domains)
    if (!opsets.original.count(domain)) {
      onnx::OperatorSetIdProto &import = *model.add_opset_import();
      import.set_domain(domain);
      import.set_version(1);
    }
  if (version != canonicalOpset) {
    // It knows types of tensors only, and drops the batch dimension of a Scan's inputs.
    auto inputs = model.graph().input();
    try {
      model = onnx::version_conversion::ConvertVersion(model, canonicalOpset);
    } catch (const std::exception &e) {
      return failed("convert from opset " + std::to_string(version) + " to " +
                        std::to_string(canonicalOpset),
                    e);
    }
    *model.mutable_graph()->mutable_input() = std::move(inputs);
  }
  if (version == 8)
    forEachNode(*model.mutable_graph()->mutable_node(), [](onnx::NodeProto &node) {
      if (node.op_type() == "Scan" && node.domain().empty())
        node.set_domain(batchedScanDomain);
    });
  opsets.canonical[""] = canonicalOpset;
  return opsets;
}

} // namespace mtc::onnx_import
