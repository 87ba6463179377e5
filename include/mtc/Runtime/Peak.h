//===- Peak.h - what this machine reaches at most -------------------------===//
#pragma once

#include <vector>

namespace mtc::host {

/// The roofs of the roofline model, measured.
/// Source: Williams, Waterman, Patterson: Roofline, https://doi.org/10.1145/1498765.1498785; for
/// caches Ilic, Pratas, Sousa, https://doi.org/10.1109/L-CA.2013.6.
struct Peak {
  double flopsPerNs = 0; ///< f32 multiply-adds (2 each) of one core while the others do the same
  double byteFlopsPerNs = 0;  ///< the same of products of bytes (vpdpbusd; without it as f32)
  double tileFlopsPerNs = 0;  ///< the same of tiles of bf16 (tdpbf16ps; without it as f32)
  double bytesPerNs = 0;      ///< read and written in main memory by all cores together
  double cacheBytesPerNs = 0; ///< read from the last cache by one core while the others do the same
};

/// Measures on the given CPUs, a pinned thread each, with the widest vectors this CPU has: several
/// short runs. On a shared machine the neighbours are part of the figure, so take it beside what is
/// compared with it. Takes about 0.5 s and 64 MiB a CPU.
std::vector<Peak> measurePeaks(const std::vector<int> &cpus);

/// Each roof's best of all runs: what the machine reaches. Beside the least of other times.
Peak bestOf(const std::vector<Peak> &runs);

/// Each roof's median of all runs: what the machine usually gives. Beside medians of other times.
Peak medianOf(const std::vector<Peak> &runs);

} // namespace mtc::host
