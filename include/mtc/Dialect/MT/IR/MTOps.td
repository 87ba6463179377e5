//===- MTOps.td - operations of the mt dialect -----------------*- tablegen -*-===//

#ifndef MTC_DIALECT_MT_IR_MTOPS_TD
#define MTC_DIALECT_MT_IR_MTOPS_TD

include "mtc/Dialect/MT/IR/MTBase.td"
include "mlir/Interfaces/FunctionInterfaces.td"
include "mlir/Interfaces/CallInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/RegionKindInterface.td"

class MT_Op<string mnemonic, list<Trait> traits = []> : Op<MT_Dialect, mnemonic, traits>;

def MT_ProgramOp : MT_Op<"program", [Symbol, SymbolTable, IsolatedFromAbove,
    NoTerminator, NoRegionArguments, SingleBlock]> {
  let summary = "a set of tenants, compiled together for one target";
  let description = [{
    Holds weights, kernels, tenants and schedules. `target` is absent in the model phase, which all targets share.

    The attribute `mt.device` holds the numbers that policies and the cost model use: `granules`, `units_per_granule`,
    `launch_ns` and `barrier_ns` (i64), `flops_per_ns` (per granule) and `bytes_per_ns` (of the device; f64). What is absent
    is 1, 1, 0, 0, 1.0 and 1.0.

    ```mlir
    mt.program @document target("host:x86-64-v4,cores=2") attributes {
        mt.device = {granules = 2 : i64, flops_per_ns = 300.0 : f64, bytes_per_ns = 20.0 : f64,
                     launch_ns = 2000 : i64, barrier_ns = 500 : i64}} {
      mt.weight @w : tensor<4xf32> from("det.onnx" at 128)
    }
    ```
    Constraints: C1 holds weights, kernels, tenants and schedules only. C2 `mt.device` has the keys above with those types; granules
    and units per granule are positive (at most 64 granules), rates are positive, times are not negative.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<StrAttr>:$target);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name (`target` `(` $target^ `)`)? attr-dict-with-keyword $body";
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let skipDefaultBuilders = 1;
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name)>];
  let extraClassDeclaration = [{
    /// The name of the attribute with the device's numbers.
    static ::llvm::StringRef getDeviceAttrName() { return "mt.device"; }
  }];
}

def MT_WeightOp : MT_Op<"weight", [Symbol, IsolatedFromAbove, HasParent<"ProgramOp">,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "constant bytes, by reference, by value (small) or derived from other weights";
  let description = [{
    Exactly one of three forms:

    ```mlir
    // Little-endian bytes in a file, from an offset on; with `proto` the range holds a serialized
    // TensorProto of `length` bytes that is not stored raw.
    mt.weight @w0 : tensor<24x96x3x3xf32> from("det.onnx" at 81920) hash("9f31")
    mt.weight @w1 : tensor<3xi64> from("det.onnx" at 77 proto length 31)
    // A small constant.
    mt.weight @c : tensor<2xf32> value(dense<[1.0, 2.0]> : tensor<2xf32>)
    // An expression over other weights, evaluated once when the bundle is written.
    mt.weight @w2 : tensor<24xf32> derive(@a, @b) {
    ^bb0(%a: tensor<24xf32>, %b: tensor<24xf32>):
      %s = linalg.add ins(%a, %b : tensor<24xf32>, tensor<24xf32>) outs(%a : tensor<24xf32>) -> tensor<24xf32>
      mt.yield %s : tensor<24xf32>
    }
    ```

    Constraints: C1 exactly one of `file`, `value` and `sources` with a body is given. C2 the type is a static tensor of at most 2^48 elements.
    C3 `value` has the weight's type and at most 64 KiB. C4 `sources` name weights of the program whose types are
    those of the body's arguments, and do not form a cycle. C5 the body ends in mt.yield of one value of the weight's type.
    C6 `offset` and `length` are not negative, and `proto` has a `length`.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<AnyRankedTensor>:$type,
      OptionalAttr<StrAttr>:$file, OptionalAttr<I64Attr>:$offset, UnitAttr:$proto, OptionalAttr<I64Attr>:$length,
      OptionalAttr<ElementsAttr>:$value, OptionalAttr<TypedArrayAttrBase<FlatSymbolRefAttr, "weights">>:$sources,
      OptionalAttr<StrAttr>:$hash);
  let regions = (region MaxSizedRegion<1>:$body);
  let assemblyFormat = [{
    $sym_name `:` $type
    (`from` `(` $file^ `at` $offset (`proto` $proto^)? (`length` $length^)? `)`)?
    (`value` `(` $value^ `)`)?
    (`derive` `(` custom<SymbolList>($sources)^ `)` $body)?
    (`hash` `(` $hash^ `)`)? attr-dict-with-keyword
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The weight's type; always static.
    ::mlir::RankedTensorType getTensorType() {
      return ::llvm::cast<::mlir::RankedTensorType>(getType());
    }
  }];
}

def MT_GetWeightOp : MT_Op<"get_weight", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a weight as a tensor value";
  let description = [{
    ```mlir
    %w = mt.get_weight @w0 : tensor<24x96x3x3xf32>
    ```
    Constraints: C1 the symbol names an mt.weight of the program. C2 its type is the result's.
  }];
  let arguments = (ins FlatSymbolRefAttr:$weight);
  let results = (outs AnyRankedTensor:$result);
  let assemblyFormat = "$weight attr-dict `:` type($result)";
}

def MT_TenantOp : MT_Op<"tenant", [Symbol, SymbolTable, NoTerminator,
    NoRegionArguments, SingleBlock, HasParent<"ProgramOp">]> {
  let summary = "one model of the set, with what its user promised and asked for";
  let description = [{
    `slo_p99_ns`, `rate` (requests per second), `arrivals` ("poisson", "periodic"), `priority`, `isolation`
    ("guarded", or the name of a group whose tenants may share arena memory), `precision` and `numerics` come from the set manifest.

    ```mlir
    mt.tenant @det attributes {slo_p99_ns = 60000000 : i64, rate = 10.0 : f64, priority = 2 : i64, isolation = "guarded"} {
      mt.entry @n1(%x: tensor<1xf32> {mt.name = "x"}) -> (tensor<1xf32> {mt.name = "y"}) {
        mt.return %x : tensor<1xf32>
      }
    }
    ```
    Constraints: C1 holds entries only. C2 the name matches [a-z][a-z0-9_-]*.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, OptionalAttr<I64Attr>:$slo_p99_ns, OptionalAttr<F64Attr>:$rate,
      OptionalAttr<StrAttr>:$arrivals, OptionalAttr<I64Attr>:$priority, OptionalAttr<StrAttr>:$isolation,
      OptionalAttr<StrAttr>:$precision, OptionalAttr<StrAttr>:$numerics);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

def MT_EntryOp : MT_Op<"entry", [FunctionOpInterface, IsolatedFromAbove, HasParent<"TenantOp">]> {
  let summary = "a tenant at fixed shapes: a function over tensors";
  let description = [{
    Arguments and results carry the ONNX tensor's name as `mt.name`. The body is tensor SSA of one block;
    from the tasks phase on it holds only mt.get_weight, mt.task, mt.region_task, tensor.expand_shape, tensor.collapse_shape
    and mt.return. With `is_body` it is no entry that callers see, but a body of mt.region_task.

    ```mlir
    mt.entry @n1(%x: tensor<8xf32> {mt.name = "x", mt.element_type = "f32"}) -> (tensor<2x4xf32> {mt.name = "y"}) {
      %y = mt.task 17 @relu_7(%x) : (tensor<8xf32>) -> tensor<8xf32>
      %z = tensor.expand_shape %y [[0, 1]] output_shape [2, 4] : tensor<8xf32> into tensor<2x4xf32>
      mt.return %z : tensor<2x4xf32>
    }
    ```

    Constraints: C1 all argument and result types are static tensors. C2 every argument and result has an `mt.name`.
    C3 the body is one block that ends in mt.return with the result types. C4 the ids of its tasks are different.
    C5 an argument may have an `mt.value`, the only value that the entry is compiled for: dense elements of the
    argument's type; the argument is not used. C6 a result may have an `mt.extent`, [dim, result]: its dim has only as
    many elements as the number in that result says, an i64; they lie one after the other, row-major. C7 an argument
    that callers may give smaller has an `mt.pad`, the element that fills the rest: a dense tensor of rank 0 of its
    element type; it has no mt.value. C8 a result may have `mt.follows`, [dim, argument, dim of the argument, ...]: where
    an argument with mt.pad is smaller, so is this dim, which is as large in their types. No result has both mt.follows
    and mt.extent.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$function_type,
      OptionalAttr<DictArrayAttr>:$arg_attrs, OptionalAttr<DictArrayAttr>:$res_attrs, UnitAttr:$is_body);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
  }];
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mlir::FunctionType":$type)>];
  let skipDefaultBuilders = 1;
}

def MT_ReturnOp : MT_Op<"return", [Pure, HasParent<"EntryOp">, Terminator]> {
  let summary = "ends an entry";
  let description = [{
    ```mlir
    mt.return %y : tensor<1xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
}

def MT_KernelOp : MT_Op<"kernel", [FunctionOpInterface, IsolatedFromAbove, HasParent<"ProgramOp">]> {
  let summary = "a computation that one launch performs, shared by all its uses in all tenants";
  let description = [{
    Tensors in, tensors out; the body is linalg, tensor, arith and math on tensors, and ends in mt.yield. The host ABI's
    buffers are the arguments, then the results. `numerics` names the order of its reductions, the same in all
    variants (rule R3).

    ```mlir
    mt.kernel @relu_7 kind(elementwise) (%x: tensor<8xf32>) -> tensor<8xf32> {
      %c = arith.constant 0.0 : f32
      %e = tensor.empty() : tensor<8xf32>
      %r = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
          ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) {
      ^bb0(%a: f32, %o: f32):
        %m = arith.maximumf %a, %c : f32
        linalg.yield %m : f32
      } -> tensor<8xf32>
      mt.yield %r : tensor<8xf32>
    }
    ```
    Constraints: C1 all types are static tensors. C2 one block that ends in mt.yield with the result types. C3 at least one result.
    C4 `variants`, when given, holds #mt.variant attributes and is not empty.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, MT_KernelKindAttr:$kind, TypeAttrOf<FunctionType>:$function_type,
      OptionalAttr<DictArrayAttr>:$arg_attrs, OptionalAttr<DictArrayAttr>:$res_attrs,
      OptionalAttr<StrAttr>:$numerics, OptionalAttr<ArrayAttr>:$variants);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::llvm::ArrayRef<::mlir::Type> getArgumentTypes() { return getFunctionType().getInputs(); }
    ::llvm::ArrayRef<::mlir::Type> getResultTypes() { return getFunctionType().getResults(); }
    ::mlir::Region *getCallableRegion() { return &getBody(); }
  }];
  let builders = [OpBuilder<(ins "::llvm::StringRef":$name, "::mtc::mt::KernelKind":$kind, "::mlir::FunctionType":$type)>];
  let skipDefaultBuilders = 1;
}

def MT_RecurrenceOp : MT_Op<"recurrence", [Pure, IsolatedFromAbove, SingleBlock, AttrSizedOperandSegments]> {
  let summary = "a computation repeated along the first dim of its inputs, with a state between the steps";
  let description = [{
    What a recurrent layer does over time. A step sees one slice of every input along its first dim (which it loses), the
    states of the step before and the invariants whole; it gives a slice of every output and the next states. Results are the
    outputs and the states after the last step. With `reverse` the last slice comes first; slices of outputs lie where
    those of the inputs do. What needs no state belongs before or behind it: there it is one operation over all steps.

    ```mlir
    %y, %last = mt.recurrence reverse inputs(%x : tensor<24x1x8xf32>) states(%h : tensor<1x8xf32>) invariants() {
    ^bb0(%slice: tensor<1x8xf32>, %state: tensor<1x8xf32>):
      %e = tensor.empty() : tensor<1x8xf32>
      %next = linalg.add ins(%slice, %state : tensor<1x8xf32>, tensor<1x8xf32>) outs(%e : tensor<1x8xf32>) -> tensor<1x8xf32>
      mt.yield %next, %next : tensor<1x8xf32>, tensor<1x8xf32>
    } : tensor<24x1x8xf32>, tensor<1x8xf32>
    ```
    Constraints: C1 there is an input, and all inputs and outputs have the same first dim, the number of steps. C2 the body's arguments are slices of the
    inputs, then the states, then the invariants. C3 it ends in mt.yield of slices of the outputs, then the states' types; the
    last results are the states.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs, Variadic<AnyRankedTensor>:$states,
      Variadic<AnyRankedTensor>:$invariants, UnitAttr:$reverse);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`reverse` $reverse^)? `inputs` `(` ($inputs^ `:` type($inputs))? `)` `states` `(` ($states^ `:` type($states))? `)`
    `invariants` `(` ($invariants^ `:` type($invariants))? `)` $body attr-dict `:` type($results)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    int64_t getSteps() {
      return ::llvm::cast<::mlir::RankedTensorType>(getInputs().front().getType()).getDimSize(0);
    }
    /// Results before this one are outputs, the others last states.
    unsigned getNumOutputs() { return getNumResults() - getStates().size(); }
  }];
}

def MT_YieldOp : MT_Op<"yield", [Pure, ParentOneOf<["KernelOp", "WeightOp", "RecurrenceOp"]>, Terminator]> {
  let summary = "ends a kernel, the expression of a derived weight or a step of a recurrence";
  let description = [{
    ```mlir
    mt.yield %r : tensor<8xf32>
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$operands);
  let assemblyFormat = "($operands^ `:` type($operands))? attr-dict";
}

def MT_TaskOp : MT_Op<"task", [Pure, HasParent<"EntryOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a use of a kernel in an entry";
  let description = [{
    ```mlir
    %y = mt.task 17 @relu_7(%x) : (tensor<8xf32>) -> tensor<8xf32>
    ```
    Constraints: C1 the symbol names an mt.kernel of the program. C2 operand and result types are the kernel's.
    C3 the id is not negative.
  }];
  let arguments = (ins I64Attr:$id, FlatSymbolRefAttr:$kernel, Variadic<AnyRankedTensor>:$operands);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let assemblyFormat = "$id $kernel `(` $operands `)` attr-dict `:` functional-type($operands, $results)";
}

def MT_RegionTaskOp : MT_Op<"region_task", [Pure, HasParent<"EntryOp">, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "control flow at run time: bodies that run inside one task";
  let description = [{
    To policies and plans a task like any other, in all phases. An `if` chooses between two bodies of the same type by its
    condition. A `loop` runs its body as long as there are fewer than `trips` iterations and the condition holds:

    - `carry`: values that each iteration replaces;
    - `scan`: values of which an iteration sees one element of the first dim;
    - `capture`: values that do not change.

    An `if` only captures. A loop's body has the arguments (number of the iteration, condition, carried ..., scanned elements ...,
    captured ...) and the results (condition, carried ..., elements ...); the loop's results are the last carried values, then the
    elements stacked along a new first dim. The loops of a task, inner ones
    included, run at most `max_trips` iterations: one more fails the request. `expected` is how many the cost
    model takes for granted.

    ```mlir
    mt.entry @n1.double(%i: tensor<i64> {mt.name = "i"}, %c: tensor<i8> {mt.name = "c"}, %s: tensor<4xf32> {mt.name = "s"})
        -> (tensor<i8> {mt.name = "more"}, tensor<4xf32> {mt.name = "twice"}) attributes {is_body} {
      %more = mt.task 0 @copy(%c) : (tensor<i8>) -> tensor<i8>
      %twice = mt.task 1 @add(%s, %s) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
      mt.return %more, %twice : tensor<i8>, tensor<4xf32>
    }
    mt.entry @n1(%n: tensor<i64> {mt.name = "n"}, %c: tensor<i8> {mt.name = "c"}, %x: tensor<4xf32> {mt.name = "x"})
        -> (tensor<4xf32> {mt.name = "y"}) {
      %y = mt.region_task 0 loop [@n1.double](%c, %n) carry(%x) max_trips(1000) expected(8)
          : (tensor<i8>, tensor<i64>, tensor<4xf32>) -> tensor<4xf32>
      mt.return %y : tensor<4xf32>
    }
    ```

    Constraints: C1 `bodies` are entries of the tenant with `is_body` that stand before this op's entry: two for an `if`, one for a
    `loop`. C2 the condition is one i8; a `loop` has trips, one i64, and an `if` has not. C3 an `if` carries and scans nothing,
    its bodies' arguments are what it captures and their results its own. C4 a `loop`'s body has the arguments above. C5 it has
    the results above, and so has the loop. C6 scanned operands and stacked results have the same first dim. C7 the id and
    `expected` are not negative, `max_trips` is positive.
  }];
  let arguments = (ins I64Attr:$id, MT_RegionKindAttr:$kind, TypedArrayAttrBase<FlatSymbolRefAttr, "bodies">:$bodies,
      I64Attr:$max_trips, I64Attr:$expected, AnyRankedTensor:$condition, Optional<AnyRankedTensor>:$trips,
      Variadic<AnyRankedTensor>:$carried, Variadic<AnyRankedTensor>:$scanned, Variadic<AnyRankedTensor>:$captured);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
  let assemblyFormat = [{ $id $kind $bodies `(` $condition (`,` $trips^)? `)` (`carry` `(` $carried^ `)`)?
      (`scan` `(` $scanned^ `)`)? (`capture` `(` $captured^ `)`)? `max_trips` `(` $max_trips `)` `expected` `(` $expected `)`
      attr-dict `:` functional-type(operands, $results) }];
}

def MT_ScheduleOp : MT_Op<"schedule", [NoTerminator, NoRegionArguments,
    SingleBlock, HasParent<"ProgramOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a schedule of a workload: data beside the program";
  let description = [{
    `instances` are the entries it covers, an entry once for every time it runs. `granules` is the mask it may use.
    `edges` is a flat list of pairs of positions of places. The name is of its own kind: a tenant may be called `round`, too.

    ```mlir
    mt.schedule @round policy("heft") makespan(41200000) granules(3) instances [@det::@n1] edges [0, 1] {
      mt.place 0 17 variant 0 lane 0 granules 3 at 0 for 760000
      mt.place 0 18 variant 0 lane 0 granules 1 at 760000 for 10000
    }
    ```
    Constraints: C1 holds places only. C2 every instance names an entry. C3 `edges` has an even number of positions in range.
    C4 every place names an instance by its position, and a task of that instance's entry by its id. C5 no two schedules
    of a program have one name. C6 a merged place follows a place of its lane and granules.
  }];
  let arguments = (ins SymbolNameAttr:$label, StrAttr:$policy, I64Attr:$makespan, I64Attr:$granules,
      TypedArrayAttrBase<SymbolRefAttr, "entries">:$instances, OptionalAttr<DenseI64ArrayAttr>:$edges);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{ $label `policy` `(` $policy `)` `makespan` `(` $makespan `)` `granules` `(` $granules `)`
      `instances` $instances (`edges` $edges^)? attr-dict-with-keyword $body }];
  let hasRegionVerifier = 1;
}

def MT_PlaceOp : MT_Op<"place", [HasParent<"ScheduleOp">]> {
  let summary = "where, when and in which variant a task of an instance runs";
  let description = [{
    `instance` is a position in the schedule's instances, `task` the id of a task; `granules` is a mask, times are ns.
    A place that is `merged` runs in one command with the place before it.

    ```mlir
    mt.place 0 17 variant 0 lane 0 granules 3 at 0 for 760000
    ```
    Constraints: C1 `granules` is not zero. C2 start, duration, variant and lane are not negative.
  }];
  let arguments = (ins I64Attr:$instance, I64Attr:$task, I64Attr:$variant, I64Attr:$lane, I64Attr:$granules,
      I64Attr:$start, I64Attr:$duration, UnitAttr:$shared, UnitAttr:$merged);
  let assemblyFormat = [{ $instance $task `variant` $variant `lane` $lane `granules` $granules `at` $start `for` $duration
      (`shared` $shared^)? (`merged` $merged^)? attr-dict }];
  let hasVerifier = 1;
}

#endif
