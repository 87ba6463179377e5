//===- MTBase.td - the mt dialect, its enums and attributes ----*- tablegen -*-===//

#ifndef MTC_DIALECT_MT_IR_MTBASE_TD
#define MTC_DIALECT_MT_IR_MTBASE_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def MT_Dialect : Dialect {
  let name = "mt";
  let cppNamespace = "::mtc::mt";
  let summary = "programs of several tenants on one device";
  let description = [{
    The `mt` dialect holds a set of models - the tenants of one device - in one program: weights
    as references to bytes, entries (tenants at fixed shapes) as tensor SSA in upstream dialects,
    kernels shared by all tenants, tasks that use them, and schedules beside them.
  }];
  let useDefaultAttributePrinterParser = 1;
}

def MT_Contraction : I32EnumAttrCase<"Contraction", 0, "contraction">;
def MT_Rows : I32EnumAttrCase<"Rows", 1, "rows">;
def MT_Elementwise : I32EnumAttrCase<"Elementwise", 2, "elementwise">;
def MT_Move : I32EnumAttrCase<"Move", 3, "move">;
def MT_Attention : I32EnumAttrCase<"Attention", 4, "attention">;
def MT_Recurrence : I32EnumAttrCase<"Recurrence", 5, "recurrence">;
def MT_Opaque : I32EnumAttrCase<"Opaque", 6, "opaque">;

/// The numbers equal those of mtc::KernelKind in Scheduling/Problem.h.
def MT_KernelKind : I32EnumAttr<"KernelKind", "which emitter a kernel needs",
    [MT_Contraction, MT_Rows, MT_Elementwise, MT_Move, MT_Attention, MT_Recurrence, MT_Opaque]> {
  let cppNamespace = "::mtc::mt";
  let genSpecializedAttr = 0;
}
def MT_KernelKindAttr : EnumAttr<MT_Dialect, MT_KernelKind, "kind">;

/// The numbers equal those of mtc::RegionKind in Scheduling/Problem.h.
def MT_RegionKind : I32EnumAttr<"RegionKind", "control flow at run time",
    [I32EnumAttrCase<"If", 0, "if">, I32EnumAttrCase<"Loop", 1, "loop">]> {
  let cppNamespace = "::mtc::mt";
  let genSpecializedAttr = 0;
}
def MT_RegionKindAttr : EnumAttr<MT_Dialect, MT_RegionKind, "region_kind">;

class MT_Attr<string name, string attrMnemonic> : AttrDef<MT_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def MT_VariantAttr : MT_Attr<"Variant", "variant"> {
  let summary = "one way to run a kernel, with its predicted or measured times";
  let description = [{
    `config` is the emitter's own dictionary. `tiles` holds the number of independent tiles of each phase.
    `granules` and `ns` are parallel: the time on that many granules without neighbours, ascending;
    `origin` says where the times come from: `modelled`, `learned` or `measured`.

    ```mlir
    #mt.variant<config = {mr = 14 : i64, nv = 2 : i64}, tiles = [1372], scratch = 0,
                granules = [1, 2], ns = [1490000, 760000], origin = "modelled">
    ```

    Constraints: C1 `tiles` is not empty and positive. C2 `granules` is ascending, positive, not empty, and as long as
    `ns`. C3 `ns` is positive. C4 `scratch` is not negative. C5 `origin` is one of the three words.
  }];
  let parameters = (ins "::mlir::DictionaryAttr":$config, "::mlir::DenseI64ArrayAttr":$tiles, "int64_t":$scratch,
      "::mlir::DenseI64ArrayAttr":$granules, "::mlir::DenseI64ArrayAttr":$ns, "::mlir::StringAttr":$origin);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif
