//===- GraphCalls.h - functions of graphs ---------------------------------===//
#pragma once

#include "Fake.h"

namespace mtc::fake {

CUresult fake_cuGraphCreate(CUgraph *graph, unsigned flags);
CUresult fake_cuGraphDestroy(CUgraph graph);
CUresult fake_cuGraphAddKernelNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *waits,
                                   size_t count, const CUDA_KERNEL_NODE_PARAMS *params);
CUresult fake_cuGraphAddMemcpyNode(CUgraphNode *node, CUgraph graph, const CUgraphNode *waits,
                                   size_t count, const CUDA_MEMCPY3D *copy, CUcontext context);
CUresult fake_cuGraphKernelNodeSetAttribute(CUgraphNode node, CUkernelNodeAttrID attribute,
                                            const CUkernelNodeAttrValue *value);
CUresult fake_cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph,
                                          unsigned long long flags);
CUresult fake_cuGraphExecDestroy(CUgraphExec exec);
CUresult fake_cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                             const CUDA_MEMCPY3D *copy, CUcontext context);
CUresult fake_cuGraphNodeSetEnabled(CUgraphExec exec, CUgraphNode node, unsigned isEnabled);
CUresult fake_cuGraphUpload(CUgraphExec exec, CUstream stream);
CUresult fake_cuGraphLaunch(CUgraphExec exec, CUstream stream);

} // namespace mtc::fake
